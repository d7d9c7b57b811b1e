// What Gradio says in English whatever the language is: the texts whose keys are its words, and sentences with places.

import {t, texts} from "./language.js";

const SENTENCES = [
  [/^File\(s\) exceed the maximum allowed size of ([\d.]+)/, "photo_too_large"],
  [/^Invalid file type/, "no_photo"],
  [/^This application is currently busy/, "busy"],
  [/^Connection to the server was lost/, "not_answering"],
];

function inLanguage(words) {
  const trimmed = words.trim(), key = `gradio_${trimmed}`;
  if (key in texts) return words.replace(trimmed, t(key));
  for (const [pattern, key] of SENTENCES) {
    const found = trimmed.match(pattern);
    if (found) return t(key, {megabytes: Math.round(found[1])});
  }
  return words;
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

export function speakForGradio() {
  new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach(translateNode)))
    .observe(document, {childList: true, subtree: true});
}
