// The crop: inference/alignment.py.

import {CONSTANTS} from "./constants.js";
import {invertAffine, warpAffine} from "./images.js";

const {SIDE_BY_EYES, SIDE_BY_BOX, EYE_LINE, AGE_GENDER_FRAMING, LARGEST_WARP, MARGIN} = CONSTANTS.alignment;

export {AGE_GENDER_FRAMING};

const FRAMING = {side_by_eyes: SIDE_BY_EYES, side_by_box: SIDE_BY_BOX, eye_line: EYE_LINE};

// Where the crop of a face lies: its centre and side in pixels of the picture, and the roll of the face in radians.
export function cropGeometry({box: [x1, y1, x2, y2], leftEye, rightEye}, framing = FRAMING) {
  const [leftX, leftY] = leftEye;
  const [rightX, rightY] = rightEye;
  const eyes = Math.hypot(rightX - leftX, rightY - leftY);
  const side = Math.max(framing.side_by_eyes * eyes, framing.side_by_box * Math.max(x2 - x1, y2 - y1), 1);
  const roll = Math.atan2(rightY - leftY, rightX - leftX);
  const down = (0.5 - framing.eye_line) * side;
  const center = [(leftX + rightX) / 2 - down * Math.sin(roll), (leftY + rightY) / 2 + down * Math.cos(roll)];
  return {center, side, roll};
}

// One face upright, framed as in FER-2013 unless said otherwise, in color or grey.
export function alignFace(image, detection, size, {framing = FRAMING, grey = false} = {}) {
  return cutSquare(image, cropGeometry(detection, framing), size, {grey}).crop;
}

// A square cut out of a picture, turned and scaled, and the matrix that takes a point of the picture there. Squares larger than
// the result are averaged down. Beyond the picture's edge the border pixels repeat, or all is black. grey: of the picture's grey values.
export function cutSquare(image, {center: [x, y], side, roll}, size, {black = false, grey = false} = {}) {
  const factor = Math.max(Math.min(Math.ceil(side / size), Math.floor(LARGEST_WARP / size)), 1);
  const cos = (Math.cos(roll) * size) / side;
  const sin = (Math.sin(roll) * size) / side;
  const matrix = [cos, sin, size / 2 - cos * x - sin * y, -sin, cos, size / 2 + sin * x - cos * y];
  const warp = matrix.map((value) => value * factor);
  // Points count from the picture's corner, OpenCV's from the middle of the first pixel.
  warp[2] += (warp[0] + warp[1]) / 2 - 0.5;
  warp[5] += (warp[3] + warp[4]) / 2 - 0.5;
  // Of a large picture no more is touched than the square needs.
  const reach = (side / 2) * (Math.abs(Math.cos(roll)) + Math.abs(Math.sin(roll))) + MARGIN;
  const within = (value, length) => Math.min(Math.max(value, 0), length - 1);
  const [left, right] = [Math.floor(x - reach), Math.ceil(x + reach)].map((end) => within(end, image.width));
  const [top, bottom] = [Math.floor(y - reach), Math.ceil(y + reach)].map((end) => within(end, image.height));
  const part = {left, top, width: right - left + 1, height: bottom - top + 1};
  warp[2] += warp[0] * left + warp[1] * top;
  warp[5] += warp[3] * left + warp[4] * top;
  return {crop: warpAffine(image, part, invertAffine(warp), size, factor, {black, grey}), matrix};
}
