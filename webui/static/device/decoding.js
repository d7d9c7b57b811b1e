// Photos as pixels, as inference/image_checks.py and image_decoding.py have them: by the browser's own decoders, and HEIC and TIFF by
// libraries where it has none. The size is read before anything is decoded.

import {CONSTANTS} from "./constants.js";
import {openConversion, readColors} from "./image_color.js";
import {resizeArea} from "./images.js";
import {IfadeError} from "./sentences.js";

const {FORMATS, OTHERS, MAX_PIXELS, MAX_SIDE} = CONSTANTS.image_checks;
const START = 4096; // bytes by which a file's format is told
const BAND = 2 ** 20; // pixels that are copied at once
const TYPES = {HEIF: "image/heic"}; // the others are called as the format
const LIBRARIES = {HEIF: decodeHeif, TIFF: decodeTiff}; // for formats that not every browser decodes

export class ImageError extends IfadeError {}

// Python's patterns are of bytes: a character each.
const begins = (text, pattern, flags = "s") => new RegExp(`^(?:${pattern})`, flags).test(text);

export function findFormat(bytes) {
  const start = String.fromCharCode(...bytes.subarray(0, START));
  for (const [name, pattern] of Object.entries(FORMATS)) if (begins(start, pattern)) return name;
  for (const [code, pattern] of Object.entries(OTHERS)) if (begins(start, pattern, "is")) throw new ImageError(code);
  throw new ImageError("photo_unknown");
}

export function checkSize(width, height, most = MAX_PIXELS) {
  if (width * height > most) throw new ImageError("photo_pixels", {width, height, megapixels: most / 1e6});
  if (Math.max(width, height) > MAX_SIDE) throw new ImageError("photo_side", {width, height, most: MAX_SIDE});
}

// Width and height by the head of a file of FORMATS, before it is turned upright; null where it does not say.
export function sizeOf(format, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return SIZES[format]?.(view, bytes) ?? null;
  } catch (error) {
    if (error instanceof RangeError) return null; // it is cut off
    throw error;
  }
}

const three = (view, at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);

const SIZES = {
  PNG: (view) => [view.getUint32(16), view.getUint32(20)],
  GIF: (view) => [view.getUint16(6, true), view.getUint16(8, true)],
  BMP(view) {
    if (view.getUint32(14, true) === 12) return [view.getUint16(18, true), view.getUint16(20, true)];
    return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  },
  JPEG(view) {
    for (let at = 2; ; ) {
      if (view.getUint8(at) !== 0xff) return null;
      const marker = view.getUint8(at + 1);
      if (marker === 0xff || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) at += marker === 0xff ? 1 : 2;
      else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
        return [view.getUint16(at + 7), view.getUint16(at + 5)];
      else at += 2 + view.getUint16(at + 2);
    }
  },
  WEBP(view) {
    switch (view.getUint8(15)) {
      case 0x58: // VP8X
        return [three(view, 24) + 1, three(view, 27) + 1];
      case 0x4c: {
        // VP8L
        const bits = view.getUint32(21, true);
        return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1];
      }
      default:
        return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
    }
  },
  AVIF: largestOfBoxes,
  HEIF: largestOfBoxes,
};

// Of an ISO file the largest of its pictures, by their boxes "ispe": one may be put together of others.
function largestOfBoxes(view, bytes) {
  let largest = null;
  for (let at = bytes.indexOf(0x69); at >= 0 && at < bytes.length - 16; at = bytes.indexOf(0x69, at + 1)) {
    if (view.getUint32(at) !== 0x69737065) continue;
    const size = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (!largest || size[0] * size[1] > largest[0] * largest[1]) largest = size;
  }
  return largest;
}

// What makes a picture upright, by its EXIF orientation: a matrix of a canvas, as its entries a to d; what is then beyond the corner is
// shifted back.
const UPRIGHT = {
  2: [-1, 0, 0, 1],
  3: [-1, 0, 0, -1],
  4: [1, 0, 0, -1],
  5: [0, 1, 1, 0],
  6: [0, 1, -1, 0],
  7: [0, -1, -1, 0],
  8: [0, -1, 1, 0],
};

// The pixels of a picture that the browser can draw, {data: RGBA, width, height}, on white.
function pixelsOf(source, orientation = 1) {
  const [a, b, c, d] = UPRIGHT[orientation] ?? [1, 0, 0, 1],
    right = a * source.width + c * source.height,
    down = b * source.width + d * source.height,
    [width, height] = [Math.abs(right), Math.abs(down)];
  const context = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.setTransform(a, b, c, d, Math.max(-right, 0), Math.max(-down, 0));
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}

// Of a VideoFrame with nothing to see through, without a canvas, which takes longer and keeps copies in Chromium; null where the browser
// cannot, or the frame lies turned. into: bytes that may be written over.
async function copied(frame, into = null) {
  if (!frame?.copyTo || frame.rotation || frame.flip) return null;
  const {displayWidth: width, displayHeight: height, visibleRect} = frame;
  if (visibleRect?.width !== width || visibleRect.height !== height) return null;
  const length = 4 * width * height;
  const data = into?.length === length ? into : new Uint8ClampedArray(length);
  try {
    await frame.copyTo(data, {format: "RGBA"});
  } catch {
    return null;
  }
  return {data, width, height};
}

