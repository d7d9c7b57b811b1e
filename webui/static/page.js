// The page's beginning: it must come before Gradio's own script, which chooses its language by navigator.language.

import {watchFiles} from "./files.js";
import {language} from "./language.js";
import {speakForGradio} from "./gradio.js";
import {mountLive} from "./live.js";
import {mountPhoto} from "./photo.js";
import {mountVideo} from "./video.js";

Object.defineProperty(navigator, "language", {value: language});
speakForGradio();
watchFiles();

// Gradio puts the tabs' markup into the document late, and may do so again: each of these elements comes to life as it comes.
const PARTS = {"ifade-languages": markLanguage, "ifade-live": mountLive, "ifade-photo": mountPhoto, "ifade-video": mountVideo};

for (const [name, mount] of Object.entries(PARTS)) {
  customElements.define(name, class extends HTMLElement {
    #mounted = false;

    connectedCallback() {
      if (this.#mounted) return;
      this.#mounted = true;
      mount(this);
    }
  });
}

// What else is in the page's address stays in the links to its other languages.
function markLanguage(element) {
  for (const link of element.querySelectorAll("a")) {
    const address = new URL(location);
    address.searchParams.set("lang", link.lang);
    link.href = address;
    if (link.lang === language) link.setAttribute("aria-current", "true");
  }
}
