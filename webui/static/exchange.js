// The one interface through which the tabs get their answers, as the JSON of Python: from the server or from this device, which
// no tab, card, chart or report knows.

import * as device from "./device.js";
import {saveFile} from "./dom.js";
import {t} from "./language.js";
import {place} from "./place.js";
import * as server from "./server.js";

export const {photo, photosAhead, reasonsOf, Session} = place === "device" ? device : server;
if (place === "device") device.prepare().catch(() => {}); // whoever asks for something is told

// A handler that does something and says beside it, in `note`, if that fails. gone() is called where the session has ended.
export function makeAttempt(note, gone = () => {}) {
  return (action, where = note) =>
    async (event) => {
      event?.preventDefault?.();
      try {
        await action(event);
      } catch (error) {
        if (error.status === 404) gone();
        where.textContent = error.status ? error.message : t("no_answer");
      }
    };
}

// Save a report's file, "report.csv" say, from the visitor's own memory, named after its source.
export async function saveReport(session, name, source) {
  const content = await session.reportFile(name);
  const blob =
    content instanceof Blob ? content : new Blob([JSON.stringify(content, null, 2)], {type: "application/json"});
  saveFile(blob, `${source}-${name}`);
}
