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

// By whole factors: each pixel is the mean of a block.
function averaged(image, across, down) {
  const {data} = image;
  const stride = channelsOf(image);
  const channels = min(stride, 3);
  const width = image.width / across;
  const height = image.height / down;
  const result = new Uint8ClampedArray(width * height * channels);
  const part = fround(1 / (across * down));
  const halfUp = across === 2 && down === 2;
  const sums = new Int32Array(width * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let row = 0; row < down; row++) {
      let at = (y * down + row) * image.width * stride;
      if (channels === 1) {
        for (let x = 0; x < width; x++) {
          let sum = 0;
          for (let k = 0; k < across; k++, at += stride) sum += data[at];
          sums[x] += sum;
        }
      } else {
        for (let out = 0; out < sums.length; out += 3) {
          let red = 0;
          let green = 0;
          let blue = 0;
          for (let k = 0; k < across; k++, at += stride) {
            red += data[at];
            green += data[at + 1];
            blue += data[at + 2];
          }
          sums[out] += red;
          sums[out + 1] += green;
          sums[out + 2] += blue;
        }
      }
    }
    const start = y * width * channels;
    if (halfUp) for (let x = 0; x < sums.length; x++) result[start + x] = (sums[x] + 2) >> 2;
    else for (let x = 0; x < sums.length; x++) result[start + x] = fround(sums[x] * part);
  }
  return picture(result, width, height);
}

// By other factors: each pixel is the mean of what it covers, of some pixels a part.
function weighted(image, width, height) {
  const {data} = image;
  const stride = channelsOf(image);
  const channels = min(stride, 3);
  const columns = covered(image.width, width);
  const rows = covered(image.height, height);
  const {first: firstColumn, source, weight} = columns;
  const result = new Uint8ClampedArray(width * height * channels);
  const line = new Float32Array(width * channels);
  const sums = new Float32Array(width * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let k = rows.first[y]; k < rows.first[y + 1]; k++) {
      const start = rows.source[k] * image.width * stride;
      const part = rows.weight[k];
      for (let x = 0, out = 0; x < width; x++, out += channels) {
        const end = firstColumn[x + 1];
        let red = fround(0);
        let green = fround(0);
        let blue = fround(0);
        for (let j = firstColumn[x]; j < end; j++) {
          const at = start + source[j] * stride;
          const share = weight[j];
          red = fround(red + fround(data[at] * share));
          if (channels === 3) {
            green = fround(green + fround(data[at + 1] * share));
            blue = fround(blue + fround(data[at + 2] * share));
          }
        }
        line[out] = red;
        if (channels === 3) {
          line[out + 1] = green;
          line[out + 2] = blue;
        }
      }
      for (let x = 0; x < sums.length; x++) sums[x] = fround(sums[x] + fround(line[x] * part));
    }
    result.set(sums, y * width * channels);
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

// cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR); `inverse` is that of the matrix, [a, b, c, d, e, f].
// Beyond the edge the border pixels repeat, or all is black.
export function warpAffine(image, inverse, size, black = false) {
  const {data, width, height} = image;
  const stride = channelsOf(image);
  const channels = min(stride, 3);
  const [a, b, c, d, e, f] = inverse.map(fround);
  const result = new Uint8ClampedArray(size * size * channels);
  const row = width * stride;
  for (let v = 0, out = 0; v < size; v++) {
    const startX = fround(fround(b * v) + c);
    const startY = fround(fround(e * v) + f);
    for (let u = 0; u < size; u++, out += channels) {
      const x = fround(a * u + startX);
      const y = fround(d * u + startY);
      const left = floor(x);
      const top = floor(y);
      const partX = fround(x - left);
      const partY = fround(y - top);
      if (left >= 0 && top >= 0 && left < width - 1 && top < height - 1) {
        const at = top * row + left * stride;
        for (let k = 0; k < channels; k++) {
          const p = data[at + k];
          const q = data[at + row + k];
          const upper = fround(p + partX * (data[at + stride + k] - p));
          const lower = fround(q + partX * (data[at + row + stride + k] - q));
          result[out + k] = fround(upper + partY * (lower - upper));
        }
      } else {
        const x0 = min(max(left, 0), width - 1) * stride;
        const x1 = min(max(left + 1, 0), width - 1) * stride;
        const y0 = min(max(top, 0), height - 1) * row;
        const y1 = min(max(top + 1, 0), height - 1) * row;
        const inX0 = !black || (left >= 0 && left < width) ? 1 : 0;
        const inX1 = !black || (left >= -1 && left < width - 1) ? 1 : 0;
        const inY0 = !black || (top >= 0 && top < height) ? 1 : 0;
        const inY1 = !black || (top >= -1 && top < height - 1) ? 1 : 0;
        for (let k = 0; k < channels; k++) {
          const p = inX0 * inY0 * data[y0 + x0 + k];
          const q = inX0 * inY1 * data[y1 + x0 + k];
          const upper = fround(p + partX * (inX1 * inY0 * data[y0 + x1 + k] - p));
          const lower = fround(q + partX * (inX1 * inY1 * data[y1 + x1 + k] - q));
          result[out + k] = fround(upper + partY * (lower - upper));
        }
      }
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
  const kernel = new Float32Array(2 * reach + 1).map((_, k) => Math.exp(-((k - reach) ** 2) / (2 * sigma * sigma)));
  const sum = kernel.reduce((a, b) => a + b);
  const across = new Float32Array(values.length);
  const result = new Float32Array(values.length);
  for (const [from, to, step, line] of [
    [values, across, 1, size],
    [across, result, size, 1],
  ]) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        let value = 0;
        for (let k = -reach; k <= reach; k++)
          value += kernel[k + reach] * from[y * line + mirrored(x + k, size) * step];
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
