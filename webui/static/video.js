// The Video tab: sends a file, follows the work on it, and shows what was found beside the visitor's own copy.

import {answerOf, drawBox, makePeople, offerAgeGender} from "./cards.js";
import {formatLength, formatTime, prepareCanvas} from "./chart.js";
import {CALM, make, setText, shrinkHead, sleep} from "./dom.js";
import {makeAttempt, Session} from "./exchange.js";
import {isPhoto} from "./files.js";
import {percentOf, t, translate} from "./language.js";
import {makePanel} from "./panel.js";
import {SETTINGS} from "./settings.js";

const POLL = 500,
  KEEP = 60000; // milliseconds between questions while there is work, and while results are looked at
const MAX_ROWS_SHOWN = 60000; // of faces, from which the player's boxes and the cards are drawn
const MAX_CARDS = 4;

export function mountVideo(element) {
  element.innerHTML = translate(element.innerHTML);
  const find = (name) => element.querySelector(`.ifade-${name}`);
  const stage = find("stage"),
    player = find("player"),
    overlay = find("overlay"),
    invitation = find("invitation");
  const chooser = find("file"),
    progress = find("progress"),
    status = find("film-status"),
    problem = find("problem");
  const rateSelect = find("rate"),
    ageGender = find("age-gender"),
    note = find("session-note"),
    results = find("results");
  const showPeople = makePeople(find("people"), MAX_CARDS);

  let session = null,
    run = 0; // run tells old work that it is over
  let sending = null; // an AbortController while the file is sent
  let points = [],
    frames = []; // frames: {seconds, faces: Map by id of {box, shown, sure, issues, probabilities, index, apparent}}
  let size = null,
    length = 0,
    finished = false,
    keeper = null;
  let source = ""; // the file's name without its ending

  const say = (text) => setText(problem, text);
  const lasting = (seconds) => (seconds < 60 ? formatLength(seconds) : t("minutes", {minutes: formatTime(seconds)}));

  setText(find("invitation-words"), t("video_invitation"));
  find("limits").textContent = t("video_limits", SETTINGS.video);
  chooser.accept = ["video/*", ...SETTINGS.video.suffixes].join(",");
  for (const rate of SETTINGS.video.rates) rateSelect.append(make("option", {value: rate, text: String(rate)}));
  rateSelect.value = SETTINGS.video.rate;
  offerAgeGender(ageGender, find("apparent-note"));

  // Sending and following the work

  function send(file, mine) {
    sending = new AbortController();
    return session.video(file, {
      rate: rateSelect.value,
      ageGender: ageGender.checked,
      signal: sending.signal,
      onProgress(sent, all) {
        if (mine !== run) return;
        progress.value = all ? sent / all : 1;
        setText(
          status,
          sent === all
            ? t("opening")
            : t("sending_part", {
                part: percentOf(Math.floor((100 * sent) / all) / 100),
                megabytes: Math.ceil(all / 2 ** 20),
              }),
        );
      },
    });
  }

  async function start(file) {
    if (isPhoto(file)) return say(t("photo_in_video"));
    const mine = ++run;
    await forget();
    if (mine !== run) return;
    reset();
    source = file.name.replace(/\.[^.]*$/, "") || "video";
    showPlayer(file);
    if (file.size > SETTINGS.video.megabytes * 2 ** 20) {
      return say(t("too_large", SETTINGS.video));
    }
    working(true);
    shrinkHead(element);
    setText(status, t("sending"));
    try {
      const opened = new Session();
      await opened.start();
      if (mine !== run) return opened.leave();
      session = opened;
      let state = await send(file, mine);
      sending = null;
      let asked = 0,
        failures = 0;
      const began = performance.now();
      while (mine === run) {
        size = state.size;
        showState(state, began);
        if (state.state === "done" || state.state === "stopped") break;
        await sleep(POLL);
        if (mine !== run) return;
        try {
          state = await session.progress();
          if (state.state === "reading" && performance.now() - asked > 2 * POLL) {
            asked = performance.now();
            takeCurve(await session.curve(), state.position);
          }
          failures = 0;
        } catch (error) {
          if ((error.status && error.status !== 503) || ++failures > 20) throw error; // a short break of the line, or of the server, is waited out
        }
      }
      if (mine !== run) return;
      await showResults(state, mine);
    } catch (error) {
      if (mine !== run) return;
      say(error.message && error.status !== undefined ? error.message : t("no_answer"));
      setText(status, "");
      await forget();
    } finally {
      if (mine === run) working(false);
    }
  }

  function showState(state, began) {
    const passed = (performance.now() - began) / 1000,
      all = state.duration;
    length = all ? Math.max(all, state.position) : state.position;
    if (state.state === "waiting") {
      progress.removeAttribute("value");
      setText(
        status,
        !state.ahead ? t("starting") : t(state.ahead === 1 ? "one_ahead" : "many_ahead", {count: state.ahead}),
      );
      return;
    }
    if (all) progress.value = Math.min(state.position / all, 1);
    else progress.removeAttribute("value");
    const left = all && state.position > 1 && passed > 2 ? ((all - state.position) * passed) / state.position : 0;
    const analysed = t(all ? "analysed_of" : "analysed", {
      position: lasting(state.position),
      duration: all && lasting(all),
    });
    const rest = left < 90 ? t("seconds", {seconds: Math.ceil(left)}) : t("minutes", {minutes: Math.ceil(left / 60)});
    setText(status, left > 1 ? t("time_left", {analysed, left: rest}) : analysed);
  }

  function takeCurve(state, position) {
    points = state.curve;
    length = Math.max(length, position);
    drawChart();
  }

  async function showResults(state, mine) {
    const report = await session.report();
    if (mine !== run) return;
    finished = true;
    takeCurve(report, state.position);
    results.hidden = false;
    panel.showReport(report);
    const ended = state.state === "stopped" && !state.error ? "stopped" : "finished";
    setText(status, t(ended, {frames: report.frames, length: lasting(state.position)}));
    say([state.error, state.state === "done" && state.incomplete].filter(Boolean).join(" "));
    panel.enable(true);
    clearInterval(keeper);
    keeper = setInterval(() => session.progress().catch(() => {}), KEEP);
    if (report.people.reduce((sum, person) => sum + person.frames, 0) <= MAX_ROWS_SHOWN) {
      const read = framesOf(await session.frames());
      if (mine !== run) return; // another file was chosen meanwhile
      frames = read;
      useCurve();
      drawMoment();
    }
  }

  // The parts of the table by frame. Frames without a face have no faces.
  function framesOf(parts) {
    const result = [],
      labels = SETTINGS.emotions.map((label) => `smoothed_${label}`);
    for (const table of parts) {
      const together = (names, row) => names.map((name) => table[name][row]);
      table.seconds.forEach((seconds, row) => {
        if (result.at(-1)?.seconds !== seconds) result.push({seconds, faces: new Map()});
        if (!table.faces[row]) return;
        result
          .at(-1)
          .faces.set(table.person[row], {
            box: together(["x1", "y1", "x2", "y2"], row),
            shown: table.smoothed_shown[row],
            sure: table.smoothed_sure[row],
            issues: table.issues[row].split(" ").filter(Boolean),
            probabilities: together(labels, row),
            index: together(["index", "index_deviation"], row),
            apparent:
              table.age[row] === null
                ? null
                : {
                    age: table.age[row],
                    age_range: together(["age_first", "age_last"], row),
                    age_sure: table.age_sure[row],
                    apparent_gender: table.apparent_gender[row],
                    gender_sure: table.gender_sure[row],
                    gender: Object.fromEntries(SETTINGS.genders.map((label) => [label, table[`gender_${label}`][row]])),
                  },
          });
      });
    }
    return result;
  }

  // The index of every face as the curve shows it, whose lines are straight between its points.
  function useCurve() {
    const lines = {},
      places = {};
    for (const {seconds, people} of points) {
      for (const [id, reading] of Object.entries(people)) {
        lines[id] ??= [];
        lines[id].push([seconds, reading]);
      }
    }
    for (const {seconds, faces} of frames) {
      for (const [id, face] of faces) {
        const line = lines[id];
        if (!line) continue; // of more people than there is room for
        let place = places[id] ?? 0;
        while (place + 1 < line.length && line[place + 1][0] <= seconds) place++;
        places[id] = place;
        const [from, before] = line[place],
          [to, after] = line[place + 1] ?? line[place];
        const part = to > from ? Math.min(Math.max((seconds - from) / (to - from), 0), 1) : 0;
        face.index = before.map((value, i) => value + part * (after[i] - value));
      }
    }
  }

  // What is seen

  function showPlayer(file) {
    if (player.src) URL.revokeObjectURL(player.src);
    player.hidden = !file.size;
    invitation.hidden = !player.hidden;
    if (file.size) player.src = URL.createObjectURL(file);
    else player.removeAttribute("src");
  }
  player.addEventListener("resize", () => {
    if (player.videoWidth) find("screen").style.setProperty("--ratio", player.videoWidth / player.videoHeight);
  });
  player.addEventListener("error", () => {
    if (!player.getAttribute("src") || player.hidden) return;
    // Not every format that the server reads can be played by a browser.
    player.hidden = true;
    invitation.hidden = false;
    setText(find("invitation-words"), t("cannot_play"));
  });
  for (const name of ["timeupdate", "seeked", "loadeddata"])
    player.addEventListener(name, () => {
      drawMoment();
      drawChart();
    });

  // The latest frame of a moment, the next one, and which part of the way has passed.
  function frameAt(now) {
    let low = 0,
      high = frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (frames[middle].seconds <= now + 0.02) low = middle + 1;
      else high = middle;
    }
    const before = frames[low - 1],
      after = frames[low],
      spacing = 1.5 / Number(rateSelect.dataset.used);
    if (player.hidden || !before || now - before.seconds > spacing) return {faces: new Map()};
    if (CALM.matches || !after || after.seconds - before.seconds > spacing) return {faces: before.faces};
    const part = (now - before.seconds) / (after.seconds - before.seconds);
    return {faces: before.faces, next: after.faces, part: Math.min(Math.max(part, 0), 1)};
  }

  function drawMoment() {
    const moment = frameAt(player.currentTime);
    drawBoxes(moment);
    showPeople(moment.faces, t(finished && frames.length ? "nobody" : "people_hint"), panel.curve.percent);
  }

  function drawBoxes({faces, next, part}) {
    const width = stage.clientWidth,
      height = stage.clientHeight;
    if (!width) return;
    const context = prepareCanvas(overlay);
    for (const [id, face] of faces) {
      const box = face.box.map((value, i) => {
        const place = value + (next?.has(id) ? part * (next.get(id).box[i] - value) : 0);
        return (place / size[i % 2]) * (i % 2 ? height : width);
      });
      drawBox(context, box, id, `${id}  ${answerOf(face)}`, width, height);
    }
  }

  let following = 0; // what is asked of the browser while the video plays

  function follow() {
    cancelAnimationFrame(following);
    if (!element.isConnected || player.paused) return;
    if (!player.hidden) drawMoment();
    following = requestAnimationFrame(follow);
  }
  player.addEventListener("play", follow);

  function seek(seconds) {
    if (!player.hidden) player.currentTime = seconds;
  }

  // The moment that is looked at: the player's, or of a file that it cannot play that under the chart's cursor.
  function now() {
    return player.hidden ? (panel.curve.cursor ?? 0) : player.currentTime;
  }

  function drawChart() {
    panel.curve.show({points, length, playhead: player.hidden ? null : player.currentTime});
  }
  new ResizeObserver(() => drawMoment()).observe(stage);

  function working(on) {
    progress.hidden = !on;
    find("film-stop").hidden = !on;
    find("film-stop").disabled = false;
    find("again").hidden = on || !invitation.hidden;
    rateSelect.disabled = ageGender.disabled = on;
    if (on) {
      progress.value = 0;
      rateSelect.dataset.used = rateSelect.value;
    }
  }

  function reset() {
    points = [];
    frames = [];
    size = null;
    length = 0;
    finished = false;
    for (const target of [problem, status, note]) setText(target, "");
    results.hidden = true;
    panel.reset();
    drawMoment();
  }

  // End the session, if there is one, and with it all work on its video.
  async function forget() {
    clearInterval(keeper);
    sending?.abort();
    sending = null;
    if (!session) return;
    await session.delete().catch(() => {});
    session = null;
  }

  // Buttons

  for (const name of ["choose", "again"]) find(name).addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    const [file] = chooser.files;
    chooser.value = ""; // so that the same file can be chosen again
    if (file) start(file);
  });
  element.addEventListener("ifade-file", ({detail}) => start(detail)); // dropped or pasted, see files.js

  find("film-stop").addEventListener(
    "click",
    makeAttempt(problem)(async () => {
      find("film-stop").disabled = true;
      if (sending) {
        run++;
        await forget();
        working(false);
        setText(status, t("stopped_before"));
      } else {
        await session.stop();
      }
    }),
  );

  const panel = makePanel(element, {
    session: () => session,
    now,
    seek,
    redraw: drawMoment,
    source: () => source,
    take(state) {
      points = state.curve;
      drawChart();
      useCurve();
      drawMoment();
    },
    async baseline() {
      const from = now(),
        words = t("baseline_from", {from: formatTime(from), to: formatTime(from + SETTINGS.baselineSeconds)});
      return [await session.baseline(true, from), words];
    },
    settings: () => [
      [t("length"), lasting(length)],
      ...(size ? [[t("frame_size"), t("pixels", {width: size[0], height: size[1]})]] : []),
      [t("frames_a_second"), rateSelect.dataset.used],
    ],
    async forget() {
      run++;
      await forget();
      reset();
      player.removeAttribute("src");
      player.load();
      player.hidden = true;
      invitation.hidden = false;
      setText(find("invitation-words"), t("video_invitation"));
      working(false);
      note.textContent = t("results_deleted");
      find("choose").focus();
    },
  });

  const leave = () => session?.leave();
  window.addEventListener("pagehide", leave);
  working(false);
  reset();
}
