// What Gradio needs before its own scripts: the page's language, which it chooses by navigator.language, and an end of its loading. What
// it says in English whatever the language is are the texts whose keys are its words.

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

// Gradio's sign of loading counts its seconds with every frame of the screen, and goes on when it is gone: the page would be drawn
// sixty times a second for good. When it is loaded it takes the window's function for that, so it is given one that comes to an end.
const requestFrame = window.requestAnimationFrame;
let loading = true;
window.requestAnimationFrame = (callback) => (loading ? requestFrame.call(window, callback) : 0);

function endLoading() {
  loading = false;
  window.requestAnimationFrame = requestFrame;
}

Object.defineProperty(navigator, "language", {value: language});
new MutationObserver((changes) => {
  for (const {addedNodes} of changes) addedNodes.forEach(translateNode);
  if (loading && document.querySelector("ifade-photo")) endLoading();
}).observe(document, {childList: true, subtree: true});
