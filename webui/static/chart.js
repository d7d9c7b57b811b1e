// The curves on a canvas: satisfaction with its band, or the seven emotions, over time.

import {number, percentOf, t} from "./language.js";
import {SETTINGS} from "./settings.js";

const EMOTION_COLORS = {
  angry: "#dc2626",
  disgust: "#4d7c0f",
  fear: "#7c3aed",
  happy: "#b45309",
  sad: "#2563eb",
  surprise: "#db2777",
  neutral: "#6b7280",
};
// Lines differ by their strokes too.
const DASHES = [[], [9, 4], [2, 3], [9, 3, 2, 3]];
const LONGEST_LINE = 1.5; // seconds without a face, after which a curve is broken
const MAX_LINES = 8; // people with a line of their own
const POINTS = 600; // of a curve; more could not be told apart
const LETTERS = 11,
  ROW = 13; // pixels

export function personColor(id) {
  return SETTINGS.personColors[(id - 1) % SETTINGS.personColors.length];
}

// An index from -1 to 1 as people want to read it.
export function formatIndex(index, percent) {
  if (percent) return String(Math.round(50 * (1 + index)));
  return signed(index, 2);
}

// A deviation of that, or a difference's.
export function formatDeviation(deviation, percent) {
  return `± ${percent ? number(50 * deviation) : number(deviation, 2)}`;
}

// A difference of two of them.
export function formatDifference(difference, percent) {
  return percent ? signed(50 * difference, 0) : signed(difference, 2);
}

// No zero is below or above zero.
function signed(value, digits) {
  const written = number(Math.abs(value), digits);
  if (!/[1-9]/.test(written)) return written;
  return (value < 0 ? "−" : "+") + written;
}

export function formatTime(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60) % 60,
    hours = Math.floor(whole / 3600),
    rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function formatLength(seconds) {
  return seconds < 60 ? t("seconds", {seconds: number(seconds, 1)}) : formatTime(seconds);
}

