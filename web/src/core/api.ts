// The one way to the server: the public API, as anybody may call it.
import { t } from "../i18n";
import { accessToken, refresh, user } from "./session";

/** What the server refused, and why. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    readonly requestId: string | null,
    /** The API's own word for it, where it has one (`token_expired`). */
    readonly code: string | null = null,
  ) {
    super(detail);
  }
}

/** The server was not reached. */
export class Offline extends Error {
  constructor() {
    super(t("state.offline"));
  }
}

async function send(path: string, init: RequestInit, token: string | null): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Offline();
  }
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  // What a proxy says whose server is gone.
  if (answer.status === 502 || answer.status === 504) throw new Offline();
  const body = (await answer.json().catch(() => ({}))) as { title?: string; detail?: unknown; code?: string };
  const detail = typeof body.detail === "string" ? body.detail : answer.statusText;
  throw new Problem(answer.status, body.title ?? `${answer.status}`, detail, answer.headers.get("x-request-id"), body.code ?? null);
}

/** The answer to a request; a token that ran out is renewed once. */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const who = user.value?.id;
  let answer = await send(path, init, accessToken());
  // Sent again only for the one who asked: with another person's token it would be theirs.
  if (answer.status === 401 && user.value?.id === who && (await refresh())) answer = await send(path, init, accessToken());
  return checked(answer);
}

/** The answer to a tablet's own request: by its token, and never by the person's; of the server, and never of this browser's memory. */
export async function callAsDevice(path: string, token: string, init: RequestInit = {}): Promise<Response> {
  const answer = await checked(await send(path, init, token));
  if (answer.headers.has("x-kept-at")) throw new Offline();
  return answer;
}

export type Params = Record<string, string | number | boolean | undefined | null>;

/** `/api/v1` and the path with its parameters; parts of the path are escaped by [`seg`]. */
export function url(path: string, params: Params = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

/** A part of a path. */
export const seg = (text: string): string => encodeURIComponent(text);

export interface Answer<T> {
  value: T;
  /** When it was true, if it comes from this tablet's memory and not from the server. */
  keptAt: Date | null;
  /** Where a list goes on; null at its end, and for what is no list. */
  next: string | null;
}

/** The lowest position of the log at which an answer about now stood: whoever follows the log from here misses nothing. */
let oldest: number | null = null;
/** Lists that stand at the log's head; others speak of earlier positions too. */
const ABOUT_NOW = /^\/(vehicles|parts|tracks|sync\/devices|analytics\/catalogue)$/;
export const oldestSeen = (): number | null => oldest;

export async function get<T>(path: string, params: Params = {}, abort?: AbortSignal): Promise<Answer<T>> {
  const answer = await call(url(path, params), abort ? { signal: abort } : {});
  const kept = answer.headers.get("x-kept-at");
  const keptAt = kept ? new Date(kept) : null;
  const value = (await answer.json()) as T;
  const { position, next_cursor } = (value ?? {}) as { position?: unknown; next_cursor?: unknown };
  if (!kept && typeof position === "number" && ABOUT_NOW.test(path)) oldest = Math.min(oldest ?? position, position);
  const next = answer.headers.get("x-next-cursor") ?? (typeof next_cursor === "string" ? next_cursor : null);
  return { value, keptAt, next };
}

/** Rows of one question about a list that is wanted whole: a server that is set to answer fewer is asked for what each answers. */
const WHOLE_PAGE = 500;
const WHOLE_PAGE_MIN = 100;
/** Questions that a whole list may take. */
const WHOLE_PAGES_MAX = 200;

/**
 * All rows of a list, however many questions that takes: an array, or what an object has under the last word of its path
 * (`/vehicles`) or under `name`. A part of a list is never given for the whole: when one question fails, all have. `heard` is
 * called with every part that comes.
 */
export async function getWhole<T>(path: string, params: Params = {}, abort?: AbortSignal, name = path.slice(path.lastIndexOf("/") + 1), heard?: () => void): Promise<Answer<T[]>> {
  const rows: T[] = [];
  let keptAt: Date | null = null;
  let cursor: string | null = null;
  let limit = WHOLE_PAGE;
  for (let page = 0; page < WHOLE_PAGES_MAX; page += 1) {
    const ask = (): Promise<Answer<T[] | Record<string, T[]>>> => get(path, { limit, ...params, cursor }, abort);
    const part = await ask().catch((error: unknown) => {
      if (!(error instanceof Problem) || error.status !== 422 || limit === WHOLE_PAGE_MIN) throw error;
      limit = WHOLE_PAGE_MIN;
      return ask();
    });
    heard?.();
    rows.push(...(Array.isArray(part.value) ? part.value : (part.value[name] as T[])));
    // The whole is as old as its oldest part.
    if (part.keptAt && (keptAt === null || part.keptAt < keptAt)) keptAt = part.keptAt;
    cursor = part.next;
    if (cursor === null) return { value: rows, keptAt, next: null };
  }
  throw new Error(t("state.too-long"));
}

/** Sends a change. The key makes it count once, however often it is sent. */
export async function write<T>(method: string, path: string, body: unknown, key: string = crypto.randomUUID(), abort?: AbortSignal): Promise<T> {
  const answer = await call(url(path), {
    method,
    headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    body: body === undefined ? null : JSON.stringify(body),
    ...(abort ? { signal: abort } : {}),
  });
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Saves an answer of the server as a file. */
export async function download(path: string, params: Params, name: string): Promise<void> {
  const answer = await call(url(path, params));
  saveBlob(await answer.blob(), name);
}

export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
