// A session's report: a section of the page, and a page of its own that can be printed.

import {
  drawCurve,
  emotionsView,
  formatDeviation,
  formatDifference,
  formatIndex,
  formatLength,
  formatTime,
  pointsWithin,
  prepareCanvas,
  satisfactionView,
} from "./chart.js";
import {make, saveFile} from "./dom.js";
import {language, number, percentOf, t} from "./language.js";
import {SETTINGS} from "./settings.js";

export function makeTable(caption, head, rows) {
  const cell = (value, place) => make(place ? "td" : "th", place ? {text: value} : {text: value, scope: "row"});
  return make(
    "div",
    {class: "ifade-table", tabindex: "0", role: "region", "aria-label": caption},
    make(
      "table",
      {},
      make("caption", {text: caption}),
      make("thead", {}, make("tr", {}, ...head.map((text) => (text ? make("th", {text, scope: "col"}) : make("td"))))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell)))),
    ),
  );
}

export function renderReport(target, report, percent) {
  const index = (value) => (value === null ? "–" : formatIndex(value, percent));
  const extreme = (value) =>
    value === null ? "–" : t("value_at", {value: index(value.index), time: formatTime(value.seconds)});
  const share = (value) => (value === null ? "–" : percentOf(value));
  const figures = (part) => [
    index(part.mean),
    extreme(part.highest),
    extreme(part.lowest),
    index(part.end),
    share(part.positive),
    share(part.neutral),
    share(part.negative),
  ];
  if (report.room.mean === null) {
    target.replaceChildren(make("p", {text: t("nothing_to_report")}));
    return;
  }
  const head = [
    "",
    ...["mean", "highest", "lowest", "end", "positive", "neutral", "negative", "seen_for"].map((key) => t(key)),
  ];
  const people = report.people.filter((person) => person.mean !== null);
  const zone = (index) => (percent ? String(50 * (1 + index)) : number(index, 1));
  const over = (side) =>
    side ? t("value_over", {value: index(side.mean), length: t("seconds", {seconds: number(side.seconds)})}) : "–";
  const compared = (marker, who, {before, after, difference}) => [
    formatTime(marker.seconds),
    marker.label,
    who,
    over(before),
    over(after),
    difference ? `${formatDifference(difference[0], percent)} ${formatDeviation(difference[1], percent)}` : "–",
  ];
  const compare = (marker) => [
    compared(marker, t("room"), marker),
    // One person alone is the room.
    ...(people.length > 1
      ? Object.entries(marker.people).map(([id, figures]) => compared(marker, t("person", {id}), figures))
      : []),
  ];
  const names = Object.keys(report.room.dwell);
  const dwell = (part) => names.map((name) => (part.dwell[name] ? formatLength(part.dwell[name]) : "–"));
  target.replaceChildren(
    makeTable(t("satisfaction"), head, [
      [t("room"), ...figures(report.room), formatLength(report.to - report.from)],
      ...people.map((person) => [t("person", person), ...figures(person), formatLength(person.seconds)]),
    ]),
    makeTable(
      t("dwell"),
      ["", ...names.map((name) => t(SETTINGS.emotions.includes(name) ? `emotion_${name}` : "not_sure"))],
      [[t("everybody"), ...dwell(report.room)], ...people.map((person) => [t("person", person), ...dwell(person)])],
    ),
    ...(report.markers.length
      ? [
          makeTable(
            t("markers"),
            ["time", "label", "who", "before", "after", "difference"].map((key) => t(key)),
            report.markers.flatMap(compare),
          ),
        ]
      : []),
    ...(report.markers.length ? [make("p", {class: "ifade-note", text: t("markers_explained")})] : []),
    make("p", {
      class: "ifade-note",
      text: [
        t("frames_analysed", {
          frames: report.frames,
          low: zone(-SETTINGS.neutralZone),
          high: zone(SETTINGS.neutralZone),
        }),
        ...(report.people_forgotten ? [t("people_forgotten", {count: report.people_forgotten})] : []),
        ...(report.rows_dropped ? [t("rows_dropped", {count: report.rows_dropped})] : []),
      ].join(" "),
    }),
  );
}

// The report as one file that needs nothing else, to be kept or printed. source: what it is of, which also names the file.
// settings: [name, value] of what it was made with.
export function savePage(source, report, percent, settings) {
  const page = document.implementation.createHTMLDocument(t("report_of", {source})),
    body = make("main");
  const date = new Intl.DateTimeFormat(language, {dateStyle: "long", timeStyle: "short"}).format(new Date());
  const weights = SETTINGS.emotions
    .map((label) => `${t(`emotion_${label}`)} ${formatIndex(report.weights[label])}`)
    .join(", ");
  const tables = make("div");
  renderReport(tables, report, percent);
  const figures =
    report.curve.length < 2 ? [] : viewsOf(report, percent).map(([caption, view]) => makeFigure(caption, view, report));
  body.append(
    make("h1", {text: source}),
    make("p", {text: t("report_made", {date})}),
    make(
      "dl",
      {},
      ...[...settings, [t("weights"), weights]].flatMap(([name, value]) => [
        make("dt", {text: name}),
        make("dd", {text: value}),
      ]),
    ),
    ...figures,
    tables,
    make("p", {text: t("report_limits")}),
  );
  page.documentElement.lang = language;
  page.head.prepend(make("meta", {charset: "utf-8"}));
  page.head.append(make("meta", {name: "viewport", content: "width=device-width"}), make("style", {text: PAGE_STYLE}));
  page.body.append(body);
  saveFile(
    new Blob(["<!doctype html>\n", page.documentElement.outerHTML], {type: "text/html"}),
    `${source}-report.html`,
  );
}

