// What Gradio's components of the Photo tab do not do by themselves.

import {setText} from "./dom.js";
import {language, t} from "./language.js";

// The handlers in Python speak the language of the page that calls them, and Gradio calls this one by its name.
window.ifade = {language};

// The line tells by itself what became of the photo, the one below it which place in the queue it has, the picture with the
// boxes what is in it, and each example its number.
export async function mountPhoto(element) {
  const panel = element.closest("[role=tabpanel]");
  let status;
  while (!(status = panel.querySelector("#ifade-status"))) await new Promise(requestAnimationFrame);
  status.setAttribute("role", "status");
  status.after(element);
  element.className = "ifade-place";
  element.setAttribute("role", "status");
  let since = 0, message = null;

  function set(node, name, words) {
    if (node.getAttribute(name) !== words) node.setAttribute(name, words);
  }

  function describe() {
    const faces = [...document.querySelectorAll(".ifade-face")].map((face) => face.getAttribute("aria-label"));
    const words = [t("photo_alt"), ...faces].join(" ");
    document.querySelectorAll("#ifade-annotated img").forEach((picture) => set(picture, "alt", words));
    document.querySelectorAll(".gallery-item").forEach(
      (example, index) => set(example, "aria-label", t("example", {number: index + 1})));
    const trackers = [...panel.querySelectorAll("[data-testid=status-tracker]")];
    const waiting = trackers.map((tracker) => tracker.textContent.match(/queue: (\d+)/)).find(Boolean);
    since = waiting ? since || performance.now() : 0;
    setText(element, since && performance.now() - since > 1000 ? t("place", {number: waiting[1]}) : "");
    // On a phone the result stands below the photo and the examples, out of sight.
    const told = status.querySelector(".ifade-message strong");
    if (told && told !== message && innerWidth < 768) status.scrollIntoView({block: "center"});
    message = told;
  }

  describe();
  new MutationObserver(describe).observe(panel, {childList: true, subtree: true, characterData: true});
}
