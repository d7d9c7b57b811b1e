// The camera of the Live tab. It clocks itself: the next frame is sent when the answer to the last has come, so that the
// picture is never further behind than one exchange with the server, whatever the line.

import {answerOf, drawBox, makePeople, offerAgeGender} from "./cards.js";
import {formatDeviation, formatIndex, formatLength, prepareCanvas} from "./chart.js";
import {CALM, make, setText, shrinkHead, sleep} from "./dom.js";
import {makeAttempt, Session} from "./exchange.js";
import {cameraProblem, t, translate} from "./language.js";
import {makePanel} from "./panel.js";
import {SETTINGS} from "./settings.js";

const MAX_SIDE = 640,
  MIN_SIDE = 256;
const SLOW = 280,
  FAST = 180; // milliseconds of an exchange, above and below which frames become smaller and larger
const LONGEST_WAIT = 3000,
  CAMERA_RETRY = 3000;
const GLIDE = 50; // milliseconds in which a box covers two thirds of its way
const AHEAD = 250; // milliseconds that a box is moved on at most, to where the face should be by now
const LINGER = 600; // milliseconds that somebody stays on the page after having been lost
const REFRESH = 100; // milliseconds after which cards and figures are drawn anew
const STALE = 1000; // milliseconds without an answer after which what is shown pales
const MAX_CARDS = 8,
  MAX_POINTS = 4000;
const STORED = "ifade-live";

