// Who is signed in. Tokens stay in this browser's storage, since a technician's tablet is reloaded without a network.
import { computed, signal } from "@preact/signals";

export interface User {
  id: string;
  username: string;
  email: string;
  role: Role;
}

export const ROLES = ["VIEWER", "TECHNICIAN", "DISPATCHER", "WORKSHOP_MANAGER", "FLEET_MANAGER", "SUPER_ADMIN"] as const;
export type Role = (typeof ROLES)[number];

interface Session {
  access: string;
  refresh: string;
  user: User;
}

const KEY = "railfleet.session";

function stored(): Session | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") as Session | null;
  } catch {
    return null;
  }
}

const session = signal<Session | null>(stored());
window.addEventListener("storage", (event) => {
  if (event.key === KEY) session.value = stored();
});

export const user = computed(() => session.value?.user ?? null);
export const accessToken = (): string | null => session.value?.access ?? null;

/** Whether the signed-in person's role reaches `least`. */
export const may = (least: Role): boolean =>
  user.value !== null && ROLES.indexOf(user.value.role) >= ROLES.indexOf(least);

function keep(next: Session | null): void {
  session.value = next;
  if (next) localStorage.setItem(KEY, JSON.stringify(next));
  else {
    localStorage.removeItem(KEY);
    // What was seen goes with the session, however it ended.
    navigator.serviceWorker?.controller?.postMessage("forget");
  }
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

/**
 * The server says no to what it was shown, which is another thing than that it cannot answer just now, or that somebody on
 * the way to it does not let the request through.
 */
class Denied extends Error {}

async function tokens(path: string, body: unknown): Promise<Tokens> {
  const answer = await fetch(`/api/v1/auth/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
    throw new (answer.status === 401 ? Denied : Error)(problem.detail ?? `${answer.status} ${answer.statusText}`);
  }
  return (await answer.json()) as Tokens;
}

export async function signIn(username: string, password: string): Promise<void> {
  const found = await tokens("login", { username, password });
  const me = await fetch("/api/v1/auth/me", { headers: { Authorization: `Bearer ${found.access_token}` } });
  if (!me.ok) throw new Error(`${me.status} ${me.statusText}`);
  keep({ access: found.access_token, refresh: found.refresh_token, user: (await me.json()) as User });
}

export function signOut(): void {
  const token = accessToken();
  if (token) void fetch("/api/v1/auth/logout", { method: "POST", headers: { Authorization: `Bearer ${token}` } }).catch(() => {});
  keep(null);
}

/** One tab at a time, where the browser can tell: over plain http it cannot. */
const alone = (work: () => Promise<boolean>): Promise<boolean> => (navigator.locks ? navigator.locks.request(KEY, work) : work());

let refreshing: Promise<boolean> | null = null;

/** Fetches new tokens, once for all who wait; false when there are none. */
export function refresh(): Promise<boolean> {
  const before = session.value;
  refreshing ??= alone(async () => {
    if (!before) return false;
    const isTheirs = (): boolean => session.value?.user.id === before.user.id;
    // Another tab was faster. A refresh token that comes twice was copied, for all that the server knows, and ends the session.
    const now = stored();
    if (now?.refresh !== before.refresh) {
      session.value = now;
      return isTheirs();
    }
    try {
      const found = await tokens("refresh", { refresh_token: before.refresh });
      if (!isTheirs()) return false;
      keep({ ...before, access: found.access_token, refresh: found.refresh_token });
      return true;
    } catch (error) {
      // Without a network, or when the server cannot answer, the session goes on; so does that of whoever signed in meanwhile.
      if (error instanceof Denied && isTheirs()) keep(null);
      return false;
    }
  }).finally(() => {
    refreshing = null;
  });
  return refreshing;
}
