// Talking to the server. What the answers hold belongs to a session, whose token goes in a header and never in an address.

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

class ServerError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

const routes = location.origin + location.pathname.replace(/\/[^/]*$/, "");

// A function that calls routes like "live/start"; `token` gives the session's token or null.
function makeCall(token) {
  return async function call(method, path, {body, headers = {}, timeout = 15000} = {}) {
    const abort = new AbortController(), timer = setTimeout(() => abort.abort(), timeout);
    try {
      const json = body !== undefined && !(body instanceof Blob), session = token();
      const response = await fetch(`${routes}/${path}`, {
        method, cache: "no-store", signal: abort.signal,
        headers: {"Accept-Language": language, ...session ? {"X-Session": session} : {}, ...json ? {"Content-Type": "application/json"} : {}, ...headers},
        body: json ? JSON.stringify(body) : body,
      });
      if (!response.ok) {
        const text = await response.json().then((answer) => answer.error, () => null);
        throw new ServerError(response.status, text || t("could_not_answer"));
      }
      return response.headers.get("content-type")?.startsWith("application/json") ? await response.json() : await response.blob();
    } finally {
      clearTimeout(timer);
    }
  };
}

// A handler that does something and says beside it, in `note`, if that fails. gone() is called where the session has ended.
function makeAttempt(note, gone = () => {}) {
  return (action, where = note) => async (event) => {
    event?.preventDefault?.();
    try {
      await action(event);
    } catch (error) {
      if (error.status === 404) gone();
      where.textContent = error.status ? error.message : t("no_answer");
    }
  };
}

// Save a report's file, "report.csv" say, from the visitor's own memory.
async function saveReport(call, name) {
  const content = await call("GET", `live/${name}`, {timeout: 60000});
  const blob = content instanceof Blob ? content : new Blob([JSON.stringify(content, null, 2)], {type: "application/json"});
  const link = make("a", {href: URL.createObjectURL(blob), download: `ifade-${name}`});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function leaveSession(session) {
  if (session) navigator.sendBeacon(`${routes}/live/leave`, JSON.stringify({session}));
}
