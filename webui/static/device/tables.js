// The one table of results: its columns, and rows of it for every face of every frame. Counterpart of inference/tables.py, without the
// rows of photos, which the page writes from its own answers.

import {CONSTANTS} from "./constants.js";
import {argmax} from "./numbers.js";
import {readOff} from "./satisfaction.js";
import {consensus} from "./types.js";

const {EMOTIONS, GENDER_SURE, GENDERS, ISSUES, NOT_SURE, WIDEST_AGE_RANGE} = CONSTANTS.types;
const {
  BOX,
  CHUNK_ROWS,
  COLUMNS,
  CROWD_NAMES,
  FER,
  GENDER_NAMES,
  HEAD,
  INDEX,
  MAX_ROWS,
  NAMES,
  SEARCHES,
  SEPARATORS,
  SMOOTHED,
  STORED,
} = CONSTANTS.tables;

// The faces of a frame as numbers by STORED, NaN where there is none, or one row that says that there is no face.
export function momentRows({seconds, people, room, readings}) {
  if (!people.length) return [makeRow({seconds, faces: 0})];
  return people.map(({id, measured, smoothed}, place) => {
    const {index, deviation} = readings.get(id);
    const known = {
      seconds,
      person: id,
      faces: people.length,
      face: place + 1,
      score: measured.detection.score,
      search: SEARCHES.indexOf(measured.detection.search),
      issues: measured.issues.reduce((bits, issue) => bits | (1 << ISSUES.indexOf(issue)), 0),
    };
    const put = (names, values) => {
      for (const [at, name] of names.entries()) known[name] = values[at];
    };
    put(SMOOTHED, smoothed.consensus);
    put(INDEX, [index, deviation, room.index, room.deviation]);
    put(BOX, measured.detection.box);
    put(FER, measured.probabilities);
    if (measured.crowd) put(CROWD_NAMES, measured.crowd);
    // Averages stay after age and gender were switched off; they are not to be told then.
    if (measured.ageDistribution) put(["age", "age_first", "age_last"], [smoothed.age, ...smoothed.ageRange]);
    if (measured.gender) put(GENDER_NAMES, smoothed.gender);
    if (measured.quality) {
      put(
        HEAD,
        HEAD.map((angle) => measured.quality[angle]),
      );
    }
    return makeRow(known);
  });
}

const makeRow = (known) => STORED.map((name) => known[name] ?? Number.NaN);

// Rows of STORED as the columns that COLUMNS describes: an array of texts, booleans or numbers by name, with null where there is none.
export function columns(rows, file = null, error = null) {
  const stored = Object.fromEntries(STORED.map((name, at) => [name, Array.from(rows, (row) => row[at])])),
    together = (names) => rows.map((_, row) => names.map((name) => stored[name][row])),
    fer = together(FER),
    crowd = together(CROWD_NAMES);
  const shown = fer.map((probabilities, row) =>
    consensus(probabilities, Number.isNaN(crowd[row][0]) ? null : crowd[row]),
  );
  EMOTIONS.forEach((name, at) => {
    stored[name] = shown.map((distribution) => distribution[at]);
  });
  const found = {file: rows.map(() => file), error: rows.map(() => error)};
  [found.shown, found.sure] = leading(shown, EMOTIONS, NOT_SURE);
  [found.fer_emotion] = leading(fer, EMOTIONS, NOT_SURE);
  [found.smoothed_shown, found.smoothed_sure] = leading(together(SMOOTHED), EMOTIONS, NOT_SURE);
  [found.apparent_gender, found.gender_sure] = leading(together(GENDER_NAMES), GENDERS, GENDER_SURE);
  const spans = stored.age_last.map((last, row) => last - stored.age_first[row]);
  found.age_sure = each(spans, (span) => span <= WIDEST_AGE_RANGE);
  found.search = each(stored.search, (place) => SEARCHES[place]);
  found.issues = each(stored.issues, (bits) => ISSUES.filter((_, at) => (bits >> at) & 1).join(" "));
  for (const {name, type, form} of COLUMNS) {
    if (type === "integer") found[name] = each(stored[name], Math.trunc);
    if (type === "number") found[name] = each(stored[name], rounding(digitsOf(form)));
  }
  return Object.fromEntries(NAMES.map((name) => [name, found[name]]));
}

const each = (values, say) => values.map((value) => (Number.isNaN(value) ? null : say(value)));

// numpy.round, which is faster than `round` and gives the same but for the last digit of a number in the middle of two.
function rounding(digits) {
  const scale = 10 ** digits;
  return (value) => {
    const above = Math.round(value * scale);
    return (above - value * scale === 0.5 && above % 2 ? above - 1 : above) / scale;
  };
}

const digitsOf = (form) => Number(form.at(-2)); // of "+.4f"

