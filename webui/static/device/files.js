// The networks and the runtime's code, which lie beside these modules.

import {IfadeError} from "./sentences.js";

const RUNTIME = "../vendor/onnxruntime.wasm.gz";
const COLORS = "../vendor/lcms.wasm.gz";
const early = new Map(); // by path promises of what is needed in any case

async function load(path) {
  let bytes;
  try {
    const response = await fetch(new URL(path, import.meta.url));
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    console.warn(error);
    throw Object.assign(new IfadeError("not_loaded"), {status: 503});
  }
  // Unpacked, unless the server has done that.
  if (!(path.endsWith(".gz") && bytes[0] === 0x1f && bytes[1] === 0x8b)) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

function take(path) {
  const loaded = early.get(path) ?? load(path);
  early.delete(path);
  return loaded;
}

const pathOf = (model) => `../../models/${model}`;

// Begin to load the runtime and some networks, before the modules that use them are there.
export function loadEarly(models) {
  for (const path of [RUNTIME, ...models.map(pathOf)]) {
    const loaded = load(path);
    loaded.catch(() => {}); // whoever takes it is told
    early.set(path, loaded);
  }
}

export const runtimeCode = () => take(RUNTIME);
export const colorCode = () => take(COLORS);
export const modelBytes = (model) => take(pathOf(model));
