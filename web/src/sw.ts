// The service worker: the shell opens without a network, and what was last seen can be read again.
//
// The shell comes from the cache. Answers of the API come from the network and are kept by address; without a network
// the kept one is given, marked with the time at which it was true. Nothing is ever written from here: changes wait in
// the page's own queue (core/queue.ts), which people can see.
declare const BUILD: string;
declare const SHELL: string[];
declare const self: ServiceWorkerGlobalScope;

const shell = `shell-${BUILD}`;
const answers = "answers-1";
/** Answers kept at most; the oldest go first. */
const ANSWERS_MAX = 300;
/** What a proxy says whose server is gone: as good as no network. */
const GONE = new Set([502, 504]);
/** Reads that make no sense later: streams, what may not outlive a session, and a tablet's pulls, which it keeps itself. */
const NOT_KEPT = ["/api/v1/events/stream", "/api/v1/auth/", "/api/v1/users", "/api/v1/sync/crdt/"];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(shell)
      .then((cache) => cache.addAll(SHELL))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== shell && name !== answers).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("message", (event) => {
  // Signing out leaves nothing behind that the next person could read.
  if (event.data === "forget") event.waitUntil(caches.delete(answers));
});

self.addEventListener("fetch", (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/app/")) {
    event.respondWith(fromShell(request));
  } else if (url.pathname.startsWith("/api/") && !NOT_KEPT.some((path) => url.pathname.startsWith(path))) {
    event.respondWith(fromNetwork(request));
  }
});

async function fromShell(request: Request): Promise<Response> {
  const cache = await caches.open(shell);
  const kept = await cache.match(request.mode === "navigate" ? "./" : request);
  return kept ?? fetch(request);
}

async function fromNetwork(request: Request): Promise<Response> {
  const cache = await caches.open(answers);
  const key = new Request(request.url);
  try {
    const answer = await fetch(request);
    if (GONE.has(answer.status)) return (await cache.match(key)) ?? answer;
    if (answer.ok) {
      const copy = answer.clone();
      const headers = new Headers(copy.headers);
      headers.set("x-kept-at", new Date().toISOString());
      await cache.put(key, new Response(await copy.blob(), { status: copy.status, headers }));
      await trim(cache);
    }
    return answer;
  } catch (error) {
    const kept = await cache.match(key);
    if (kept) return kept;
    throw error;
  }
}

async function trim(cache: Cache): Promise<void> {
  const keys = await cache.keys();
  await Promise.all(keys.slice(0, Math.max(0, keys.length - ANSWERS_MAX)).map((key) => cache.delete(key)));
}

export {};
