// Where pictures are analysed: "device" is this browser, "server" the one that the page comes from. A page keeps to one of them;
// whoever chooses the other gets the page anew.

import {SETTINGS} from "./settings.js";

const STORED = "ifade-compute", // the visitor's choice
  FAILED = "ifade-compute-failed"; // why the device was given up: a text
const {places, start} = SETTINGS.compute;
// The smallest module with an instruction on vectors of 128 bits.
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

function isAble() {
  const needed = ["Worker", "OffscreenCanvas", "createImageBitmap", "DecompressionStream"];
  return needed.every((name) => name in window) && WebAssembly.validate(new Uint8Array(SIMD));
}

const stored = read(STORED),
  wanted = places.includes(stored) ? stored : places.includes(start) ? start : places[0];
const able = wanted !== "device" || isAble();

export const hasChoice = places.length > 1;
export const place = able || !hasChoice ? wanted : "server";
// Why it is not computed where it was asked for, as the key of a text; null where it is.
export const problem = able ? (hasChoice ? read(FAILED) : null) : hasChoice ? "device_too_old" : "browser_too_old";

export function choosePlace(chosen) {
  write(FAILED, null);
  if (write(STORED, chosen)) location.reload();
}

const failed = new Set();
export const onFailure = (tell) => failed.add(tell);

// What is said then where the server takes over, and where nobody does.
const REASONS = {failed: ["device_failed", "browser_failed"], incomplete: ["device_incomplete", "browser_incomplete"]};

// The device does not do it, by one of REASONS; values: of the sentence. Nothing goes to the server before the visitor has read so: the
// page begins anew with it.
export function giveUpDevice(why, values) {
  const [told, alone] = REASONS[why];
  if (hasChoice && write(FAILED, told) && write(STORED, "server")) location.reload();
  else for (const tell of failed) tell(alone, values);
}
