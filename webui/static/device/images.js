// Pictures, handled as OpenCV handles them, to the grey value.
//
// A picture is {data, width, height}: bytes row by row, of one channel (grey), three (RGB) or four (RGBA, whose last is not looked
// at). What is made of one has one or three. Uint8ClampedArray rounds halves to even, as OpenCV does.

import kernels from "../vendor/pixels.js";
import {round} from "./numbers.js";

const {fround, floor, ceil, min, max} = Math;
const BAND = 2 ** 20; // pixels that are handed to the kernels at once, where they need not have more
const MOST_MEMORY = 2 ** 26, // bytes that the kernels keep while they work on a picture
  KEPT_MEMORY = 2 ** 24; // and afterwards

// What takes longest, of export/pixels.ts: a module that works on its own memory, into which pixels are copied.
const code = new WebAssembly.Module(Uint8Array.from(atob(kernels), (character) => character.charCodeAt(0)));
let compiled = new WebAssembly.Instance(code).exports;

// Addresses of so many bytes each in the kernels' memory.
function lay(...sizes) {
  if (compiled.memory.buffer.byteLength > MOST_MEMORY) compiled = new WebAssembly.Instance(code).exports;
  let end = 0;
  const places = sizes.map((size) => {
    const place = end;
    end += ceil(size / 16) * 16;
    return place;
  });
  const missing = end - compiled.memory.buffer.byteLength;
  if (missing > 0) compiled.memory.grow(ceil(missing / 2 ** 16));
  return places;
}

// Copy a part of a picture to an address, each pixel as four bytes, of which a grey one has the first.
function put(image, place, {left = 0, top = 0, width, height}, grey = false) {
  const {data} = image;
  const channels = channelsOf(image);
  const pixels = new Int32Array(compiled.memory.buffer, place, width * height);
  const whole = channels === 4 && data.byteOffset % 4 === 0 ? new Int32Array(data.buffer, data.byteOffset) : null;
  for (let y = 0, to = 0; y < height; y++) {
    const start = (top + y) * image.width + left;
    if (whole) {
      pixels.set(whole.subarray(start, start + width), to);
      to += width;
    } else if (channels === 1) {
      for (let at = start; at < start + width; at++) pixels[to++] = data[at];
    } else {
      for (let at = start * channels, k = 0; k < width; k++, at += channels) {
        pixels[to++] = data[at] | (data[at + 1] << 8) | (data[at + 2] << 16);
      }
    }
  }
  if (grey && channels > 1) compiled.toGrey(place, width * height);
}

// Give back what a large picture took; the next one of that size takes it anew.
export function giveBackMemory() {
  if (compiled.memory.buffer.byteLength > KEPT_MEMORY) compiled = new WebAssembly.Instance(code).exports;
}

const taken = (place, length) => new Uint8Array(compiled.memory.buffer, place, length).slice();

export const channelsOf = ({data, width, height}) => data.length / (width * height);

// A part of a picture as a network takes it, in planes of `high` rows of `wide` numbers, blue first: Float32Array. Beyond the part are zeros.
export function planesOf(image, part, wide, high) {
  const plane = 4 * wide * high;
  const [pixels, result] = lay(4 * part.width * part.height, 3 * plane);
  put(image, pixels, {left: part.x, top: part.y, width: part.width, height: part.height});
  const numbers = new Float32Array(compiled.memory.buffer, result, 3 * wide * high);
  if (part.width < wide || part.height < high) numbers.fill(0);
  for (let row = 0; row < part.height; row++) {
    compiled.planes(pixels + 4 * row * part.width, part.width, plane, result + 4 * row * wide);
  }
  return numbers.slice();
}

// cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
export function toGrey(image) {
  const {data, width, height} = image;
  const channels = channelsOf(image);
  if (channels === 1) return image;
  const grey = new Uint8Array(width * height);
  for (let i = 0, j = 0; i < grey.length; i++, j += channels) {
    grey[i] = (data[j] * 9798 + data[j + 1] * 19235 + data[j + 2] * 3735 + 16384) >> 15;
  }
  return {data: grey, width, height};
}

