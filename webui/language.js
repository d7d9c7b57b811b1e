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

  return {
    language: LANGUAGE, t, translate,
    number: (value, digits = 0) => format(value, digits, "decimal"),
    percent: (part, digits = 0) => format(part, digits, "percent"),
  };
})();
