// The page's beginning.

import {watchFiles} from "./files.js";
import {language} from "./language.js";
import {mountLive} from "./live.js";
import {mountCompute, mountNotice} from "./notice.js";
import {mountPhoto} from "./photo.js";
import {mountVideo} from "./video.js";

watchFiles();

// Gradio puts the tabs' markup into the document late, and may do so again: each of these elements comes to life as it comes.
const PARTS = {
  "ifade-compute": mountCompute,
  "ifade-languages": markLanguage,
  "ifade-live": mountLive,
  "ifade-notice": mountNotice,
  "ifade-photo": mountPhoto,
  "ifade-video": mountVideo,
};

for (const [name, mount] of Object.entries(PARTS)) {
  customElements.define(
    name,
    class extends HTMLElement {
      #mounted = false;

      connectedCallback() {
        if (this.#mounted) return;
        this.#mounted = true;
        mount(this);
      }
    },
  );
}

// What else is in the page's address, the open tab too, stays in the links to its other languages.
function markLanguage(element) {
  function update() {
    for (const link of element.querySelectorAll("a")) {
      const address = new URL(location);
      address.searchParams.set("lang", link.lang);
      link.href = address;
      if (link.lang === language) link.setAttribute("aria-current", "true");
    }
  }
  update();
  addEventListener("hashchange", update);
  addEventListener("ifade-tab", update);
}

// Each tab has an address, #live say, by which it can be opened and to which one comes back.

const tabOf = (name) => document.querySelector(`[role=tab][data-tab-id="${CSS.escape(name)}"]`);

async function openNamedTab() {
  const name = location.hash.slice(1);
  for (let frames = 0; name && frames < 300; frames++) {
    // until the buttons are there and heed clicks
    const tab = tabOf(name);
    if (tab?.ariaSelected === "true") return;
    tab?.click();
    await new Promise(requestAnimationFrame);
  }
}

document.addEventListener("click", ({target}) => {
  const name = target.closest?.("[role=tab]")?.dataset.tabId;
  if (!name || location.hash === `#${name}`) return;
  history.replaceState(history.state, "", `#${name}`);
  dispatchEvent(new Event("ifade-tab"));
});
addEventListener("hashchange", openNamedTab);
openNamedTab();