// numpy.rot90: by quarters, counterclockwise. The channels stay as many as they are.
export function quarterTurned(image, turn) {
  turn = ((turn % 4) + 4) % 4;
  if (turn === 0) return image;
  const {width, height} = image;
  const channels = channelsOf(image);
  const [w, h] = turn === 2 ? [width, height] : [height, width];
  const turned = new image.data.constructor(image.data.length);
  // Pixels of four bytes are moved as one.
  const whole = channels === 4 && image.data.byteOffset % 4 === 0;
  const size = whole ? 1 : channels;
  const from = whole ? new Uint32Array(image.data.buffer, image.data.byteOffset, width * height) : image.data;
  const to = whole ? new Uint32Array(turned.buffer) : turned;
  // Where the pixel (0, 0) of the result comes from, and how far it is from there to the next one in its row and column.
  const [start, right, down] = [
    [width - 1, width, -1],
    [width * height - 1, -1, -width],
    [(height - 1) * width, -width, 1],
  ][turn - 1];
  for (let y = 0, out = 0; y < h; y++) {
    for (let x = 0, at = start + y * down; x < w; x++, at += right) {
      for (let c = 0; c < size; c++) to[out++] = from[at * size + c];
    }
  }
  return {data: turned, width: w, height: h};
}

// cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), to at most the picture's own size
export function resizeArea(image, width, height) {
  const channels = min(channelsOf(image), 3);
  const across = image.width / width;
  const down = image.height / height;
  const isWhole = Number.isInteger(across) && Number.isInteger(down);
  const tables = isWhole ? null : {columns: covered(image.width, width), rows: covered(image.height, height)};
  const result = new Uint8Array(width * height * channels);
  const rowsAtOnce = max(floor(BAND / (image.width * down)), 1);
  for (let y = 0; y < height; y += rowsAtOnce) {
    const rows = {from: y, to: min(y + rowsAtOnce, height)};
    const top = floor(rows.from * down);
    const part = {top, width: image.width, height: min(ceil(rows.to * down), image.height) - top};
    const means = tables
      ? meansOfParts(image, part, tables, width, rows)
      : meansOfBlocks(image, part, across, down, width);
    result.set(means, y * width * channels);
  }
  return {data: result, width, height};
}

// By whole factors: each pixel is the mean of a block.
function meansOfBlocks(image, part, across, down, width) {
  const channels = min(channelsOf(image), 3);
  const height = part.height / down;
  const length = width * height * channels;
  const [pixels, sums, result] = lay(4 * part.width * part.height, 16 * width, length);
  put(image, pixels, part);
  compiled.averaged(pixels, across, down, width, height, sums, result, channels);
  return taken(result, length);
}

// By other factors: each pixel is the mean of what it covers, of some pixels a part.
function meansOfParts(image, part, {columns, rows}, width, {from, to}) {
  const channels = min(channelsOf(image), 3);
  const tables = [columns.first, columns.source, columns.weight, rows.source, rows.weight];
  const length = width * (to - from) * channels;
  const sizes = [
    4 * part.width * part.height,
    ...tables.map((table) => table.byteLength),
    16 * width,
    16 * width,
    length,
  ];
  const [pixels, ...places] = lay(...sizes);
  const [first, source, weight, rowSource, rowWeight, line, sums, result] = places;
  put(image, pixels, part);
  tables.forEach((table, k) => new table.constructor(compiled.memory.buffer, places[k], table.length).set(table));
  const start = pixels - 4 * part.top * part.width; // of the whole picture's first row
  let known = -1;
  for (let y = from; y < to; y++) {
    const begin = rows.first[y];
    const count = rows.first[y + 1] - begin;
    const [of, weights] = [rowSource + 4 * begin, rowWeight + 4 * begin];
    const into = result + (y - from) * width * channels;
    known = compiled.covered(
      start,
      part.width,
      of,
      weights,
      count,
      first,
      source,
      weight,
      width,
      line,
      known,
      sums,
      into,
      channels,
    );
  }
  return taken(result, length);
}

