// Errors that people are told, by their key. Counterpart of inference/sentences.py; the page has the sentences.

// code: key of the sentence in the page's texts. values: for its places, numbers as they are.
export class IfadeError extends Error {
  constructor(code, values = {}) {
    super(code);
    Object.assign(this, {code, values});
  }
}
