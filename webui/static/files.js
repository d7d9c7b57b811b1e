// Files that are chosen, dropped or pasted, wherever on the page: the open tab takes them, or says which does.

import {cameraProblem, t} from "./language.js";
import {SETTINGS} from "./settings.js";

export const TEXT_FIELD = "textarea, [contenteditable=true], input:not([type=checkbox], [type=radio], [type=range], [type=file])";

export function isVideo({type, name}) {
  return type.startsWith("video/") || SETTINGS.video.suffixes.includes(ending(name));
}

// A GIF may be either.
export function isPhoto({type, name}) {
  return ending(name) !== ".gif" && (SETTINGS.photo.suffixes.includes(ending(name)) || type.startsWith("image/") && type !== "image/gif");
}

const ending = (name) => name.toLowerCase().match(/\.\w+$/)?.[0];

const photoInput = () => document.querySelector(".ifade-photo input[type=file]");

function tellInPhoto(words) {
  const line = document.querySelector("#ifade-status .ifade-message");
  line.textContent = words;
  line.scrollIntoView({block: "nearest"});
}

// Browsers tell no type for files that they do not know, among them IMG_0001.HEIC, and Gradio drops those without a word.
// The server judges by the content, and says why where it cannot read it.
function markUnknown(event) {
  const {target} = event;
  if (!target.matches?.(".ifade-photo input[type=file]")) return;
  if ([...target.files].some(isVideo)) {
    event.stopImmediatePropagation();
    target.value = "";
    tellInPhoto(t("video_in_photo"));
    return;
  }
  const files = new DataTransfer();
  for (const file of target.files)
    files.items.add(file.type ? file : new File([file], file.name, {type: "image/unknown"}));
  target.files = files.files;
}

async function takePhoto(file) {
  // While the camera is open there is no place for a file.
  if (!photoInput()) document.querySelector(".ifade-photo [data-testid=source-select] button").click();
  for (let frames = 0; frames < 100 && !photoInput(); frames++) await new Promise(requestAnimationFrame);
  const files = new DataTransfer();
  files.items.add(file);
  photoInput().files = files.files;
  photoInput().dispatchEvent(new Event("change", {bubbles: true}));
}

function take(file) {
  if (document.querySelector(".ifade-photo").checkVisibility()) return takePhoto(file);
  const tab = [...document.querySelectorAll("ifade-live, ifade-video")].find((each) => each.checkVisibility());
  tab?.dispatchEvent(new CustomEvent("ifade-file", {detail: file}));
}

// A file that is dropped where nobody takes it, or a link, would make the browser leave the page.
function drop(event) {
  const hasFiles = event.dataTransfer?.types.includes("Files");
  if (!hasFiles && event.target.closest?.(TEXT_FIELD)) return;
  event.preventDefault();
  if (event.type === "dragover" || !hasFiles) return;
  event.stopPropagation();
  event.target.dispatchEvent(new DragEvent("dragleave", {bubbles: true})); // Gradio's frame is no longer lit
  const [file] = event.dataTransfer.files;
  if (file) take(file);
}

function paste(event) {
  const [file] = event.clipboardData.files;
  if (!file || event.target.closest?.(TEXT_FIELD)) return;
  event.preventDefault();
  event.stopPropagation();
  take(file);
}

// Gradio's camera fails without a word; the one of the Live tab says why by itself.
function tellWhy({reason}) {
  const insecure = !navigator.mediaDevices && reason instanceof TypeError;
  if (!insecure && !/^(NotAllowed|NotFound|NotReadable|Overconstrained)Error$/.test(reason?.name)) return;
  tellInPhoto(insecure ? t("no_camera_here") : cameraProblem(reason));
}

export function watchFiles() {
  document.addEventListener("change", markUnknown, true);
  document.addEventListener("dragover", drop, true);
  document.addEventListener("drop", drop, true);
  document.addEventListener("paste", paste, true);
  addEventListener("unhandledrejection", tellWhy);
}
