// The networks and the runtime's code, which lie beside these modules.

import {IfadeError} from "./sentences.js";

// The page is not whole; `file` says what of it.
export class FileError extends IfadeError {
  constructor(path) {
    super("browser_incomplete", {file: path.split("/").pop()});
  }
}

const RUNTIME = "../vendor/onnxruntime.wasm.gz";
const COLORS = "../vendor/lcms.wasm.gz";
const MISSING = [403, 404, 410]; // of HTTP
const early = new Map(); // by path promises of what is needed in any case
let checksums = {}; // SHA-256 by the name of a network

// Throws FileError, and IfadeError where it cannot be had at the moment.
async function load(path) {
  let response, bytes;
  try {
    response = await fetch(new URL(path, import.meta.url));
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch {
    response = null;
  }
  if (MISSING.includes(response?.status)) throw new FileError(path);
  if (!response?.ok) throw Object.assign(new IfadeError("not_loaded"), {status: 503});
  if (path.endsWith(".gz")) return unpacked(bytes, path);
  const expected = checksums[path.split("/").pop()];
  if (expected && globalThis.crypto.subtle && (await hashOf(bytes)) !== expected) throw new FileError(path);
  return bytes;
}

async function unpacked(bytes, path) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes; // the server has done it
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new FileError(path);
  }
}

async function hashOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function take(path) {
  const loaded = early.get(path) ?? load(path);
  early.delete(path);
  return loaded;
}

const pathOf = (model) => `../../models/${model}`;

// Begin to load the runtime and some networks, before the modules that use them are there. known: what `checksums` is.
export function loadEarly(models, known) {
  checksums = known;
  for (const path of [RUNTIME, ...models.map(pathOf)]) {
    const loaded = load(path);
    loaded.catch(() => {}); // whoever takes it is told
    early.set(path, loaded);
  }
}

export const runtimeCode = () => take(RUNTIME);
export const colorCode = () => take(COLORS);
export const modelBytes = (model) => take(pathOf(model));
