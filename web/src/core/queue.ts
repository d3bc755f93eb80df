// Changes that wait for the network: kept in this browser until the server has them, in the order in which they were
// made. Each carries a key, so that the server counts it once however often it is sent. What the server refuses is not
// dropped: it stays to be seen, with the reason, until a person clears it.
import { computed, signal } from "@preact/signals";
import { Offline, Problem, write } from "./api";
import { user } from "./session";

export interface Change {
  key: string;
  /** Who made it; another person's changes wait until that person is back. */
  user: string;
  madeAt: string;
  method: string;
  path: string;
  body: unknown;
  /** What it is, for the list: a text's key and what fills it. */
  label: string;
  about: string;
  refused: string | null;
}

const DATABASE = "railfleet";
const STORE = "changes";
const RETRY_MS = 15_000;

/** All that waits, oldest first. */
export const changes = signal<Change[]>([]);
export const waiting = computed(() => changes.value.filter((change) => change.refused === null));
export const refused = computed(() => changes.value.filter((change) => change.refused !== null));

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "order", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

type Kept = Change & { order?: number };

/** Runs one transaction; resolves when it is on the disk of the tablet. */
async function transaction<T>(mode: IDBTransactionMode, step: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  return new Promise((resolve, reject) => {
    const running = database.transaction(STORE, mode, { durability: "strict" });
    const request = step(running.objectStore(STORE));
    running.oncomplete = () => {
      database.close();
      resolve(request.result);
    };
    running.onerror = () => reject(running.error);
    running.onabort = () => reject(running.error);
  });
}

async function load(): Promise<Kept[]> {
  const kept = (await transaction("readonly", (store) => store.getAll())) as Kept[];
  changes.value = kept;
  return kept;
}

/** Keeps a change and tries to send it. It is safe once this resolves. */
export async function enqueue(change: Omit<Change, "key" | "user" | "madeAt" | "refused">): Promise<void> {
  const kept: Change = {
    ...change,
    key: crypto.randomUUID(),
    user: user.value?.id ?? "",
    madeAt: new Date().toISOString(),
    refused: null,
  };
  await transaction("readwrite", (store) => store.add(kept));
  await load();
  void flush();
}

/** Takes a refused change off the list. */
export async function clear(key: string): Promise<void> {
  const kept = (await load()).find((change) => change.key === key);
  if (kept?.order !== undefined) await transaction("readwrite", (store) => store.delete(kept.order as number));
  await load();
}

/** Sends what waits, one after the other. One tab does it at a time. */
export async function flush(): Promise<void> {
  await navigator.locks.request("railfleet.queue", { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    for (const change of await load()) {
      if (change.refused !== null || change.user !== user.value?.id) continue;
      try {
        await write(change.method, change.path, change.body, change.key);
        await transaction("readwrite", (store) => store.delete(change.order as number));
      } catch (error) {
        const isFinal = error instanceof Problem && error.status >= 400 && error.status < 500 && ![401, 408, 429].includes(error.status);
        if (!isFinal) {
          // Not reached, or not now: what waits behind may depend on it, so it waits too.
          if (!(error instanceof Offline || error instanceof Problem)) throw error;
          break;
        }
        await transaction("readwrite", (store) => store.put({ ...change, refused: (error as Problem).message }));
      }
    }
    await load();
  });
}

/** Sends what waits now, whenever the network may be back, and now and then. */
export function keepFlushing(): void {
  void load().then(flush);
  addEventListener("online", () => void flush());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void flush());
  setInterval(() => waiting.value.length > 0 && void flush(), RETRY_MS);
}
