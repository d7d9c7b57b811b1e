// Which of the places that the search took for a face are human faces: inference/face_check.py.

import {cutSquare} from "./alignment.js";
import {CONSTANTS} from "./constants.js";
import {laplacian, meanDeviation, resizeArea, toGrey} from "./images.js";
import {Network} from "./network.js";
import {sum} from "./numbers.js";

const {BATCH, COMPANY, COMPANY_SCORE, FILE, INNER, LARGE, MIN_SEEN, SMALL_VIEW, SURROUNDINGS, VIEW} =
  CONSTANTS.face_check;
const CROP = VIEW - 2 * INNER;
const {abs, atan2, cos, hypot, log, max, min, sin} = Math;

export class FaceCheck {
  // search: a FaceSearch, which sees the crops again.
  static async open(place, search) {
    return new FaceCheck(await Network.open(place, FILE), search);
  }

  constructor(network, search) {
    this.network = network;
    this.search = search;
  }

  // How likely it is that candidates are human faces. looks: what the look from near saw of each, null where it saw nothing. known: the
  // sum of the probabilities of other faces in the picture.
  async probabilities(image, candidates, looks, known = 0) {
    const alone = [];
    for (let start = 0; start < candidates.length; start += BATCH) {
      const part = candidates.slice(start, start + BATCH);
      const {crops, values} = await measure(this.search, image, part, looks.slice(start, start + BATCH));
      const measures = [values, [part.length, values.length / part.length]];
      const feed = {image: [crops, [part.length, CROP, CROP, 3]], measures};
      alone.push(...(await this.network.run(["probability"], feed)).probability.data);
    }
    const searched = candidates.map(({score}) => score);
    return withCompany(alone, searched, known);
  }
}

// Probabilities of the candidates of a picture, each of which speaks for the others, as others that are known do.
function withCompany(alone, searched, known) {
  const all = sum(alone);
  return alone.map((probability, number) => {
    const others = searched[number] >= COMPANY_SCORE ? max(all - probability, 0) + known : 0;
    const odds = (probability / max(1 - probability, 1e-6)) * (1 + others) ** COMPANY;
    return odds / (1 + odds);
  });
}

// What the network is shown of candidates, at least one: crops of CROP by CROP pixels, and measures, one row after the other.
async function measure(search, image, candidates, looks) {
  const views = candidates.map((candidate) => {
    const {center, side, roll} = placeOf(candidate);
    return cutSquare(image, {center, side: SURROUNDINGS * side, roll}, VIEW).crop;
  });
  const small = views.map((view) => resizeArea(view, SMALL_VIEW, SMALL_VIEW));
  const seen = await search.middleScores(views, VIEW / SURROUNDINGS / 3);
  const seenSmall = await search.middleScores(small, SMALL_VIEW / SURROUNDINGS / 3);
  const crops = new Uint8Array(candidates.length * CROP * CROP * 3);
  const rows = candidates.map((candidate, number) => {
    const crop = crops.subarray(number * CROP * CROP * 3, (number + 1) * CROP * CROP * 3);
    for (let y = 0; y < CROP; y++) {
      const start = ((y + INNER) * VIEW + INNER) * 3;
      crop.set(views[number].data.subarray(start, start + CROP * 3), y * CROP * 3);
    }
    return [
      ...geometry(candidate),
      ...lookOf(candidate, looks[number]),
      ...light(crop),
      logit(seen[number]),
      logit(seenSmall[number]),
    ];
  });
  return {crops, values: Float32Array.from(rows.flat())};
}

function placeOf({box: [x1, y1, x2, y2], leftEye, rightEye}) {
  const center = [(x1 + x2) / 2, (y1 + y2) / 2];
  const roll = atan2(rightEye[1] - leftEye[1], rightEye[0] - leftEye[0]);
  return {center, side: max(x2 - x1, y2 - y1, 1), roll};
}

function logit(score) {
  const value = min(max(score, MIN_SEEN), 0.999);
  return log(value / (1 - value));
}

// Score, size, and the points in the frame of the eyes, in sides of the box.
function geometry(candidate) {
  const {side, roll} = placeOf(candidate);
  const {box, leftEye, rightEye, nose, mouth, score} = candidate;
  const middle = [(leftEye[0] + rightEye[0]) / 2, (leftEye[1] + rightEye[1]) / 2];
  const [c, s] = [cos(roll) / side, -sin(roll) / side];
  const framed = (point) => {
    if (!point) return [0, 0];
    const [x, y] = [point[0] - middle[0], point[1] - middle[1]];
    return [x * c - y * s, x * s + y * c];
  };
  const [x1, y1, x2, y2] = box;
  const points = [nose, mouth, [(x1 + x2) / 2, (y1 + y2) / 2]].map(framed);
  return [
    logit(score),
    log(min(side, LARGE) / 32),
    hypot(rightEye[0] - leftEye[0], rightEye[1] - leftEye[1]) / side,
    abs(points[0][0]),
    points[0][1],
    abs(points[1][0]),
    points[1][1],
    abs(points[2][0]),
    points[2][1],
    log((x2 - x1) / (y2 - y1)),
    abs(sin(roll)),
  ];
}

const distance = ([x, y], [otherX, otherY]) => hypot(x - otherX, y - otherY);

// Whether BlazeFace saw the face, its score, and how far its eyes and box lie from YuNet's, in sides of the box.
function lookOf(candidate, look) {
  if (!look) return [0, 0, 0, 0];
  const {center, side} = placeOf(candidate);
  const eyes = distance(candidate.leftEye, look.leftEye) + distance(candidate.rightEye, look.rightEye);
  const boxes = distance(center, placeOf(look).center);
  return [1, logit(look.score), min(eyes / side, 1), min(boxes / side, 1)];
}

function light(crop) {
  const grey = Float32Array.from(toGrey({data: crop, width: CROP, height: CROP}).data);
  const [mean, deviation] = meanDeviation(grey);
  const contrast = deviation + 1;
  const [, details] = meanDeviation(laplacian(grey, CROP));
  return [mean / 255, log(contrast / 50), log((details + 1) / contrast)];
}