export function mountLive(element) {
  element.innerHTML = translate(element.innerHTML);
  const find = (name) => element.querySelector(`.ifade-${name}`);
  const video = element.querySelector("video"),
    overlay = find("overlay"),
    stage = find("stage");
  const invitation = find("invitation"),
    problem = find("problem"),
    speed = find("speed");
  const cameras = find("cameras"),
    mirror = find("mirror"),
    note = find("session-note"),
    showPeople = makePeople(find("people"), MAX_CARDS);

  const session = new Session();
  let origin = null; // the browser's time, in milliseconds, at which the session's seconds are 0
  let stream = null,
    running = false,
    run = 0; // run tells an old loop that it is over
  let lost = false, // the camera went away by itself
    answered = false; // whether there was an answer since it was started
  let side = MAX_SIDE;
  let points = [],
    baselineUntil = null;
  const faces = new Map(); // by id: {box, target, velocity, at, seen, lost, data}
  let lastRoom = null,
    exchanges = [],
    wakeUp = null,
    freshFrame = false,
    failing = false;

  // For whoever measures: milliseconds from taking a picture to having its answer, handed out once, and exchanges that failed.
  const measured = [];
  let failed = 0;
  window.ifadeLive = {
    take: () => measured.splice(0),
    get running() {
      return running;
    },
    get side() {
      return side;
    },
    get failed() {
      return failed;
    },
  };

  // The session

  async function openSession(resume) {
    const answer = await session.start(resume);
    origin = null;
    remember();
    panel.open(answer);
    return answer.resumed;
  }

  function drawPoints() {
    panel.curve.show({points, length: points.length ? points.at(-1).seconds : 0, running});
    find("results").hidden = !points.length;
  }

  function remember() {
    try {
      if (session.token) sessionStorage.setItem(STORED, JSON.stringify({session: session.token, running}));
      else sessionStorage.removeItem(STORED);
    } catch {
      /* storage is switched off: a reload then begins a new session */
    }
  }

  // The camera

  async function startCamera() {
    if (!lost) say("");
    if (!navigator.mediaDevices?.getUserMedia) {
      return say(t("no_camera_here"));
    }
    const device = cameras.value,
      wanted = {width: {ideal: 640}, height: {ideal: 480}, frameRate: {ideal: 30}};
    if (device === "user" || device === "environment") wanted.facingMode = device;
    else if (device && !cameras.disabled) wanted.deviceId = {exact: device};
    else wanted.facingMode = "user";
    stopTracks();
    const mine = ++run;
    try {
      const opened = await navigator.mediaDevices.getUserMedia({video: wanted, audio: false});
      if (mine !== run) return opened.getTracks().forEach((track) => track.stop());
      stream = opened;
    } catch (error) {
      if (mine !== run) return;
      if (lost && error.name !== "NotAllowedError") return waitForCamera();
      stopCamera();
      return say(cameraProblem(error));
    }
    lost = false;
    say("");
    const track = stream.getVideoTracks()[0];
    track.addEventListener("ended", () => {
      if (stream?.getVideoTracks()[0] !== track) return;
      lost = true;
      stopTracks();
      waitForCamera();
    });
    video.srcObject = stream;
    const facing = track.getSettings().facingMode;
    if (facing) mirror.checked = facing !== "environment";
    setMirror();
    await video.play().catch(() => {});
    if (mine !== run) return; // started twice, or stopped meanwhile
    running = true;
    answered = false;
    shrinkHead(element);
    showRunning();
    remember();
    listCameras(track.getSettings().deviceId);
    loop(mine);
  }

  // Tried again when the browser tells of a camera, and now and then, because it does not tell when a program lets go of one.
  function waitForCamera() {
    say(t("camera_gone"));
    setTimeout(() => {
      if (lost && !stream) startCamera();
    }, CAMERA_RETRY);
  }

  // With the picture go the boxes and bars that were drawn for it.
  function stopTracks() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    exchanges = [];
    faces.clear();
    drawCards();
    drawOverlay();
  }

  function stopCamera() {
    run++;
    running = lost = false;
    stopTracks();
    showRunning();
    remember();
    drawPoints();
    wakeUp?.();
  }

  async function listCameras(current) {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    const phone = matchMedia("(pointer: coarse)").matches && devices.length > 1;
    const options = phone
      ? [
          ["user", t("front_camera")],
          ["environment", t("back_camera")],
        ]
      : devices.map((device, index) => [device.deviceId, device.label || t("camera_number", {number: index + 1})]);
    const facing = stream?.getVideoTracks()[0]?.getSettings().facingMode;
    cameras.replaceChildren(...options.map(([value, text]) => make("option", {value, text})));
    cameras.value = phone ? facing || "user" : current;
    cameras.disabled = cameras.parentElement.hidden = options.length < 2;
  }

  // Unplugged and back again: the same wish is tried anew.
  navigator.mediaDevices?.addEventListener?.("devicechange", () => {
    if (lost) startCamera();
    else if (stream) listCameras(stream.getVideoTracks()[0].getSettings().deviceId);
  });

  // The loop: one frame in flight

  const visible = () => !document.hidden && element.offsetParent !== null && video.videoWidth > 0;

  // A picture of the camera that was not sent yet, on a page that somebody sees.
  async function nextFrame(mine) {
    while (mine === run && !(visible() && freshFrame)) {
      if (!visible()) {
        exchanges = [];
        speed.textContent = document.hidden || element.offsetParent === null ? t("paused") : "";
      }
      await Promise.race([
        new Promise((done) => {
          wakeUp = done;
        }),
        sleep(visible() ? 200 : 500),
      ]);
      if (!video.requestVideoFrameCallback) freshFrame = true;
    }
    freshFrame = false;
  }

  async function loop(mine) {
    let failures = 0;
    while (mine === run) {
      await nextFrame(mine);
      if (mine !== run) return;
      try {
        if (!session.token) {
          const stored = readStored();
          if (!(await openSession(stored?.session)) && failing) note.textContent = t("began_anew");
          if (mine !== run) return;
        }
        const taken = performance.now(),
          now = performance.timeOrigin + taken;
        const answer = await session.frame(video, {side, seconds: now / 1000, ageGender: find("age-gender").checked});
        if (mine !== run) return;
        if (!stream) continue; // unplugged meanwhile
        const got = performance.now();
        takeAnswer(answer, taken);
        origin = now - 1000 * answer.seconds;
        adapt(got - taken);
        measured.push(got - taken);
        if (measured.length > 5000) measured.shift();
        exchanges.push([got, got - taken]);
        if (failing) say("");
        failures = 0;
        failing = false;
      } catch (error) {
        if (mine !== run) return;
        if (error.status === 404) {
          session.token = null;
          try {
            sessionStorage.removeItem(STORED);
          } catch {
            /* nothing was stored */
          }
          failing = true;
          continue;
        }
        failures++;
        failed++;
        failing = true;
        if (error.name === "TimeoutError") adapt(Infinity);
        if (failures > 1) {
          say(error.status ? error.message : t("not_answering"));
        }
        await sleep(Math.min(LONGEST_WAIT, 100 * 2 ** failures));
      }
    }
  }

  // Smaller pictures on a slow line, larger ones again on a fast one.
  function adapt(milliseconds) {
    if (milliseconds > SLOW) side = Math.max(MIN_SIDE, side * Math.max(0.6, Math.sqrt(SLOW / milliseconds)));
    else if (milliseconds < FAST) side = Math.min(MAX_SIDE, side * 1.02);
  }

  // What is seen

  function takeAnswer(answer, taken) {
    const now = performance.now();
    answered = true;
    for (const data of answer.people) {
      let face = faces.get(data.id);
      if (!face) {
        face = {box: data.box, target: data.box, velocity: [0, 0, 0, 0], at: taken};
        faces.set(data.id, face);
      } else if (taken > face.at) {
        const gap = taken - face.at,
          part = Math.min(1, gap / 150);
        face.velocity = data.box.map(
          (value, i) => face.velocity[i] + part * ((value - face.target[i]) / gap - face.velocity[i]),
        );
        Object.assign(face, {target: data.box, at: taken});
      }
      Object.assign(face, {seen: now, data});
    }
    const present = new Set(answer.people.map((data) => data.id));
    for (const [id, face] of faces) {
      face.lost = !present.has(id);
      if (now - face.seen > LINGER) faces.delete(id);
    }
    lastRoom = answer.room;
    points.push({seconds: answer.seconds, room: answer.room, ...everybody(answer.people)});
    if (points.length > MAX_POINTS) thinOut();
    if (baselineUntil !== null && answer.seconds > baselineUntil) {
      baselineUntil = null;
      note.textContent = "";
      session
        .curve()
        .then((state) => {
          panel.change(state);
          panel.say(t("baseline_taken"));
        })
        .catch(() => {});
    }
  }

  function everybody(seen) {
    const of = (name) => Object.fromEntries(seen.map((data) => [data.id, data[name]]));
    const emotions = of("probabilities"),
      count = seen.length;
    if (count)
      emotions.room = SETTINGS.emotions.map(
        (_, place) => seen.reduce((sum, data) => sum + data.probabilities[place], 0) / count,
      );
    return {people: of("index"), emotions};
  }

  // Keep the last minute as it is and every second point before it.
  function thinOut() {
    const recent = points.at(-1).seconds - 60;
    points = points.filter((point, number) => point.seconds > recent || number % 2);
  }

  const pale = (face, now) => face.lost || now - face.seen > STALE;

  let drawn = performance.now(),
    isBlank = true; // the overlay

  function drawOverlay() {
    const width = stage.clientWidth,
      height = stage.clientHeight;
    if (!width || (isBlank && !faces.size)) return;
    isBlank = !faces.size;
    const context = prepareCanvas(overlay),
      now = performance.now(),
      passed = now - drawn;
    drawn = now;
    for (const [id, face] of faces) {
      const ahead = CALM.matches ? 0 : Math.min(now - face.at, AHEAD),
        part = CALM.matches ? 1 : 1 - Math.exp(-passed / GLIDE);
      face.box = face.box.map((value, i) => value + part * (face.target[i] + ahead * face.velocity[i] - value));
      let [x1, y1, x2, y2] = face.box.map((value, i) => value * (i % 2 ? height : width));
      if (mirror.checked) [x1, x2] = [width - x2, width - x1];
      context.globalAlpha = pale(face, now) ? 0.4 : 1;
      drawBox(context, [x1, y1, x2, y2], id, `${id}  ${answerOf(face.data)}`, width, height);
    }
    context.globalAlpha = 1;
  }

  // Cards and figures change in place, ten times a second; their texts four times.
  let texts = 0;

  function drawCards() {
    const now = performance.now(),
      withText = now - texts > 240;
    if (withText) texts = now;
    const people = new Map([...faces].map(([id, face]) => [id, {...face.data, gone: pale(face, now)}]));
    showPeople(
      people,
      t(!running ? "people_hint" : answered ? "nobody" : "getting_ready"),
      panel.curve.percent,
      withText,
    );
    if (withText) drawNumbers(now);
  }

  function drawNumbers(now) {
    const known = lastRoom && faces.size;
    setText(find("now-index"), known ? formatIndex(lastRoom[0], panel.curve.percent) : "–");
    setText(find("now-band"), known ? formatDeviation(lastRoom[1], panel.curve.percent) : "");
    exchanges = exchanges.filter(([at]) => now - at < 2000);
    if (!exchanges.length) setText(speed, "");
    if (exchanges.length > 1) {
      const seconds = (exchanges.at(-1)[0] - exchanges[0][0]) / 1000;
      const behind = exchanges.map(([, milliseconds]) => milliseconds).sort((a, b) => a - b)[exchanges.length >> 1];
      setText(
        speed,
        t("frame_rate", {rate: Math.round((exchanges.length - 1) / seconds), milliseconds: Math.round(behind)}),
      );
    }
  }

  let announced = 0,
    said = "";

  function announce() {
    const ids = [...faces.keys()].sort((a, b) => a - b);
    const answers = ids
      .slice(0, MAX_CARDS)
      .map((id) => t("person_announced", {id, answer: answerOf(faces.get(id).data)}));
    const words = ids.length ? answers.join(", ") : running && answered ? t("nobody_announced") : "";
    if (words === said || performance.now() - announced < 1000) return;
    announced = performance.now();
    said = words;
    find("announcement").textContent = words;
  }

  // With every frame of the camera; where the browser cannot tell, with every frame of the screen.
  function watchVideo() {
    if (!element.isConnected) return;
    // First, so that a frame that cannot be drawn is the only one.
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(watchVideo);
    else requestAnimationFrame(watchVideo);
    freshFrame = true;
    wakeUp?.();
    if (visible()) {
      drawOverlay();
      if (performance.now() - refreshed > 0.9 * REFRESH) refresh();
    }
  }

  let refreshed = -Infinity,
    turn = 0;

  // All that is not drawn on the picture: with one of its frames, when the browser draws anyway, and by the clock where none come.
  function refresh() {
    refreshed = performance.now();
    if (running && ++turn % 2) drawPoints();
    drawCards();
    announce();
  }

  const timer = setInterval(() => {
    if (!element.isConnected) return end();
    const seen = !document.hidden && element.offsetParent !== null;
    if (seen && performance.now() - refreshed > 2 * REFRESH) refresh();
  }, REFRESH);
  watchVideo();

  // Buttons

  function say(text) {
    setText(problem, text);
  }

  function showRunning() {
    invitation.hidden = running;
    find("stop").hidden = !running;
    element.classList.toggle("ifade-running", running);
    if (!running) speed.textContent = "";
  }

  function setMirror() {
    stage.classList.toggle("ifade-mirrored", mirror.checked);
  }

  function gone() {
    session.token = null;
    if (!running) panel.enable(false);
  }

  find("start").addEventListener("click", () => startCamera());
  find("stop").addEventListener("click", stopCamera);
  element.addEventListener("ifade-file", () => {
    note.textContent = t("file_in_live");
  }); // see files.js
  cameras.addEventListener("change", () => startCamera());
  mirror.addEventListener("change", () => {
    setMirror();
    drawOverlay();
  });
  video.addEventListener("resize", () => {
    if (video.videoWidth) find("screen").style.setProperty("--ratio", video.videoWidth / video.videoHeight);
  });

  // What lies below the picture

  const panel = makePanel(element, {
    live: true,
    session: () => session,
    gone,
    now: () =>
      origin === null ? (points.at(-1)?.seconds ?? 0) : (performance.timeOrigin + performance.now() - origin) / 1000,
    take(state) {
      points = state.curve;
      baselineUntil = state.baseline_until > state.seconds ? state.baseline_until : null;
      drawPoints();
    },
    redraw() {
      texts = 0;
    },
    baseline: async () => [await session.baseline(true), t("look_neutral", {seconds: SETTINGS.baselineSeconds})],
    source() {
      // when its files are made
      const now = new Date(),
        two = (value) => String(value).padStart(2, "0");
      return `live-${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}`;
    },
    settings(report) {
      const camera = stream?.getVideoTracks()[0]?.label;
      return [
        ...(camera ? [[t("camera"), camera]] : []),
        [t("length"), formatLength((report.to ?? 0) - (report.from ?? 0))],
      ];
    },
    async forget() {
      stopCamera();
      const answer = await session.delete().catch((error) => {
        if (error.status !== 404) throw error;
      });
      session.token = null;
      remember();
      points = [];
      lastRoom = null;
      panel.reset();
      drawPoints();
      note.textContent = t(answer?.deleted === false ? "nothing_to_delete" : "session_deleted");
      find("start").focus();
    },
  });

  function readStored() {
    try {
      return JSON.parse(sessionStorage.getItem(STORED));
    } catch {
      return null;
    }
  }

  // The loop ends first: a frame after it would come from nowhere.
  function leave() {
    run++;
    session.leave();
  }

  // After a reload, or out of the browser's cache of pages: the session goes on, and so does the camera if it was on.
  function comeBack() {
    const before = readStored();
    if (!before) return;
    makeAttempt(
      note,
      gone,
    )(async () => {
      if (!(await openSession(before.session))) note.textContent = t("began_anew");
      if (before.running) await startCamera();
    })();
  }
  const comeBackFromCache = (event) => {
    if (event.persisted) comeBack();
  };
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", comeBackFromCache);
  document.addEventListener("visibilitychange", () => wakeUp?.());

  function end() {
    clearInterval(timer);
    stopCamera();
    panel.end();
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", comeBackFromCache);
  }

  offerAgeGender(find("age-gender"), find("apparent-note"));
  showRunning();
  comeBack();
}