// The canvas in device pixels, with CSS pixels as its unit.
export function prepareCanvas(
  canvas,
  width = canvas.clientWidth,
  height = canvas.clientHeight,
  ratio = Math.min(window.devicePixelRatio || 1, 2),
) {
  const size = {width: Math.round(width * ratio), height: Math.round(height * ratio)};
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// What to draw of points, which are {seconds, room: [index, deviation], people: {id: [index, deviation]}, emotions: {room or id:
// [7 probabilities]}} in order of time, with null or nothing where nobody was seen.

// The room with its band, and everybody's own line; of one person alone there is one line.
export function satisfactionView(points, percent) {
  const seen = new Map();
  for (const point of points) for (const id of Object.keys(point.people)) seen.set(id, (seen.get(id) ?? 0) + 1);
  const here = (id) => Number(id in (points.at(-1)?.people ?? {})); // who is there at the end comes first
  const ids = [...seen.keys()]
    .sort((a, b) => here(b) - here(a) || seen.get(b) - seen.get(a))
    .slice(0, MAX_LINES)
    .sort((a, b) => a - b);
  const alone = seen.size === 1 ? ids[0] : null;
  const room = {
    key: "room",
    name: alone ? t("person_title", {id: alone}) : t("room_title"),
    color: alone && personColor(Number(alone)),
    thick: 3,
    band: true,
    valueOf: (point) => point.room,
  };
  const people = alone
    ? []
    : ids.map((id) => ({
        key: id,
        name: t("person_title", {id}),
        short: id,
        color: personColor(Number(id)),
        dash: DASHES[(id - 1) % DASHES.length],
        thick: 1.5,
        valueOf: (point) => point.people[id],
      }));
  return {
    lines: [room, ...people],
    low: -1,
    high: 1,
    ticks: [-1, -0.5, 0, 0.5, 1],
    zone: [-SETTINGS.neutralZone, SETTINGS.neutralZone],
    tick: (index) => (percent ? String(50 * (1 + index)) : number(index, index % 1 ? 1 : 0)),
    say: ([index, deviation], line) =>
      line.band ? `${formatIndex(index, percent)} ${formatDeviation(deviation, percent)}` : formatIndex(index, percent),
  };
}

// The seven emotions of a person by id, or of the room.
export function emotionsView(who) {
  return {
    lines: SETTINGS.emotions.map((label, place) => ({
      key: label,
      name: t(`emotion_${label}`),
      short: t(`emotion_${label}`),
      color: EMOTION_COLORS[label],
      dash: DASHES[place % DASHES.length],
      thick: 2,
      valueOf: (point) => point.emotions?.[who] && [point.emotions[who][place]],
    })),
    low: 0,
    high: 1,
    ticks: [0, 0.25, 0.5, 0.75, 1],
    tick: (part) => percentOf(part),
    say: ([part]) => percentOf(part),
  };
}

// Those of the points that lie within a stretch of time or next to it, thinned out to what can be told apart.
export function pointsWithin(points, from, to) {
  const first = Math.max(placeOf(points, from) - 1, 0),
    last = Math.min(placeOf(points, to) + 1, points.length);
  const width = (to - from) / POINTS,
    stretch = (point) => Math.floor(point.seconds / width);
  const within = points.slice(first, last);
  if (within.length <= POINTS) return within;
  return within.filter(
    (point, place) => place === 0 || place === within.length - 1 || stretch(point) !== stretch(within[place - 1]),
  );
}

// Where the first point stands that is not before a time.
export function placeOf(points, seconds) {
  let low = 0,
    high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].seconds < seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

// view: of the functions above. points: of the stretch from..to, in seconds. ago: write times as before `to`. markers: [{seconds, label}].
// playhead, cursor: times that are shown by a line, or null. selected: [from, to], which is being chosen. ink: colors of letters,
// of what is behind them, of the grid and of the playhead, and a font. Gives the pixels {left, right} between which time runs.
export function drawCurve(
  context,
  {width, height, view, points, from, to, ago, markers = [], playhead = null, cursor = null, selected = null, ink},
) {
  context.font = `${LETTERS}px ${ink.font}`;
  const ends = view.lines.filter((line) => line.short).map((line) => context.measureText(line.short).width);
  const left = 40,
    right = width - Math.max(10, 18 + Math.max(0, ...ends)),
    top = 12,
    bottom = height - 20;
  const x = (seconds) => left + ((right - left) * (seconds - from)) / Math.max(to - from, 1e-6);
  const y = (value) => bottom - ((bottom - top) * (value - view.low)) / (view.high - view.low);
  drawGrid();
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, bottom + 2);
  context.clip();
  const longest = longestLine(points),
    labels = [],
    dots = [];
  const nearest = cursor === null ? null : pointAt(points, cursor);
  for (const line of view.lines) {
    const color = line.color ?? ink.text,
      runs = splitRuns(points, line.valueOf, longest);
    if (line.band) drawBand(runs, color);
    context.setLineDash(line.dash ?? []);
    Object.assign(context, {strokeStyle: color, lineWidth: line.thick, lineJoin: "round"});
    for (const run of runs) {
      context.beginPath();
      for (const [seconds, [value]] of run) context.lineTo(x(seconds), y(value));
      if (run.length === 1) context.lineTo(x(run[0][0]) + 2, y(run[0][1][0]));
      context.stroke();
    }
    context.setLineDash([]);
    const last = runs.at(-1)?.at(-1);
    if (line.short && last && x(last[0]) > right - 0.05 * (right - left))
      labels.push({words: line.short, color, y: y(last[1][0])});
    const value = nearest && line.valueOf(nearest);
    if (value) dots.push([x(nearest.seconds), y(value[0]), color]);
  }
  context.restore();
  drawEnds();
  drawMarkers();
  if (playhead !== null && playhead >= from && playhead <= to) drawPlayhead(x(playhead));
  if (nearest) drawCursor(x(nearest.seconds));
  if (selected) {
    Object.assign(context, {fillStyle: ink.text, globalAlpha: 0.15});
    context.fillRect(x(selected[0]), top, x(selected[1]) - x(selected[0]), bottom - top);
    context.globalAlpha = 1;
  }
  return {left, right};

  function drawGrid() {
    context.lineWidth = 1;
    context.strokeStyle = context.fillStyle = ink.grid;
    if (view.zone) {
      context.globalAlpha = 0.35;
      context.fillRect(left, y(view.zone[1]), right - left, y(view.zone[0]) - y(view.zone[1]));
      context.globalAlpha = 1;
    }
    Object.assign(context, {textBaseline: "middle", textAlign: "right"});
    for (const value of view.ticks) {
      context.beginPath();
      context.moveTo(left, Math.round(y(value)) + 0.5);
      context.lineTo(right, Math.round(y(value)) + 0.5);
      context.stroke();
      context.fillStyle = ink.text;
      context.fillText(view.tick(value), left - 6, y(value));
    }
    context.textBaseline = "bottom";
    const step = timeStep(to - from, right - left);
    for (
      let seconds = ago ? to : Math.ceil(Math.max(from, 0) / step) * step; // there is no time before the beginning
      ago ? seconds >= from : seconds <= to;
      seconds += ago ? -step : step
    ) {
      const label = ago
        ? seconds === to
          ? t("now")
          : t("seconds", {seconds: `−${Math.round(to - seconds)}`})
        : step < 1
          ? t("seconds", {seconds: number(seconds, 1)})
          : formatTime(seconds);
      const middle = x(seconds);
      context.textAlign = middle > right - 20 ? "right" : middle < left + 20 ? "left" : "center";
      context.fillText(label, middle, height - 2);
    }
  }

  function drawBand(runs, color) {
    Object.assign(context, {fillStyle: color, globalAlpha: 0.18});
    for (const run of runs) {
      context.beginPath();
      for (const [seconds, [value, deviation]] of run)
        context.lineTo(x(seconds), y(Math.min(value + deviation, view.high)));
      for (const [seconds, [value, deviation]] of [...run].reverse())
        context.lineTo(x(seconds), y(Math.max(value - deviation, view.low)));
      context.fill();
    }
    context.globalAlpha = 1;
  }

  // Beside the lines' ends, each at least a row below the one before, and all within the plot.
  function drawEnds() {
    labels.sort((a, b) => a.y - b.y);
    labels.forEach((label, place) => {
      label.y = Math.max(label.y, place ? labels[place - 1].y + ROW : top);
    });
    for (let place = labels.length - 1, floor = bottom; place >= 0; place--, floor -= ROW)
      labels[place].y = Math.min(labels[place].y, floor);
    Object.assign(context, {textAlign: "left", textBaseline: "middle"});
    for (const label of labels) {
      context.fillStyle = label.color;
      context.fillRect(right + 4, label.y - 2, 8, 3);
      context.fillStyle = ink.text;
      context.fillText(label.words, right + 16, label.y);
    }
  }

  function drawMarkers() {
    Object.assign(context, {
      textBaseline: "top",
      textAlign: "left",
      strokeStyle: ink.text,
      fillStyle: ink.text,
      lineWidth: 1,
    });
    let freeFrom = 0,
      row = 0;
    for (const marker of markers) {
      if (marker.seconds < from || marker.seconds > to) continue;
      const at = x(marker.seconds);
      context.setLineDash([3, 3]);
      context.beginPath();
      context.moveTo(at, top);
      context.lineTo(at, bottom);
      context.stroke();
      context.setLineDash([]);
      // Labels that would run into the one before stand a line lower.
      const label = fitText(context, marker.label, 140),
        wide = context.measureText(label).width + 6;
      row = at < freeFrom ? (row + 1) % 4 : 0;
      freeFrom = Math.max(at + wide, row ? freeFrom : 0);
      const place = [label, at + wide > right ? at - wide : at + 4, top + ROW * row];
      Object.assign(context, {strokeStyle: ink.paper, lineWidth: 3, lineJoin: "round"});
      context.strokeText(...place);
      Object.assign(context, {strokeStyle: ink.text, lineWidth: 1});
      context.fillText(...place);
    }
  }

  function drawPlayhead(at) {
    Object.assign(context, {strokeStyle: ink.accent, fillStyle: ink.accent, lineWidth: 2});
    context.beginPath();
    context.moveTo(at, top);
    context.lineTo(at, bottom);
    context.stroke();
    context.beginPath();
    context.moveTo(at - 6, 1);
    context.lineTo(at + 6, 1);
    context.lineTo(at, top + 1);
    context.fill();
  }

  function drawCursor(at) {
    Object.assign(context, {strokeStyle: ink.text, lineWidth: 1});
    context.beginPath();
    context.moveTo(at, top);
    context.lineTo(at, bottom);
    context.stroke();
    for (const [dotX, dotY, color] of dots) {
      context.fillStyle = color;
      context.beginPath();
      context.arc(dotX, dotY, 3.5, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

// The point next to a time in which somebody was seen, or null.
export function pointAt(points, seconds) {
  const seen = points.filter((point) => point.room);
  const place = placeOf(seen, seconds),
    before = seen[place - 1],
    after = seen[place];
  return !before ? (after ?? null) : !after || seconds - before.seconds < after.seconds - seconds ? before : after;
}

// How far apart two points may be between which there is a line: the older ones of a long session lie wide apart.
function longestLine(points) {
  const gaps = points
    .slice(1)
    .map((point, place) => point.seconds - points[place].seconds)
    .sort((a, b) => a - b);
  return Math.max(LONGEST_LINE, 2.5 * (gaps[gaps.length >> 1] ?? 0));
}

// Runs of [seconds, value] between which nothing was seen for too long.
function splitRuns(points, readValue, longest) {
  const runs = [];
  let last = -Infinity;
  for (const point of points) {
    const value = readValue(point);
    if (!value) continue;
    if (point.seconds - last > longest) runs.push([]);
    runs.at(-1).push([point.seconds, value]);
    last = point.seconds;
  }
  return runs;
}

function timeStep(seconds, pixels) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  return steps.find((step) => (step * pixels) / Math.max(seconds, 0.1) >= 60) ?? 28800;
}

function fitText(context, label, width) {
  if (context.measureText(label).width <= width) return label;
  let short = label;
  while (short && context.measureText(`${short}…`).width > width) short = short.slice(0, -1);
  return `${short}…`;
}