// In bands, because Chromium keeps as much memory as was copied at once; null where the browser cannot.
async function copiedBitmap(bitmap) {
  if (!("VideoFrame" in self)) return null;
  const {width, height} = bitmap,
    rows = Math.max(Math.floor(BAND / width), 1),
    band = new Uint8ClampedArray(4 * width * Math.min(rows, height)),
    data = new Uint8ClampedArray(4 * width * height);
  const frame = new VideoFrame(bitmap, {timestamp: 0, alpha: "discard"});
  try {
    for (let y = 0; y < height; y += rows) {
      const rect = {x: 0, y, width, height: Math.min(rows, height - y)};
      await frame.copyTo(band, {rect, format: "RGBA"});
      data.set(band.subarray(0, 4 * width * rect.height), 4 * width * y);
    }
  } catch {
    return null;
  } finally {
    frame.close();
  }
  return {data, width, height};
}

let canvas = null; // the context that frames are drawn in, which have one size

// A frame of a camera or a video, which has nothing to see through, as pixels {data: RGBA, width, height}. frame: a VideoFrame or an
// ImageBitmap; size: {width, height}, no larger than the frame; into: the bytes of an earlier frame, which may be written over; draw:
// draws it in a context.
export async function framePixels(frame, size, {into = null, draw = null} = {}) {
  const {width, height} = size;
  const whole = await copied(frame, into);
  if (whole) return whole.width === width && whole.height === height ? whole : resizeArea(whole, width, height);
  if (canvas?.canvas.width !== width || canvas.canvas.height !== height)
    canvas = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true, alpha: false});
  if (draw) draw(canvas);
  else canvas.drawImage(frame, 0, 0, width, height);
  return canvas.getImageData(0, 0, width, height);
}

// A photo of any format, upright: {data: RGBA, width, height}. Throws ImageError.
export async function decode(blob) {
  if (!blob.size) throw new ImageError("photo_empty");
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const format = findFormat(bytes),
    size = sizeOf(format, bytes);
  if (size) checkSize(...size);
  else if (format !== "TIFF") throw new ImageError("photo_damaged");
  const colors = await readColors(format, bytes);
  const convert = colors && (await openConversion(colors.profile));
  // Without its profile the browser leaves the numbers as they are.
  const file = new Blob((convert && colors.parts) ?? [bytes], {type: TYPES[format] ?? `image/${format.toLowerCase()}`});
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    if (format in LIBRARIES) return LIBRARIES[format](bytes, convert);
    throw new ImageError(format === "AVIF" ? "photo_not_here" : "photo_damaged");
  }
  try {
    checkSize(bitmap.width, bitmap.height);
    const image = (format === "JPEG" && (await copiedBitmap(bitmap))) || pixelsOf(bitmap);
    if (colors?.parts) convert?.(image);
    return image;
  } finally {
    bitmap.close();
  }
}

// A library, which is loaded when the first photo comes that needs it.
async function load(path) {
  try {
    return await import(path);
  } catch {
    throw new ImageError("not_loaded");
  }
}

let heif = null; // a promise of the library's code

async function decodeHeif(bytes, convert) {
  const library = await load("../vendor/libheif.js");
  heif ??= library.default();
  const {HeifDecoder} = await heif;
  const [image] = new HeifDecoder().decode(bytes);
  if (!image) throw new ImageError("photo_damaged");
  const width = image.get_width(),
    height = image.get_height();
  checkSize(width, height);
  const pixels = new ImageData(width, height);
  await new Promise((done, failed) =>
    image.display(pixels, (shown) => (shown ? done() : failed(new ImageError("photo_damaged")))),
  ).finally(() => image.free?.());
  convert?.(pixels);
  return pixels;
}

const TIFF = {
  compression: 259,
  photometric: 262,
  orientation: 274,
  planes: 284,
  subfile: 254,
  alpha: 338,
  profile: 34675,
}; // tags
const COMPRESSIONS = [1, 2, 3, 4, 5, 7, 8, 32773, 32946], // that UTIF knows: none, of fax, LZW, JPEG, Deflate, PackBits
  PHOTOMETRICS = [0, 1, 2, 3, 5, 6]; // grey, RGB, palette, CMYK, YCbCr

// The first full page; what UTIF would read wrongly is refused.
async function decodeTiff(bytes) {
  await load("../vendor/utif.js");
  const {UTIF} = self,
    numberOf = (page, name, otherwise) => page[`t${TIFF[name]}`]?.[0] ?? otherwise;
  let page, data;
  try {
    const file = bytes.buffer;
    page = UTIF.decode(file).find((one) => one.t256 && !(numberOf(one, "subfile", 0) & 1));
    const known =
      page &&
      COMPRESSIONS.includes(numberOf(page, "compression", 1)) &&
      PHOTOMETRICS.includes(numberOf(page, "photometric")) &&
      numberOf(page, "planes", 1) === 1;
    if (!known) throw new ImageError("photo_not_here");
    checkSize(page.t256[0], page.t257[0]);
    const [places, lengths] = page.t322 ? [page.t324, page.t325] : [page.t273, page.t279];
    if (lengths?.some((length, part) => places[part] + length > bytes.length)) throw new ImageError("photo_damaged");
    UTIF.decodeImage(file, page);
    self.window = {}; // where UTIF looks for another library of its maker
    data = new Uint8ClampedArray(UTIF.toRGBA8(page).buffer);
  } catch (error) {
    if (error instanceof ImageError || /memory|allocat|array buffer/i.test(error.message)) throw error;
    throw new ImageError("photo_not_here");
  } finally {
    delete self.window;
  }
  const profile = page[`t${TIFF.profile}`];
  if (profile) (await openConversion(Uint8Array.from(profile)))?.({data});
  if (numberOf(page, "alpha") === undefined) for (let at = 3; at < data.length; at += 4) data[at] = 255;
  const canvas = new OffscreenCanvas(page.width, page.height);
  canvas.getContext("2d").putImageData(new ImageData(data, page.width, page.height), 0, 0);
  return pixelsOf(canvas, numberOf(page, "orientation", 1));
}
