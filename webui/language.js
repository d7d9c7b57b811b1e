// What all parts of the page share: its texts and numbers. LANGUAGE and TEXTS come from webui/language.py.

// Gradio's own texts follow it.
Object.defineProperty(navigator, "language", {value: LANGUAGE});

window.ifade = (() => {
  // One of the texts, with its {places} filled.
  function t(key, values = {}) {
    return TEXTS[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  const formats = {};
  function format(value, digits, style) {
    const shape = {style, minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false};
    formats[style + digits] ??= new Intl.NumberFormat(LANGUAGE, shape);
    return formats[style + digits].format(value).replace("-", "−");
  }

  // Markup that has the {key} of a text wherever somebody reads something.
  function translate(html) {
    const signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"};
    return html.replace(/\{(\w+)\}/g, (_, key) => t(key).replace(/[&<>"]/g, (sign) => signs[sign]));
  }

  // Why getUserMedia failed, and what to do.
  function cameraProblem(error) {
    const known = {
      NotAllowedError: "camera_forbidden", NotFoundError: "camera_missing", NotReadableError: "camera_busy",
      OverconstrainedError: "camera_not_there",
    };
    return t(known[error.name] ?? "camera_failed", {name: error.name});
  }

  return {
    language: LANGUAGE, t, translate, cameraProblem,
    number: (value, digits = 0) => format(value, digits, "decimal"),
    percent: (part, digits = 0) => format(part, digits, "percent"),
  };
})();

// What Gradio says in English whatever the language is: the texts whose keys are its words, and sentences with places.
(() => {
  const SENTENCES = [
    [/^File\(s\) exceed the maximum allowed size of ([\d.]+)/, "photo_too_large"],
    [/^Invalid file type/, "no_photo"],
    [/^This application is currently busy/, "busy"],
    [/^Connection to the server was lost/, "not_answering"],
  ];

  function inLanguage(words) {
    const trimmed = words.trim(), key = `gradio_${trimmed}`;
    if (key in TEXTS) return words.replace(trimmed, ifade.t(key));
    for (const [pattern, key] of SENTENCES) {
      const found = trimmed.match(pattern);
      if (found) return ifade.t(key, {megabytes: Math.round(found[1])});
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

  new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach(translateNode)))
    .observe(document, {childList: true, subtree: true});
})();
