// One card a person: the answer, the index, and seven bars in a fixed order that change in place.

import {formatIndex, personColor} from "./chart.js";
import {make, setText} from "./dom.js";
import {percentOf, t} from "./language.js";
import {SETTINGS} from "./settings.js";

// The cards of the people in view, in the order of their ids; of more than `most` the rest is only counted. root: where they stand.
export function makePeople(root, most) {
  const cards = new Map(),
    rest = make("p", {class: "ifade-people-hint"});
  // people: what `fillCard` takes, by id, and whether somebody is `gone`. hint: what is said where nobody is there.
  return function show(people, hint, percent, withText = true) {
    const ids = [...people.keys()].sort((a, b) => a - b),
      shown = ids.slice(0, most);
    for (const [id, card] of cards) {
      if (shown.includes(id)) continue;
      card.root.remove();
      cards.delete(id);
    }
    shown.forEach((id, place) => {
      const fresh = !cards.has(id);
      if (fresh) cards.set(id, makeCard(id));
      const card = cards.get(id),
        data = people.get(id);
      if (root.children[place] !== card.root) root.insertBefore(card.root, root.children[place] ?? null);
      card.root.classList.toggle("ifade-gone", Boolean(data.gone));
      fillCard(card, id, data, percent, withText || fresh);
    });
    const words = ids.length > most ? t("more_people", {count: ids.length - most}) : ids.length ? "" : hint;
    setText(rest, words);
    if (!words) rest.remove();
    else if (root.lastChild !== rest) root.append(rest);
  };
}

// kind: "person" of a camera or video, or "face" of a photo.
export function makeCard(id, kind = "person") {
  const bars = SETTINGS.emotions.map((label) => {
    const fill = make("span"),
      percentText = make("span", {class: "ifade-percent"});
    const root = make(
      "div",
      {
        class: "ifade-bar",
        role: "meter",
        "aria-label": t(`emotion_${label}`),
        "aria-valuemin": 0,
        "aria-valuemax": 100,
      },
      make("span", {class: "ifade-label", text: t(`emotion_${label}`)}),
      make("span", {class: "ifade-track"}, fill),
      percentText,
    );
    return {root, fill, percentText};
  });
  const answer = make("strong", {class: "ifade-card-answer"}),
    index = make("span", {class: "ifade-card-index"});
  const issues = make("p", {class: "ifade-card-issues"}),
    apparent = make("p", {class: "ifade-card-apparent"});
  const root = make(
    "section",
    {class: "ifade-card", style: `--person: ${personColor(id)}`},
    make(
      "div",
      {class: "ifade-card-head"},
      make("span", {class: "ifade-card-name", text: t(`${kind}_title`, {id})}),
      answer,
      index,
    ),
    make("div", {class: "ifade-bars"}, ...bars.map((bar) => bar.root)),
    issues,
    apparent,
  );
  return {root, kind, bars, answer, index, issues, apparent};
}

// data: {probabilities, shown, sure, issues, index: [index, deviation] or nothing, apparent: see below}. withText: figures too, not only bars.
export function fillCard({root, kind, bars, answer, index, issues, apparent}, id, data, percent, withText = true) {
  const {probabilities, shown, sure} = data,
    words = answerOf(data);
  bars.forEach((bar, place) => {
    // In steps of a pixel or so: most bars stand still then, and cost nothing.
    bar.fill.style.transform = `scaleX(${Math.round(200 * probabilities[place]) / 200})`;
    bar.root.classList.toggle("ifade-leading", sure && SETTINGS.emotions[place] === shown);
    const rounded = String(Math.round(100 * probabilities[place])),
      written = percentOf(rounded / 100);
    if (!withText || bar.root.getAttribute("aria-valuenow") === rounded) return;
    setText(bar.percentText, written);
    bar.root.setAttribute("aria-valuenow", rounded);
    bar.root.setAttribute("aria-valuetext", written);
  });
  if (!withText) return;
  setText(answer, words);
  setText(index, data.index ? formatIndex(data.index[0], percent) : "");
  setText(issues, issueWords(data));
  setText(apparent, apparentLines(data.apparent).join(", "));
  root.setAttribute("aria-label", t(`${kind}_answer`, {id, answer: words}));
}

// Offer the apparent age and gender, where there is a network for them, and say what they are where they are wanted.
export function offerAgeGender(checkbox, note) {
  checkbox.parentElement.hidden = !SETTINGS.measuredCoverage;
  const say = () => setText(note, checkbox.checked ? apparentNote() : "");
  checkbox.addEventListener("change", say);
  say();
}

function apparentNote() {
  const words = t("apparent_note", {limit: percentOf(SETTINGS.genderSure), aim: percentOf(SETTINGS.ageCoverage)});
  const measured = Object.entries(SETTINGS.measuredCoverage).map(
    ([dataset, part]) => `${percentOf(part)} (${dataset})`,
  );
  return measured.length ? `${words} ${t("apparent_measured", {measured: measured.join(", ")})}` : words;
}

// What is said of the apparent age and gender: {age, age_range, age_sure, apparent_gender, gender_sure, gender}, or nothing.
function apparentLines(apparent) {
  if (!apparent) return [];
  const [first, last] = apparent.age_range,
    about = Math.round(apparent.age);
  const years = first === last ? t("about_age", {age: about}) : t("about_age_range", {age: about, first, last});
  const word = {female: ["woman", "girl"], male: ["man", "boy"]}[apparent.apparent_gender][
    Number(apparent.age < SETTINGS.adult)
  ];
  const probability = percentOf(apparent.gender[apparent.apparent_gender]);
  return [
    t(apparent.age_sure ? "apparent_age" : "apparent_age_not_sure", {years}),
    apparent.gender_sure ? t("apparent_gender", {word: t(word), probability}) : t("apparent_gender_not_sure"),
  ];
}

export function answerOf({shown, sure, issues}) {
  return sure ? t(`emotion_${shown}`) : t(issues.includes("too_small") ? "too_small_to_tell" : "not_sure");
}

// What makes an answer much less often right, but for what the answer itself says.
function issueWords({sure, issues}) {
  return issues
    .filter((issue) => sure || issue !== "too_small")
    .map((issue) => t(`issue_${issue}`))
    .join(", ");
}

// A box with its label, if any, inside a picture of width x height CSS pixels; in smaller letters at a small face, which they
// would cover.
export function drawBox(context, [x1, y1, x2, y2], id, words, width, height) {
  const color = personColor(id);
  const size = Math.min(14, Math.max(10, (x2 - x1) / 5)),
    high = Math.round(1.4 * size) + 2;
  Object.assign(context, {strokeStyle: color, fillStyle: color, lineWidth: size < 12 ? 2 : 3, textBaseline: "middle"});
  context.font = `600 ${size}px ${getComputedStyle(context.canvas).fontFamily || "system-ui, sans-serif"}`;
  context.beginPath();
  context.roundRect(x1, y1, x2 - x1, y2 - y1, Math.min(8, (x2 - x1) / 4));
  context.stroke();
  if (!words) return;
  const wide = context.measureText(words).width + size;
  const left = Math.min(Math.max(x1, 0), Math.max(width - wide, 0));
  const above = y1 - high - 3,
    under = y2 + 3;
  const top = above >= 0 ? above : under + high <= height ? under : Math.max(y1 + 3, 0);
  context.beginPath();
  context.roundRect(left, top, wide, high, 6);
  context.fill();
  context.fillStyle = "#fff";
  context.fillText(words, left + size / 2, top + high / 2);
}
