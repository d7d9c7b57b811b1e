// What a picture's file says of its colors by an ICC profile, and the picture converted to sRGB by that, in LittleCMS as Python does:
// inference/image_color.py. Browsers round otherwise, and libheif and UTIF convert nothing. What else a file may say is the browser's
// matter.

import {colorCode} from "./files.js";

const MOST = 2 ** 20; // bytes of a profile
const RGBA_8 = (4 << 16) | (1 << 7) | (3 << 3) | 1; // of LittleCMS, as what follows
const PERCEPTUAL = 0,
  COPY_ALPHA = 0x4000000;
const SAME = 2; // profiles of sRGB differ from one another by so many grey values
const BAND = 2 ** 18; // pixels that are converted at once
// The colors that tell whether a profile is sRGB's.
const STEPS = Array.from({length: 18}, (_, step) => 15 * step);
const PROBE = Uint8Array.from(STEPS.flatMap((a) => STEPS.flatMap((b) => STEPS.flatMap((c) => [b, a, c, 255]))));

const named = (bytes, at, name) => [...name].every((sign, place) => bytes[at + place] === sign.charCodeAt(0));

// The profile in a file, and the parts of the file without it: {profile, parts}; null where there is none that is followed here.
export async function readColors(format, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let found;
  try {
    found = await READERS[format]?.(bytes, view);
  } catch {
    return null; // it is cut off, or packed wrongly
  }
  if (!found?.profile) return null;
  const {profile} = found;
  return profile.length <= MOST && named(profile, 16, "RGB ") && named(profile, 36, "acsp") ? found : null;
}

const READERS = {
  // In segments APP2, which may be several.
  JPEG(bytes, view) {
    const found = [],
      parts = [];
    let from = 0;
    for (let at = 2; bytes[at] === 0xff && bytes[at + 1] !== 0xda; ) {
      const end = at + 2 + view.getUint16(at + 2);
      if (bytes[at + 1] === 0xe2 && named(bytes, at + 4, "ICC_PROFILE\0")) {
        found.push({number: bytes[at + 16], data: bytes.subarray(at + 18, end)});
        parts.push(bytes.subarray(from, at));
        from = end;
      }
      at = end;
    }
    const inOrder = found.sort((one, other) => one.number - other.number).map(({data}) => data);
    return {profile: joined(inOrder), parts: [...parts, bytes.subarray(from)]};
  },
  async PNG(bytes, view) {
    let profile = null,
      from = 0;
    const parts = [];
    for (let at = 8; !named(bytes, at + 4, "IDAT"); ) {
      const end = at + 12 + view.getUint32(at);
      if (named(bytes, at + 4, "cICP")) return null; // it goes before
      if (["iCCP", "gAMA", "cHRM", "sRGB"].some((name) => named(bytes, at + 4, name))) {
        if (named(bytes, at + 4, "iCCP"))
          profile = await inflated(bytes.subarray(bytes.indexOf(0, at + 8) + 2, end - 4));
        parts.push(bytes.subarray(from, at));
        from = end;
      }
      at = end;
    }
    return {profile, parts: [...parts, bytes.subarray(from)]};
  },
  WEBP(bytes, view) {
    for (let at = 12; at + 8 <= bytes.length; ) {
      const length = view.getUint32(at + 4, true);
      if (named(bytes, at, "ICCP")) {
        const parts = [bytes.slice(0, at), bytes.subarray(at + 8 + length + (length % 2))];
        parts[0][20] &= ~0x20; // what the chunk VP8X says of it
        new DataView(parts[0].buffer).setUint32(4, view.getUint32(4, true) - 8 - length - (length % 2), true);
        return {profile: bytes.subarray(at + 8, at + 8 + length), parts};
      }
      at += 8 + length + (length % 2);
    }
    return null;
  },
  // In the box colr, which is left where it is: libheif does not follow it.
  HEIF(bytes, view) {
    for (let at = bytes.indexOf(0x63); at >= 0; at = bytes.indexOf(0x63, at + 1)) {
      if (!(named(bytes, at, "colrprof") || named(bytes, at, "colrrICC"))) continue;
      return {profile: bytes.subarray(at + 8, at - 4 + view.getUint32(at - 4)), parts: null};
    }
    return null;
  },
};

function joined(arrays) {
  const all = new Uint8Array(arrays.reduce((length, array) => length + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

async function inflated(bytes) {
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

let library = null; // a promise of LittleCMS

// What converts pixels {data: RGBA} in their place to sRGB by a profile; null where LittleCMS could not be loaded.
export async function openConversion(profile) {
  library ??= Promise.all([import("../vendor/lcms.js"), colorCode()]).then(([{instantiate}, wasmBinary]) =>
    instantiate({wasmBinary}),
  );
  let lcms;
  try {
    lcms = await library;
  } catch {
    library = null;
    return null;
  }
  return ({data}) => {
    let from = 0,
      to = 0,
      transform = 0;
    try {
      from = lcms.cmsOpenProfileFromMem(profile, profile.length);
      if (!from) return; // Python takes the numbers as they are, too
      to = lcms.cmsCreate_sRGBProfile();
      transform = lcms.cmsCreateTransform(from, RGBA_8, to, RGBA_8, PERCEPTUAL, COPY_ALPHA);
      if (!transform) return;
      const probed = lcms.cmsDoTransform(transform, PROBE, PROBE.length / 4);
      if (probed.every((value, place) => Math.abs(value - PROBE[place]) <= SAME)) return;
      for (let start = 0; start < data.length; start += 4 * BAND) {
        const band = data.subarray(start, start + 4 * BAND);
        band.set(lcms.cmsDoTransform(transform, band, band.length / 4));
      }
    } finally {
      if (transform) lcms.cmsDeleteTransform(transform);
      for (const one of [from, to]) if (one) lcms.cmsCloseProfile(one);
    }
  };
}
