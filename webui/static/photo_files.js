// What was found in photos as files: JSON, and the table that Python writes too.

import {number} from "./language.js";
import {SETTINGS} from "./settings.js";

export const stemOf = (name) => name.replace(/\.\w+$/, "");

export function jsonOf(photos) {
  const entries = photos.map(({name, answer, problem}) =>
    answer
      ? {file: name, ...answer, faces: answer.faces.map(({crop, heat, ...face}) => face)}
      : {file: name, error: problem},
  );
  return new Blob([JSON.stringify(photos.length > 1 ? entries : entries[0], null, 2)], {type: "application/json"});
}

// The table that Python writes too: a row a face. Where numbers have a decimal comma, semicolons stand between them.
export function csvOf(photos) {
  const rows = photos.flatMap(({name, answer, problem}) => {
    if (!answer) return [{file: name, error: problem}];
    const count = answer.faces.length;
    const found = answer.faces.map((face, place) => ({file: name, faces: count, face: place + 1, ...valuesOf(face)}));
    return count ? found : [{file: name, faces: 0}];
  });
  const comma = number(0.5, 1).includes(","),
    separator = comma ? ";" : ",";
  const cell = (value, digits) => {
    if (value === undefined || value === null) return "";
    if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
    if (typeof value === "number")
      return (digits === null ? String(value) : value.toFixed(digits)).replace(".", comma ? "," : ".");
    const text = /^[=+\-@\t]/.test(value) ? `./${value}` : value; // a spreadsheet would take it for a formula
    return /[";,\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const columns = Object.entries(SETTINGS.columns);
  const lines = [
    columns.map(([name]) => name),
    ...rows.map((row) => columns.map(([name, digits]) => cell(row[name], digits))),
  ];
  return new Blob([(comma ? "\ufeff" : "") + lines.map((line) => `${line.join(separator)}\r\n`).join("")], {
    type: "text/csv",
  });
}

function valuesOf(face) {
  const [x1, y1, x2, y2] = face.box,
    {issues = [], yaw, pitch, roll} = face.quality ?? {};
  const named = (prefix, values = {}) =>
    Object.fromEntries(Object.entries(values).map(([label, value]) => [prefix + label, value]));
  const [age_first, age_last] = face.age_range ?? [];
  return {
    x1,
    y1,
    x2,
    y2,
    score: face.score,
    search: face.search,
    shown: face.shown,
    sure: face.sure,
    issues: issues.join(" "),
    ...face.consensus,
    fer_emotion: face.emotion,
    ...named("fer_", face.probabilities),
    ...named("crowd_", face.crowd),
    age: face.age,
    age_first,
    age_last,
    age_sure: face.age_sure,
    apparent_gender: face.apparent_gender,
    gender_sure: face.gender_sure,
    ...named("gender_", face.gender),
    yaw,
    pitch,
    roll,
  };
}