// Which pixels of a side each pixel of a shorter one covers, and by how much: those of x are first[x] to first[x + 1] - 1.
function covered(from, to) {
  const scale = from / to;
  const first = new Int32Array(to + 1);
  const source = [];
  const weight = [];
  for (let x = 0; x < to; x++) {
    first[x] = source.length;
    const left = x * scale;
    const right = left + scale;
    const cell = min(scale, from - left);
    const end = min(floor(right), from - 1);
    const start = min(ceil(left), end);
    if (start - left > 1e-3) {
      source.push(start - 1);
      weight.push((start - left) / cell);
    }
    for (let at = start; at < end; at++) {
      source.push(at);
      weight.push(1 / cell);
    }
    if (right - end > 1e-3) {
      source.push(end);
      weight.push(min(right - end, 1, cell) / cell);
    }
  }
  first[to] = source.length;
  return {first, source: Int32Array.from(source), weight: Float32Array.from(weight)};
}

const COEFFICIENT = 2048; // in fixed point, OpenCV's

// cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
export function resizeLinear(image, width, height) {
  const channels = min(channelsOf(image), 3);
  const columns = neighbours(image.width, width);
  const rows = neighbours(image.height, height);
  const within = (at, side) => min(max(at, 0), side - 1);
  const tables = [
    columns.before.map((before) => 4 * within(before, image.width)),
    // Beyond the edge there is the border's pixel alone.
    columns.before.map((before, x) =>
      before >= 0 && before < image.width - 1 ? columns.near[x] | (columns.far[x] << 16) : COEFFICIENT,
    ),
  ];
  const result = new Uint8Array(width * height * channels);
  const rowsAtOnce = max(floor(BAND / max((image.width * image.height) / height, image.width)), 1);
  for (let from = 0; from < height; from += rowsAtOnce) {
    const to = min(from + rowsAtOnce, height);
    const top = within(rows.before[from], image.height);
    const part = {top, width: image.width, height: within(rows.before[to - 1] + 1, image.height) - top + 1};
    const length = width * (to - from) * channels;
    const sizes = tables.map((table) => table.byteLength);
    const [pixels, left, weights, into] = lay(4 * part.width * part.height + 4, ...sizes, length);
    put(image, pixels, part);
    for (const [place, table] of [
      [left, tables[0]],
      [weights, tables[1]],
    ])
      new Int32Array(compiled.memory.buffer, place, width).set(table);
    for (let y = from, out = into; y < to; y++, out += width * channels) {
      const [upper, lower] = [rows.before[y], rows.before[y] + 1].map(
        (row) => pixels + 4 * part.width * (within(row, image.height) - top),
      );
      compiled.linear(upper, lower, rows.near[y], rows.far[y], left, weights, width, out, channels);
    }
    result.set(taken(into, length), from * width * channels);
  }
  return {data: result, width, height};
}

// The pixel before each pixel of a longer side, and what it and the next one count.
function neighbours(from, to) {
  const [before, near, far] = [new Int32Array(to), new Int32Array(to), new Int32Array(to)];
  for (let x = 0; x < to; x++) {
    const at = fround((x + 0.5) * (from / to) - 0.5);
    before[x] = floor(at);
    const part = fround(at - before[x]);
    far[x] = round(part * COEFFICIENT);
    near[x] = round(fround(1 - part) * COEFFICIENT);
  }
  return {before, near, far};
}

// cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)
export function resizeNearest(image, width, height) {
  const stride = channelsOf(image);
  const channels = min(stride, 3);
  const result = new Uint8Array(width * height * channels);
  for (let y = 0, out = 0; y < height; y++) {
    const start = min(floor(y * (image.height / height)), image.height - 1) * image.width;
    for (let x = 0; x < width; x++) {
      const at = (start + min(floor(x * (image.width / width)), image.width - 1)) * stride;
      for (let c = 0; c < channels; c++) result[out++] = image.data[at + c];
    }
  }
  return {data: result, width, height};
}

// cv2.warpAffine(part, matrix, (size * factor, size * factor), flags=cv2.INTER_LINEAR) of a part {left, top, width, height} of a
// picture, of which each block of `factor` by `factor` pixels is then averaged, as cv2.resize does it with cv2.INTER_AREA. `inverse` is
// that of the matrix, [a, b, c, d, e, f]. Beyond the part's edge its border pixels repeat, or all is black. grey: of its grey values.
export function warpAffine(image, part, inverse, size, factor, {black = false, grey = false} = {}) {
  const channels = grey ? 1 : min(channelsOf(image), 3);
  const length = size * size * channels;
  const [pixels, sums, result] = lay(4 * part.width * part.height, 16 * size, length);
  put(image, pixels, part, grey);
  compiled.warp(pixels, part.width, part.height, ...inverse.map(fround), size, factor, black, sums, result, channels);
  return {data: taken(result, length), width: size, height: size};
}

// cv2.invertAffineTransform
export function invertAffine([a, b, c, d, e, f]) {
  const scale = 1 / (a * e - b * d);
  const [p, q, r, s] = [e * scale, -b * scale, -d * scale, a * scale];
  return [p, q, -p * c - q * f, r, s, -r * c - s * f];
}

// cv2.GaussianBlur(values, (0, 0), sigma) of numbers (size, size), Float32Array
export function gaussianBlur(values, size, sigma) {
  const reach = floor(round(sigma * 8 + 1) / 2);
  const kernel = Float32Array.from({length: 2 * reach + 1}, (_, k) => Math.exp(-((k - reach) ** 2) / (2 * sigma ** 2)));
  const sum = kernel.reduce((one, other) => one + other);
  const places = Int32Array.from({length: size + 2 * reach}, (_, k) => mirrored(k - reach, size));
  const across = new Float32Array(values.length);
  const result = new Float32Array(values.length);
  const line = new Float32Array(places.length);
  for (const [from, to, step, next] of [
    [values, across, 1, size],
    [across, result, size, 1],
  ]) {
    for (let y = 0; y < size; y++) {
      for (let k = 0; k < line.length; k++) line[k] = from[y * next + places[k] * step];
      for (let x = 0; x < size; x++) {
        let value = 0;
        for (let k = 0; k < kernel.length; k++) value += kernel[k] * line[x + k];
        to[y * next + x * step] = value / sum;
      }
    }
  }
  return result;
}

// cv2.Laplacian(values, cv2.CV_32F) of numbers (size, size)
export function laplacian(values, size) {
  const result = new Float32Array(values.length);
  for (let y = 0; y < size; y++) {
    const [above, below] = [mirrored(y - 1, size) * size, mirrored(y + 1, size) * size];
    for (let x = 0; x < size; x++) {
      const [left, right] = [mirrored(x - 1, size), mirrored(x + 1, size)];
      const sides = values[above + x] + values[below + x] + values[y * size + left] + values[y * size + right];
      result[y * size + x] = sides - 4 * values[y * size + x];
    }
  }
  return result;
}

// Beyond an edge the picture is mirrored at the middle of its last pixel.
function mirrored(at, size) {
  return at < 0 ? -at : at >= size ? 2 * size - 2 - at : at;
}

// Mean and standard deviation of numbers.
export function meanDeviation(values) {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += values[k];
  const mean = sum / values.length;
  let squares = 0;
  for (let k = 0; k < values.length; k++) squares += (values[k] - mean) ** 2;
  return [mean, Math.sqrt(squares / values.length)];
}
