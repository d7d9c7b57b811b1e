// Small things that every part of the page does with elements.

export const CALM = matchMedia("(prefers-reduced-motion: reduce)");

// An element with attributes and children. What it says is set as text, never as HTML: much of it comes from people.
export function make(tag, {text, ...attributes} = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

// Only what changes is written: the rest of a page that is drawn ten times a second stays as it is.
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// Hand the visitor a file out of the page's own memory.
export function saveFile(blob, name) {
  const link = make("a", {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// A button that asks before it does what cannot be undone: it is to be pressed once more within some seconds.
export function askFirst(button, question, action) {
  const words = button.textContent;
  let asked = null,
    timer;
  function calm() {
    clearTimeout(timer);
    asked = null;
    setText(button, words);
  }
  button.addEventListener("click", (event) => {
    if (asked === null) {
      asked = performance.now();
      setText(button, question);
      timer = setTimeout(calm, 6000);
    } else if (performance.now() - asked > 400) {
      // a double click is no answer
      calm();
      action(event);
    }
  });
  button.addEventListener("blur", calm);
}

// The title and the notice make room for what runs in a tab.
export function shrinkHead(element) {
  for (const part of [document.querySelector(".ifade-head"), element]) part?.classList.add("ifade-runs");
}
