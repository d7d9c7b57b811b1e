// What a session of Live or Video answers, as the JSON and the files of the server's routes: counterpart of the answers in
// webui/live.py and webui/session_routes.py. stream: a Stream. rows: the FrameTable of its moments.

import {round} from "./numbers.js";
import {roundedReading} from "./satisfaction.js";

// A frame of a camera of so many pixels: who is in it, with boxes as parts of the picture's width and height.
export function frameAnswer({seconds, people, room, readings}, {width, height}, milliseconds) {
  const person = ({id, measured, smoothed}) => {
    const [x1, y1, x2, y2] = smoothed.detection.box;
    return {
      id,
      box: [x1 / width, y1 / height, x2 / width, y2 / height].map((value) => round(value, 4)),
      probabilities: Array.from(smoothed.consensus, (value) => round(value, 3)),
      shown: smoothed.shown,
      sure: smoothed.sure,
      issues: smoothed.issues,
      index: roundedReading(readings.get(id)),
      // Averages stay after it was switched off; they are not to be shown then.
      apparent: measured.ageDistribution && apparent(smoothed.toDict()),
    };
  };
  return {seconds, people: people.map(person), room: roundedReading(room), milliseconds};
}

const apparent = ({age, age_range, age_sure, apparent_gender, gender_sure, gender}) => ({
  age,
  age_range,
  age_sure,
  apparent_gender,
  gender_sure,
  gender,
});

// The state: the curve of the whole session, its markers and weights. seconds: of the last frame.
export function state(timeline, seconds) {
  return {
    seconds,
    weights: timeline.weights,
    markers: timeline.markers,
    baseline: Object.fromEntries(Array.from(timeline.baselines, ([id, value]) => [id, round(value, 4)])),
    baseline_until: timeline.calibratingUntil,
    curve: timeline.curve(),
  };
}

// The figures of the report.
export const report = (stream, rows) => ({...stream.report(), rows_dropped: rows.dropped});

// The table as a list of its parts, one after the other, each an object of columns; in a promise.
export const frames = (stream, rows) => piecemeal(rows.columns(stream.timeline.finishedCurves()));

// The table as a file.
export async function reportCsv(stream, rows, decimalComma = false) {
  return new Blob(await piecemeal(rows.csv(stream.timeline.finishedCurves(), decimalComma)), {type: "text/csv"});
}

// All that a generator gives. Between two pieces comes what waits meanwhile: the next frame of a camera.
async function piecemeal(pieces) {
  const found = [];
  for (const piece of pieces) {
    found.push(piece);
    await new Promise((done) => setTimeout(done));
  }
  return found;
}
