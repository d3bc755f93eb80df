// This browser as a tablet of the depot: a device of its own that pulls what it needs, keeps it, and pushes what was
// done on it, by the protocol of docs/CRDT_SYNC.md (its JSON form). It works the same with and without a network.
//
// An *act* is what a person did in one step ("order closed"): one or more operations, each with an id by which the log
// knows it for ever, so sending one twice counts once. Acts wait on the tablet's disk, in order, until the server has
// judged them. What it refused stays to be seen, with the reason, until a person takes it off the list.
import { computed, effect, signal } from "@preact/signals";
import { callAsDevice, Offline, Problem, url, write } from "./api";
import { pulse } from "./live";
import { merged, type Operation, overlaid, type Row } from "./replica";
import { user } from "./session";
import { all, fact, transact } from "./store";

export type ActState = "waiting" | "sent" | "refused";

export interface Act {
  order?: number;
  id: string;
  /** Who did it; another person's acts wait until that person is back. */
  user: string;
  madeAt: string;
  /** What it is: a text's key, and what it is about. */
  label: string;
  about: string;
  state: ActState;
  /** What the server said, where it said more than yes. */
  said: string | null;
  /** Operations of the sync, or a document with its photo. */
  operations: Operation[];
  document: Row | null;
}

export interface Held {
  type: string;
  id: string;
  row: Row;
}

interface Kept extends Held {
  user: string;
}
interface Device {
  id: string;
  token: string;
  cursor: string | null;
  /** When the server was last heard of. */
  heardAt: string | null;
}

/** What a tablet keeps: the other kinds say nothing that its pages show. */
const KINDS = new Set(["WorkOrder", "Vehicle", "Part"]);
/** Operations of one push; the server takes 1,000. */
const PUSH_MAX = 200;
const PAGE = 1_000;
const RETRY_MS = 15_000;
/** Acts that the server took are shown for a while. */
const SENT_KEPT = 20;
/** Held by whoever changes what the tablet holds for a person, over all tabs. */
const LOCK = "railfleet.tablet";

/**
 * Whose an exchange is. Whoever is here when it begins stays the one in whose name all of it is sent and kept; when another
 * person is here, it ends: after every wait `gone` is asked before anything else is.
 */
interface Shift {
  id: string;
  username: string;
  gone: AbortSignal;
}
/** Ends what is under way for whoever is here; another one stands here for the next person. */
let leaving = new AbortController();

export const acts = signal<Act[]>([]);
export const waiting = computed(() => acts.value.filter((act) => act.state === "waiting"));
export const refused = computed(() => acts.value.filter((act) => act.state === "refused"));
/** What is held, before the waiting acts are laid over it. */
const kept = signal<Held[]>([]);
/** Whether this browser is a tablet of the person who is signed in. */
export const isTablet = signal(false);
/** When the server was last heard of; null before the first time. */
export const heardAt = signal<Date | null>(null);
export const syncing = signal(false);
/** Whether the server was asked, with whatever came of it: before that nothing is missing yet. */
export const asked = signal(false);
/** Why the last exchange did not end well. */
export const trouble = signal<string | null>(null);
/** Whether the tablet's disk was read. */
export const isReady = signal(false);

/** What the person sees of a kind of thing. */
export function held(type: string): Held[] {
  const mine = waiting.value.flatMap((act) => act.operations).filter((operation) => operation.entity_type === type);
  return kept.value
    .filter((one) => one.type === type)
    .map((one) => {
      const own = mine.filter((operation) => operation.entity_id === one.id);
      return own.length === 0 ? one : { ...one, row: overlaid(one.row, own) };
    });
}

const deviceFact = (id: string): string => `device:${id}`;

async function load(): Promise<void> {
  const id = user.value?.id ?? "";
  const [everyAct, everything, device] = await Promise.all([all<Act>("acts"), all<Kept>("entities"), fact<Device>(deviceFact(id))]);
  // Whoever came meanwhile loads what is theirs.
  if ((user.value?.id ?? "") !== id) return;
  acts.value = everyAct.filter((act) => act.user === id);
  kept.value = everything.filter((one) => one.user === id);
  isTablet.value = device !== null;
  heardAt.value = device?.heardAt ? new Date(device.heardAt) : null;
  isReady.value = true;
}

/** Lets the next person see nothing of the one before, until what is theirs is loaded. */
function clear(): void {
  acts.value = [];
  kept.value = [];
  isTablet.value = false;
  heardAt.value = null;
  asked.value = false;
  trouble.value = null;
  isReady.value = false;
}

