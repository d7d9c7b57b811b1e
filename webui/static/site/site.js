// The static site's beginning: the tabs, which Gradio has on the served page, the colors, and what keeps it for use offline.

import {prepare} from "../device.js";
import {language, t} from "../language.js";
import "../page.js";

document.documentElement.lang = language;
for (const part of document.querySelectorAll(".ifade-introduction")) part.hidden = part.lang !== language;
for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);

// Tabs

const tabs = [...document.querySelectorAll("[role=tab]")];
const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

function open(opened) {
  for (const tab of tabs) {
    tab.ariaSelected = String(tab === opened);
    tab.tabIndex = tab === opened ? 0 : -1;
    panelOf(tab).hidden = tab !== opened;
  }
}

for (const [place, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", ({key}) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[key];
    if (!step) return;
    const next = tabs.at((place + step) % tabs.length);
    next.focus();
    next.click();
  });
}

// Colors

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.body.classList.toggle("dark", dark.matches);
dark.addEventListener("change", paint);
paint();

// Offline. The networks are on their way first.

prepare()
  .catch(() => {})
  .then(() => navigator.serviceWorker?.register(new URL("../../sw.js", import.meta.url)))
  .catch((error) => console.info("This site is not kept for use offline:", error.message));
