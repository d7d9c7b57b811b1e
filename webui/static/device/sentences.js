// Errors that people are told, by their key. Counterpart of inference/sentences.py; the page has the sentences.

// Whether an error of the browser or of WebAssembly says that there was not enough.
export const lacksMemory = (error) =>
  /memory|allocat|array buffer|OOM/i.test(error.message) && !(error instanceof TypeError);

// code: key of the sentence in the page's texts. values: for its places, numbers as they are.
export class IfadeError extends Error {
  constructor(code, values = {}) {
    super(code);
    Object.assign(this, {code, values});
  }
}