/** Keeps an act and tries to send it. It is safe on the disk once this resolves. */
export async function act(label: string, about: string, operations: Omit<Operation, "id" | "timestamp">[], document: Row | null = null): Promise<void> {
  const now = new Date().toISOString();
  const made: Act = {
    id: crypto.randomUUID(),
    user: user.value?.id ?? "",
    madeAt: now,
    label,
    about,
    state: "waiting",
    said: null,
    operations: operations.map((operation) => ({ ...operation, id: crypto.randomUUID(), timestamp: now })),
    document,
  };
  await transact(["acts"], (store) => store("acts").add(made));
  await load();
  void exchange();
}

/** Takes a refused act off the list. */
export async function forget(act: Act): Promise<void> {
  await transact(["acts"], (store) => store("acts").delete(act.order as number));
  await load();
}

async function register(me: Shift, before: Device | null): Promise<Device> {
  const id = before?.id ?? `tablet-${crypto.randomUUID()}`;
  const platform = /\(([^;)]+)/.exec(navigator.userAgent)?.[1] ?? "browser";
  const body = { device_id: id, device_name: `${me.username}, ${platform}`.slice(0, 100), device_type: "tablet" };
  const { device_token } = await write<{ device_token: string }>("POST", "/sync/devices/register", body, undefined, me.gone);
  const device: Device = { id, token: device_token, cursor: null, heardAt: null };
  const old = (await all<Kept>("entities")).filter((one) => one.user === me.id);
  me.gone.throwIfAborted();
  // A device that registers begins a new store: what it held is pulled anew.
  await transact(["facts", "entities"], (store) => {
    for (const one of old) store("entities").delete([one.user, one.type, one.id]);
    return store("facts").put({ name: deviceFact(me.id), value: device });
  });
  return device;
}

interface Result {
  id: string;
  status: "applied" | "merged" | "duplicate" | "rejected";
  reason: string | null;
  detail: string | null;
}
interface Page {
  states: { entity_type: string; entity_id: string; fields: Record<string, unknown> }[];
  deleted: { entity_type: string; entity_id: string }[];
  manifest?: { entity_type: string; entity_id: string }[];
  has_more: boolean;
  next_cursor: string;
  results?: Result[];
}

/** Sends what waits and takes what is new, once; true when there is more of either. */
async function round(me: Shift, device: Device): Promise<boolean> {
  const pushed: Act[] = [];
  let count = 0;
  const unsent = waiting.value.filter((one) => one.operations.length > 0);
  for (const one of unsent) {
    if (count + one.operations.length > PUSH_MAX && count > 0) break;
    pushed.push(one);
    count += one.operations.length;
  }
  const json = { "Content-Type": "application/json" };
  const body = JSON.stringify({ operations: pushed.flatMap((one) => one.operations), ...(device.cursor ? { cursor: device.cursor } : {}) });
  const answer =
    count > 0
      ? await callAsDevice(url("/sync/crdt/sync"), device.token, { method: "POST", headers: json, body, signal: me.gone })
      : await callAsDevice(url("/sync/crdt/pull", { cursor: device.cursor, limit: PAGE }), device.token, { signal: me.gone });
  const page = (await answer.json()) as Page;
  me.gone.throwIfAborted();
  await take(me, device, page, pushed);
  me.gone.throwIfAborted();
  // What was pushed and got no verdict is not pushed again at once: that would never end.
  const left = waiting.value.filter((one) => one.operations.length > 0).length;
  return page.has_more || (left > 0 && left < unsent.length);
}

/** Page, cursor and verdicts are kept in one transaction: after a crash either all of them are here or none. */
async function take(me: Shift, device: Device, page: Page, pushed: Act[]): Promise<void> {
  const before = new Map(kept.value.map((one) => [`${one.type}\n${one.id}`, one.row]));
  const verdicts = new Map((page.results ?? []).map((result) => [result.id, result]));
  const lives = page.manifest && new Set(page.manifest.map((one) => `${one.entity_type}\n${one.entity_id}`));
  const gone = page.deleted.map((one) => ({ type: one.entity_type, id: one.entity_id }));
  if (lives) gone.push(...kept.value.filter((one) => !lives.has(`${one.type}\n${one.id}`)));
  await transact(["acts", "entities", "facts"], (store) => {
    for (const state of page.states) {
      if (!KINDS.has(state.entity_type)) continue;
      const row = merged(before.get(`${state.entity_type}\n${state.entity_id}`) ?? {}, state.fields);
      store("entities").put({ user: me.id, type: state.entity_type, id: state.entity_id, row });
    }
    for (const one of gone) store("entities").delete([me.id, one.type, one.id]);
    for (const one of pushed) {
      const found = one.operations.flatMap((operation) => verdicts.get(operation.id) ?? []);
      if (found.length < one.operations.length) continue;
      const bad = found.find((result) => result.status === "rejected");
      const beside = found.find((result) => result.status === "merged");
      store("acts").put({ ...one, state: bad ? "refused" : "sent", said: bad?.detail ?? bad?.reason ?? beside?.reason ?? null });
    }
    device.cursor = page.next_cursor;
    device.heardAt = new Date().toISOString();
    return store("facts").put({ name: deviceFact(me.id), value: device });
  });
  await load();
}

