// What stands under the title: what the answers are worth and what is kept of visitors, and where pictures are analysed.

import {make} from "./dom.js";
import {t} from "./language.js";
import {choosePlace, hasChoice, onFailure, place, problem} from "./place.js";

export function mountNotice(element) {
  element.innerHTML = t("notice_html"); // of Python, not of people
}

export function mountCompute(element) {
  const note = make("span", {class: "ifade-compute-note", text: t(`computed_on_${place}`)}),
    trouble = make("p", {class: "ifade-compute-problem", role: "alert", text: problem ? t(problem) : ""});
  const line = make("div", {class: "ifade-compute-line"}, ...(hasChoice ? [makeSwitch()] : []), note);
  element.replaceChildren(line, trouble);
  onFailure((key, values) => {
    trouble.textContent = t(key, values);
  });
}

function makeSwitch() {
  const choices = ["device", "server"].map((name) => {
    const input = make("input", {type: "radio", name: "ifade-compute", value: name});
    input.checked = name === place;
    input.addEventListener("change", () => choosePlace(name));
    return make("label", {}, input, make("span", {text: t(`compute_${name}`)}));
  });
  return make(
    "span",
    {class: "ifade-compute-choice"},
    make("span", {text: t("computed")}),
    make("span", {class: "ifade-switch", role: "radiogroup", "aria-label": t("computed")}, ...choices),
  );
}
