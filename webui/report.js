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