const PAGE_STYLE = `
  body { margin: 2em auto; max-width: 60em; padding: 0 1em; color: #18181b; background: #fff; font: 14px/1.5 system-ui, sans-serif; }
  h1 { margin: 0; font-size: 1.6em; overflow-wrap: anywhere; } h1 + p { margin-top: 0; color: #52525b; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; } dt { color: #52525b; } dd { margin: 0; overflow-wrap: anywhere; }
  figure { margin: 20px 0; break-inside: avoid; } figure img { width: 100%; height: auto; display: block; }
  figcaption, caption { padding: 4px 0; font-weight: 600; text-align: left; }
  figure ul { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 4px 0 0; padding: 0; list-style: none; font-size: 12px; }
  figure li::before { content: ""; display: inline-block; width: 14px; height: 3px; margin-right: 6px; vertical-align: middle; background: var(--line); }
  .ifade-table { margin: 16px 0; overflow-x: auto; break-inside: avoid; }
  table { border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }
  th, td { padding: 3px 12px 3px 0; border-bottom: 1px solid #d4d4d8; text-align: left; font-weight: 400; }
  @page { size: A4 landscape; margin: 14mm; } @media print { body { margin: 0; max-width: none; padding: 0; print-color-adjust: exact; } }
`;

// On white, whatever the colors of the page are now.
const INK = {text: "#27272a", paper: "#fff", grid: "#d4d4d8", accent: "#c2410c", font: "system-ui, sans-serif"};

const viewsOf = (report, percent) => [
  [t("satisfaction"), satisfactionView(report.curve, percent)],
  [t("emotions_of", {who: t("room_title")}), emotionsView("room")],
];

function drawView(canvas, view, report, width, height) {
  const to = Math.max(report.to ?? 0, 2),
    points = pointsWithin(report.curve, 0, to);
  const context = prepareCanvas(canvas, width, height, 2);
  drawCurve(context, {width, height, view, points, from: 0, to, markers: report.markers, ink: INK});
}

// Both curves as one picture, each with its names: a PNG.
export function reportPicture(report) {
  const width = 960,
    height = 300,
    head = 60; // CSS pixels
  const views = viewsOf(report, false),
    canvas = make("canvas"),
    curve = make("canvas");
  const context = prepareCanvas(canvas, width, views.length * (head + height), 2);
  context.fillStyle = INK.paper;
  context.fillRect(0, 0, width, views.length * (head + height));
  context.textBaseline = "middle";
  views.forEach(([caption, view], place) => {
    const top = place * (head + height);
    context.fillStyle = INK.text;
    context.font = `600 16px ${INK.font}`;
    context.fillText(caption, 10, top + 20);
    context.font = `13px ${INK.font}`;
    let left = 10;
    for (const {name, color} of view.lines) {
      context.fillStyle = color ?? INK.text;
      context.fillRect(left, top + 44, 14, 4);
      context.fillStyle = INK.text;
      context.fillText(name, left + 20, top + 46);
      left += context.measureText(name).width + 38;
    }
    if (report.curve.length < 2) return;
    drawView(curve, view, report, width, height);
    context.drawImage(curve, 0, top + head, width, height);
  });
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

// A curve as a picture in the page itself.
function makeFigure(caption, view, report) {
  const canvas = make("canvas"),
    width = 960,
    height = 300;
  drawView(canvas, view, report, width, height);
  return make(
    "figure",
    {},
    make("figcaption", {text: caption}),
    make("img", {src: canvas.toDataURL(), alt: caption, width, height}),
    make(
      "ul",
      {},
      ...view.lines.map((line) => make("li", {text: line.name, style: `--line: ${line.color ?? INK.text}`})),
    ),
  );
}

// How the index is computed, in an open or folded <details>, with a slider for each weight. send(weights) is called with all
// of them when one was moved or all were set back. The result shows other weights, and enables the controls or not.
export function makeWeights(details, send) {
  let current = {...SETTINGS.valence};
  const sliders = Object.fromEntries(
    SETTINGS.emotions.map((label) => {
      const slider = make("input", {
        type: "range",
        min: -1,
        max: 1,
        step: 0.01,
        "aria-label": t("weight_of", {emotion: t(`emotion_${label}`)}),
      });
      const value = make("output");
      slider.addEventListener("input", () => {
        value.textContent = formatIndex(Number(slider.value));
      });
      slider.addEventListener("change", () => send({...current, [label]: Number(slider.value)}));
      return [label, {slider, value}];
    }),
  );
  const reset = make("button", {type: "button", class: "ifade-button ifade-weights-reset", text: t("reset_weights")});
  reset.addEventListener("click", () => send({...SETTINGS.valence}));
  const formula = make("p", {class: "ifade-formula-text", text: t("formula", SETTINGS)});
  details.append(
    formula,
    make(
      "div",
      {class: "ifade-weights"},
      ...SETTINGS.emotions.map((label) =>
        make("label", {}, make("span", {text: t(`emotion_${label}`)}), sliders[label].slider, sliders[label].value),
      ),
    ),
    reset,
  );
  const panel = {
    show(weights) {
      current = weights;
      for (const [label, {slider, value}] of Object.entries(sliders)) {
        slider.value = weights[label];
        value.textContent = formatIndex(weights[label]);
      }
    },
    enable(on) {
      for (const control of [reset, ...Object.values(sliders).map(({slider}) => slider)]) control.disabled = !on;
    },
  };
  panel.show(current);
  return panel;
}
