// Runs the modules of webui/static/device over the vectors of `python -m export.conformance_time`.

import {configure} from "./device/constants.js";

const MODULES = ["types", "tracker", "satisfaction", "tables", "report", "sentences"];
let parts; // what the modules export
let crops;
let faces;

export async function open(vectors) {
  configure(vectors.constants);
  parts = Object.assign({}, ...(await Promise.all(MODULES.map((name) => import(`./device/${name}.js`)))));
  crops = vectors.crops.map((crop) => Uint8Array.from(atob(crop), (letter) => letter.charCodeAt(0)));
  faces = vectors.faces.map((face) => makeFace(face, new Uint8Array(48 * 48)));
}

function makeFace({detection, probabilities, crowd, age_distribution, gender, quality}, crop) {
  const {left_eye: leftEye, right_eye: rightEye, placed_at: placedAt, ...others} = detection,
    numbers = (values) => (values ? Float32Array.from(values) : null);
  const said = {crowd: numbers(crowd), ageDistribution: numbers(age_distribution), gender: numbers(gender), quality};
  return new parts.Face({...others, leftEye, rightEye, placedAt}, crop, numbers(probabilities), said);
}

// The same as JSON, as the vectors have it.
function tellFace({detection, probabilities, crowd, ageDistribution, gender, quality}) {
  const {leftEye: left_eye, rightEye: right_eye, placedAt: placed_at, ...others} = detection,
    said = Object.entries({probabilities, crowd, age_distribution: ageDistribution, gender});
  return {
    detection: {...others, left_eye, right_eye, placed_at},
    ...Object.fromEntries(said.flatMap(([name, values]) => (values ? [[name, [...values]]] : []))),
    quality,
  };
}

// What a tracker gives for each frame of a scene.
export function track(frames) {
  const tracker = new parts.FaceTracker();
  return frames.map(({seconds, doubted, faces}) => ({
    expected: tracker.predict(seconds).map(([id, {box}]) => [id, ...box]),
    people: tracker
      .update(
        faces.map((face) => makeFace(face, crops[face.crop])),
        seconds,
        doubted,
      )
      .map(({id, seconds, smoothed}) => ({id, seconds, smoothed: tellFace(smoothed)})),
  }));
}

export const assignments = (all) => all.map(({ratios}) => parts.assign(ratios));

// How many rows are dropped of so many, and when the first is that is kept.
export function fill(count) {
  const rows = new parts.FrameTable(),
    people = [];
  for (let seconds = 0; seconds < count; seconds++) rows.add(parts.momentRows({seconds, people}));
  return [rows.dropped, rows.columns().next().value.seconds[0]];
}

// How many messages were heeded while a table of so many rows was written, and how many lines it has.
export async function heeded(count) {
  const rows = new parts.FrameTable(),
    timeline = new parts.Timeline();
  let messages = 0,
    written = false;
  for (let seconds = 0; seconds < count; seconds++) rows.add(parts.momentRows({seconds, people: []}));
  const {port1, port2} = new MessageChannel();
  port1.onmessage = () => {
    messages++;
    if (!written) port2.postMessage(null);
  };
  port2.postMessage(null);
  const file = await parts.reportCsv({timeline}, rows);
  written = true;
  port1.close();
  return [messages, (await file.text()).trimEnd().split("\r\n").length];
}

const tellReading = (reading) => reading && [reading.index, reading.deviation];
const byId = (values, tell) => Object.fromEntries([...values].map(([id, value]) => [id, tell(value)]));

// What each step of a session gives.
export function play(steps) {
  const timeline = new parts.Timeline(),
    moments = [];
  const methods = {
    add(seconds, shown) {
      const people = shown.map(([id, face, other]) => ({
          id,
          measured: faces[face],
          smoothed: faces[other],
          seconds: 0,
        })),
        moment = {seconds, people, ...timeline.add(seconds, people)};
      moments.push(moment);
      return {room: tellReading(moment.room), readings: byId(moment.readings, tellReading)};
    },
    finish() {
      timeline.finished = true;
      return null;
    },
    baselines: () => byId(timeline.baselines, (value) => value),
    people() {
      const {people, people_forgotten} = timeline.report();
      return [people_forgotten, ...people.map(({id}) => id)];
    },
    rows() {
      const rows = new parts.FrameTable();
      for (const moment of moments) rows.add(parts.momentRows(moment));
      const tables = [...rows.columns(timeline.finishedCurves())];
      return {tables, csv: tables.map((table) => parts.csvLines(table, true)).join("")};
    },
    set_weights: (weights) => timeline.setWeights(weights) ?? null,
    forget_baseline: () => timeline.forgetBaseline() ?? null,
    unmark: (id) => timeline.unmark(id) ?? null,
  };
  return steps.map(([name, ...given]) => {
    try {
      return name in methods ? methods[name](...given) : timeline[name](...given);
    } catch (error) {
      if (error instanceof parts.TimelineError) return {error: error.code};
      throw error;
    }
  });
}

// What the page is answered about frames of some people, [id, measured, smoothed] each, and in the end.
export async function answer(frames, camera) {
  const timeline = new parts.Timeline(),
    rows = new parts.FrameTable(),
    streamOf = (timeline) => ({timeline, report: () => ({...timeline.report(), frames_lost: 0})}),
    stream = streamOf(timeline);
  const moments = frames.map(([seconds, shown]) => {
    const people = shown.map(([id, face, other]) => ({id, measured: faces[face], smoothed: faces[other], seconds: 0}));
    const moment = {seconds, people, ...timeline.add(seconds, people)};
    rows.add(parts.momentRows(moment));
    return parts.frameAnswer(moment, camera, 1);
  });
  timeline.mark("a mark");
  timeline.calibrate(frames[0][0]);
  return {
    frames: moments,
    state: parts.state(timeline, frames.at(-1)[0]),
    report: parts.report(stream, rows),
    restored: parts.report(streamOf(parts.Timeline.restored(JSON.parse(JSON.stringify(timeline)))), rows),
    table: await parts.frames(stream, rows),
    csv: [false, true].map((comma) => [...rows.csv(null, comma)].join("")),
    faces: faces.map((face) => face.toDict()),
  };
}

// What a stream makes of frames of one picture {data, width, height}, each {seconds, places (of faces), fails (whether the detector does)}.
export async function stream(picture, frames) {
  const [{Stream}, {DetectorError}] = await Promise.all([import("./device/stream.js"), import("./device/detector.js")]);
  const image = {...picture, data: Uint8ClampedArray.from(picture.data)};
  const asked = [];
  let frame;
  const analyzer = {
    detector: {
      async follow(_image, _expected, search, thorough) {
        asked.push([search, thorough]);
        if (frame.fails) throw new DetectorError("detector_failed");
        return frame.places.map((place) => faces[place].detection);
      },
    },
    classify: async (_, found) => found.map(({box}) => faces.find(({detection}) => detection.box[0] === box[0])),
  };
  const started = new Stream(analyzer, true),
    moments = [];
  for (frame of frames) {
    try {
      const {seconds, people, room, readings} = await started.add(image, frame.seconds, {width: 2 * picture.width});
      const ids = people.map(({id, smoothed}) => [id, ...smoothed.detection.box]);
      moments.push({seconds, ids, room: tellReading(room), readings: byId(readings, tellReading)});
    } catch (error) {
      if (!(error instanceof DetectorError)) throw error;
      moments.push(error.code);
    }
  }
  return {moments, report: started.report(), asked};
}
