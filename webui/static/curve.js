// The panel of a curve, the same in Live and Video: what it shows and of whom, the chart with its readout and zoom, the legend.

import {
  drawCurve,
  emotionsView,
  formatIndex,
  formatTime,
  placeOf,
  pointAt,
  pointsWithin,
  prepareCanvas,
  satisfactionView,
} from "./chart.js";
import {make, setText} from "./dom.js";
import {t} from "./language.js";

const RECENT = 60,
  FIRST = 15; // seconds of a camera that are shown unless the whole session is asked for: most, and at the beginning
const SHORTEST = 2; // seconds, beyond which nothing is magnified
const DRAG = 6; // pixels, from which on a press is no click

// panel: the section to fill. live: whether the newest minute is shown by itself. seek(seconds): somebody wants to see a moment.
// onScale(): the scale was changed.
export function makeCurve(panel, {live, seek, onScale}) {
  const name = live ? "ifade-live" : "ifade-video";
  const what = makeSwitch(`${name}-what`, t("what_is_shown"), [
    ["satisfaction", t("satisfaction")],
    ["emotions", t("emotions")],
  ]);
  const scale = makeSwitch(`${name}-scale`, t("scale"), [
    ["index", t("scale_index")],
    ["percent", t("scale_percent")],
  ]);
  const who = make("select", {class: "ifade-who"}),
    ofWhom = make("label", {class: "ifade-field"}, t("of_whom"), " ", who);
  const button = (key, text, title) =>
    make("button", {
      type: "button",
      class: "ifade-button ifade-small",
      "data-zoom": key,
      text,
      ...(title ? {"aria-label": title, title} : {}),
    });
  const recent = button("recent", t("last_minute")),
    all = button("all", t(live ? "whole_session" : "whole_video"));
  const zoom = make(
    "div",
    {class: "ifade-zoom", role: "group", "aria-label": t("stretch")},
    ...(live ? [recent] : []),
    all,
    button("out", "−", t("zoom_out")),
    button("in", "+", t("zoom_in")),
  );
  const canvas = make("canvas", {
    class: "ifade-chart",
    tabindex: "0",
    role: "slider",
    title: t(seek ? "chart_help_seek" : "chart_help"),
  });
  const at = make("span", {class: "ifade-at"}),
    legend = make("ul", {class: "ifade-legend"});
  panel.querySelector(".ifade-panel-head").prepend(what.root, ofWhom);
  panel.querySelector(".ifade-panel-head").append(scale.root, zoom);
  panel.querySelector(".ifade-plot").append(canvas, make("div", {class: "ifade-readout"}, at, legend));

  let points = [],
    markers = [],
    length = 0,
    playhead = null,
    running = false;
  let range = live ? "recent" : "all"; // or [from, to]
  let cursor = null,
    byKey = false,
    pressed = null,
    selected = null,
    plot = null,
    drawn = null;

  const percent = () => scale.value() === "percent";
  const emotions = () => what.value() === "emotions";
  const people = () => [...new Set(points.flatMap((point) => Object.keys(point.people)))].sort((a, b) => a - b);

  function stretch() {
    const end = Math.max(length, SHORTEST);
    return range === "recent"
      ? [end - Math.min(Math.max(end, FIRST), RECENT), end]
      : range === "all"
        ? [0, end]
        : range;
  }

  function draw() {
    panel.hidden = points.length < 2;
    if (panel.hidden || !canvas.clientWidth) return;
    listPeople();
    scale.root.hidden = emotions();
    panel.classList.toggle("ifade-emotions", emotions());
    recent.setAttribute("aria-pressed", range === "recent");
    all.setAttribute("aria-pressed", range === "all");
    const [from, to] = stretch(),
      within = pointsWithin(points, from, to),
      style = getComputedStyle(canvas);
    const view = emotions() ? emotionsView(who.value) : satisfactionView(within, percent());
    const ink = {
      text: style.color,
      paper: style.getPropertyValue("--body-background-fill") || "#fff",
      grid: style.getPropertyValue("--border-color-primary") || "#8884",
      accent: style.getPropertyValue("--color-accent") || "#c2410c",
      font: style.fontFamily,
    };
    const context = prepareCanvas(canvas);
    drawn = {view, within};
    plot = drawCurve(context, {
      width: canvas.clientWidth,
      height: canvas.clientHeight,
      view,
      points: within,
      from,
      to,
      ago: range === "recent" && running,
      markers,
      playhead,
      cursor,
      selected,
      ink,
    });
    showReadout(from, to);
  }

  function listPeople() {
    ofWhom.hidden = !emotions();
    if (ofWhom.hidden) return;
    const ids = people(),
      wanted = ["room", ...ids];
    if ([...who.options].map((option) => option.value).join() === wanted.join()) return;
    const before = who.value;
    who.replaceChildren(
      ...wanted.map((id) =>
        make("option", {value: id, text: id === "room" ? t("room_title") : t("person_title", {id})}),
      ),
    );
    who.value = wanted.includes(before) ? before : "room";
  }

  // The legend says the values of the moment under the cursor, or else of the player's, or else the last.
  function showReadout(from, to) {
    const {view, within} = drawn,
      shown = cursor ?? playhead ?? to,
      point = pointAt(within, Math.min(Math.max(shown, from), to));
    setText(at, point ? formatTime(point.seconds) : "");
    const keys = view.lines.map((line) => line.key + line.name).join();
    if (legend.dataset.keys !== keys) {
      legend.dataset.keys = keys;
      legend.replaceChildren(
        ...view.lines.map((line) => make("li", {}, makeSwatch(line), make("span", {text: line.name}), make("strong"))),
      );
    }
    const said = view.lines.map((line, place) => {
      const value = point && line.valueOf(point),
        words = value ? view.say(value, line) : "–";
      setText(legend.children[place].lastChild, words);
      return `${line.name} ${words}`;
    });
    if (document.activeElement === canvas && cursor === null) return; // a screen reader would say each change of what runs
    const name = emotions() ? t("emotions_of", {who: who.selectedOptions[0].text}) : t("satisfaction");
    set(
      "aria-label",
      describe(
        name,
        within.filter((each) => each.room && each.seconds >= from && each.seconds <= to),
      ),
    );
    set("aria-valuemin", Math.round(from));
    set("aria-valuemax", Math.round(to));
    set("aria-valuenow", Math.round(point?.seconds ?? to));
    set("aria-valuetext", point ? `${formatTime(point.seconds)}: ${said.join(", ")}` : "–");
  }

  function set(attribute, value) {
    if (canvas.getAttribute(attribute) !== String(value)) canvas.setAttribute(attribute, value);
  }

  // What the curve shows, in words, for those who do not see it.
  function describe(name, seen) {
    if (!seen.length) return t("chart_empty", {name});
    const values = {name, from: formatTime(seen[0].seconds), to: formatTime(seen.at(-1).seconds)};
    if (emotions()) return t("chart_stretch", values);
    const indices = seen.map((point) => point.room[0]),
      extreme = (pick) =>
        formatIndex(
          indices.reduce((a, b) => pick(a, b)),
          percent(),
        );
    return t("chart_summary", {
      ...values,
      last: formatIndex(indices.at(-1), percent()),
      lowest: extreme(Math.min),
      highest: extreme(Math.max),
    });
  }

  // Zoom

  function show(from, to) {
    const width = Math.min(Math.max(to - from, SHORTEST), Math.max(length, SHORTEST));
    const start = Math.min(Math.max(from, 0), Math.max(length - width, 0));
    range = width >= length ? "all" : [start, start + width];
    draw();
  }

  function magnify(factor, around = null) {
    const [from, to] = stretch(),
      middle = around ?? cursor ?? playhead ?? (range === "recent" ? to : (from + to) / 2);
    const width = (to - from) / factor,
      part = Math.min(Math.max((middle - from) / (to - from), 0), 1);
    show(middle - part * width, middle - part * width + width);
  }

  zoom.addEventListener("click", ({target}) => {
    const wanted = target.dataset.zoom;
    if (wanted === "in") magnify(2);
    else if (wanted === "out") magnify(0.5);
    else if (wanted) {
      range = wanted;
      draw();
    }
  });

  // Pointer

  function secondsAt({offsetX}) {
    const [from, to] = stretch();
    return from + (to - from) * Math.min(Math.max((offsetX - plot.left) / (plot.right - plot.left), 0), 1);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!plot || event.button) return;
    pressed = {x: event.offsetX, seconds: secondsAt(event)};
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!plot) return;
    cursor = secondsAt(event);
    byKey = false;
    selected =
      pressed && Math.abs(event.offsetX - pressed.x) > DRAG ? [pressed.seconds, cursor].sort((a, b) => a - b) : null;
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const chosen = selected,
      clicked = pressed && !selected;
    pressed = selected = null;
    if (chosen) show(...chosen);
    else if (clicked) seek?.(secondsAt(event));
  });
  for (const kind of ["pointerleave", "pointercancel"]) {
    canvas.addEventListener(kind, () => {
      pressed = selected = null;
      if (!byKey) cursor = null;
      draw();
    });
  }
  canvas.addEventListener("dblclick", () => {
    range = "all";
    draw();
  });
  // Two fingers: apart to magnify, sideways to move on.
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey) magnify(Math.exp(-event.deltaY / 100), secondsAt(event));
      else if (Array.isArray(range) && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const moved = (event.deltaX / canvas.clientWidth) * (range[1] - range[0]);
        show(range[0] + moved, range[1] + moved);
      } else return;
      event.preventDefault();
    },
    {passive: false},
  );

  // Keys

  function moveCursor(steps) {
    const seen = points.filter((point) => point.room),
      [from, to] = stretch();
    if (!seen.length) return;
    const within = pointsWithin(seen, from, to),
      now = pointAt(within, cursor ?? playhead ?? to),
      least = Math.max(Math.floor(within.length / 120), 1);
    const place = placeOf(seen, now.seconds) + steps * least;
    cursor = seen[Math.min(Math.max(place, 0), seen.length - 1)].seconds;
    byKey = true;
    const [start, end] = stretch();
    if (range !== "recent" && (cursor < start || cursor > end))
      show(cursor - (end - start) / 2, cursor + (end - start) / 2);
  }

  const KEYS = {
    ArrowLeft: (shift) => moveCursor(shift ? -10 : -1),
    ArrowRight: (shift) => moveCursor(shift ? 10 : 1),
    PageDown: () => moveCursor(-10),
    PageUp: () => moveCursor(10),
    Home: () => moveCursor(-Infinity),
    End: () => moveCursor(Infinity),
    "+": () => magnify(2),
    "=": () => magnify(2),
    "-": () => magnify(0.5),
    0: () => {
      range = "all";
    },
    Escape: () => {
      cursor = null;
    },
    Enter: () => {
      if (cursor !== null) seek?.(cursor);
    },
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key](event.shiftKey);
    draw();
  });
  canvas.addEventListener("blur", () => {
    if (byKey) cursor = null;
    byKey = false;
    draw();
  });

  for (const control of [what.root, who]) control.addEventListener("change", draw);
  scale.root.addEventListener("change", () => {
    draw();
    onScale();
  });
  new ResizeObserver(draw).observe(canvas);
  draw();

  return {
    // What changes: {points, markers, length, playhead}, see chart.js; length in seconds. running: the newest point is of now.
    show(changed) {
      running = changed.running ?? running;
      points = changed.points ?? points;
      markers = changed.markers ?? markers;
      length = changed.length ?? length;
      if ("playhead" in changed) playhead = changed.playhead;
      draw();
    },
    // Everything in sight, for what begins anew.
    reset() {
      range = live ? "recent" : "all";
      cursor = playhead = null;
      length = 0;
      points = [];
      markers = [];
      draw();
    },
    draw,
    get percent() {
      return percent();
    },
    get cursor() {
      return cursor;
    },
  };
}

function makeSwitch(name, legend, choices) {
  const inputs = choices.map(([value], place) =>
    make("input", {type: "radio", name, value, ...(place ? {} : {checked: ""})}),
  );
  const root = make(
    "fieldset",
    {class: "ifade-switch"},
    make("legend", {class: "ifade-hidden", text: legend}),
    ...choices.map(([, text], place) => make("label", {}, inputs[place], make("span", {text}))),
  );
  return {root, value: () => inputs.find((input) => input.checked).value};
}

function makeSwatch({color, dash = [], thick}) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"),
    line = document.createElementNS(svg.namespaceURI, "line");
  for (const [name, value] of Object.entries({width: 22, height: 10, "aria-hidden": true}))
    svg.setAttribute(name, value);
  const drawn = {
    x1: 0,
    x2: 22,
    y1: 5,
    y2: 5,
    stroke: color ?? "currentColor",
    "stroke-width": Math.max(thick, 2),
    "stroke-dasharray": dash.join(" "),
  };
  for (const [name, value] of Object.entries(drawn)) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}
