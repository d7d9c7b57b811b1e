// Browsers tell no type for files that they do not know, among them IMG_0001.HEIC, and Gradio drops those without a word.
// The server judges by the content, and says why where it cannot read it.
document.addEventListener("change", ({target}) => {
  if (!target.matches?.(".ifade-photo input[type=file]")) return;
  const files = new DataTransfer();
  for (const file of target.files)
    files.items.add(file.type ? file : new File([file], file.name, {type: "image/unknown"}));
  target.files = files.files;
}, true);
