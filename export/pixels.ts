// What takes longest of webui/static/device/images.js, in AssemblyScript with vectors of four numbers: the channels of a pixel.
// `python -m export.runtimes` compiles it. Addresses are of the module's memory, which its caller lays out; pixels have four bytes.

const ONE_CHANNEL: i32 = 1;
// What is further from a whole number may be rounded otherwise with fused products.
const NEARLY_HALF: f32 = 0.4998;
// Added to a whole number, it leaves that in the MANTISSA.
const INTEGER: f32 = 8388608;
const MANTISSA: i32 = 0x7fffff;

// A pixel's four bytes as floats.
// @ts-ignore: decorator
@inline
function numbers(pixel: usize): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(pixel))));
}

// Write the first channels of a pixel, whole numbers from 0 to 255, and give the address after them.
// @ts-ignore: decorator
@inline
function write(result: usize, value: v128, channels: i32): usize {
  return writeWhole(result, i32x4.trunc_sat_f32x4_s(value), channels);
}

// @ts-ignore: decorator
@inline
function writeWhole(result: usize, whole: v128, channels: i32): usize {
  store<u8>(result, i32x4.extract_lane(whole, 0));
  if (channels === ONE_CHANNEL) return result + 1;
  store<u8>(result, i32x4.extract_lane(whole, 1), 1);
  store<u8>(result, i32x4.extract_lane(whole, 2), 2);
  return result + 3;
}

// Sums of blocks to their means. Of four, OpenCV rounds halves up.
function divide(sums: usize, count: i32, across: i32, down: i32, result: usize, channels: i32): void {
  const four = across === 2 && down === 2;
  const part = f32x4.splat(<f32>1 / <f32>(across * down));
  for (let at: i32 = 0; at < count; at++) {
    const sum = v128.load(sums + (at << 4));
    const mean = four
      ? f32x4.floor(f32x4.mul(f32x4.add(sum, f32x4.splat(2)), f32x4.splat(0.25)))
      : f32x4.nearest(f32x4.mul(sum, part));
    result = write(result, mean, channels);
  }
}

// Two of the numbers of `exactlyBetween`, with products and sums that are rounded once, as fused ones are.
function fused(p: v128, q: v128, r: v128, s: v128, partX: v128, partY: v128): v128 {
  const left = f64x2.promote_low_f32x4(p);
  const below = f64x2.promote_low_f32x4(r);
  const right = f64x2.sub(f64x2.promote_low_f32x4(q), left);
  const belowRight = f64x2.sub(f64x2.promote_low_f32x4(s), below);
  const upper = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(f64x2.add(left, f64x2.mul(partX, right))));
  const lower = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(f64x2.add(below, f64x2.mul(partX, belowRight))));
  return f32x4.demote_f64x2_zero(f64x2.add(upper, f64x2.mul(partY, f64x2.sub(lower, upper))));
}

// What lies between four pixels, as OpenCV's warpAffine interpolates, but for how it rounds on the way: it has fused products.
// @ts-ignore: decorator
@inline
function between(p: v128, q: v128, r: v128, s: v128, partX: v128, partY: v128): v128 {
  const upper = f32x4.add(p, f32x4.mul(partX, f32x4.sub(q, p)));
  const lower = f32x4.add(r, f32x4.mul(partX, f32x4.sub(s, r)));
  return f32x4.add(upper, f32x4.mul(partY, f32x4.sub(lower, upper)));
}

// The same as OpenCV rounds it.
function exactlyBetween(p: v128, q: v128, r: v128, s: v128, partX: f32, partY: f32): v128 {
  const x = f64x2.splat(partX);
  const y = f64x2.splat(partY);
  const low = fused(p, q, r, s, x, y);
  const high = fused(upperHalf(p), upperHalf(q), upperHalf(r), upperHalf(s), x, y);
  return i64x2.replace_lane(low, 1, i64x2.extract_lane(high, 0));
}

// @ts-ignore: decorator
@inline
function upperHalf(value: v128): v128 {
  return i64x2.replace_lane(value, 0, i64x2.extract_lane(value, 1));
}

// Whether the place of a sample and the pixel after it lie within a side.
// @ts-ignore: decorator
@inline
function isWithin(step: f64, number: i32, start: f64, last: i32): bool {
  const place = <f32>(step * number + start);
  return place >= 0 && place < <f32>last;
}

