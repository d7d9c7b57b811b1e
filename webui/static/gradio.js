// The page's language for Gradio, before whose own script this must come: that chooses by navigator.language. What it says in
// English whatever the language is are the texts whose keys are its words.

import {language, t, texts} from "./language.js";

function inLanguage(words) {
  const trimmed = words.trim(),
    key = `gradio_${trimmed}`;
  if (key in texts) return words.replace(trimmed, t(key));
  return trimmed.startsWith("Connection to the server was lost") ? t("not_answering") : words;
}

function translateNode(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    const words = inLanguage(node.data);
    if (words !== node.data) node.data = words;
  }
  for (const name of ["aria-label", "title"]) {
    const words = node.getAttribute?.(name);
    if (words) node.setAttribute(name, inLanguage(words));
  }
  if (!node.matches?.("script, style")) node.childNodes.forEach(translateNode);
}

Object.defineProperty(navigator, "language", {value: language});
new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach(translateNode))).observe(
  document,
  {childList: true, subtree: true},
);
