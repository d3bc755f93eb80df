// The one way to the server: the public API, as anybody may call it.
import { accessToken, refresh } from "./session";

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
export class Offline extends Error {}

async function send(path: string, init: RequestInit, token: string | null): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Offline("the server was not reached");
  }
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  // What a proxy says whose server is gone.
  if (answer.status === 502 || answer.status === 504) throw new Offline("the server was not reached");
  const body = (await answer.json().catch(() => ({}))) as { title?: string; detail?: unknown; code?: string };
  const detail = typeof body.detail === "string" ? body.detail : answer.statusText;
  throw new Problem(answer.status, body.title ?? `${answer.status}`, detail, answer.headers.get("x-request-id"), body.code ?? null);
}

/** The answer to a request; a token that ran out is renewed once. */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  let answer = await send(path, init, accessToken());
  if (answer.status === 401 && (await refresh())) answer = await send(path, init, accessToken());
  return checked(answer);
}

/** The answer to a tablet's own request: by its token, and never by the person's. */
export async function callAsDevice(path: string, token: string, init: RequestInit = {}): Promise<Response> {
  return checked(await send(path, init, token));
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
  const position = (value as { position?: unknown } | null)?.position;
  if (!kept && typeof position === "number" && ABOUT_NOW.test(path)) oldest = Math.min(oldest ?? position, position);
  return { value, keptAt };
}

/** Sends a change. The key makes it count once, however often it is sent. */
export async function write<T>(method: string, path: string, body: unknown, key: string = crypto.randomUUID()): Promise<T> {
  const answer = await call(url(path), {
    method,
    headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    body: body === undefined ? null : JSON.stringify(body),
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
