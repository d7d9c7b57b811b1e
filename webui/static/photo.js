// The Photo tab: photos are sent one after the other, and each is shown with the boxes and cards of its faces.

import {answerOf, fillCard, makeCard, offerAgeGender} from "./cards.js";
import {prepareCanvas} from "./chart.js";
import {make, saveFile, setText, shrinkHead, sleep} from "./dom.js";
import * as exchange from "./exchange.js";
import {isVideo} from "./files.js";
import {cameraProblem, percentOf, t, translate} from "./language.js";
import {csvOf, jsonOf, stemOf} from "./photo_files.js";
import {
  blurFaces,
  drawFaces,
  drawPhoto,
  drawSavedBoxes,
  fits,
  loadImage,
  shrunk,
  smallCopy,
  toBlob,
} from "./pictures.js";
import {makeTable} from "./report.js";
import {SETTINGS} from "./settings.js";

const PATIENCE = [1000, 4000]; // milliseconds before a photo that found no server, or a busy one, is sent again
const SHOWN = /^image\/(avif|bmp|gif|jpeg|png|webp)$/; // types of files that all browsers show
const ASK_TURN = 2000; // milliseconds between questions of whose turn it is

export function mountPhoto(element) {
  element.innerHTML = translate(element.innerHTML);
  const find = (name) => element.querySelector(`.ifade-${name}`);
  const stage = find("photo-stage"),
    picture = find("shown"),
    overlay = find("overlay"),
    viewfinder = find("viewfinder");
  const chooser = find("photo-file"),
    ageGender = find("age-gender"),
    people = find("people"),
    strip = find("strip");

  // {file, name, state: "waiting" | "working" | "done" | "failed", answer, problem, passing, ahead, url, thumbnail,
  // sending}.
  // passing: whether the problem may be over by now. url: what a browser can show of the photo.
  let photos = [];
  let shown = null,
    working = false,
    lit = null,
    cards = new Map(),
    stream = null;

  setText(find("limits"), t("photo_limits", SETTINGS.photo));
  chooser.accept = ["image/*", ...SETTINGS.photo.suffixes].join(",");
  offerAgeGender(ageGender, find("apparent-note"));
  showExamples(find("examples-row"), add);

  // One after the other

  function add(files) {
    closeCamera();
    const added = [...files].map((file) => ({file, name: file.name, state: "waiting", answer: null, problem: ""}));
    if (!added.length) return;
    photos.push(...added);
    shrinkHead(element);
    show(added[0]);
    work();
  }

  async function work() {
    if (working) return;
    working = true;
    for (let photo = nextPhoto(); photo; photo = nextPhoto()) {
      photo.state = "working";
      render();
      await analyze(photo);
      render();
    }
    working = false;
  }

  // What is looked at comes first.
  const nextPhoto = () => (shown?.state === "waiting" ? shown : photos.find((photo) => photo.state === "waiting"));

  async function analyze(photo) {
    const problem = isVideo(photo.file)
      ? t("video_in_photo")
      : photo.file.size > SETTINGS.photo.megabytes * 2 ** 20
        ? t("photo_too_large", SETTINGS.photo)
        : "";
    if (problem) return fail(photo, problem);
    photo.sending = new AbortController();
    const signal = photo.sending.signal,
      wanted = ageGender.checked;
    for (let attempt = 0; ; attempt++) {
      try {
        const ask = (withPicture) => inTurn(photo, {ageGender: wanted, picture: withPicture, why: true, signal});
        // What is surely shown here is read while it is analysed.
        const early = SHOWN.test(photo.file.type) ? ask(false) : null;
        let [image, answer] = await Promise.all([readImage(photo), early]);
        answer ??= await ask(!image);
        // A browser and the server may differ about which way is up, say; the boxes are of the server's picture.
        if (!answer.picture && !(image && fits(image, answer))) answer = await ask(true);
        if (answer.picture) {
          release(photo);
          photo.url = answer.picture;
          delete answer.picture;
          await readImage(photo);
        }
        Object.assign(photo, {state: "done", answer, problem: ""});
        return;
      } catch (error) {
        if (signal.aborted) return;
        const passing = !error.status || error.status === 503;
        if (!passing || attempt === PATIENCE.length)
          return fail(photo, error.status ? error.message : t("no_answer"), passing);
        photo.problem = t("trying_again", {problem: error.status ? error.message : t("not_reached")});
        render();
        await sleep(PATIENCE[attempt]);
        if (signal.aborted) return;
      }
    }
  }

  // The answer to a photo; while it waits for that, it is said how many others are before it.
  async function inTurn(photo, options) {
    const turn = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const timer = setInterval(async () => {
      const ahead = await exchange.photosAhead(turn).catch(() => null);
      if (!photo.ahead && !ahead) return;
      photo.ahead = ahead;
      render();
    }, ASK_TURN);
    try {
      return await exchange.photo(photo.file, {...options, turn});
    } finally {
      clearInterval(timer);
      photo.ahead = null;
    }
  }

  function fail(photo, problem, passing = false) {
    Object.assign(photo, {state: "failed", problem, passing});
  }

  // The photo as a browser decodes it, or null; what it needs to be shown is in photo.url then.
  async function readImage(photo) {
    const before = photo.url;
    let url = before ?? URL.createObjectURL(photo.file);
    try {
      const image = await loadImage(url),
        small = before ? null : await smallCopy(photo.file, image);
      if (small) {
        URL.revokeObjectURL(url);
        url = URL.createObjectURL(small);
      }
      photo.url = url;
      if (photo.sending.signal.aborted) release(photo);
      else if (photo === shown) showPicture();
      return image;
    } catch {
      if (url.startsWith("blob:")) URL.revokeObjectURL(url);
      delete photo.url;
      return null;
    }
  }

  function release(photo) {
    if (photo.url?.startsWith("blob:")) URL.revokeObjectURL(photo.url);
  }

  // What is seen

  function show(photo) {
    shown = photo;
    lit = null;
    showPicture();
    render();
    const current = strip.querySelector("[aria-current]")?.getBoundingClientRect(),
      seen = strip.getBoundingClientRect();
    if (current) strip.scrollLeft += current.left + current.width / 2 - seen.left - seen.width / 2;
  }

  function showPicture() {
    const url = shown?.url;
    picture.hidden = !url;
    setText(find("file-name"), url ? "" : (shown?.name ?? ""));
    if (url && picture.src !== url) picture.src = url;
    if (!url) {
      picture.removeAttribute("src");
      stage.style.aspectRatio = "";
    }
  }

  picture.addEventListener("load", () => {
    stage.style.aspectRatio = `${picture.naturalWidth} / ${picture.naturalHeight}`;
    drawBoxes();
  });

  function sayOf({answer}) {
    const count = answer?.faces.length;
    return answer ? t(["no_face_short", "one_face"][count] ?? "faces_found", {count}) : "";
  }

  function render() {
    const busy = photos.find((photo) => photo.state === "working"),
      several = photos.length > 1;
    element.classList.toggle("ifade-empty", !shown);
    element.classList.toggle("ifade-busy", shown?.state === "working" || shown?.state === "waiting");
    find("invitation").hidden = Boolean(shown) || Boolean(stream);
    find("add").hidden = !shown;
    find("remove-all").hidden = !several;
    find("save").hidden = !shown?.answer;
    for (const button of element.querySelectorAll("[data-save=boxes], [data-save=blurred]")) {
      button.disabled = !shown?.url || !shown?.answer?.faces.length;
    }
    find("again").hidden = shown?.state !== "failed" || !shown.passing;
    setText(find("problem"), shown?.problem ?? "");
    setText(find("photo-status"), statusOf(busy, several));
    renderFaces();
    renderDetails();
    renderStrip(several);
    renderTable(several);
    drawBoxes();
  }

  function statusOf(busy, several) {
    if (busy?.ahead) return t("photos_ahead", {count: busy.ahead});
    if (busy && several) return t("analysing_photo", {number: photos.indexOf(busy) + 1, count: photos.length});
    if (busy) return t("analysing");
    if (!shown?.answer || shown.state === "failed") return "";
    return shown.answer.faces.length ? sayOf(shown) : t("no_face");
  }

  // Cards that are there already stay, with what is unfolded in them.
  let facesOf = null;

  function renderFaces() {
    const {answer} = shown ?? {};
    const key = answer ? [answer, ageGender.checked].map(String).join() : null;
    if (answer && facesOf?.answer === answer && facesOf.key === key) return;
    facesOf = answer ? {answer, key} : null;
    cards = new Map();
    people.scrollTop = 0;
    const faces = answer ? answer.faces.map((face, place) => cardOf(face, place + 1)) : [];
    people.replaceChildren(...faces, ...(answer ? notesOf(answer.faces) : []));
    const said = answer?.faces.map((face, place) => t("face_answer", {id: place + 1, answer: wordsOf(face)}));
    picture.alt = answer ? [t("photo_alt"), ...said].join(" ") : "";
  }

  function dataOf(face) {
    return {
      probabilities: SETTINGS.emotions.map((label) => face.consensus[label]),
      shown: face.shown,
      sure: face.sure,
      issues: face.quality?.issues ?? [],
      apparent: ageGender.checked && face.age_range ? face : null,
    };
  }

  const wordsOf = (face) => answerOf(dataOf(face));

  function cardOf(face, id) {
    const card = makeCard(id, "face");
    fillCard(card, id, dataOf(face));
    card.root.tabIndex = 0;
    card.root.append(reasonsOf(face, id));
    for (const name of ["pointerenter", "focusin"]) card.root.addEventListener(name, () => light(id));
    for (const name of ["pointerleave", "focusout"]) card.root.addEventListener(name, () => light(null));
    cards.set(id, card);
    return card.root;
  }

  function renderDetails() {
    const {answer} = shown ?? {};
    find("details").hidden = !answer;
    if (!answer) return;
    const words = [
      t("timing", {
        detection: Math.round(answer.detection_milliseconds),
        classification: Math.round(answer.classification_milliseconds),
        provider: answer.provider,
        width: answer.width,
        height: answer.height,
      }),
      ...(answer.gpu_failed ? [t("gpu_failed")] : []),
    ];
    setText(find("timing"), words.join(" "));
  }

  function renderStrip(several) {
    strip.hidden = !shown;
    const words = t("add_photos");
    const add = make(
      "button",
      {type: "button", class: "ifade-thumbnail ifade-more", "aria-label": words, title: words},
      make("span", {text: "+"}),
      make("span", {text: words}),
    );
    add.addEventListener("click", () => chooser.click());
    strip.replaceChildren(
      ...(several ? photos.map(thumbnailOf) : []).concat(add).map((button) => make("li", {}, button)),
    );
  }

  async function makeThumbnail(photo) {
    photo.thumbnail = null; // on its way
    photo.thumbnail = await shrunk(photo.url).catch(() => null);
    if (photo.thumbnail) renderStrip(photos.length > 1);
  }

  function thumbnailOf(photo) {
    if (photo.url && photo.thumbnail === undefined) makeThumbnail(photo);
    const answer = photo.state === "failed" ? photo.problem : sayOf(photo) || t("waiting");
    const attributes = {
      type: "button",
      class: `ifade-thumbnail ifade-${photo.state}`,
      title: photo.name,
      "aria-label": t("photo_named", {name: photo.name, answer}),
    };
    const count = photo.state === "failed" ? "!" : String(photo.answer?.faces.length ?? "…");
    const button = make(
      "button",
      attributes,
      photo.thumbnail ?? make("span", {class: "ifade-thumbnail-name", text: photo.name}),
      make("span", {class: "ifade-badge", text: count}),
    );
    if (photo === shown) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => {
      show(photo);
      strip.querySelector("[aria-current]").focus();
    });
    return button;
  }

  function renderTable(several) {
    const head = [t("photo"), t("faces"), t("expressions")];
    const rows = photos.map((photo) => {
      const counts = new Map();
      for (const face of photo.answer?.faces ?? []) {
        const words = wordsOf(face);
        counts.set(words, (counts.get(words) ?? 0) + 1);
      }
      const often = [...counts].sort((a, b) => b[1] - a[1]);
      const words = often.map(([answer, count]) => (count > 1 ? `${answer} (${count})` : answer)).join(", ");
      return [photo.name, String(photo.answer?.faces.length ?? "–"), photo.problem || words || "–"];
    });
    find("photo-table").replaceChildren(...(several ? [makeTable(t("photos"), head, rows)] : []));
  }

  // Boxes and cards that point at each other

  function light(id) {
    if (lit === id) return;
    lit = id;
    for (const [number, card] of cards) card.root.classList.toggle("ifade-lit", number === lit);
    drawBoxes();
  }

  function drawBoxes() {
    const context = prepareCanvas(overlay),
      {answer} = shown ?? {};
    if (!answer || picture.hidden) return;
    drawFaces(context, answer, stage.clientWidth, stage.clientHeight, wordsOf, lit);
  }

  // The smallest face at a point of the stage: the one that is meant where boxes overlap.
  function faceAt({clientX, clientY}) {
    const {answer} = shown ?? {},
      place = stage.getBoundingClientRect();
    const x = ((clientX - place.left) / place.width) * answer?.width,
      y = ((clientY - place.top) / place.height) * answer?.height;
    const hit = (answer?.faces ?? [])
      .map((face, index) => [index + 1, face.box])
      .filter(([, [x1, y1, x2, y2]]) => x >= x1 && x <= x2 && y >= y1 && y <= y2)
      .sort(([, a], [, b]) => a[2] - a[0] - (b[2] - b[0]));
    return hit[0]?.[0] ?? null;
  }

  stage.addEventListener("pointermove", (event) => {
    const id = faceAt(event);
    stage.style.cursor = id ? "pointer" : "";
    if (event.pointerType === "mouse") light(id);
  });
  stage.addEventListener("pointerleave", () => light(null));
  picture.addEventListener("click", (event) => {
    const id = faceAt(event);
    if (!id) return light(null);
    cards.get(id)?.root.focus({preventScroll: true});
    cards.get(id)?.root.scrollIntoView({block: "nearest"});
    light(id);
  });
  new ResizeObserver(() => {
    drawBoxes();
    if (!stage.clientWidth) closeCamera(); // another tab was opened
  }).observe(stage);

  // The camera

  async function openCamera() {
    setText(find("problem"), "");
    if (!navigator.mediaDevices?.getUserMedia) return setText(find("problem"), t("no_camera_here"));
    try {
      const video = {facingMode: "user", width: {ideal: 1280}, height: {ideal: 960}};
      stream = await navigator.mediaDevices.getUserMedia({video, audio: false});
    } catch (error) {
      return setText(find("problem"), cameraProblem(error));
    }
    viewfinder.srcObject = stream;
    viewfinder.classList.toggle("ifade-mirror", stream.getVideoTracks()[0].getSettings().facingMode !== "environment");
    viewfinder.hidden = find("shutter").hidden = false;
    render();
    await viewfinder.play().catch(() => {});
    find("capture").focus();
  }

  function closeCamera() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = viewfinder.srcObject = null;
    viewfinder.hidden = find("shutter").hidden = true;
    render();
  }

  async function capture() {
    if (!viewfinder.videoWidth) return;
    const canvas = make("canvas", {width: viewfinder.videoWidth, height: viewfinder.videoHeight});
    canvas.getContext("2d").drawImage(viewfinder, 0, 0);
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
    add([new File([await toBlob(canvas)], `camera-${time}.jpg`, {type: "image/jpeg"})]);
  }

  // Buttons

  for (const button of element.querySelectorAll(".ifade-choose"))
    button.addEventListener("click", () => chooser.click());
  for (const button of element.querySelectorAll(".ifade-open-camera")) button.addEventListener("click", openCamera);
  find("close-camera").addEventListener("click", closeCamera);
  find("capture").addEventListener("click", capture);
  chooser.addEventListener("change", () => {
    const files = [...chooser.files];
    chooser.value = ""; // so that the same file can be chosen again
    add(files);
  });
  element.addEventListener("ifade-files", ({detail}) => add(detail)); // dropped or pasted, see files.js

  function remove(removed) {
    for (const photo of removed) {
      photo.sending?.abort();
      release(photo);
    }
    const place = photos.indexOf(shown);
    photos = photos.filter((photo) => !removed.includes(photo));
    show(photos[Math.min(place, photos.length - 1)] ?? null);
    if (!shown) find("choose").focus();
  }
  find("remove").addEventListener("click", () => remove([shown]));
  find("remove-all").addEventListener("click", () => remove(photos));

  find("again").addEventListener("click", () => {
    for (const photo of photos) {
      if (photo.state === "failed" && photo.passing) Object.assign(photo, {state: "waiting", problem: ""});
    }
    render();
    work();
  });

  ageGender.addEventListener("change", () => {
    for (const photo of photos) {
      const lacking = photo.answer?.faces.some((face) => !face.age_range);
      if (ageGender.checked && photo.state === "done" && lacking) photo.state = "waiting";
    }
    render();
    work();
  });

  for (const button of element.querySelectorAll("[data-save]")) {
    button.addEventListener("click", async () => {
      const kind = button.dataset.save,
        name = stemOf(shown.name),
        together = photos.length > 1 ? "ifade-photos" : name;
      if (kind === "csv") return saveFile(csvOf(photos), `${together}.csv`);
      if (kind === "json") return saveFile(jsonOf(photos), `${together}.json`);
      const draw = kind === "boxes" ? drawSavedBoxes : blurFaces;
      const canvas = await drawPhoto(shown, (drawn) => draw(drawn, shown.answer, wordsOf));
      saveFile(await toBlob(canvas), `${name}-${kind}.jpg`);
    });
  }

  render();
}

