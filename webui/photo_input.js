// Browsers tell no type for files that they do not know, among them IMG_0001.HEIC, and Gradio drops those without a word.
// The server judges by the content, and says why where it cannot read it.
document.addEventListener("change", ({target}) => {
  if (!target.matches?.(".ifade-photo input[type=file]")) return;
  const files = new DataTransfer();
  for (const file of target.files)
    files.items.add(file.type ? file : new File([file], file.name, {type: "image/unknown"}));
  target.files = files.files;
}, true);

// A dropped file takes the same way.
document.addEventListener("drop", (event) => {
  const input = event.target.closest?.(".ifade-photo")?.querySelector("input[type=file]");
  if (!input || !event.dataTransfer.files.length) return;
  event.preventDefault();
  event.stopPropagation();
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", {bubbles: true}));
}, true);

// Gradio's camera fails without a word; the one of the Live tab says why by itself.
addEventListener("unhandledrejection", ({reason}) => {
  const insecure = !navigator.mediaDevices && reason instanceof TypeError;
  if (!insecure && !/^(NotAllowed|NotFound|NotReadable|Overconstrained)Error$/.test(reason?.name)) return;
  const line = document.querySelector("#ifade-status .ifade-message");
  line.textContent = insecure ? ifade.t("no_camera_here") : ifade.cameraProblem(reason);
  line.scrollIntoView({block: "nearest"});
});
