// What webui/photo.py, live.py, video.py and session_routes.py answer, by the names of exchange.js.

import * as ort from "../vendor/onnxruntime.js";
import {FaceAnalyzer} from "./analyzer.js";
import {CONSTANTS} from "./constants.js";
import {decode, findFormat, framePixels, ImageError} from "./decoding.js";
import {DetectorError} from "./detector.js";
import {modelBytes, runtimeCode} from "./files.js";
import {giveBackMemory} from "./images.js";
import * as told from "./report.js";
import {heatMap} from "./saliency.js";
import {Timeline} from "./satisfaction.js";
import {IfadeError} from "./sentences.js";
import {Stream} from "./stream.js";
import {FrameTable, momentRows} from "./tables.js";

const {EMOTIONS} = CONSTANTS.types;
const JPEG_QUALITY = 0.9,
  START = 20000; // milliseconds that threads may take to start

const NEW = {origin: null, seconds: 0, lastId: 0, rows: 0, lost: 0, timeline: null}; // what a session begins with

// A refusal whose status is not 422.
class SessionError extends IfadeError {
  constructor(status, code, values) {
    super(code, values);
    this.status = status;
  }
}

// limits: of webui/limits.py; threads: of the networks.
export async function openAnswers(limits, threads) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.initTimeout = START;
  ort.env.wasm.wasmBinary = await runtimeCode();
  const analyzer = await FaceAnalyzer.open({runtime: ort, models: modelBytes, live: true});
  const sessions = new Map();
  let turn = Promise.resolve(); // networks work for one after the other
  let asked = false;

  function inTurn(work) {
    asked = true;
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  }

  function sessionOf(token) {
    const session = sessions.get(token);
    if (!session) throw new SessionError(404, "session_ended");
    return session;
  }

  function sessionAfter({origin, seconds, lastId, rows, lost, timeline}) {
    const stream = new Stream(analyzer, true); // of a camera, unless a video comes
    stream.lost = lost;
    stream.follower.tracker.lastId = lastId;
    if (timeline) stream.timeline = Timeline.restored(timeline);
    return {stream, rows: new FrameTable(rows), origin, seconds, video: null};
  }

  async function readVideo(session, {reader, ageGender}) {
    const job = session.video;
    try {
      for await (const {image, seconds} of reader.frames()) {
        if (job.stopping) break;
        if (seconds > 60 * limits.videoMinutes) {
          job.error = new IfadeError("video_cut", {minutes: limits.videoMinutes});
          job.state = "done";
          break;
        }
        try {
          const moment = await inTurn(() => session.stream.add(image, seconds, {ageGender}));
          session.rows.add(momentRows(moment));
          session.seconds = moment.seconds;
        } catch (error) {
          if (!(error instanceof DetectorError)) throw error;
          job.error = new IfadeError("frames_lost", {count: session.stream.lost});
        }
      }
    } catch (error) {
      job.error = error.code ? error : new IfadeError("no_answer");
      if (!error.code) console.error(error);
    } finally {
      reader.close();
      session.stream.timeline.finished = true;
      if (job.state === "reading") job.state = reader.finished ? "done" : "stopped";
    }
  }

  return {
    // Until something is asked for, which does the same; between the steps messages are read.
    async warmUp() {
      const steps = analyzer.warmUp();
      for (let done = false; !done && !asked; await new Promise((next) => setTimeout(next))) {
        const step = steps.next();
        turn = step.catch(() => {});
        ({done} = await step);
      }
    },

    async photo(blob, {ageGender, picture, why}) {
      let image;
      try {
        image = await decode(blob);
      } catch (error) {
        throw error.code === "photo_is_video" ? new ImageError("video_in_photo") : error;
      }
      const result = await inTurn(() => analyzer.analyze(image, {ageGender}));
      const answer = result.toDict();
      if (picture) answer.picture = await dataUrl(shrink(canvasOf(image), limits.shownPixels), "image/jpeg");
      giveBack(image);
      if (why)
        result.faces.forEach(({crop, activation: heat}, place) => Object.assign(answer.faces[place], {crop, heat}));
      return answer;
    },

    // The pictures that webui/photo.py gives with a face. heat: its activation, or null.
    async reasons({crop, heat, shown}) {
      const map = heat && canvasOf(heatMap(crop, heat, EMOTIONS.indexOf(shown)));
      return {
        crop: await dataUrl(canvasOf(greyPicture(crop)), "image/png"),
        heat: map && (await dataUrl(map, "image/jpeg")),
      };
    },

    // kept: what `keep` gave before the page was loaded anew, or null.
    start(kept) {
      const {token, ...before} = kept ? JSON.parse(kept) : {...NEW, token: crypto.randomUUID()};
      if (!sessions.has(token)) sessions.set(token, sessionAfter(before));
      return {session: token, resumed: Boolean(kept), ...stateOf(sessions.get(token))};
    },

    // A live session as text: all but its rows and who is in view.
    keep(token) {
      const {stream, rows, origin, seconds} = sessionOf(token),
        {timeline, lost, follower} = stream;
      const {lastId} = follower.tracker;
      return JSON.stringify({token, origin, seconds, lastId, rows: rows.dropped + rows.length, lost, timeline});
    },

    async frame(token, frame, {seconds: now, width, height, size, ageGender}) {
      const started = performance.now();
      try {
        const session = sessionOf(token),
          {stream} = session;
        session.origin ??= now;
        // A clock that is set back, or two frames of the same moment, must not stop the stream.
        session.seconds = Math.max(now - session.origin, session.seconds + 1e-3 * (stream.timeline.frames > 0));
        const moment = await inTurn(async () => {
          const image = await framePixels(frame, size, {into: session.pixels});
          session.pixels = image.data;
          return stream.add(image, session.seconds, {width, ageGender});
        });
        session.rows.add(momentRows(moment));
        return told.frameAnswer(moment, {width, height}, performance.now() - started);
      } finally {
        frame.close(); // the camera has few
      }
    },

    async video(token, file, {rate, ageGender}) {
      const session = sessionOf(token);
      const {VideoReader} = await import("./video.js").catch(() => {
        throw new SessionError(503, "not_loaded");
      });
      let reader;
      try {
        reader = await VideoReader.open(file, {rate, longest: limits.videoLongest, maxPixels: limits.videoPixels});
      } catch (error) {
        throw error.code === "video_unknown" && (await isPicture(file)) ? new IfadeError("photo_in_video") : error;
      }
      if (reader.duration > 60 * limits.videoMinutes) {
        reader.close();
        throw new IfadeError("video_too_long", {minutes: limits.videoMinutes});
      }
      session.stream = new Stream(analyzer);
      session.video = {state: "reading", stopping: false, error: null, reader};
      readVideo(session, {reader, ageGender});
      return progressOf(session);
    },

    progress: (token) => progressOf(sessionOf(token)),

    stop(token) {
      const {video} = sessionOf(token);
      if (video) video.stopping = true;
      return {};
    },

    mark(token, {label, seconds, id}) {
      const {timeline} = sessionOf(token).stream;
      return {...(id === undefined ? timeline.mark(label, seconds) : timeline.relabel(id, label))};
    },

    unmark(token, {id}) {
      sessionOf(token).stream.timeline.unmark(id);
      return {};
    },

    weights(token, {weights}) {
      const session = sessionOf(token);
      session.stream.timeline.setWeights(weights);
      return stateOf(session);
    },

    baseline(token, {on, seconds}) {
      const session = sessionOf(token),
        {timeline} = session.stream;
      if (on) timeline.calibrate(seconds);
      else timeline.forgetBaseline();
      return stateOf(session);
    },

    curve: (token) => stateOf(sessionOf(token)),

    report(token) {
      const {stream, rows} = sessionOf(token);
      return told.report(stream, rows);
    },

    csv(token, {decimalComma}) {
      const {stream, rows} = sessionOf(token);
      return told.reportCsv(stream, rows, decimalComma);
    },

    frames(token) {
      const {stream, rows} = sessionOf(token);
      return told.frames(stream, rows);
    },

    delete(token) {
      const session = sessions.get(token);
      if (session?.video) session.video.stopping = true;
      return {deleted: sessions.delete(token)};
    },
  };
}