// See warpAffine of images.js. pixels: the part of a picture that is needed, of width by height; sums: room for 16 * size bytes; result: channels * size * size bytes.
export function warp(
  pixels: usize,
  width: i32,
  height: i32,
  a: f64,
  b: f64,
  c: f64,
  d: f64,
  e: f64,
  f: f64,
  size: i32,
  factor: i32,
  black: bool,
  sums: usize,
  result: usize,
  channels: i32,
): void {
  const rightmost = width - 1;
  const lowest = height - 1;
  const nothing = f32x4.splat(0);
  const steps = f64x2.replace_lane(f64x2.splat(a), 1, d);
  const nearlyHalf = f32x4.splat(NEARLY_HALF);
  const integer = f32x4.splat(INTEGER);
  const down = width << 2;
  for (let line: i32 = 0; line < size * factor; line++) {
    const startX = <f64>(<f32>(<f64>(<f32>(b * line)) + c));
    const startY = <f64>(<f32>(<f64>(<f32>(e * line)) + f));
    const start = f64x2.replace_lane(f64x2.splat(startX), 1, startY);
    if (line % factor === 0) memory.fill(sums, 0, size << 4);
    for (let out: i32 = 0, u: i32 = 0; out < size; out++) {
      const end = u + factor;
      let sum = nothing;
      let isClear = false;
      // A block lies within the picture where its ends do.
      if (
        isWithin(a, u, startX, rightmost) &&
        isWithin(a, end - 1, startX, rightmost) &&
        isWithin(d, u, startY, lowest) &&
        isWithin(d, end - 1, startY, lowest)
      ) {
        let doubt = nothing;
        for (let k = u; k < end; k++) {
          const place = f32x4.demote_f64x2_zero(f64x2.add(f64x2.mul(f64x2.splat(k), steps), start));
          const before = f32x4.floor(place);
          const part = f32x4.sub(place, before);
          const cell = v128.and(f32x4.add(before, integer), i32x4.splat(MANTISSA));
          const at = pixels + i32x4.extract_lane(cell, 1) * down + (i32x4.extract_lane(cell, 0) << 2);
          const partX = v128.shuffle<f32>(part, part, 0, 0, 0, 0);
          const partY = v128.shuffle<f32>(part, part, 1, 1, 1, 1);
          const value = between(numbers(at), numbers(at + 4), numbers(at + down), numbers(at + down + 4), partX, partY);
          const whole = f32x4.nearest(value);
          doubt = v128.or(doubt, f32x4.gt(f32x4.abs(f32x4.sub(value, whole)), nearlyHalf));
          sum = f32x4.add(sum, whole);
        }
        isClear = !v128.any_true(doubt);
      }
      if (!isClear) {
        sum = nothing;
        for (let k = u; k < end; k++) {
          const x = <f32>(a * k + startX);
          const y = <f32>(d * k + startY);
          const column = <i32>floor<f32>(x);
          const row = <i32>floor<f32>(y);
          const before = min(max(column, 0), rightmost) << 2;
          const after = min(max(column + 1, 0), rightmost) << 2;
          const above = pixels + min(max(row, 0), lowest) * down;
          const below = pixels + min(max(row + 1, 0), lowest) * down;
          const outAbove = black && (row < 0 || row > lowest);
          const outBelow = black && (row < -1 || row >= lowest);
          const outBefore = black && (column < 0 || column > rightmost);
          const outAfter = black && (column < -1 || column >= rightmost);
          const p = outAbove || outBefore ? nothing : numbers(above + before);
          const q = outAbove || outAfter ? nothing : numbers(above + after);
          const r = outBelow || outBefore ? nothing : numbers(below + before);
          const s = outBelow || outAfter ? nothing : numbers(below + after);
          const value = exactlyBetween(p, q, r, s, x - floor<f32>(x), y - floor<f32>(y));
          sum = f32x4.add(sum, f32x4.nearest(value));
        }
      }
      u = end;
      const place = sums + (out << 4);
      v128.store(place, f32x4.add(v128.load(place), sum));
    }
    if ((line + 1) % factor === 0) {
      divide(sums, size, factor, factor, result, channels);
      result += size * channels;
    }
  }
}

// The mean of each block of `across` by `down` pixels: `height` rows of `width` such blocks. sums: room for 16 * width bytes.
export function averaged(
  pixels: usize,
  across: i32,
  down: i32,
  width: i32,
  height: i32,
  sums: usize,
  result: usize,
  channels: i32,
): void {
  for (let y: i32 = 0; y < height; y++) {
    memory.fill(sums, 0, width << 4);
    for (let row: i32 = 0; row < down; row++) {
      for (let x: i32 = 0; x < width; x++) {
        let sum = v128.load(sums + (x << 4));
        for (const end = pixels + (across << 2); pixels < end; pixels += 4) sum = f32x4.add(sum, numbers(pixels));
        v128.store(sums + (x << 4), sum);
      }
    }
    divide(sums, width, across, down, result, channels);
    result += width * channels;
  }
}

