// MediaPipe's short-range BlazeFace model, also for whole pictures by ONNX Runtime: inference/blazeface.py.

import {CONSTANTS} from "./constants.js";
import {channelsOf} from "./images.js";
import {Network} from "./network.js";
import {area, inSteps, shared} from "./search.js";

const {CANDIDATE_SCORE, INPUT_SIZE, ONNX_FILE, SUPPRESSION} = CONSTANTS.blazeface;
const {fround, max, min, trunc} = Math;
// Columns of the model's boxes: the middle and the size of the box, the eyes, the nose and the mouth (x, y), and both ears.
const VALUES = 16;
const USED = 12;
const BATCH = 16; // pictures in one run, which bounds the memory
// From -1 to 1, as the model takes them.
const VALUES_OF_BYTES = Float32Array.from({length: 256}, (_, byte) => fround(byte * fround(2 / 255)) - 1);

export class BlazeFace {
  static async open(place) {
    return new BlazeFace(await Network.open(place, ONNX_FILE));
  }

  constructor(network) {
    this.network = network;
  }

  // What the model sees in each of some pictures, BATCH in one run: faces from an eighth of it up to those that fill it, possibly several for
  // one face.
  async look(images) {
    const found = [];
    for (let start = 0; start < images.length; start += BATCH) {
      found.push(...(await this.#run(images.slice(start, start + BATCH))));
    }
    return found;
  }

  async #run(images) {
    const length = INPUT_SIZE * INPUT_SIZE * 3;
    const input = new Float32Array(images.length * length);
    images.forEach((image, number) => letterbox(image, input.subarray(number * length, (number + 1) * length)));
    const dims = [images.length, INPUT_SIZE, INPUT_SIZE, 3];
    const {boxes, scores} = await this.network.run(["boxes", "scores"], {image: [input, dims]});
    return images.map((image, number) => detections(image, boxes.data, scores.data, number, images.length));
  }
}

// The whole picture in the middle of a black square of INPUT_SIZE, as MediaPipe samples it: places in steps of a 32nd of a pixel, where
// points count from the corner of the picture and of the square alike; values from -1 to 1.
function letterbox(image, input) {
  const {data, width, height} = image;
  const channels = channelsOf(image);
  if (width === INPUT_SIZE && height === INPUT_SIZE && channels === 3) {
    for (let k = 0; k < input.length; k++) input[k] = VALUES_OF_BYTES[data[k]];
    return;
  }
  const side = max(width, height);
  const steps = (from) =>
    Int32Array.from({length: INPUT_SIZE}, (_, k) => Math.round(32 * ((k * side) / INPUT_SIZE - (side - from) / 2)));
  const [columns, rows] = [steps(width), steps(height)];
  const clamped = (value, most) => min(max(value, 0), most);
  for (let v = 0, out = 0; v < INPUT_SIZE; v++) {
    const top = rows[v] >> 5;
    const down = rows[v] & 31;
    // What lies beyond the picture counts nothing.
    const weightTop = top >= 0 && top < height ? 32 - down : 0;
    const weightBottom = top >= -1 && top < height - 1 ? down : 0;
    const rowTop = clamped(top, height - 1) * width;
    const rowBottom = clamped(top + 1, height - 1) * width;
    for (let u = 0; u < INPUT_SIZE; u++) {
      const left = columns[u] >> 5;
      const right = columns[u] & 31;
      const weightLeft = left >= 0 && left < width ? 32 - right : 0;
      const weightRight = left >= -1 && left < width - 1 ? right : 0;
      const [before, after] = [clamped(left, width - 1), clamped(left + 1, width - 1)];
      for (let c = 0; c < 3; c++) {
        const upper =
          weightLeft * data[(rowTop + before) * channels + c] + weightRight * data[(rowTop + after) * channels + c];
        const lower =
          weightLeft * data[(rowBottom + before) * channels + c] +
          weightRight * data[(rowBottom + after) * channels + c];
        input[out++] = VALUES_OF_BYTES[(weightTop * upper + weightBottom * lower + 512) >> 10];
      }
    }
  }
}

// The faces of one picture of a batch, in its pixels, by weighted non-maximum suppression: the boxes that share more than SUPPRESSION with
// the best one are averaged with it by their scores.
function detections({width, height}, boxes, scores, number, count) {
  const anchors = scores.length / count;
  let rest = [];
  for (let anchor = 0, at = number * anchors; anchor < anchors; anchor++, at++) {
    if (scores[at] < CANDIDATE_SCORE) continue;
    const values = boxes.slice(at * VALUES, at * VALUES + USED);
    const [x, y, w, h] = values;
    rest.push({score: scores[at], values, box: [x - w / 2, y - h / 2, x + w / 2, y + h / 2]});
  }
  rest.sort((one, other) => other.score - one.score);
  const side = max(width, height);
  const [beginX, beginY] = [(side - width) / 2, (side - height) / 2];
  const pixel = side / INPUT_SIZE; // of the model
  const found = [];
  while (rest.length) {
    const [best] = rest;
    const overlaps = (other) => {
      const both = shared(best.box, other.box);
      return both > SUPPRESSION * (area(best.box) + area(other.box) - both);
    };
    const group = rest.filter((other) => other === best || overlaps(other));
    rest = rest.filter((other) => other !== best && !overlaps(other));
    const total = group.reduce((sum, {score}) => sum + score, 0);
    const mean = (get) => group.reduce((sum, one) => sum + one.score * get(one), 0) / total;
    const [x1, y1, x2, y2] = [0, 1, 2, 3].map((k) => mean((one) => one.box[k]));
    const point = (k) => [
      inSteps((mean((one) => one.values[k]) * side - beginX) / pixel) * pixel,
      inSteps((mean((one) => one.values[k + 1]) * side - beginY) / pixel) * pixel,
    ];
    // MediaPipe tells whole pixels, and shifts a box that begins beyond the picture to its edge.
    const left = max(trunc(x1 * side - beginX), 0);
    const top = max(trunc(y1 * side - beginY), 0);
    const right = left + trunc((x2 - x1) * side);
    const bottom = top + trunc((y2 - y1) * side);
    const box = [left, top, min(right, width), min(bottom, height)];
    if (area(box) > 0) {
      const [leftEye, rightEye, nose, mouth] = [4, 6, 8, 10].map(point);
      found.push({box, score: best.score, leftEye, rightEye, nose, mouth, search: "short_range", placedAt: 0});
    }
  }
  return found;
}