const stateOf = ({stream, seconds}) => told.state(stream.timeline, seconds);

// As webui/video.py

function progressOf({video, stream}) {
  if (!video) throw new SessionError(404, "no_video");
  const {reader, state, error} = video,
    ended = state !== "reading";
  const plain = (problem) => problem && JSON.parse(JSON.stringify(problem)); // with the errors in its values
  return {
    state,
    position: reader.position,
    duration: reader.duration,
    size: [reader.width, reader.height],
    incomplete: ended ? plain(reader.incomplete) : null,
    error: plain(error),
    ahead: 0,
    frames: stream.timeline.frames,
  };
}

// Whether a file that is no video begins like what the Photo tab reads; a GIF may be a video.
async function isPicture(file) {
  try {
    return findFormat(new Uint8Array(await file.slice(0, 4096).arrayBuffer())) !== "GIF";
  } catch {
    return false;
  }
}

// Pictures for the page

// The memory of a picture that nobody needs any more, at once: a browser would keep that of some photos, also where a buffer's own
// `transfer` gives it back.
function giveBack({data}) {
  const {port1, port2} = new MessageChannel();
  port1.postMessage(null, [data.buffer]);
  port1.close();
  port2.close();
  giveBackMemory();
}

function canvasOf(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(new ImageData(image.data, image.width, image.height), 0, 0);
  return canvas;
}

function shrink(canvas, longest) {
  const factor = longest / Math.max(canvas.width, canvas.height);
  if (factor >= 1) return canvas;
  const small = new OffscreenCanvas(Math.round(canvas.width * factor), Math.round(canvas.height * factor));
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, small.width, small.height);
  return small;
}

function greyPicture(grey) {
  const side = Math.round(Math.sqrt(grey.length)),
    data = new Uint8ClampedArray(4 * grey.length);
  grey.forEach((value, place) => data.set([value, value, value, 255], 4 * place));
  return {data, width: side, height: side};
}

async function dataUrl(canvas, type) {
  const blob = await canvas.convertToBlob({type, quality: JPEG_QUALITY});
  return new FileReaderSync().readAsDataURL(blob);
}
