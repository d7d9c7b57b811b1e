// What Live and Video have below the picture: the curve, its markers, the baseline, the weights, and the report.

import {makeCurve} from "./curve.js";
import {askFirst, CALM, setText} from "./dom.js";
import {makeAttempt, saveReport} from "./exchange.js";
import {t} from "./language.js";
import {makeMarkers} from "./markers.js";
import {makeWeights, renderReport, savePage} from "./report.js";
import {SETTINGS} from "./settings.js";

// element: the tab. live: whether the session goes on while it is looked at. session(): the session, or null. now(): the moment that
// is looked at, in its seconds. seek(seconds): show a moment, where that can be done. take(state): the curve is another, see
// exchange.js. redraw(): figures are written otherwise. baseline(): begins to take it; gives the state and what to say of it.
// source(): what files are called. settings(report): [name, value] of what it was made with. forget(): delete it all. gone(): the
// session has ended by itself.
export function makePanel(
  element,
  {live = false, session, now, seek, take, redraw, baseline, source, settings, forget, gone},
) {
  const find = (name) => element.querySelector(`.ifade-${name}`);
  const report = find("report"),
    markerNote = find("marker-note"),
    reportNote = find("report-note"),
    baselineOff = find("baseline-off");
  let hasBaseline = false;

  const attempt = makeAttempt(reportNote, gone);
  const curve = makeCurve(find("curve"), {
    live,
    seek,
    onScale() {
      redraw();
      refresh();
    },
  });
  const markers = makeMarkers(find("marking"), {
    session,
    now,
    seek,
    gone,
    changed(all) {
      curve.show({markers: all});
      refresh();
    },
  });
  const weights = makeWeights(find("formula"), (wanted) =>
    attempt(async () => change(await session().weights(wanted)))(),
  );

  // Other weights or another zero: everything that says an index.
  function change(state) {
    weights.show(state.weights);
    hasBaseline = Object.keys(state.baseline).length > 0;
    baselineOff.hidden = !hasBaseline && !(state.baseline_until > state.seconds);
    take(state);
    refresh();
  }

  async function showReport(figures) {
    renderReport(report, figures ?? (await session().report()), curve.percent);
    setText(reportNote, "");
  }

  // Where it is shown, it is as things are now.
  function refresh() {
    if (report.childElementCount) attempt(() => showReport())();
  }

  function enable(on) {
    for (const control of element.querySelectorAll(".ifade-baseline, .ifade-baseline-off, .ifade-results button"))
      control.disabled = !on;
    weights.enable(on);
  }

  function reset() {
    hasBaseline = false;
    baselineOff.hidden = true;
    for (const line of [markerNote, reportNote]) setText(line, "");
    report.replaceChildren();
    weights.show({...SETTINGS.valence});
    enable(false);
    markers.take([]);
    curve.reset();
  }

  find("baseline").addEventListener(
    "click",
    attempt(async () => {
      const [state, words] = await baseline();
      change(state);
      setText(markerNote, words);
    }, markerNote),
  );
  baselineOff.addEventListener(
    "click",
    attempt(async () => {
      change(await session().baseline(false));
      setText(markerNote, t("baseline_forgotten"));
    }, markerNote),
  );

  find("report-show").hidden = !live;
  find("report-show").addEventListener(
    "click",
    attempt(async () => {
      await showReport();
      report.scrollIntoView({behavior: CALM.matches ? "auto" : "smooth", block: "nearest"});
    }),
  );
  find("report-page").addEventListener(
    "click",
    attempt(async () => {
      const figures = await session().report();
      savePage(source(), figures, curve.percent, [
        ...settings(figures),
        [t("age_gender"), t(find("age-gender").checked ? "yes" : "no")],
        [t("baseline"), t(hasBaseline ? "baseline_of_everybody" : "no_baseline")],
      ]);
    }),
  );
  for (const button of element.querySelectorAll(".ifade-download")) {
    button.addEventListener(
      "click",
      attempt(() => saveReport(session(), button.dataset.file, source())),
    );
  }
  askFirst(find("delete"), t("delete_really"), attempt(forget));
  reset();

  return {
    curve,
    change,
    enable,
    reset,
    showReport,
    // A session that was open before.
    open(state) {
      markers.take(state.markers);
      change(state);
      enable(true);
    },
    say: (words) => setText(markerNote, words),
    end: markers.end,
  };
}
