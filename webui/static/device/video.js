// The pictures of a video file at a steady rate, as inference/video.py gives them: taken apart by Mediabunny and decoded by the browser.

import {ALL_FORMATS, BlobSource, Input, VideoSampleSink} from "../vendor/mediabunny.js";
import {framePixels} from "./decoding.js";
import {IfadeError} from "./sentences.js";

const TIME_TOLERANCE = 0.001; // seconds: several containers round times to milliseconds
const CUT_SECONDS = 1; // what may be missing at the end before a file counts as cut off

export class VideoError extends IfadeError {}

const isMp4 = async (file) => (await file.slice(4, 8).text()) === "ftyp"; // or MOV

// width and height of the pictures, turned as the file says, at most `longest` a side; duration in seconds, null where the file does
// not say; position: seconds up to which it was read; finished: whether there is no more; incomplete: null, or a VideoError that
// says what was not read.
export class VideoReader {
  position = 0;
  finished = false;
  #problem = null;

  // Throws VideoError.
  static async open(file, {rate, longest, maxPixels}) {
    if (!file.size) throw new VideoError("video_empty");
    if (!("VideoDecoder" in self)) throw new VideoError("no_video_decoder");
    const input = new Input({source: new BlobSource(file), formats: ALL_FORMATS});
    let tracks, track;
    try {
      tracks = await input.getTracks();
      track = await input.getPrimaryVideoTrack();
    } catch {
      throw new VideoError("video_unknown");
    }
    if (!track && tracks.length) throw new VideoError("video_only_sound");
    if (!track) throw new VideoError((await isMp4(file)) ? "video_index_missing" : "video_no_frames");
    const pixels = {width: track.codedWidth, height: track.codedHeight};
    if (pixels.width * pixels.height > maxPixels)
      throw new VideoError("video_pixels", {...pixels, megapixels: maxPixels / 1e6});
    if (!(await track.canDecode())) throw new VideoError("video_not_here", {codec: track.codec ?? "?"});
    const reader = new VideoReader();
    const factor = Math.min(longest / Math.max(track.displayWidth, track.displayHeight), 1);
    const start = Math.max(0, await track.getFirstTimestamp());
    const end = await track.computeDuration().catch(() => null);
    return Object.assign(reader, {
      input,
      track,
      rate,
      start,
      width: Math.max(Math.round(track.displayWidth * factor), 1),
      height: Math.max(Math.round(track.displayHeight * factor), 1),
      duration: end === null ? null : end - start,
    });
  }

  // {image, seconds}, each picture once: time is divided at the multiples of 1/rate seconds, and the first picture of each part is
  // taken.
  async *frames() {
    let taken = -1;
    try {
      for await (const sample of new VideoSampleSink(this.track).samples()) {
        try {
          const seconds = Math.max(0, sample.timestamp - this.start);
          this.position = seconds;
          const part = Math.floor((seconds + TIME_TOLERANCE) * this.rate);
          if (part <= taken) continue;
          taken = part;
          yield {image: await this.#pixelsOf(sample), seconds};
        } finally {
          sample.close();
        }
      }
    } catch (error) {
      console.warn(error);
      if (taken < 0) throw new VideoError("video_damaged");
      this.#problem = new VideoError("reading_stopped", {after: this.#after()});
      return;
    }
    if (taken < 0) throw new VideoError("video_damaged");
    this.finished = true;
    if (this.duration !== null && this.position < this.duration - CUT_SECONDS)
      this.#problem = new VideoError("file_ends", {after: this.#after()});
  }

  async #pixelsOf(sample) {
    const {width, height} = this;
    const draw = (context) => sample.draw(context, 0, 0, width, height);
    const frame = sample.rotation ? null : sample.toVideoFrame();
    return framePixels(frame, {width, height}, {draw}).finally(() => frame?.close());
  }

  get incomplete() {
    return this.finished || this.#problem ? this.#problem : new VideoError("reading_ended", {after: this.#after()});
  }

  #after() {
    const {position, duration} = this;
    return duration === null
      ? new VideoError("seconds_read", {position})
      : new VideoError("seconds_read_of", {position, duration});
  }

  close() {
    this.input.dispose?.();
  }
}