// The likeliest label of each row, and whether its probability is at least so large.
function leading(distributions, labels, least) {
  const known = distributions.map((distribution) => (distribution.some(Number.isNaN) ? null : distribution));
  return [
    known.map((distribution) => distribution && labels[argmax(distribution)]),
    known.map((distribution) => distribution && Math.max(...distribution) >= least),
  ];
}

// The first line of a CSV; see `csvLines`.
export const csvHeader = (decimalComma = false) =>
  `${decimalComma ? "\ufeff" : ""}${NAMES.join(separatorOf(decimalComma))}\r\n`;

// What `columns` gives as lines of a CSV, without the header. decimalComma: as spreadsheets read it where that is the decimal mark.
export function csvLines(table, decimalComma = false) {
  const separator = separatorOf(decimalComma),
    cells = COLUMNS.map((column) => cellsOf(column, table[column.name], decimalComma));
  return table.file.map((_, row) => `${cells.map((column) => column[row]).join(separator)}\r\n`).join("");
}

const PIECE_ROWS = 512; // of a CSV, so that a piece is made in the time of a frame

const separatorOf = (decimalComma) => SEPARATORS[Number(decimalComma)];

function cellsOf({name, type, form}, values, decimalComma) {
  const digits = type === "number" && digitsOf(form),
    plus = form?.startsWith("+") ? "+" : "";
  const written = (value) => {
    const sign = value < 0 || Object.is(value, -0) ? "-" : plus,
      text = sign + Math.abs(value).toFixed(digits);
    return decimalComma ? text.replace(".", ",") : text;
  };
  const quoted = (cell) =>
    /["\r\n]/.test(cell) || cell.includes(separatorOf(decimalComma)) ? `"${cell.replaceAll('"', '""')}"` : cell;
  // A name that a spreadsheet would take for a formula has ./ before it, which names the same file.
  const say = {
    number: written,
    "yes or no": (value) => String(value).toUpperCase(),
    integer: String,
    text: (value) => quoted(name === "file" && /^[=+\-@\t\r]/.test(value) ? `./${value}` : value),
  }[type];
  return values.map((value) => (value === null ? "" : say(value)));
}

// The rows of a session in memory, at most MAX_ROWS of them: the oldest go first. In single precision.
export class FrameTable {
  #chunks = [];
  #used = CHUNK_ROWS;

  // dropped: rows that are no longer kept.
  constructor(dropped = 0) {
    this.dropped = dropped;
  }

  get length() {
    return Math.max(this.#chunks.length - 1, 0) * CHUNK_ROWS + (this.#chunks.length ? this.#used : 0);
  }

  // Keep what `momentRows` made of a frame.
  add(rows) {
    for (const row of rows) {
      if (this.#used === CHUNK_ROWS) {
        this.#chunks.push(new Float32Array(CHUNK_ROWS * STORED.length));
        this.#used = 0;
        if (this.#chunks.length * CHUNK_ROWS > MAX_ROWS) {
          this.#chunks.shift();
          this.dropped += CHUNK_ROWS;
        }
      }
      this.#chunks.at(-1).set(row, this.#used * STORED.length);
      this.#used += 1;
    }
  }

  // What `columns` gives, in parts of at most so many rows, a divisor of CHUNK_ROWS, one after the other; with the figures of `curves` of
  // a Timeline where those are given.
  *columns(curves = null, most = CHUNK_ROWS) {
    const parts = [];
    for (const chunk of this.#chunks) {
      const count = chunk === this.#chunks.at(-1) ? this.#used : CHUNK_ROWS,
        rowOf = (row) => chunk.subarray(row * STORED.length, (row + 1) * STORED.length);
      for (let start = 0; start < count; start += most)
        parts.push(Array.from({length: Math.min(most, count - start)}, (_, row) => rowOf(start + row)));
    }
    const [seconds, people, index] = ["seconds", "person", INDEX[0]].map((name) => STORED.indexOf(name)),
      rows = curves ? parts.flat() : [],
      of = (at) => rows.map((row) => row[at]);
    const readings = rows.map((row) => row.subarray(index, index + 2)),
      figures = curves && readOff(curves, of(seconds), of(people), readings);
    let before = 0;
    for (const part of parts) {
      yield columns(figures ? part.map((row, at) => withReading(row, index, figures[before + at])) : part);
      before += part.length;
    }
  }

  // The same as a CSV in parts, see `csvLines`.
  *csv(curves = null, decimalComma = false) {
    yield csvHeader(decimalComma);
    for (const table of this.columns(curves, PIECE_ROWS)) yield csvLines(table, decimalComma);
  }
}

function withReading(row, index, figures) {
  const changed = row.slice();
  changed.set(figures, index);
  return changed;
}
