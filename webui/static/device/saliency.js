// Where in a face the network found what speaks for an emotion: inference/saliency.py.

import {CONSTANTS} from "./constants.js";
import {argmax, sum} from "./numbers.js";

const {EMOTIONS} = CONSTANTS.types;
const {FAINT, SCALE, STRONGEST_TINT, TINTS} = CONSTANTS.saliency;
const BEND = -0.75; // of OpenCV's cubic interpolation

// The class activation map of one emotion over the face, {data: RGBA, width, height}. crop: Uint8Array (S, S). activation: Float32Array
// (h, h, classes). emotion: its number.
export function heatMap(crop, activation, emotion) {
  const side = Math.sqrt(crop.length),
    wide = SCALE * side,
    grey = Uint8ClampedArray.from(enlarge(crop, side, wide));
  const size = Math.sqrt(activation.length / EMOTIONS.length),
    evidence = Float32Array.from({length: size ** 2}, (_, place) => {
      const logits = activation.subarray(place * EMOTIONS.length, (place + 1) * EMOTIONS.length);
      return logits[emotion] - sum(logits) / EMOTIONS.length;
    });
  const [most, least] = [Math.max(...evidence), Math.min(...evidence)],
    says = most >= FAINT && most - least >= FAINT,
    strengths = enlarge(evidence, size, wide),
    strongest = says ? strengths[argmax(strengths)] : Infinity;
  const data = new Uint8ClampedArray(4 * wide * wide);
  for (let at = 0; at < grey.length; at++) {
    const strength = Math.max(strengths[at], 0) / strongest,
      tint = TINTS[Math.round((TINTS.length - 1) * strength)];
    for (let c = 0; c < 3; c++) data[4 * at + c] = grey[at] + STRONGEST_TINT * strength * (tint[c] - grey[at]);
    data[4 * at + 3] = 255;
  }
  return {data, width: wide, height: wide};
}

// A square of numbers at another size, by cubic interpolation as OpenCV has it; at the edge the border repeats.
function enlarge(values, side, wide) {
  const steps = Array.from({length: wide}, (_, at) => {
    const exact = ((at + 0.5) * side) / wide - 0.5,
      first = Math.floor(exact),
      weights = weightsOf(exact - first);
    return weights.map((weight, k) => [Math.min(Math.max(first + k - 1, 0), side - 1), weight]);
  });
  const rows = new Float32Array(wide * side), // enlarged downwards
    enlarged = new Float32Array(wide * wide);
  steps.forEach((step, down) => {
    for (const [row, weight] of step)
      for (let at = 0; at < side; at++) rows[down * side + at] += weight * values[row * side + at];
  });
  steps.forEach((step, across) => {
    for (const [column, weight] of step)
      for (let down = 0; down < wide; down++) enlarged[down * wide + across] += weight * rows[down * side + column];
  });
  return enlarged;
}

// Of the four values around a place, which lies so far behind the second.
function weightsOf(part) {
  const near = (away) => ((BEND + 2) * away - (BEND + 3)) * away * away + 1,
    far = (away) => ((BEND * away - 5 * BEND) * away + 8 * BEND) * away - 4 * BEND;
  return [far(part + 1), near(part), near(1 - part), far(2 - part)];
}
