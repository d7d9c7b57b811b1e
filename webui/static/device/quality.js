// How well a face can be judged: inference/quality.py.

import {cropGeometry} from "./alignment.js";
import {CONSTANTS} from "./constants.js";
import {gaussianBlur, meanDeviation} from "./images.js";
import {argmax, round, sum} from "./numbers.js";

const {CALIBRATION, FACE_PART, FAINTEST, FRONTAL, INVERSE, LARGE, MARGIN, SAMPLES, SHARP, WHITE} = CONSTANTS.quality;
const {ISSUES} = CONSTANTS.types;
const {abs, atan2, cos, exp, log, log2, max, min, sin, sqrt} = Math;
const degrees = (radians) => (radians * 180) / Math.PI;

// The cues of one face. crop: Uint8Array (S, S), the grey face that the emotion network sees. image: {width, height} of the picture. The
// names are those of Python's Quality.to_dict.
export function measure(detection, crop, image) {
  const {yaw, pitch, roll} = pose(detection);
  const [x1, y1, x2, y2] = detection.box;
  const side = max(x2 - x1, y2 - y1);
  const sharpness = sharpnessOf(crop);
  const middle = inner(crop);
  const overexposed = middle.filter((value) => value >= WHITE).length / middle.length;
  const outside = partOutside(detection, image);
  const weak = deficits(side, sharpness, overexposed, yaw, outside);
  const [brightness, contrast] = meanDeviation(middle);
  const issues = ISSUES.filter((name) => weak[name] >= (CALIBRATION.limits[name] ?? Infinity));
  const certainty = exp(-sum(ISSUES.map((name) => CALIBRATION.weights[name] * weak[name])));
  return {side, yaw, pitch, roll, sharpness, brightness, contrast, overexposed, outside, issues, certainty};
}

// What speaks against an answer, by ISSUES, 0 where nothing does.
function deficits(side, sharpness, overexposed, yaw, outside) {
  return {
    too_small: max(log2(LARGE / max(side, 1)), 0),
    blurred: max(SHARP - sharpness, 0),
    overexposed,
    turned_away: yaw === null ? 0 : max(abs(yaw) - FRONTAL, 0) / 10,
    cut_off: outside,
  };
}

// A distribution with its logits multiplied by a certainty: 1 leaves it as it is, 0 makes it even.
export function tempered(distribution, certainty) {
  if (Math.fround(certainty) === 1) return distribution;
  const logits = distribution.map((value) => log(max(value, 1e-12)) * certainty);
  const most = logits[argmax(logits)];
  const odds = logits.map((value) => exp(value - most));
  const total = sum(odds);
  return odds.map((value) => value / total);
}

// Which way a face looks, from its eyes, nose and mouth: yaw, pitch and roll in degrees, the first two null where the nose or the mouth is
// not known.
function pose({leftEye, rightEye, nose, mouth}) {
  if (!nose || !mouth) {
    return {yaw: null, pitch: null, roll: degrees(atan2(rightEye[1] - leftEye[1], rightEye[0] - leftEye[0]))};
  }
  const points = [leftEye, rightEye, nose, mouth].map(([x, y]) => [x, -y]);
  const mean = [0, 1].map((axis) => sum(points.map((point) => point[axis])) / points.length);
  // The rows of the affine projection.
  const [p, q] = [0, 1].map((axis) =>
    INVERSE.map((line) => sum(line.map((weight, number) => weight * (points[number][axis] - mean[axis])))),
  );
  // The nearest rows of a rotation: the projection A times the inverse root of A Aᵀ.
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const [pp, pq, qq] = [dot(p, p), dot(p, q), dot(q, q)];
  const root = sqrt(max(pp * qq - pq * pq, 1e-18));
  const scale = 1 / (root * sqrt(pp + qq + 2 * root));
  const combined = (one, other) => [0, 1, 2].map((k) => (one * p[k] + other * q[k]) * scale);
  const [xx, xy, xz] = combined(qq + root, -pq);
  const [yx, yy, yz] = combined(-pq, pp + root);
  // The third row of the rotation: what points out of the picture.
  const [zx, zy, zz] = [xy * yz - xz * yy, xz * yx - xx * yz, xx * yy - xy * yx];
  const [yaw, pitch, roll] = [atan2(-zx, zz), Math.asin(min(max(-zy, -1), 1)), atan2(xy, yy)];
  return {yaw: degrees(yaw), pitch: degrees(pitch), roll: degrees(roll)};
}

// How sharp a crop is: the contrast of its finest details in that of those twice as coarse.
function sharpnessOf(crop) {
  const size = sqrt(crop.length);
  const face = Float32Array.from(crop);
  const [fine, coarse] = [gaussianBlur(face, size, 1), gaussianBlur(face, size, 2)];
  const details = face.map((value, at) => value - fine[at]);
  const middle = fine.map((value, at) => value - coarse[at]);
  return meanDeviation(inner(details))[1] / (meanDeviation(inner(middle))[1] + FAINTEST);
}

// The part of a face that lies beyond the edge of a picture, 0 to 1.
function partOutside(detection, {width, height}) {
  const {center, side, roll} = cropGeometry(detection);
  const [x, y] = center;
  const reach = 0.75 * side;
  if (reach <= x && x <= width - reach && reach <= y && y <= height - reach) return 0;
  const steps = SAMPLES.map((sample) => sample * side * FACE_PART);
  let within = 0;
  for (const down of steps) {
    for (const across of steps) {
      const [atX, atY] = [x + cos(roll) * across - sin(roll) * down, y + sin(roll) * across + cos(roll) * down];
      if (atX >= 0 && atX <= width && atY >= 0 && atY <= height) within += 1;
    }
  }
  return 1 - within / steps.length ** 2;
}

// A square without what MARGIN leaves out on each side.
function inner(square) {
  const size = sqrt(square.length);
  const margin = round(MARGIN * size);
  const side = size - 2 * margin;
  const middle = new square.constructor(side * side);
  for (let y = 0; y < side; y++) {
    const start = (y + margin) * size + margin;
    middle.set(square.subarray(start, start + side), y * side);
  }
  return middle;
}
