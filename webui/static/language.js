// The visitor's language: the page's texts, and numbers as it writes them.

import {place} from "./place.js";
import {SETTINGS} from "./settings.js";

// The server chooses by the address and the browser; where it does not, a static site's document, the page does the same.
export const language = SETTINGS.language ?? chosenLanguage();
export const texts = SETTINGS.texts ?? SETTINGS.languages[language];

function chosenLanguage() {
  const wanted = (new URLSearchParams(location.search).get("lang") ?? navigator.language).slice(0, 2).toLowerCase();
  return wanted in SETTINGS.languages ? wanted : "en";
}

// One of the texts, with its {places} filled; where pictures are analysed on the device, the one that says so.
export function t(key, values = {}) {
  const here = `${key}_device`,
    words = place === "device" && here in texts ? texts[here] : texts[key];
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

const formats = {};

function format(value, digits, style) {
  const shape = {style, minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false};
  formats[style + digits] ??= new Intl.NumberFormat(language, shape);
  return formats[style + digits].format(value).replace("-", "−");
}

export const number = (value, digits = 0) => format(value, digits, "decimal");
export const percentOf = (part, digits = 0) => format(part, digits, "percent");

// Markup that has the {key} of a text wherever somebody reads something.
export function translate(html) {
  const signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"};
  return html.replace(/\{(\w+)\}/g, (_, key) => t(key).replace(/[&<>"]/g, (sign) => signs[sign]));
}

// Why getUserMedia failed, and what to do.
export function cameraProblem(error) {
  const known = {
    NotAllowedError: "camera_forbidden",
    NotFoundError: "camera_missing",
    NotReadableError: "camera_busy",
    OverconstrainedError: "camera_not_there",
  };
  return t(known[error.name] ?? "camera_failed", {name: error.name});
}

// The sentence of an error that Python names by a code and values: numbers in groups of three digits, with one decimal at most.
export function sentence({code, values = {}}) {
  const say = (value) =>
    typeof value === "number"
      ? value.toLocaleString(language, {maximumFractionDigits: 1})
      : value?.code
        ? sentence(value)
        : String(value);
  return t(code, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, say(value)])));
}
