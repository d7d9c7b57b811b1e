// A session's report as a section of the page. Labels come from people, so everything is set as text, never as HTML.

function make(tag, {text, ...attributes} = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

function makeTable(caption, head, rows) {
  const cell = (value, place) => make(place ? "td" : "th", place ? {text: value} : {text: value, scope: "row"});
  return make("div", {class: "ifade-table", tabindex: "0", role: "region", "aria-label": caption},
    make("table", {},
      make("caption", {text: caption}),
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", {text, scope: "col"})))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell))))));
}

function renderReport(target, report, percent) {
  const index = (value) => value === null ? "–" : formatIndex(value, percent);
  const extreme = (value) => value === null ? "–" : `${index(value.index)} at ${formatTime(value.seconds)}`;
  const share = (value) => value === null ? "–" : `${Math.round(100 * value)}%`;
  const length = (seconds) => seconds < 60 ? `${seconds.toFixed(1)} s` : formatTime(seconds);
  const figures = (part) => [index(part.mean), extreme(part.highest), extreme(part.lowest), index(part.end),
    share(part.positive), share(part.neutral), share(part.negative)];
  if (report.room.mean === null) {
    target.replaceChildren(make("p", {text: "Nobody was seen yet, so there is nothing to report."}));
    return;
  }
  const head = ["", "mean", "highest", "lowest", "end", "positive", "neutral", "negative"];
  const people = report.people.filter((person) => person.mean !== null);
  const zone = percent ? `${50 * (1 - SETTINGS.neutralZone)} to ${50 * (1 + SETTINGS.neutralZone)}` :
    `−${SETTINGS.neutralZone} to ${SETTINGS.neutralZone}`;
  const names = Object.keys(report.room.dwell);
  const dwell = (part) => names.map((name) => part.dwell[name] ? length(part.dwell[name]) : "–");
  target.replaceChildren(
    makeTable("Satisfaction", [...head, "seen for"], [
      ["room", ...figures(report.room), length(report.to - report.from)],
      ...people.map((person) => [`person ${person.id}`, ...figures(person), length(person.seconds)]),
    ]),
    makeTable("For how long each emotion led", ["", ...names], [
      ["everybody", ...dwell(report.room)],
      ...people.map((person) => [`person ${person.id}`, ...dwell(person)]),
    ]),
    ...report.markers.length ? [makeTable("Markers", ["time", "label", "room"], report.markers.map(
      (marker) => [formatTime(marker.seconds), marker.label, marker.room ? index(marker.room[0]) : "–"]))] : [],
    make("p", {class: "ifade-note", text: `${report.frames} frames analysed. Neutral is an index from ${zone}.` +
      (report.people_forgotten ? ` ${report.people_forgotten} people who were seen most briefly are left out.` : "") +
      (report.rows_dropped ? ` The CSV holds the latest rows; ${report.rows_dropped} older ones are gone.` : "")}),
  );
}

// How the index is computed, in an open or folded <details>, with a slider for each weight. send(weights) is called with all
// of them when one was moved or all were set back. The result shows other weights, and enables the controls or not.
function makeWeights(details, send) {
  let current = {...SETTINGS.valence};
  const sliders = Object.fromEntries(SETTINGS.emotions.map((label) => {
    const slider = make("input", {type: "range", min: -1, max: 1, step: 0.01, "aria-label": `Weight of ${label}`});
    const value = make("output");
    slider.addEventListener("input", () => { value.textContent = formatIndex(Number(slider.value)); });
    slider.addEventListener("change", () => send({...current, [label]: Number(slider.value)}));
    return [label, {slider, value}];
  }));
  const reset = make("button", {type: "button", class: "ifade-button ifade-weights-reset", text: "Reset weights"});
  reset.addEventListener("click", () => send({...SETTINGS.valence}));
  const formula = make("p", {class: "ifade-formula-text", text: `${SETTINGS.formula}. The weights are how pleasant people ` +
    "rated the word for each emotion, from −1 to 1 (Russell and Mehrabian 1977, Evidence for a three-factor theory of emotions, " +
    "Journal of Research in Personality 11, 273–294). Over time a Kalman filter follows it: a doubtful face moves the curve " +
    "less, and the band is one standard deviation. The room is the mean of all people, each weighted by how well they are " +
    "known. On the scale from 0 to 100, 50 is neutral."});
  details.append(formula, make("div", {class: "ifade-weights"}, ...SETTINGS.emotions.map(
    (label) => make("label", {}, make("span", {text: label}), sliders[label].slider, sliders[label].value))), reset);
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
