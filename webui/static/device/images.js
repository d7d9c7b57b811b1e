// Pictures, handled as OpenCV handles them, to the grey value.
//
// A picture is {data, width, height}: bytes row by row, of one channel (grey), three (RGB) or four (RGBA, whose last is not looked
// at). What is made of one has one or three. Uint8ClampedArray rounds halves to even, as OpenCV does.

import {round} from "./numbers.js";

const {fround, floor, ceil, min, max} = Math;

export const channelsOf = ({data, width, height}) => data.length / (width * height);

const picture = (data, width, height) => ({data: new Uint8Array(data.buffer), width, height});

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
  const across = image.width / width;
  const down = image.height / height;
  return Number.isInteger(across) && Number.isInteger(down)
    ? averaged(image, across, down)
    : weighted(image, width, height);
}

// The pixels of a picture as numbers: grey values, or red, green and blue in the bytes from the lowest.
function pixelsOf({data, width, height}) {
  const channels = data.length / (width * height);
  if (channels === 1) return data;
  if (channels === 4 && data.byteOffset % 4 === 0) return new Uint32Array(data.buffer, data.byteOffset, width * height);
  const pixels = new Uint32Array(width * height);
  for (let k = 0, at = 0; k < pixels.length; k++, at += channels) {
    pixels[k] = data[at] | (data[at + 1] << 8) | (data[at + 2] << 16);
  }
  return pixels;
}

// By whole factors: each pixel is the mean of a block.
function averaged(image, across, down) {
  const pixels = pixelsOf(image);
  const channels = min(channelsOf(image), 3);
  const color = channels === 3;
  const [width, height] = [image.width / across, image.height / down];
  const result = new Uint8ClampedArray(width * height * channels);
  const sums = new Float64Array(width * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let row = 0, at = y * down * image.width; row < down; row++) {
      for (let x = 0, out = 0; x < width; x++, out += channels) {
        let [red, green, blue] = [0, 0, 0];
        for (let k = 0; k < across; k++, at++) {
          const pixel = pixels[at];
          red += pixel & 255;
          if (color) {
            green += (pixel >>> 8) & 255;
            blue += (pixel >>> 16) & 255;
          }
        }
        sums[out] += red;
        if (color) {
          sums[out + 1] += green;
          sums[out + 2] += blue;
        }
      }
    }
    divide(sums, across, down, result, y * sums.length);
  }
  return picture(result, width, height);
}

// Sums of blocks to their means, written from a place on. Of four, OpenCV rounds halves up.
function divide(sums, across, down, result, start) {
  const part = fround(1 / (across * down));
  if (across === 2 && down === 2) for (let k = 0; k < sums.length; k++) result[start + k] = (sums[k] + 2) >> 2;
  else for (let k = 0; k < sums.length; k++) result[start + k] = fround(sums[k] * part);
}

