// What the page's modules say of the pictures and frames of `python -m export.conformance`, for test_device_engine.py.

const read = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
const coded = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

async function pixels(path) {
  const blob = await (await fetch(path)).blob();
  const bitmap = await createImageBitmap(blob, {colorSpaceConversion: "none", premultiplyAlpha: "none"});
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

export async function answers(runtime) {
  const {constants, pictures, frames} = await (await fetch("/vectors/pictures.json")).json();
  (await import("/static/device/constants.js")).configure(constants);
  const {FaceAnalyzer} = await import("/static/device/analyzer.js");
  const {FaceFollower} = await import("/static/device/follow.js");
  const models = (name) => read(`/models/${name}`);
  const analyzer = await FaceAnalyzer.open({runtime, models});
  const told = [];
  for (const {file} of pictures) {
    const image = await pixels(`/vectors/${file}`);
    const {faces} = await analyzer.analyze(image, {ageGender: true});
    told.push({
      file,
      detections: faces.map((face) => face.detection),
      crops: faces.map((face) => coded(face.crop)),
      portraits: faces.map((face) => coded(analyzer.estimator.crop(image, face.detection))),
      faces: faces.map((face) => face.toDict()),
    });
  }
  const live = await FaceAnalyzer.open({runtime, models, live: true, detector: analyzer.detector});
  const follower = new FaceFollower(live);
  const seen = [];
  for (const {file, seconds, width, age_gender: ageGender} of frames) {
    const people = await follower.analyze(await pixels(`/vectors/${file}`), seconds, {width, ageGender});
    const one = (face) => ({...face.toDict(), detection: face.detection});
    seen.push({
      file,
      people: people.map(({id, measured, smoothed}) => ({id, measured: one(measured), smoothed: one(smoothed)})),
    });
  }
  return {pictures: told, frames: seen};
}