// One row of means of which each counts pixels by parts: of each `source` the row of that number, of `stride` pixels from `pixels` on,
// of which `weights` count. Those of x are first[x] to first[x + 1] - 1, of both tables. line, sums: room for 16 * width bytes each;
// `known` is the row that line is of. Gives the row that it is of then.
export function covered(
  pixels: usize,
  stride: i32,
  rows: usize,
  rowWeights: usize,
  rowCount: i32,
  first: usize,
  columns: usize,
  weights: usize,
  width: i32,
  line: usize,
  known: i32,
  sums: usize,
  result: usize,
  channels: i32,
): i32 {
  memory.fill(sums, 0, width << 4);
  for (let k: i32 = 0; k < rowCount; k++) {
    const row = load<i32>(rows + (k << 2));
    if (row !== known) {
      known = row;
      const start = pixels + ((row * stride) << 2);
      let at = load<i32>(first);
      for (let x: i32 = 0; x < width; x++) {
        let sum = f32x4.splat(0);
        for (const end = load<i32>(first + ((x + 1) << 2)); at < end; at++) {
          const pixel = numbers(start + (load<i32>(columns + (at << 2)) << 2));
          sum = f32x4.add(sum, f32x4.mul(pixel, v128.load32_splat(weights + (at << 2))));
        }
        v128.store(line + (x << 4), sum);
      }
    }
    const part = v128.load32_splat(rowWeights + (k << 2));
    for (let x: i32 = 0; x < width; x++) {
      const at = sums + (x << 4);
      v128.store(at, f32x4.add(v128.load(at), f32x4.mul(v128.load(line + (x << 4)), part)));
    }
  }
  for (let x: i32 = 0; x < width; x++) {
    const value = f32x4.nearest(v128.load(sums + (x << 4)));
    result = write(result, f32x4.min(value, f32x4.splat(255)), channels);
  }
  return known;
}

// A pixel and the next one, each as often as it is counted.
// @ts-ignore: decorator
@inline
function across(pixel: usize, counted: v128): v128 {
  const two = v128.load64_zero(pixel);
  const pairs = v128.shuffle<i8>(two, two, 0, 4, 1, 5, 2, 6, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0);
  return i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(pairs), counted);
}

// One row of cv2.resize(pixels, cv2.INTER_LINEAR), between two rows, of which `near` and `far` are counted. Of x: columns[x] is the address
// of a pixel in its row, and weights[x] holds, 16 bits each, how much of it and of the next one is counted.
export function linear(
  upper: usize,
  lower: usize,
  near: i32,
  far: i32,
  columns: usize,
  weights: usize,
  width: i32,
  result: usize,
  channels: i32,
): void {
  const ofUpper = i32x4.splat(near);
  const ofLower = i32x4.splat(far);
  for (const end = columns + (width << 2); columns < end; columns += 4, weights += 4) {
    const at = load<i32>(columns);
    const counted = v128.load32_splat(weights);
    // As OpenCV rounds it.
    const above = i32x4.shr_s(i32x4.mul(i32x4.shr_s(across(upper + at, counted), 4), ofUpper), 16);
    const below = i32x4.shr_s(i32x4.mul(i32x4.shr_s(across(lower + at, counted), 4), ofLower), 16);
    result = writeWhole(result, i32x4.shr_s(i32x4.add(i32x4.add(above, below), i32x4.splat(2)), 2), channels);
  }
}

// The numbers of one channel of four pixels.
// @ts-ignore: decorator
@inline
function channel(four: v128, mask: v128): v128 {
  return f32x4.convert_i32x4_s(i8x16.swizzle(four, mask));
}

// A row of pixels as numbers, each channel in a plane of so many bytes, blue first, in rows from `result` on.
export function planes(pixels: usize, width: i32, plane: usize, result: usize): void {
  // Three of each pixel's bytes are left out, which a swizzle does to places that are not there.
  const red = i8x16(0, -1, -1, -1, 4, -1, -1, -1, 8, -1, -1, -1, 12, -1, -1, -1);
  const green = i8x16(1, -1, -1, -1, 5, -1, -1, -1, 9, -1, -1, -1, 13, -1, -1, -1);
  const blue = i8x16(2, -1, -1, -1, 6, -1, -1, -1, 10, -1, -1, -1, 14, -1, -1, -1);
  const end = pixels + (width << 2);
  for (; pixels + 16 <= end; pixels += 16, result += 16) {
    const four = v128.load(pixels);
    v128.store(result, channel(four, blue));
    v128.store(result + plane, channel(four, green));
    v128.store(result + 2 * plane, channel(four, red));
  }
  for (; pixels < end; pixels += 4, result += 4) {
    store<f32>(result, <f32>load<u8>(pixels, 2));
    store<f32>(result + plane, <f32>load<u8>(pixels, 1));
    store<f32>(result + 2 * plane, <f32>load<u8>(pixels));
  }
}

// cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), in their place: the grey value is in the lowest byte. Up to three pixels more are written.
export function toGrey(pixels: usize, count: i32): void {
  const weights = i16x8(9798, 19235, 3735, 0, 9798, 19235, 3735, 0);
  const half = i32x4.splat(16384);
  for (const end = pixels + (count << 2); pixels < end; pixels += 16) {
    const four = v128.load(pixels);
    // Of each pixel two sums.
    const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(four), weights);
    const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(four), weights);
    const sum = i32x4.add(v128.shuffle<i32>(low, high, 0, 2, 4, 6), v128.shuffle<i32>(low, high, 1, 3, 5, 7));
    v128.store(pixels, i32x4.shr_u(i32x4.add(sum, half), 15));
  }
}
