// The visitor's language: the page's texts, and numbers as it writes them.

import {SETTINGS} from "./settings.js";

export const {language, texts} = SETTINGS;

// One of the texts, with its {places} filled.
export function t(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
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
