// The answers of exchange.js from this device: a worker of the browser works them out, and nothing is sent anywhere.

import {sentence, t} from "./language.js";
import {giveUpDevice, problem} from "./place.js";
import {Refusal} from "./refusal.js";
import {reportPicture} from "./report.js";
import {SETTINGS} from "./settings.js";

const LOADING = 120000,
  PHOTO_TIMEOUT = 120000,
  FRAME_TIMEOUT = 15000,
  TIMEOUT = 60000; // milliseconds after which the worker is taken for stuck, and replaced
const KEPT = "ifade-kept", // in the tab's storage
  KEEP = 5000; // milliseconds after which a change is kept
const STATUS = {session_ended: 404, not_loaded: 503}; // of what is said where the worker ends
const FATAL = ["detector_failed", "no_answer"]; // what is said where networks fail, whose memory is not to be relied on any more
const MOST_DEATHS = 2; // of workers, one after the other without an answer between
const MOST_THREADS = 4; // of the networks; each takes memory

let worker = null,
  ready = null, // a promise: its networks are loaded
  opened = false,
  deaths = 0,
  number = 0,
  threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1; // memory is shared there alone
const asked = new Map(); // by number: {method, done, failed, dies, timer}

function begin() {
  worker = new Worker(new URL("device/worker.js", import.meta.url), {type: "module"});
  worker.addEventListener("message", ({data}) => take(data));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    replace(opened); // a module that could not be fetched is no fault of the device
  });
  opened = false;
  ready = call("open", [{...SETTINGS.device, threads}], {timeout: LOADING, dies: "not_loaded"}).then(() => {
    opened = true;
    performance.mark("ifade-ready"); // for whoever measures
  });
  ready.catch(() => {}); // whoever asks for something is told
}

function take({id, answer, error}) {
  const {method, done, failed} = asked.get(id) ?? {};
  if (!method) return;
  settle(id);
  if (!error) {
    if (method !== "open") deaths = 0;
    return done(answer);
  }
  failed(
    error.memory ? new Refusal(422, sentence({code: "picture_memory"})) : new Refusal(error.status, sentence(error)),
  );
  if (error.code === "browser_incomplete") giveUpDevice("incomplete", error.values);
  if (error.memory || FATAL.includes(error.code)) replace(true);
  else if (method === "open" || error.code === "not_loaded") end(); // it is tried anew when it is needed
}

function settle(id) {
  clearTimeout(asked.get(id).timer);
  asked.delete(id);
}

function end() {
  worker?.terminate();
  worker = ready = null;
}

// The worker has died or hangs: a new one takes its place when it is needed, and what it worked on is told so.
function replace(isDeath) {
  end();
  for (const [id, {failed, dies}] of [...asked]) {
    settle(id);
    failed(new Refusal(STATUS[dies] ?? 422, sentence({code: dies})));
  }
  // A browser may not be able to start them.
  if (threads > 1) threads = 1;
  else if (isDeath && ++deaths >= MOST_DEATHS) giveUpDevice("failed");
}

// dies: what is said where the worker ends meanwhile. slow: what is said where it takes too long.
function call(method, args, {timeout = TIMEOUT, dies = "session_ended", slow = dies, transfer = []} = {}) {
  const id = ++number;
  return new Promise((done, failed) => {
    const late = () => {
      asked.get(id).dies = slow;
      replace(true);
    };
    asked.set(id, {method, done, failed, dies, timer: setTimeout(late, timeout)});
    worker.postMessage({id, method, args}, transfer);
  });
}

// Its networks are; after a death of its threads those of the next one, without.
async function loaded() {
  if (!worker) begin();
  const tried = threads;
  try {
    await ready;
  } catch (error) {
    if (threads === tried) throw error;
    await loaded();
  }
}

async function ask(method, args, options = {}) {
  if (problem === "browser_too_old") throw new Refusal(501, t(problem));
  await loaded();
  options.signal?.throwIfAborted();
  return call(method, args, options);
}

// See server.js; `turn` is nobody's here. `crop` and `heat` of a face are no pictures yet.
export function photo(blob, {ageGender, picture, why, signal}) {
  const options = {timeout: PHOTO_TIMEOUT, dies: "picture_decoder_ended", slow: "picture_slow", signal};
  return ask("photo", [blob, {ageGender, picture, why}], options);
}