function showExamples(row, add) {
  for (const name of SETTINGS.examples) {
    const button = make(
      "button",
      {type: "button", class: "ifade-example", "aria-label": t(`example_${name}`), title: t(`example_${name}`)},
      make("img", {src: `examples/small/${name}.jpg`, alt: "", loading: "lazy"}),
    );
    button.addEventListener("click", async () => {
      const response = await fetch(`examples/${name}.jpg`);
      add([new File([await response.blob()], `${name}.jpg`, {type: "image/jpeg"})]);
    });
    row.append(button);
  }
}

// What of the faces' answers needs an explanation.
function notesOf(faces) {
  const notes = [
    faces.some((face) => face.crowd) && t("two_answers"),
    faces.some((face) => !face.sure) && t("unsure", {limit: percentOf(SETTINGS.notSure)}),
    faces.some((face) => face.quality?.issues.length) && t("issues_note"),
  ];
  return notes.filter(Boolean).map((text) => make("p", {class: "ifade-note", text}));
}

// What the model gives beside the probabilities, folded away.
function reasonsOf(face, id) {
  const parts = [],
    emotion = t(`emotion_${face.shown}`),
    side = Math.round(face.quality?.side ?? 0);
  const pictures = {}; // drawn when they are unfolded
  const figure = (name, alt, text) => {
    pictures[name] = make("img", {alt});
    parts.push(make("figure", {}, pictures[name], make("figcaption", {text})));
  };
  if (face.crop) figure("crop", t("crop_alt", {number: id}), t("crop_caption", {side}));
  if (face.heat) figure("heat", t("heat_alt", {number: id, emotion}), t("heat_caption", {emotion}));
  if (face.crowd) {
    const rows = SETTINGS.emotions.map((label, place) => [
      label,
      face.probabilities[label],
      face.crowd[SETTINGS.crowd[place]],
    ]);
    rows.push(["contempt", null, face.crowd.contempt]);
    const cell = (part) => (part === null ? "–" : percentOf(part));
    parts.push(
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            make("td"),
            ...["one_person", "ten_people"].map((key) => make("th", {scope: "col", text: t(key)})),
          ),
        ),
        make(
          "tbody",
          {},
          ...rows.map(([label, one, ten]) =>
            make(
              "tr",
              {},
              make("th", {scope: "row", text: t(`emotion_${label}`)}),
              make("td", {text: cell(one)}),
              make("td", {text: cell(ten)}),
            ),
          ),
        ),
      ),
    );
  }
  if (!parts.length) return "";
  const details = make("details", {class: "ifade-why"}, make("summary", {text: t("why")}), make("div", {}, ...parts));
  const draw = async () => {
    const drawn = await exchange.reasonsOf(face).catch(() => ({}));
    for (const [name, image] of Object.entries(pictures)) image.src = drawn[name] ?? "";
  };
  details.addEventListener("toggle", draw, {once: true});
  return details;
}
