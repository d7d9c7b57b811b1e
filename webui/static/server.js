// The answers of exchange.js from the server, by HTTP.

import {language, t} from "./language.js";
import {Refusal} from "./refusal.js";

const ROOT = new URL("..", import.meta.url); // of the page, which may lie under a path of a proxy
const FRAME_TIMEOUT = 3000,
  TIMEOUT = 15000,
  REPORT_TIMEOUT = 60000,
  PHOTO_TIMEOUT = 120000; // milliseconds
const SLOWEST = 8; // bytes a millisecond of the slowest line that the server waits for
const JPEG_QUALITY = 0.7; // of a camera's picture

async function ask(method, path, {session, body, headers = {}, timeout = TIMEOUT, signal} = {}) {
  const json = body !== undefined && !(body instanceof Blob),
    late = AbortSignal.timeout(timeout);
  const response = await fetch(new URL(path, ROOT), {
    method,
    cache: "no-store",
    signal: signal ? AbortSignal.any([late, signal]) : late,
    headers: {
      "Accept-Language": language,
      ...(session ? {"X-Session": session} : {}),
      ...(json ? {"Content-Type": "application/json"} : {}),
      ...headers,
    },
    body: json ? JSON.stringify(body) : body,
  });
  if (!response.ok) {
    const text = await response.json().then(
      (answer) => answer.error,
      () => null,
    );
    throw new Refusal(response.status, text || t("could_not_answer"));
  }
  return response.headers.get("content-type")?.startsWith("application/json") ? response.json() : response.blob();
}

// A photo of any format: what is in it, as `Analysis.to_dict` of Python, and what webui/photo.py adds where it is asked for.
// turn: a name for it, by which `photosAhead` finds it.
export function photo(blob, {ageGender, picture, why, turn, signal}) {
  const wanted = new URLSearchParams({age_gender: Number(ageGender), picture: Number(picture), why: Number(why), turn});
  const timeout = PHOTO_TIMEOUT + blob.size / SLOWEST;
  return ask("POST", `analyze?${wanted}`, {
    body: blob,
    headers: {"Content-Type": "application/octet-stream"},
    timeout,
    signal,
  });
}

// `crop` and `heat` of a face of a photo's answer as addresses of pictures.
export const reasonsOf = async ({crop, heat}) => ({crop, heat});

// How many photos the server answers before the one of that name; null where it does not know it.
export async function photosAhead(turn) {
  const {ahead} = await ask("GET", `analyze/turn?${new URLSearchParams({turn})}`);
  return ahead;
}

// A stream of a camera or a video, of which the server keeps the curve. Its token goes in a header and never in an address.
export class Session {
  token = null; // null: there is none, or it has ended

  #ask(method, path, options) {
    return ask(method, path, {...options, session: this.token});
  }

  // A new one, or the one of a page that was reloaded, by its token: {resumed, and the state as of `curve`}.
  async start(resume) {
    this.token = null;
    const answer = await ask("POST", "session/start", {body: resume ? {resume} : {}});
    this.token = answer.session;
    return answer;
  }

  // The picture that a <video> of a camera shows, scaled down to `side`. seconds: when it was taken, since 1970.
  async frame(video, {side, seconds, ageGender}) {
    const picture = await this.#takePicture(video, side),
      camera = `${video.videoWidth}x${video.videoHeight}`;
    const headers = {
      "Content-Type": "image/jpeg",
      "X-Seconds": String(seconds),
      "X-Camera": camera,
      "X-Age-Gender": ageGender ? "1" : "0",
    };
    return this.#ask("POST", "live/frame", {body: picture, headers, timeout: FRAME_TIMEOUT});
  }

  #shot = "OffscreenCanvas" in window ? new OffscreenCanvas(1, 1) : document.createElement("canvas");

  #takePicture(video, side) {
    const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight)),
      shot = this.#shot;
    const width = Math.round(video.videoWidth * scale),
      height = Math.round(video.videoHeight * scale);
    if (shot.width !== width || shot.height !== height) Object.assign(shot, {width, height});
    shot.getContext("2d").drawImage(video, 0, 0, width, height);
    // At once; that of the page is encoded when the page has nothing else to do.
    if (shot.convertToBlob) return shot.convertToBlob({type: "image/jpeg", quality: JPEG_QUALITY});
    return new Promise((done, failed) =>
      shot.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/jpeg", JPEG_QUALITY),
    );
  }

  // A video file; the answer is that of `progress`. onProgress(sent, all): of its bytes. signal: ends the sending.
  video(file, {rate, ageGender, onProgress, signal}) {
    return new Promise((done, failed) => {
      // fetch tells nothing of what was sent so far
      const sending = new XMLHttpRequest();
      sending.open("POST", new URL("video/analyze", ROOT));
      sending.setRequestHeader("Accept-Language", language);
      sending.setRequestHeader("X-Session", this.token);
      sending.setRequestHeader("X-Rate", rate);
      sending.setRequestHeader("X-Age-Gender", ageGender ? "1" : "0");
      sending.setRequestHeader("Content-Type", "application/octet-stream");
      sending.upload.onprogress = ({loaded, total}) => onProgress(loaded, total);
      sending.onload = () => {
        let answer = null;
        try {
          answer = JSON.parse(sending.responseText);
        } catch {
          /* a proxy's page */
        }
        if (sending.status === 200 && answer) done(answer);
        else failed(new Refusal(sending.status, answer?.error || t("not_taken")));
      };
      sending.onerror = () => failed(new Refusal(0, t("broke_off")));
      sending.onabort = () => failed(new Refusal(0, ""));
      signal.addEventListener("abort", () => sending.abort());
      sending.send(file);
    });
  }

  progress() {
    return this.#ask("GET", "video/progress");
  }
  stop() {
    return this.#ask("POST", "video/stop");
  }

  mark(label, seconds) {
    return this.#ask("POST", "session/mark", {body: {label, seconds}});
  }
  relabel(id, label) {
    return this.#ask("POST", "session/mark", {body: {id, label}});
  }
  unmark(id) {
    return this.#ask("POST", "session/unmark", {body: {id}});
  }
  weights(weights) {
    return this.#ask("POST", "session/weights", {body: {weights}});
  }
  // Everybody's zero from the next seconds, or from those after a time of the session; or forgotten.
  baseline(on, seconds) {
    return this.#ask("POST", "session/baseline", {body: {on, seconds}});
  }
  curve() {
    return this.#ask("GET", "session/curve");
  }
  report() {
    return this.#ask("GET", "session/report.json");
  }
  // What was seen in each frame: parts of the table, one after the other, which are objects of columns.
  frames() {
    return this.#ask("GET", "session/frames.json", {timeout: REPORT_TIMEOUT});
  }
  // "report.csv" has the decimal mark of this browser's country, for its spreadsheets.
  reportFile(name) {
    const comma = name === "report.csv" && (0.5).toLocaleString().includes(",");
    return this.#ask("GET", `session/${name}${comma ? "?decimal=comma" : ""}`, {timeout: REPORT_TIMEOUT});
  }

  async delete() {
    const answer = await this.#ask("POST", "session/delete");
    this.token = null;
    return answer;
  }

  // The page is closed: nobody waits for the answer.
  leave() {
    if (this.token) navigator.sendBeacon(new URL("session/leave", ROOT), JSON.stringify({session: this.token}));
  }
}
