// A session's report as a section of the page.

import {formatIndex, formatLength, formatTime} from "./chart.js";
import {make} from "./dom.js";
import {number, percentOf, t} from "./language.js";
import {SETTINGS} from "./settings.js";

export function makeTable(caption, head, rows) {
  const cell = (value, place) => make(place ? "td" : "th", place ? {text: value} : {text: value, scope: "row"});
  return make("div", {class: "ifade-table", tabindex: "0", role: "region", "aria-label": caption},
    make("table", {},
      make("caption", {text: caption}),
      make("thead", {}, make("tr", {}, ...head.map((text) => text ? make("th", {text, scope: "col"}) : make("td")))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell))))));
}

export function renderReport(target, report, percent) {
  const index = (value) => value === null ? "–" : formatIndex(value, percent);
  const extreme = (value) => value === null ? "–" : t("value_at", {value: index(value.index), time: formatTime(value.seconds)});
  const share = (value) => value === null ? "–" : percentOf(value);
  const figures = (part) => [index(part.mean), extreme(part.highest), extreme(part.lowest), index(part.end),
    share(part.positive), share(part.neutral), share(part.negative)];
  if (report.room.mean === null) {
    target.replaceChildren(make("p", {text: t("nothing_to_report")}));
    return;
  }
  const head = ["", ...["mean", "highest", "lowest", "end", "positive", "neutral", "negative", "seen_for"].map((key) => t(key))];
  const people = report.people.filter((person) => person.mean !== null);
  const zone = (index) => percent ? String(50 * (1 + index)) : number(index, 1);
  const names = Object.keys(report.room.dwell);
  const dwell = (part) => names.map((name) => part.dwell[name] ? formatLength(part.dwell[name]) : "–");
  target.replaceChildren(
    makeTable(t("satisfaction"), head, [
      [t("room"), ...figures(report.room), formatLength(report.to - report.from)],
      ...people.map((person) => [t("person", person), ...figures(person), formatLength(person.seconds)]),
    ]),
    makeTable(t("dwell"), ["", ...names.map((name) => t(SETTINGS.emotions.includes(name) ? `emotion_${name}` : "not_sure"))], [
      [t("everybody"), ...dwell(report.room)],
      ...people.map((person) => [t("person", person), ...dwell(person)]),
    ]),
    ...report.markers.length ? [makeTable(t("markers"), [t("time"), t("label"), t("room")], report.markers.map(
      (marker) => [formatTime(marker.seconds), marker.label, marker.room ? index(marker.room[0]) : "–"]))] : [],
    make("p", {class: "ifade-note", text: [
      t("frames_analysed", {frames: report.frames, low: zone(-SETTINGS.neutralZone), high: zone(SETTINGS.neutralZone)}),
      ...report.people_forgotten ? [t("people_forgotten", {count: report.people_forgotten})] : [],
      ...report.rows_dropped ? [t("rows_dropped", {count: report.rows_dropped})] : [],
    ].join(" ")}),
  );
}

// How the index is computed, in an open or folded <details>, with a slider for each weight. send(weights) is called with all
// of them when one was moved or all were set back. The result shows other weights, and enables the controls or not.
export function makeWeights(details, send) {
  let current = {...SETTINGS.valence};
  const sliders = Object.fromEntries(SETTINGS.emotions.map((label) => {
    const slider = make("input", {type: "range", min: -1, max: 1, step: 0.01, "aria-label": t("weight_of", {emotion: t(`emotion_${label}`)})});
    const value = make("output");
    slider.addEventListener("input", () => { value.textContent = formatIndex(Number(slider.value)); });
    slider.addEventListener("change", () => send({...current, [label]: Number(slider.value)}));
    return [label, {slider, value}];
  }));
  const reset = make("button", {type: "button", class: "ifade-button ifade-weights-reset", text: t("reset_weights")});
  reset.addEventListener("click", () => send({...SETTINGS.valence}));
  const formula = make("p", {class: "ifade-formula-text", text: t("formula", SETTINGS)});
  details.append(formula, make("div", {class: "ifade-weights"}, ...SETTINGS.emotions.map(
    (label) => make("label", {}, make("span", {text: t(`emotion_${label}`)}), sliders[label].slider, sliders[label].value))), reset);
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
