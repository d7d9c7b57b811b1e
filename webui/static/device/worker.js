// The worker that answers in the server's place. A message is {id, method, args}; the answer {id, answer} or {id, error}.

import {configure} from "./constants.js";
import {loadEarly} from "./files.js";
import {lacksMemory} from "./sentences.js";

let answers = null; // of session.js, which is loaded when the constants are there

async function open({constants, limits, models, checksums, threads}) {
  loadEarly(models, checksums);
  configure(constants);
  const {openAnswers} = await import("./session.js");
  answers = await openAnswers(limits, threads);
}

// {code, values, status} as of a sentence, or {memory} where there was not enough.
function toldOf(error) {
  if (error.code && typeof error.code === "string") return {status: 422, ...JSON.parse(JSON.stringify(error))}; // with the errors in its values
  if (lacksMemory(error)) return {memory: true};
  console.error(error);
  return {code: "no_answer", status: 500};
}

self.addEventListener("message", async ({data: {id, method, args}}) => {
  try {
    const answer = method === "open" ? await open(...args) : await answers[method](...args);
    self.postMessage({id, answer});
    if (method === "open") await answers.warmUp().catch(console.error); // what fails is told when it is needed
  } catch (error) {
    self.postMessage({id, error: toldOf(error)});
  }
});