// By other factors: each pixel is the mean of what it covers, of some pixels a part.
function weighted(image, width, height) {
  const pixels = pixelsOf(image);
  const channels = min(channelsOf(image), 3);
  const color = channels === 3;
  const rows = covered(image.height, height);
  const {first, source, weight} = covered(image.width, width);
  const result = new Uint8ClampedArray(width * height * channels);
  const sums = new Float32Array(width * channels);
  const line = new Float32Array(width * channels);
  let lineOf = -1; // the row that `line` is of: two pixels may cover one
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let k = rows.first[y]; k < rows.first[y + 1]; k++) {
      const row = rows.source[k];
      if (row !== lineOf) {
        lineOf = row;
        const start = row * image.width;
        for (let x = 0, j = 0, out = 0; x < width; x++, out += channels) {
          let red = fround(0);
          let green = fround(0);
          let blue = fround(0);
          for (const end = first[x + 1]; j < end; j++) {
            const pixel = pixels[start + source[j]];
            const share = weight[j];
            red = fround(red + fround((pixel & 255) * share));
            if (color) {
              green = fround(green + fround(((pixel >>> 8) & 255) * share));
              blue = fround(blue + fround(((pixel >>> 16) & 255) * share));
            }
          }
          line[out] = red;
          if (color) {
            line[out + 1] = green;
            line[out + 2] = blue;
          }
        }
      }
      const part = rows.weight[k];
      for (let x = 0; x < sums.length; x++) sums[x] = fround(sums[x] + fround(line[x] * part));
    }
    result.set(sums, y * sums.length);
  }
  return picture(result, width, height);
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
  const {data} = image;
  const stride = channelsOf(image);
  const channels = min(stride, 3);
  const columns = neighbours(image.width, width);
  const rows = neighbours(image.height, height);
  const result = new Uint8Array(width * height * channels);
  let [upper, lower] = [new Int32Array(width * channels), new Int32Array(width * channels)];
  let [upperRow, lowerRow] = [-1, -1];
  const stretch = (row, into) => {
    const start = row * image.width * stride;
    for (let x = 0, out = 0; x < width; x++) {
      // Beyond the edge there is the border's pixel alone.
      const left = start + min(max(columns.before[x], 0), image.width - 1) * stride;
      const inside = columns.before[x] >= 0 && columns.before[x] < image.width - 1;
      const right = inside ? left + stride : left;
      const far = inside ? columns.far[x] : 0;
      const near = inside ? columns.near[x] : COEFFICIENT;
      for (let c = 0; c < channels; c++) into[out++] = data[left + c] * near + data[right + c] * far;
    }
  };
  for (let y = 0; y < height; y++) {
    const top = min(max(rows.before[y], 0), image.height - 1);
    const bottom = min(max(rows.before[y] + 1, 0), image.height - 1);
    if (top === lowerRow) [upper, lower, upperRow, lowerRow] = [lower, upper, lowerRow, upperRow];
    if (top !== upperRow) stretch(top, upper);
    if (bottom !== lowerRow) stretch(bottom, lower);
    [upperRow, lowerRow] = [top, bottom];
    const near = rows.near[y];
    const far = rows.far[y];
    for (let x = 0, out = y * upper.length; x < upper.length; x++, out++) {
      result[out] = (((near * (upper[x] >> 4)) >> 16) + ((far * (lower[x] >> 4)) >> 16) + 2) >> 2;
    }
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

// Added to a number and taken away again, it rounds it to a whole one, halves to even ones.
const ROUNDING = 1.5 * 2 ** 52;

// What lies between four pixels, of the byte at `shift` of each, as OpenCV's warpAffine interpolates: with fused products.
function between(upperLeft, upperRight, lowerLeft, lowerRight, shift, partX, partY) {
  const left = (upperLeft >>> shift) & 255;
  const below = (lowerLeft >>> shift) & 255;
  const upper = fround(left + partX * (((upperRight >>> shift) & 255) - left));
  const lower = fround(below + partX * (((lowerRight >>> shift) & 255) - below));
  return fround(upper + partY * (lower - upper)) + ROUNDING - ROUNDING;
}

// cv2.warpAffine(image, matrix, (size * factor, size * factor), flags=cv2.INTER_LINEAR), of which each block of `factor` by `factor`
// pixels is then averaged, as cv2.resize does it with cv2.INTER_AREA. `inverse` is that of the matrix, [a, b, c, d, e, f]. Beyond the
// edge the border pixels repeat, or all is black.
export function warpAffine(image, inverse, size, factor, black = false) {
  const {width, height} = image;
  const pixels = pixelsOf(image);
  const channels = min(channelsOf(image), 3);
  const color = channels === 3;
  const [a, b, c, d, e, f] = inverse.map(fround);
  const [rightmost, lowest] = [width - 1, height - 1];
  const result = new Uint8ClampedArray(size * size * channels);
  const sums = new Float64Array(size * channels);
  for (let line = 0; line < size * factor; line++) {
    const startX = fround(fround(b * line) + c);
    const startY = fround(fround(e * line) + f);
    for (let out = 0, u = 0; out < sums.length; out += channels) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (const end = u + factor; u < end; u++) {
        const x = fround(a * u + startX);
        const y = fround(d * u + startY);
        const left = floor(x);
        const top = floor(y);
        const partX = fround(x - left);
        const partY = fround(y - top);
        let p = 0;
        let q = 0;
        let r = 0;
        let s = 0;
        if (left >= 0 && top >= 0 && left < rightmost && top < lowest) {
          const at = top * width + left;
          p = pixels[at];
          q = pixels[at + 1];
          r = pixels[at + width];
          s = pixels[at + width + 1];
        } else {
          const before = min(max(left, 0), rightmost);
          const after = min(max(left + 1, 0), rightmost);
          const above = min(max(top, 0), lowest) * width;
          const below = min(max(top + 1, 0), lowest) * width;
          const [outAbove, outBelow] = [black && (top < 0 || top > lowest), black && (top < -1 || top >= lowest)];
          const [outBefore, outAfter] = [
            black && (left < 0 || left > rightmost),
            black && (left < -1 || left >= rightmost),
          ];
          if (!outAbove && !outBefore) p = pixels[above + before];
          if (!outAbove && !outAfter) q = pixels[above + after];
          if (!outBelow && !outBefore) r = pixels[below + before];
          if (!outBelow && !outAfter) s = pixels[below + after];
        }
        red += between(p, q, r, s, 0, partX, partY);
        if (color) {
          green += between(p, q, r, s, 8, partX, partY);
          blue += between(p, q, r, s, 16, partX, partY);
        }
      }
      sums[out] += red;
      if (color) {
        sums[out + 1] += green;
        sums[out + 2] += blue;
      }
    }
    if ((line + 1) % factor === 0) {
      divide(sums, factor, factor, result, ((line + 1) / factor - 1) * sums.length);
      sums.fill(0);
    }
  }
  return picture(result, size, size);
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
  for (const [from, to, step, line] of [
    [values, across, 1, size],
    [across, result, size, 1],
  ]) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        let value = 0;
        for (let k = 0; k < kernel.length; k++) value += kernel[k] * from[y * line + places[x + k] * step];
        to[y * line + x * step] = value / sum;
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
