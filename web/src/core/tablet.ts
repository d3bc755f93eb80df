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

const deviceFact = (): string => `device:${user.value?.id ?? ""}`;

async function load(): Promise<void> {
  const [everyAct, everything, device] = await Promise.all([all<Act>("acts"), all<Kept>("entities"), fact<Device>(deviceFact())]);
  acts.value = everyAct.filter((act) => act.user === user.value?.id);
  kept.value = everything.filter((one) => one.user === user.value?.id);
  isTablet.value = device !== null;
  heardAt.value = device?.heardAt ? new Date(device.heardAt) : null;
  isReady.value = true;
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

async function register(before: Device | null): Promise<Device> {
  const id = before?.id ?? `tablet-${crypto.randomUUID()}`;
  const platform = /\(([^;)]+)/.exec(navigator.userAgent)?.[1] ?? "browser";
  const body = { device_id: id, device_name: `${user.value?.username ?? ""}, ${platform}`.slice(0, 100), device_type: "tablet" };
  const { device_token } = await write<{ device_token: string }>("POST", "/sync/devices/register", body);
  const device: Device = { id, token: device_token, cursor: null, heardAt: null };
  const mine = user.value?.id;
  const old = (await all<Kept>("entities")).filter((one) => one.user === mine);
  // A device that registers begins a new store: what it held is pulled anew.
  await transact(["facts", "entities"], (store) => {
    for (const one of old) store("entities").delete([one.user, one.type, one.id]);
    return store("facts").put({ name: deviceFact(), value: device });
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
async function round(device: Device): Promise<boolean> {
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
      ? await callAsDevice(url("/sync/crdt/sync"), device.token, { method: "POST", headers: json, body })
      : await callAsDevice(url("/sync/crdt/pull", { cursor: device.cursor, limit: PAGE }), device.token);
  const page = (await answer.json()) as Page;
  await take(device, page, pushed);
  // What was pushed and got no verdict is not pushed again at once: that would never end.
  const left = waiting.value.filter((one) => one.operations.length > 0).length;
  return page.has_more || (left > 0 && left < unsent.length);
}

/** Page, cursor and verdicts are kept in one transaction: after a crash either all of them are here or none. */
async function take(device: Device, page: Page, pushed: Act[]): Promise<void> {
  const mine = user.value?.id ?? "";
  const before = new Map(kept.value.map((one) => [`${one.type}\n${one.id}`, one.row]));
  const verdicts = new Map((page.results ?? []).map((result) => [result.id, result]));
  const lives = page.manifest && new Set(page.manifest.map((one) => `${one.entity_type}\n${one.entity_id}`));
  await transact(["acts", "entities", "facts"], (store) => {
    for (const state of page.states) {
      if (!KINDS.has(state.entity_type)) continue;
      const row = merged(before.get(`${state.entity_type}\n${state.entity_id}`) ?? {}, state.fields);
      store("entities").put({ user: mine, type: state.entity_type, id: state.entity_id, row });
    }
    const gone = page.deleted.map((one) => ({ type: one.entity_type, id: one.entity_id }));
    if (lives) gone.push(...kept.value.filter((one) => !lives.has(`${one.type}\n${one.id}`)));
    for (const one of gone) store("entities").delete([mine, one.type, one.id]);
    for (const one of pushed) {
      const found = one.operations.flatMap((operation) => verdicts.get(operation.id) ?? []);
      if (found.length < one.operations.length) continue;
      const bad = found.find((result) => result.status === "rejected");
      const beside = found.find((result) => result.status === "merged");
      store("acts").put({ ...one, state: bad ? "refused" : "sent", said: bad?.detail ?? bad?.reason ?? beside?.reason ?? null });
    }
    device.cursor = page.next_cursor;
    device.heardAt = new Date().toISOString();
    return store("facts").put({ name: deviceFact(), value: device });
  });
  await load();
}

/** Photos go as documents of their order, by the person's own token; the key makes each count once. */
async function sendDocuments(): Promise<void> {
  for (const one of waiting.value.filter((act) => act.document !== null)) {
    let state: ActState = "sent";
    let said: string | null = null;
    try {
      await write("POST", "/docs/links", one.document, one.id);
    } catch (error) {
      const isFinal = error instanceof Problem && error.status < 500 && ![401, 408, 429].includes(error.status);
      if (!isFinal) throw error;
      [state, said] = ["refused", error.message];
    }
    // The picture is with the server now: it need not be here twice.
    await transact(["acts"], (store) => store("acts").put({ ...one, state, said, document: state === "sent" ? null : one.document }));
    await load();
  }
}

/** Whether a refusal says that this store has to be begun anew: the token or the cursor is no longer good. */
const isOver = (error: unknown): boolean => error instanceof Problem && (error.status === 401 || (error.status === 409 && (error.code ?? "").length > 0));

/** Sends what waits and takes what is new. One tab does it at a time. */
export async function exchange(): Promise<void> {
  if (!user.value) return;
  await navigator.locks.request("railfleet.tablet", async () => {
    await load();
    if (!isTablet.value && waiting.value.length === 0) return;
    syncing.value = true;
    try {
      let device = (await fact<Device>(deviceFact())) ?? (await register(null));
      for (let fresh = false; ; ) {
        try {
          if (!(await round(device))) break;
        } catch (error) {
          if (fresh || !isOver(error)) throw error;
          fresh = true;
          device = await register(device);
          await load();
        }
      }
      await sendDocuments();
      await trim();
      trouble.value = null;
    } catch (error) {
      trouble.value = error instanceof Offline ? null : (error as Error).message;
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
  if (heardAt.value === null) asked.value = false;
  try {
    await load();
    if (!isTablet.value && user.value) await register(null);
    await exchange();
  } catch (error) {
    trouble.value = error instanceof Offline ? null : (error as Error).message;
  } finally {
    asked.value = true;
  }
}

/** When somebody signed out, nothing is left that the next person could read, but what waits to be sent. */
async function leave(id: string): Promise<void> {
  const [everything, everyAct, device] = await Promise.all([all<Kept>("entities"), all<Act>("acts"), fact<Device>(`device:${id}`)]);
  await transact(["acts", "entities", "facts"], (store) => {
    for (const one of everything) if (one.user === id) store("entities").delete([one.user, one.type, one.id]);
    for (const one of everyAct) if (one.user === id && one.state === "sent") store("acts").delete(one.order as number);
    // The id stays, so that what waits is known again when it comes twice; the token does not.
    if (device) store("facts").put({ name: `device:${id}`, value: { ...device, token: "", cursor: null } });
    return null;
  });
}

/** Exchanges whenever there may be something: with the network, with news, when the page is looked at, now and then. */
export function keepExchanging(): void {
  let before: string | null = null;
  effect(() => {
    const now = user.value?.id ?? null;
    const who = before;
    before = now;
    const left = who !== null && who !== now ? leave(who) : Promise.resolve();
    void left.then(load).then(exchange);
  });
  effect(() => {
    if (pulse.value > 0) void exchange();
  });
  addEventListener("online", () => void exchange());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void exchange());
  setInterval(() => waiting.value.length > 0 && void exchange(), RETRY_MS);
}
