// Files that are dropped or pasted, wherever on the page: the open tab takes them, or says which does.

import {SETTINGS} from "./settings.js";

export const TEXT_FIELD =
  "textarea, [contenteditable=true], input:not([type=checkbox], [type=radio], [type=range], [type=file])";

export function isVideo({type, name}) {
  return type.startsWith("video/") || SETTINGS.video.suffixes.includes(ending(name));
}

// A GIF may be either.
export function isPhoto({type, name}) {
  return (
    ending(name) !== ".gif" &&
    (SETTINGS.photo.suffixes.includes(ending(name)) || (type.startsWith("image/") && type !== "image/gif"))
  );
}

const ending = (name) => name.toLowerCase().match(/\.\w+$/)?.[0];

// The tab that is open: an element of page.js.
const openTab = () =>
  [...document.querySelectorAll("ifade-photo, ifade-live, ifade-video")].find((tab) => tab.checkVisibility());

function take(files) {
  const tab = openTab();
  tab?.dispatchEvent(new CustomEvent("ifade-files", {detail: files}));
  if (files.length) tab?.dispatchEvent(new CustomEvent("ifade-file", {detail: files[0]})); // where one is enough
}

// A file that is dropped where nobody takes it, or a link, would make the browser leave the page.
function drop(event) {
  const hasFiles = event.dataTransfer?.types.includes("Files");
  if (!hasFiles && event.target.closest?.(TEXT_FIELD)) return;
  event.preventDefault();
  openTab()?.classList.toggle("ifade-dragging", hasFiles && event.type === "dragover");
  if (event.type === "drop" && hasFiles) take([...event.dataTransfer.files]);
}

function leave(event) {
  if (!event.relatedTarget) openTab()?.classList.remove("ifade-dragging");
}

function paste(event) {
  const files = [...event.clipboardData.files];
  if (!files.length || event.target.closest?.(TEXT_FIELD)) return;
  event.preventDefault();
  event.stopPropagation();
  take(files);
}

export function watchFiles() {
  document.addEventListener("dragover", drop, true);
  document.addEventListener("drop", drop, true);
  document.addEventListener("dragleave", leave, true);
  document.addEventListener("paste", paste, true);
}