export const reasonsOf = ({crop, heat, shown}) => ask("reasons", [{crop, heat, shown}]);

export const photosAhead = async () => null;

// What a camera shows, to be handed to the worker: its frame as it is, or where the browser does not give that a picture of that size. Of
// pictures Chromium keeps copies, hundreds of megabytes, when they are drawn.
function takeFrame(video, {width, height}) {
  if ("VideoFrame" in window) return new VideoFrame(video);
  const scaled = {resizeWidth: width, resizeHeight: height, resizeQuality: "medium"};
  return width < video.videoWidth ? createImageBitmap(video, scaled) : createImageBitmap(video);
}

// What the worker says of a video by codes, in sentences.
const saying = (answer) => ({
  ...answer,
  error: answer.error && sentence(answer.error),
  incomplete: answer.incomplete && sentence(answer.incomplete),
});

function readKept() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null; // storage is switched off
  }
}

// See server.js. The session is in the worker. So that a camera's outlasts a reload, and a worker that dies, its figures are kept in
// the tab's own storage, which goes with the tab; the table of every frame is too large for that, and begins anew.
export class Session {
  token = null;
  #last = null; // the token of the session before
  #timer = null; // of the next time that it is kept

  #ask(method, args = [], options = {}) {
    return ask(method, [this.token, ...args], options);
  }

  async start(resume = this.#last) {
    this.token = null;
    const kept = readKept(),
      own = kept && JSON.parse(kept).token === resume ? kept : null;
    const answer = await ask("start", [own]).catch((error) => {
      if (!own) throw error;
      return ask("start", [null]); // it is of another version of the page
    });
    this.token = this.#last = answer.session;
    return answer;
  }

  async #keep() {
    this.#timer = null;
    try {
      sessionStorage.setItem(KEPT, await this.#ask("keep"));
    } catch {
      /* storage is switched off or full, or the session has ended */
    }
  }

  // Something that changes what is kept of a camera's session: it is kept anew, soon.
  async #change(method, args, options) {
    const answer = await this.#ask(method, args, options);
    if (method === "frame" || readKept()?.includes(this.token)) this.#timer ??= setTimeout(() => this.#keep(), KEEP);
    return answer;
  }

  async frame(video, {side, seconds, ageGender}) {
    const {videoWidth: width, videoHeight: height} = video,
      scale = Math.min(1, side / Math.max(width, height)),
      size = {width: Math.round(width * scale), height: Math.round(height * scale)};
    const picture = await takeFrame(video, size);
    const options = {timeout: FRAME_TIMEOUT, transfer: [picture]};
    return this.#change("frame", [picture, {seconds, width, height, size, ageGender}], options);
  }

  // The file is read where it lies.
  async video(file, {rate, ageGender, onProgress}) {
    onProgress(file.size, file.size);
    const options = {dies: "video_decoder_ended", slow: "video_slow"};
    return saying(await this.#ask("video", [file, {rate: Number(rate), ageGender}], options));
  }

  async progress() {
    return saying(await this.#ask("progress"));
  }
  stop() {
    return this.#ask("stop");
  }
  mark(label, seconds) {
    return this.#change("mark", [{label, seconds}]);
  }
  relabel(id, label) {
    return this.#change("mark", [{id, label}]);
  }
  unmark(id) {
    return this.#change("unmark", [{id}]);
  }
  weights(weights) {
    return this.#change("weights", [{weights}]);
  }
  baseline(on, seconds) {
    return this.#change("baseline", [{on, seconds}]);
  }
  curve() {
    return this.#ask("curve");
  }
  report() {
    return this.#ask("report");
  }
  frames() {
    return this.#ask("frames");
  }

  async reportFile(name) {
    if (name === "report.png") return reportPicture(await this.report());
    if (name === "report.json") return this.report();
    return this.#ask("csv", [{decimalComma: (0.5).toLocaleString().includes(",")}]);
  }

  async delete() {
    clearTimeout(this.#timer);
    this.#timer = null;
    try {
      return await this.#ask("delete");
    } finally {
      if (this.#last && readKept()?.includes(this.#last)) sessionStorage.removeItem(KEPT);
      this.token = this.#last = null;
    }
  }

  leave() {} // the worker ends with the page
}

// The networks are on their way before somebody needs them; ends when they are there.
export async function prepare() {
  if (problem === "browser_too_old") return;
  await loaded();
}
