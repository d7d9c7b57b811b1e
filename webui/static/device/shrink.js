// A worker that makes a smaller copy of a photo, which would hold up the page: {blob, width, height}, of the whole photo, for {file, side,
// type}. What a decoder keeps ends with it.

self.addEventListener("message", async ({data: {file, side, type}}) => {
  const bitmap = await createImageBitmap(file),
    {width, height} = bitmap,
    scale = Math.min(1, side / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.round(scale * width), Math.round(scale * height)),
    context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  self.postMessage({blob: await canvas.convertToBlob({type, quality: 0.92}), width, height});
});

// The page hears of errors, not of promises that nobody waits for.
self.addEventListener("unhandledrejection", ({reason}) =>
  setTimeout(() => {
    throw reason;
  }),
);
