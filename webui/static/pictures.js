// The pictures of the Photo tab: photos as the browser decodes them, with boxes drawn or with blurred faces.

import {drawBox} from "./cards.js";
import {make} from "./dom.js";
import {SETTINGS} from "./settings.js";

const LABEL_WIDTH = 64, // CSS pixels of a box from which on its label says more than its number
  NUMBER_WIDTH = 24; // and from which on it has one while it is not lit: in a crowd it would cover others' faces
const THUMBNAIL = 72,
  SAVED_SIDE = 4096,
  DRAWN_SIDE = 1000; // pixels; DRAWN_SIDE: of a saved picture, by which its boxes are drawn
const BLURRED_PARTS = 7; // of a blurred face: so many spots from side to side

// An image whose size is known; its pixels are decoded when it is drawn, unless that is asked for here.
export async function loadImage(url, {decoded = false} = {}) {
  const image = new Image();
  const loaded = new Promise((done, failed) => {
    image.onload = done;
    image.onerror = () => failed(new Error("no picture"));
  });
  image.src = url;
  await loaded;
  if (decoded) await image.decode();
  return image;
}

export function fits({naturalWidth, naturalHeight}, {width, height}) {
  return Math.abs((naturalWidth * height) / width - naturalHeight) <= Math.max(1, naturalHeight / 100);
}

export async function shrunk(url) {
  const image = await loadImage(url, {decoded: true});
  const scale = (THUMBNAIL * 2) / Math.min(image.naturalWidth, image.naturalHeight);
  const canvas = make("canvas", {width: THUMBNAIL * 2, height: THUMBNAIL * 2});
  const width = image.naturalWidth * scale,
    height = image.naturalHeight * scale;
  canvas.getContext("2d").drawImage(image, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  return canvas;
}

export const toBlob = (canvas) => new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));

// What is shown of a photo of more than `shownPixels` a side: a smaller copy, because browsers keep the pixels of one shown photo
// after the other. Null where the file itself is shown. image: the file, loaded.
export async function smallCopy(file, image) {
  const {shownPixels: side} = SETTINGS.photo;
  if (Math.max(image.naturalWidth, image.naturalHeight) <= side) return null;
  // One may see through what is no JPEG; browsers without WebP write PNG.
  const type = file.type === "image/jpeg" ? file.type : "image/webp";
  const worker = new Worker(new URL("device/shrink.js", import.meta.url));
  try {
    const copy = await new Promise((done, failed) => {
      worker.addEventListener("message", ({data}) => done(data));
      worker.addEventListener("error", failed);
      worker.postMessage({file, side, type});
    });
    return fits(image, copy) ? copy.blob : null;
  } catch {
    return null;
  } finally {
    worker.terminate();
  }
}

// A canvas with a bitmap, of so many pixels a side at most.
function drawn(bitmap, most) {
  const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
  const canvas = make("canvas", {width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale)});
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// A canvas with the photo, of SAVED_SIDE pixels a side at most, and what `draw` adds to that.
export async function drawPhoto(photo, draw) {
  const isRead = photo.url.startsWith("blob:"); // by this browser
  const bitmap = await createImageBitmap(isRead ? photo.file : await loadImage(photo.url));
  const canvas = drawn(bitmap, SAVED_SIDE);
  bitmap.close();
  draw(canvas);
  return canvas;
}

export function drawSavedBoxes(canvas, answer, wordsOf) {
  const context = canvas.getContext("2d"),
    scale = Math.max(canvas.width, canvas.height) / DRAWN_SIDE;
  context.scale(scale, scale);
  drawFaces(context, answer, canvas.width / scale, canvas.height / scale, wordsOf, null);
}

// The boxes of all faces in a picture of width x height CSS pixels; where one is lit, the others pale. wordsOf(face): its answer.
export function drawFaces(context, answer, width, height, wordsOf, lit) {
  const faces = answer.faces.map((face, place) => [place + 1, face]);
  faces.sort(([a], [b]) => (a === lit) - (b === lit)); // the lit one above the others
  for (const [id, face] of faces) {
    const box = face.box.map((value, i) => (i % 2 ? (value / answer.height) * height : (value / answer.width) * width));
    context.globalAlpha = lit && id !== lit ? 0.35 : 1;
    const wide = id === lit ? Infinity : box[2] - box[0];
    const words = wide >= LABEL_WIDTH ? `${id}  ${wordsOf(face)}` : wide >= NUMBER_WIDTH ? String(id) : "";
    drawBox(context, box, id, words, width, height);
  }
  context.globalAlpha = 1;
}

// Each face and what is around it, in so few spots that nobody is known by them.
export function blurFaces(canvas, answer) {
  const context = canvas.getContext("2d"),
    scale = canvas.width / answer.width;
  const source = make("canvas", {width: canvas.width, height: canvas.height});
  source.getContext("2d").drawImage(canvas, 0, 0);
  for (const {
    box: [x1, y1, x2, y2],
  } of answer.faces) {
    const x = ((x1 + x2) / 2) * scale,
      y = ((y1 + y2) / 2) * scale,
      across = 0.7 * (x2 - x1) * scale,
      along = 0.8 * (y2 - y1) * scale;
    // Beyond the edge there is nothing, and nothing would let the face shine through.
    const left = Math.max(0, x - across),
      width = Math.min(canvas.width, x + across) - left;
    const top = Math.max(0, y - along),
      height = Math.min(canvas.height, y + along) - top;
    const spots = make("canvas", {width: BLURRED_PARTS, height: BLURRED_PARTS}),
      small = spots.getContext("2d");
    small.imageSmoothingQuality = "high";
    small.drawImage(averaged(source, left, top, width, height), 0, 0, BLURRED_PARTS, BLURRED_PARTS);
    context.save();
    context.beginPath();
    context.ellipse(x, y, across, along, 0, 0, 2 * Math.PI);
    context.clip();
    context.drawImage(spots, 0.5, 0.5, BLURRED_PARTS - 1, BLURRED_PARTS - 1, left, top, width, height);
    context.restore();
  }
}

// A part of a canvas in halves of halves, because browsers look at few of its pixels when they shrink a picture at once.
function averaged(source, left, top, width, height) {
  let part = make("canvas", {width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height))});
  part.getContext("2d").drawImage(source, left, top, width, height, 0, 0, part.width, part.height);
  while (Math.min(part.width, part.height) > 2 * BLURRED_PARTS) {
    const half = make("canvas", {width: part.width >> 1, height: part.height >> 1});
    half.getContext("2d").drawImage(part, 0, 0, half.width, half.height);
    part = half;
  }
  return part;
}
