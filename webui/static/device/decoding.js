// Photos as pixels, as inference/image_checks.py and image_decoding.py have them: by the browser's own decoders, and HEIC by a library
// where it has none. The size is read before anything is decoded.

import {CONSTANTS} from "./constants.js";
import {IfadeError} from "./sentences.js";

const {FORMATS, OTHERS, MAX_PIXELS, MAX_SIDE} = CONSTANTS.image_checks;
const START = 4096; // bytes by which a file's format is told
const TYPES = {HEIF: "image/heic"}; // the others are called as the format
const RARE = ["AVIF", "TIFF"]; // formats that not every browser decodes

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

// The pixels of a picture that the browser can draw, {data: RGBA, width, height}, on white.
function pixelsOf(source) {
  const {width, height} = source;
  const context = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}

let camera = null; // the context that frames are drawn in, which have one size

// The same of a camera's frame, which has nothing to see through.
export function framePixels(bitmap) {
  const {width, height} = bitmap;
  if (camera?.canvas.width !== width || camera.canvas.height !== height)
    camera = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true, alpha: false});
  camera.drawImage(bitmap, 0, 0);
  return camera.getImageData(0, 0, width, height);
}

// A photo of any format, upright: {data: RGBA, width, height}. Throws ImageError.
export async function decode(blob) {
  if (!blob.size) throw new ImageError("photo_empty");
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const format = findFormat(bytes),
    size = sizeOf(format, bytes);
  if (size) checkSize(...size);
  else if (format !== "TIFF") throw new ImageError("photo_damaged");
  const file = new Blob([bytes], {type: TYPES[format] ?? `image/${format.toLowerCase()}`});
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    if (format === "HEIF") return decodeHeif(bytes);
    throw new ImageError(RARE.includes(format) ? "photo_not_here" : "photo_damaged");
  }
  try {
    checkSize(bitmap.width, bitmap.height);
    return pixelsOf(bitmap);
  } finally {
    bitmap.close();
  }
}

let heif = null; // a promise of the library, which is loaded when the first such photo comes

async function decodeHeif(bytes) {
  heif ??= import("../vendor/libheif.js").then((library) => library.default());
  const {HeifDecoder} = await heif.catch(() => {
    heif = null;
    throw new ImageError("not_loaded");
  });
  const [image] = new HeifDecoder().decode(bytes);
  if (!image) throw new ImageError("photo_damaged");
  const width = image.get_width(),
    height = image.get_height();
  checkSize(width, height);
  const pixels = new ImageData(width, height);
  return new Promise((done, failed) =>
    image.display(pixels, (shown) => (shown ? done(shown) : failed(new ImageError("photo_damaged")))),
  ).finally(() => image.free?.());
}
