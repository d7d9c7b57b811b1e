// The satisfaction curve on a canvas: the room with its band, everybody's own line, and the markers.

import {number, t} from "./language.js";
import {SETTINGS} from "./settings.js";

// Dark enough for white letters on them, and light enough for lines on black.
const PERSON_COLORS = ["#b45309", "#2563eb", "#047857", "#db2777", "#7c3aed", "#0e7490", "#dc2626", "#4d7c0f"];
export const LONGEST_LINE = 1.5; // seconds without a face, after which a curve is broken

export function personColor(id) {
  return PERSON_COLORS[(id - 1) % PERSON_COLORS.length];
}

// An index from -1 to 1 as people want to read it.
export function formatIndex(index, percent) {
  if (percent) return String(Math.round(50 * (1 + index)));
  return (index < 0 ? "−" : "+") + number(Math.abs(index), 2);
}

export function formatTime(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600), rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function formatLength(seconds) {
  return seconds < 60 ? t("seconds", {seconds: number(seconds, 1)}) : formatTime(seconds);
}

// The canvas in device pixels, with CSS pixels as its unit.
export function prepareCanvas(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return context;
}

// The line of each person differs by its strokes too, and bears the person's number at its end.
const PERSON_DASHES = [[], [9, 4], [2, 3], [9, 3, 2, 3]];

// name: what the curve is of, for its description. points: [{seconds, room: [index, deviation], people: {id: [index, deviation]}}], ascending; a gap where nobody was seen.
// markers: [{seconds, label}]. from, to: seconds at the two edges. ago: label the time as before `to`.
export function drawCurve(canvas, {name, points, markers, from, to, percent, ago, longestLine = LONGEST_LINE}) {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width || !height) return;
  describeCurve(canvas, name, points.filter((point) => point.seconds >= from), percent);
  const context = prepareCanvas(canvas), style = getComputedStyle(canvas);
  const text = style.color, grid = style.getPropertyValue("--border-color-primary") || "#8884";
  const left = 38, right = width - 8, top = 10, bottom = height - 20;
  const x = (seconds) => left + (right - left) * (seconds - from) / Math.max(to - from, 1e-6);
  const y = (index) => bottom - (bottom - top) * (index + 1) / 2;
  context.font = `11px ${style.fontFamily}`;
  context.lineWidth = 1;
  context.fillStyle = context.strokeStyle = grid;
  context.globalAlpha = 0.35;
  context.fillRect(left, y(SETTINGS.neutralZone), right - left, y(-SETTINGS.neutralZone) - y(SETTINGS.neutralZone));
  context.globalAlpha = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const index of [-1, -0.5, 0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(left, Math.round(y(index)) + 0.5);
    context.lineTo(right, Math.round(y(index)) + 0.5);
    context.stroke();
    context.fillStyle = text;
    context.fillText(percent ? String(50 * (1 + index)) : number(index, index % 1 ? 1 : 0), left - 6, y(index));
  }
  context.textBaseline = "bottom";
  const step = timeStep(to - from, right - left);
  for (let seconds = ago ? to : Math.ceil(from / step) * step; ago ? seconds >= from : seconds <= to; seconds += ago ? -step : step) {
    const label = ago ? (seconds === to ? t("now") : t("seconds", {seconds: `−${Math.round(to - seconds)}`})) : formatTime(seconds);
    const middle = x(seconds);
    context.textAlign = middle > right - 20 ? "right" : middle < left + 20 ? "left" : "center";
    context.fillText(label, middle, height - 2);
  }

  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, bottom + 1);
  context.clip();
  const runs = splitRuns(points, (point) => point.room, longestLine);
  const ids = [...new Set(points.flatMap((point) => Object.keys(point.people)))];
  const alone = ids.length === 1 ? personColor(Number(ids[0])) : text;
  context.fillStyle = alone;
  context.globalAlpha = 0.18;
  for (const run of runs) {
    context.beginPath();
    for (const [seconds, [index, deviation]] of run) context.lineTo(x(seconds), y(Math.min(index + deviation, 1)));
    for (const [seconds, [index, deviation]] of [...run].reverse()) context.lineTo(x(seconds), y(Math.max(index - deviation, -1)));
    context.fill();
  }
  context.globalAlpha = 1;
  drawRuns(runs, alone, 3);
  if (ids.length > 1) {
    for (const id of ids) {
      const lines = splitRuns(points, (point) => point.people[id], longestLine);
      context.setLineDash(PERSON_DASHES[(id - 1) % PERSON_DASHES.length]);
      drawRuns(lines, personColor(Number(id)), 1.5);
      context.setLineDash([]);
      const last = lines.at(-1)?.at(-1);
      context.fillStyle = personColor(Number(id));
      context.font = `600 11px ${style.fontFamily}`;
      context.textAlign = "right";
      context.textBaseline = "bottom";
      if (last) context.fillText(id, x(last[0]) - 2, y(last[1][0]) - 2);
      context.font = `11px ${style.fontFamily}`;
    }
  }
  context.restore();

  context.textBaseline = "top";
  context.textAlign = "left";
  let freeFrom = 0, row = 0;
  for (const marker of markers) {
    if (marker.seconds < from || marker.seconds > to) continue;
    const at = x(marker.seconds);
    context.strokeStyle = context.fillStyle = text;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(at, top);
    context.lineTo(at, bottom);
    context.stroke();
    context.setLineDash([]);
    // Labels that would run into the one before stand a line lower.
    const label = fitText(context, marker.label, 140), wide = context.measureText(label).width + 6;
    row = at < freeFrom ? (row + 1) % 4 : 0;
    freeFrom = Math.max(at + wide, row ? freeFrom : 0);
    context.fillText(label, at + wide > right ? at - wide : at + 4, top + 13 * row);
  }

  function drawRuns(lines, color, lineWidth) {
    Object.assign(context, {strokeStyle: color, lineWidth, lineJoin: "round"});
    for (const run of lines) {
      context.beginPath();
      for (const [seconds, [index]] of run) context.lineTo(x(seconds), y(index));
      if (run.length === 1) context.lineTo(x(run[0][0]) + 2, y(run[0][1][0]));
      context.stroke();
    }
  }
}

// What the curve shows, in words, for those who do not see it.
function describeCurve(canvas, name, points, percent) {
  const rooms = points.filter((point) => point.room), values = rooms.map((point) => point.room[0]);
  const words = !values.length ? t("chart_empty", {name}) : t("chart_summary", {
    name, from: formatTime(rooms[0].seconds), to: formatTime(rooms.at(-1).seconds), last: formatIndex(values.at(-1), percent),
    lowest: formatIndex(values.reduce((a, b) => Math.min(a, b)), percent),
    highest: formatIndex(values.reduce((a, b) => Math.max(a, b)), percent),
  });
  if (canvas.getAttribute("aria-label") !== words) canvas.setAttribute("aria-label", words);
}

// Runs of [seconds, reading] between which nothing was seen for too long.
function splitRuns(points, readingOf, longestLine) {
  const runs = [];
  let last = -Infinity;
  for (const point of points) {
    const reading = readingOf(point);
    if (!reading) continue;
    if (point.seconds - last > longestLine) runs.push([]);
    runs.at(-1).push([point.seconds, reading]);
    last = point.seconds;
  }
  return runs;
}

function timeStep(seconds, pixels) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  return steps.find((step) => step * pixels / Math.max(seconds, 1) >= 60) ?? 28800;
}

function fitText(context, label, width) {
  if (context.measureText(label).width <= width) return label;
  let short = label;
  while (short && context.measureText(short + "…").width > width) short = short.slice(0, -1);
  return short + "…";
}
