// One card a person: the answer, the index, and seven bars in a fixed order that change in place.

function makeCard(id) {
  const bars = SETTINGS.emotions.map((label) => {
    const fill = make("span"), percentText = make("span", {class: "ifade-percent"});
    const root = make("div", {class: "ifade-bar", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100},
      make("span", {class: "ifade-label", text: label}), make("span", {class: "ifade-track"}, fill), percentText);
    return {root, fill, percentText};
  });
  const answer = make("strong", {class: "ifade-card-answer"}), index = make("span", {class: "ifade-card-index"});
  const apparent = make("p", {class: "ifade-card-apparent"});
  const root = make("section", {class: "ifade-card", style: `--person: ${personColor(id)}`},
    make("div", {class: "ifade-card-head"}, make("span", {class: "ifade-card-name", text: `Person ${id}`}), answer, index),
    make("div", {class: "ifade-bars"}, ...bars.map((bar) => bar.root)), apparent);
  return {root, bars, answer, index, apparent};
}

// data: {probabilities, shown, sure, index: [index, deviation], apparent: see below}. withText: figures too, not only bars.
function fillCard({root, bars, answer, index, apparent}, id, data, percent, withText = true) {
  const {probabilities, shown, sure} = data, words = sure ? shown : "not sure";
  bars.forEach((bar, number) => {
    // In steps of a pixel or so: most bars stand still then, and cost nothing.
    bar.fill.style.transform = `scaleX(${Math.round(200 * probabilities[number]) / 200})`;
    bar.root.classList.toggle("ifade-leading", sure && SETTINGS.emotions[number] === shown);
    const rounded = String(Math.round(100 * probabilities[number]));
    if (!withText || bar.root.getAttribute("aria-valuenow") === rounded) return;
    setText(bar.percentText, `${rounded}%`);
    bar.root.setAttribute("aria-valuenow", rounded);
    bar.root.setAttribute("aria-valuetext", `${rounded}%`);
  });
  if (!withText) return;
  setText(answer, words);
  setText(index, formatIndex(data.index[0], percent));
  setText(apparent, apparentLines(data.apparent).join(", "));
  root.setAttribute("aria-label", `Person ${id}: ${words}`);
}

// What is said of the apparent age and gender: {age, age_range, age_sure, apparent_gender, gender_sure, gender}, or nothing.
function apparentLines(apparent) {
  if (!apparent) return [];
  const [first, last] = apparent.age_range, years = first === last ? String(first) : `${first} to ${last}`;
  const word = {female: ["woman", "girl"], male: ["man", "boy"]}[apparent.apparent_gender][Number(apparent.age < SETTINGS.adult)];
  return [
    apparent.age_sure ? `apparent age ${years}` : `apparent age: not sure, ${years}`,
    apparent.gender_sure ? `apparent gender: ${word} ${apparent.gender[apparent.apparent_gender].toFixed(2)}` : "apparent gender: not sure",
  ];
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
