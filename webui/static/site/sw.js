// Keeps the site in the browser, so that it works offline: all files of one version, by the hashes of FILES, or none. Another version
// is another file of this name, which browsers notice; it takes over when all pages of the old one are closed.

const VERSION = "VERSION_OF_THE_FILES";
const FILES = {}; // by path the SHA-256; those whose path is in LATER are kept once they are asked for
const LATER = [];
const CACHE = `ifade-${VERSION}`;
const SCOPE = self.registration.scope;

const addressOf = (path) => new URL(path, SCOPE).href;

async function hashOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A file with the right hash: of an older version, from the browser's own cache, or from the site. Redirections are left behind.
async function get(path) {
  const asked = [
    () => caches.match(addressOf(path)),
    ...["default", "reload"].map((cache) => () => fetch(addressOf(path), {cache})),
  ];
  for (const ask of asked) {
    const response = await ask();
    if (!response?.ok) continue;
    const bytes = await response.arrayBuffer();
    if ((await hashOf(bytes)) !== FILES[path]) continue;
    return new Response(bytes, {headers: {"Content-Type": response.headers.get("content-type") ?? ""}});
  }
  throw new Error(`${path} is not the one of this version`);
}

async function keep(path) {
  const response = await get(path);
  await (await caches.open(CACHE)).put(addressOf(path), response.clone());
  return response;
}

async function install() {
  await Promise.all(
    Object.keys(FILES)
      .filter((path) => !LATER.includes(path))
      .map(keep),
  );
}

async function activate() {
  const others = (await caches.keys()).filter((name) => name.startsWith("ifade-") && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(path, request) {
  const kept = await caches.match(addressOf(path), {cacheName: CACHE});
  return isolated(kept ?? (await keep(path).catch(() => fetch(request))));
}

// With ISOLATION of webui/policy.py, so that from the second visit on there are threads also where the site's server does not say it.
function isolated({body, status, statusText, headers: told}) {
  const headers = new Headers(told);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(body, {status, statusText, headers});
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const [address] = event.request.url.split(/[?#]/);
  if (event.request.method !== "GET" || !address.startsWith(SCOPE)) return;
  const path = address.slice(SCOPE.length) || "index.html";
  if (path in FILES) event.respondWith(answer(path, event.request));
});