/** Photos go as documents of their order, by the person's own token; the key makes each count once. */
async function sendDocuments(me: Shift): Promise<void> {
  for (const one of waiting.value.filter((act) => act.document !== null)) {
    let state: ActState = "sent";
    let said: string | null = null;
    try {
      await write("POST", "/docs/links", one.document, one.id, me.gone);
    } catch (error) {
      const isFinal = error instanceof Problem && error.status < 500 && ![401, 408, 429].includes(error.status);
      if (!isFinal) throw error;
      [state, said] = ["refused", error.message];
    }
    // The picture is with the server now: it need not be here twice.
    await transact(["acts"], (store) => store("acts").put({ ...one, state, said, document: state === "sent" ? null : one.document }));
    await load();
    me.gone.throwIfAborted();
  }
}

/** Whether a refusal says that this store has to be begun anew: the token or the cursor is no longer good. */
const isOver = (error: unknown): boolean => error instanceof Problem && (error.status === 401 || (error.status === 409 && (error.code ?? "").length > 0));

/** Sends what waits and takes what is new. One tab does it at a time. `join` makes this browser a tablet first, if it is none. */
export async function exchange(join = false): Promise<void> {
  if (!user.value) return;
  await navigator.locks.request(LOCK, async () => {
    // Whoever is here when it is this one's turn.
    if (!user.value) return;
    const me: Shift = { id: user.value.id, username: user.value.username, gone: leaving.signal };
    await load();
    if (me.gone.aborted || (!join && !isTablet.value && waiting.value.length === 0)) return;
    syncing.value = true;
    try {
      let device = (await fact<Device>(deviceFact(me.id))) ?? (await register(me, null));
      for (let fresh = false; ; ) {
        me.gone.throwIfAborted();
        try {
          if (!(await round(me, device))) break;
        } catch (error) {
          if (fresh || !isOver(error)) throw error;
          fresh = true;
          device = await register(me, device);
          await load();
        }
      }
      await sendDocuments(me);
      await trim();
      me.gone.throwIfAborted();
      trouble.value = null;
    } catch (error) {
      // What ended because its person went is no trouble of the next one.
      if (!me.gone.aborted) trouble.value = error instanceof Offline ? null : (error as Error).message;
    } finally {
      syncing.value = false;
    }
  });
}

async function trim(): Promise<void> {
  const old = acts.value.filter((one) => one.state === "sent").slice(0, -SENT_KEPT);
  if (old.length === 0) return;
  await transact(["acts"], (store) => {
    for (const one of old) store("acts").delete(one.order as number);
    return null;
  });
  await load();
}

/** Makes this browser a tablet of the person who is signed in, the first time with a network. */
export async function becomeTablet(): Promise<void> {
  const id = user.value?.id;
  const isHere = (): boolean => user.value?.id === id;
  if (heardAt.value === null) asked.value = false;
  try {
    await load();
    await exchange(true);
  } catch (error) {
    if (isHere()) trouble.value = error instanceof Offline ? null : (error as Error).message;
  } finally {
    if (isHere()) asked.value = true;
  }
}

/**
 * When somebody signed out, nothing is left that the next person could read, but what waits to be sent. An exchange that was
 * under way has ended by then, so it puts nothing back.
 */
async function leave(id: string): Promise<void> {
  await navigator.locks.request(LOCK, async () => {
    if (user.value?.id === id) return;
    const [everything, everyAct, device] = await Promise.all([all<Kept>("entities"), all<Act>("acts"), fact<Device>(deviceFact(id))]);
    await transact(["acts", "entities", "facts"], (store) => {
      for (const one of everything) if (one.user === id) store("entities").delete([one.user, one.type, one.id]);
      for (const one of everyAct) if (one.user === id && one.state === "sent") store("acts").delete(one.order as number);
      // The id stays, so that what waits is known again when it comes twice; the token does not.
      if (device) store("facts").put({ name: deviceFact(id), value: { ...device, token: "", cursor: null } });
      return null;
    });
  });
}

/** Exchanges whenever there may be something: with the network, with news, when the page is looked at, now and then. */
export function keepExchanging(): void {
  let before: string | null = null;
  effect(() => {
    const now = user.value?.id ?? null;
    const who = before;
    if (now === who) return;
    before = now;
    leaving.abort();
    leaving = new AbortController();
    clear();
    if (who !== null) void leave(who);
    void load().then(() => exchange());
  });
  effect(() => {
    if (pulse.value > 0) void exchange();
  });
  addEventListener("online", () => void exchange());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void exchange());
  setInterval(() => waiting.value.length > 0 && void exchange(), RETRY_MS);
}
