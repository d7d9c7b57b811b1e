// The markers of a session: M sets one at that very moment, and what is written on it comes afterwards, in its place.

import {formatTime} from "./chart.js";
import {make, setText} from "./dom.js";
import {makeAttempt} from "./exchange.js";
import {TEXT_FIELD} from "./files.js";
import {t} from "./language.js";

// root: an element with .ifade-marker-set, .ifade-markers and .ifade-marker-note. session(): the session, or null. now(): the moment
// to mark, in its seconds. seek(seconds): show a moment, where that can be done. changed(markers): there are others now.
export function makeMarkers(root, {session, now, seek = null, changed, gone}) {
  const button = root.querySelector(".ifade-marker-set"),
    list = root.querySelector(".ifade-markers"),
    note = root.querySelector(".ifade-marker-note");
  const attempt = makeAttempt(note, gone);
  let markers = [];

  async function set() {
    const seconds = Math.max(0, now()); // before anything else: the answer takes its time
    const marker = await session().mark(t("marker_number", {number: markers.length + 1}), seconds);
    markers = [...markers, marker].sort((a, b) => a.seconds - b.seconds);
    setText(note, t("marker_set", {label: marker.label, time: formatTime(marker.seconds)}));
    show();
  }

  async function relabel(marker, input) {
    const label = input.value.trim();
    if (!label || label === marker.label) {
      input.value = marker.label;
      return;
    }
    Object.assign(marker, await session().relabel(marker.id, label));
    input.value = marker.label;
    setText(note, t("marker_labelled", {label: marker.label, time: formatTime(marker.seconds)}));
    changed(markers);
  }

  async function remove(marker) {
    await session().unmark(marker.id);
    markers = markers.filter((other) => other !== marker);
    setText(note, t("marker_removed", {label: marker.label}));
    show();
    button.focus();
  }

  function makeItem(marker) {
    const time = formatTime(marker.seconds),
      values = {time, label: marker.label};
    const place = seek
      ? make("button", {
          type: "button",
          class: "ifade-button ifade-small",
          text: time,
          "aria-label": t("show_marker", values),
        })
      : make("span", {text: time});
    const input = make("input", {
      type: "text",
      class: "ifade-marker-label",
      maxlength: "80",
      "aria-label": t("label_of_marker", {time}),
      placeholder: t("marker_example"),
    });
    const away = make("button", {
      type: "button",
      class: "ifade-button ifade-small",
      text: "×",
      "aria-label": t("remove_marker", values),
      title: t("remove_marker", values),
    });
    input.value = marker.label;
    if (seek) place.addEventListener("click", () => seek(marker.seconds));
    input.addEventListener("focus", () => input.select());
    input.addEventListener(
      "change",
      attempt(() => relabel(marker, input)),
    );
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") input.value = marker.label;
      if (event.key === "Enter" || event.key === "Escape") input.blur();
    });
    away.addEventListener(
      "click",
      attempt(() => remove(marker)),
    );
    return make("li", {"data-id": marker.id}, place, input, away);
  }

  // A label that is being written stays as it is.
  function show() {
    const items = new Map([...list.children].map((item) => [Number(item.dataset.id), item]));
    const wanted = markers.map((marker) => items.get(marker.id) ?? makeItem(marker));
    for (const item of items.values()) if (!wanted.includes(item)) item.remove();
    wanted.forEach((item, place) => {
      if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
    });
    list.hidden = !markers.length;
    changed(markers);
  }

  function onKey(event) {
    if (
      event.key.toLowerCase() !== "m" ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.repeat ||
      event.isComposing
    )
      return;
    if (button.disabled || !button.checkVisibility() || event.target.closest?.(TEXT_FIELD)) return;
    event.preventDefault();
    attempt(set)();
  }
  document.addEventListener("keydown", onKey, true);
  button.addEventListener("click", attempt(set));

  return {
    // Those that the server has.
    take(others) {
      markers = others.map((marker) => ({...marker}));
      list.replaceChildren();
      show();
    },
    end() {
      document.removeEventListener("keydown", onKey, true);
    },
  };
}
