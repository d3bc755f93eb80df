// What happens now: the log's events as they are appended. `EventSource` cannot carry a token, so the stream is read by
// hand; after a break it goes on behind the last event that was seen.
import { effect, signal } from "@preact/signals";
import { call, oldestSeen } from "./api";
import { accessToken, user } from "./session";

export interface LogEvent {
  id: string;
  position: number;
  version: number;
  aggregate_type: string;
  aggregate_id: string;
  event_type: string;
  occurred_at: string;
  recorded_at: string;
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
}

/** Whether the stream stands. */
export const connected = signal(false);
/** The newest events, newest first, at most [`RECENT_MAX`]. */
export const recent = signal<LogEvent[]>([]);
/** Rises after events came; what pages show is asked for anew when it does. */
export const pulse = signal(0);

/** The same, at most every [`SLOW_PULSE_MS`], and no later than that after an event: for what takes many questions. */
export const slowPulse = signal(0);

const RECENT_MAX = 50;
const RETRY_MS_MAX = 30_000;
/** Events that come together make one pulse. */
const PULSE_MS = 1_500;
const SLOW_PULSE_MS = 30_000;

let last: string | null = null;
let pulsing = 0;
let following: AbortController | null = null;
let followedBy = user.value?.id;

// What one person saw goes when they do: the next one in this tab follows anew.
effect(() => {
  if (user.value?.id === followedBy) return;
  followedBy = user.value?.id;
  following?.abort();
  last = null;
  recent.value = [];
});

let slowAt = 0;
let slowing = 0;
effect(() => {
  if (pulse.value === 0) return;
  slowing ||= window.setTimeout(() => {
    slowing = 0;
    slowAt = Date.now();
    slowPulse.value += 1;
  }, Date.now() - slowAt < SLOW_PULSE_MS ? SLOW_PULSE_MS : 0);
});

function take(event: LogEvent): void {
  recent.value = [event, ...recent.value].slice(0, RECENT_MAX);
  pulsing ||= window.setTimeout(() => {
    pulsing = 0;
    pulse.value += 1;
  }, PULSE_MS);
}

/** Blocks of `name: value` lines, ended by an empty one. Blocks with a name of their own (`damaged`) are no events of the log. */
export function parse(text: string, found: (id: string | null, data: string) => void): string {
  let rest = text;
  for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
    let id: string | null = null;
    let named = false;
    const data: string[] = [];
    for (const line of rest.slice(0, end).split("\n")) {
      if (line.startsWith("id:")) id = line.slice(3).trim();
      else if (line.startsWith("event:")) named = true;
      else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
    }
    if (data.length > 0 && !named) found(id, data.join("\n"));
    rest = rest.slice(end + 2);
  }
  return rest;
}

async function follow(): Promise<void> {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  // The first time the stream begins where the page's own answers stood, so that nothing falls between them.
  const from = last ?? oldestSeen();
  if (from !== null) headers["Last-Event-ID"] = String(from);
  following = new AbortController();
  const answer = await call("/api/v1/events/stream", { headers, signal: following.signal });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  connected.value = true;
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer = parse((buffer + value).replaceAll("\r\n", "\n"), (id, data) => {
      if (id) last = id;
      try {
        const event = JSON.parse(data) as LogEvent;
        if (event.event_type) take(event);
      } catch {
        // Not an event of the log: a notice of the stream itself.
      }
    });
  }
}

/** Follows the log for as long as somebody is signed in. */
export async function followForEver(): Promise<void> {
  let wait = 1_000;
  for (;;) {
    if (accessToken()) {
      const began = Date.now();
      await follow().catch(() => {});
      connected.value = false;
      // What pages show is asked for anew, and so is known to be old where nobody answers.
      pulse.value += 1;
      wait = Date.now() - began > 60_000 ? 1_000 : Math.min(wait * 2, RETRY_MS_MAX);
    }
    await new Promise((resume) => setTimeout(resume, wait));
  }
}
