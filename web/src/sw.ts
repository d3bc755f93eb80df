// The service worker: the shell opens without a network, and what was last seen can be read again.
//
// The shell comes from the cache. Answers of the API come from the network and are kept by address; without a network
// the kept one is given, marked with the time at which it was true. Nothing is ever written from here: changes wait in
// the page's own list (core/tablet.ts), which people can see.
declare const BUILD: string;
declare const SHELL: string[];
declare const self: ServiceWorkerGlobalScope;

const shell = `shell-${BUILD}`;
const answers = "answers-1";
/** Answers of each of two kinds that are kept at most; the oldest go first. */
const ANSWERS_MAX = 300;
/**
 * The second kind: one path asked for again and again, where a list goes on, or on another day. However many of these come,
 * what was last seen of another page stays.
 */
const IS_ONE_OF_MANY = /[?&](cursor|skip|after|at|as_of|v1|v2)=/;
/** What a proxy says whose server is gone: as good as no network. */
const GONE = new Set([502, 504]);
/**
 * Reads that make no sense later: streams, what may not outlive a session, a tablet's pulls, which it keeps itself, proofs, and
 * files (`format`), which nobody could tell from new ones.
 */
const NOT_KEPT = /^\/api\/v1\/(events\/stream|auth\/|users|sync\/crdt\/|audit\/proof\/)|[?&]format=/;

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
  } else if (url.pathname.startsWith("/api/") && !NOT_KEPT.test(url.pathname + url.search)) {
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
  try {
    const answer = await fetch(request);
    if (GONE.has(answer.status)) return (await cache.match(request.url)) ?? answer;
    if (answer.ok) {
      // All of it has to be here: what breaks off in the middle is no answer.
      const body = await answer.clone().blob();
      // A full disk keeps nothing, and takes no answer away.
      await keep(cache, request.url, answer, body).catch(() => {});
    }
    return answer;
  } catch (error) {
    const kept = await cache.match(request.url);
    if (kept) return kept;
    throw error;
  }
}

async function keep(cache: Cache, url: string, { status, headers: told }: Response, body: Blob): Promise<void> {
  const headers = new Headers(told);
  headers.set("x-kept-at", new Date().toISOString());
  await cache.put(url, new Response(body, { status, headers }));
  const alike = (await cache.keys()).filter((key) => IS_ONE_OF_MANY.test(key.url) === IS_ONE_OF_MANY.test(url));
  await Promise.all(alike.slice(0, -ANSWERS_MAX).map((key) => cache.delete(key)));
}

export {};
