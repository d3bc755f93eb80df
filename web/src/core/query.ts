// What a page asks the server for, kept fresh while it is looked at.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, get, getWhole, type Params, Problem, url } from "./api";
import { pulse, slowPulse } from "./live";

/**
 * A question of which nothing was heard for so long is taken for lost, and asked again when there is news. The next one gets
 * twice as long, so that what takes its time is answered in the end.
 */
const PATIENCE_MS = 30_000;

interface State<T> {
  value: T | null;
  error: Error | null;
  /** When the value was true, if it comes from this tablet's memory. */
  keptAt: Date | null;
}
export interface Asked<T> extends State<T> {
  /** Whether there is neither a value nor an error yet. */
  loading: boolean;
  again: () => void;
}

/** Whether news have it asked anew, and how soon. */
type Live = boolean | "slowly";

const NOTHING = { value: null, error: null, keptAt: null };

/**
 * The answer to `GET path`; asked anew when the parameters change, when events came, and when the tablet is back online.
 * A `null` path asks nothing. The last value stays until the next one is there, so nothing jumps.
 */
export function useAsked<T>(path: string | null, params: Params = {}, live = true): Asked<T> {
  return useAnswer(path, params, live, (path, abort) => get<T>(path, params, abort));
}

/**
 * As [`useAsked`], for all rows of a list: they are there when the last one is ([`getWhole`] says what `name` is). `slowly` is
 * for what many look at all day: news have it asked anew once in a while.
 */
export function useWhole<T>(path: string | null, params: Params = {}, live: Live = true, name?: string): Asked<T[]> {
  return useAnswer(path, params, live, (path, abort, heard) => getWhole<T>(path, params, abort, name, heard));
}

/** `ask` says by `heard` that the answer is on its way: a list of many parts is not lost while they come. */
function useAnswer<T>(path: string | null, params: Params, live: Live, ask: (path: string, abort: AbortSignal, heard: () => void) => Promise<Answer<T>>): Asked<T> {
  const [state, setState] = useState<State<T>>(NOTHING);
  const [turn, setTurn] = useState(0);
  const address = path === null ? null : url(path, params);
  const shown = useRef<string | null>(null);
  const beat = live ? (live === "slowly" ? slowPulse : pulse).value : 0;
  const lastBeat = useRef(beat);
  /** When something was heard of the question under way, whether there was news since it was asked, and how long it may take. */
  const heardAt = useRef<number | null>(null);
  const isBehind = useRef(false);
  const patience = useRef(PATIENCE_MS);
  const askAnew = (): void => setTurn((turn) => turn + 1);
  // A question under way is not broken off for news: where news never ends, no answer that takes its time would ever come.
  const again = (): void => {
    if (heardAt.current !== null) {
      if (Date.now() - heardAt.current < patience.current) {
        isBehind.current = true;
        return;
      }
      patience.current *= 2;
    }
    askAnew();
  };

  useEffect(() => {
    addEventListener("online", askAnew);
    return () => removeEventListener("online", askAnew);
  }, []);

  useEffect(() => {
    heardAt.current = null;
    if (path === null || address === null) {
      shown.current = null;
      setState(NOTHING);
      return;
    }
    const abort = new AbortController();
    const sameAddress = shown.current === address;
    if (!sameAddress) setState((before) => ({ ...before, error: null }));
    const heard = (): void => {
      if (!abort.signal.aborted) heardAt.current = Date.now();
    };
    heard();
    isBehind.current = false;
    const settled = (next: (before: State<T>) => State<T>): void => {
      heardAt.current = null;
      patience.current = PATIENCE_MS;
      setState(next);
      if (isBehind.current) askAnew();
    };
    ask(path, abort.signal, heard).then(
      ({ value, keptAt }) => {
        if (abort.signal.aborted) return;
        shown.current = address;
        settled(() => ({ value, error: null, keptAt }));
      },
      (error: Error) => {
        if (abort.signal.aborted) return;
        settled((before) => ({ value: sameAddress ? before.value : null, error, keptAt: before.keptAt }));
      },
    );
    return () => abort.abort();
  }, [address, turn]);

  useEffect(() => {
    if (lastBeat.current === beat) return;
    lastBeat.current = beat;
    again();
  }, [beat]);

  return { ...state, loading: path !== null && state.value === null && state.error === null, again };
}

/**
 * Several answers as one, made by `join` once all of them are there. It is as old as the oldest of them, and when one of
 * them failed it did: what is missing or stale in one is missing or stale in what is concluded from all.
 */
export function together<T>(parts: Asked<unknown>[], join: () => T): Asked<T> {
  const missing = parts.filter((part) => part.value === null);
  const kept = parts.flatMap((part) => part.keptAt ?? []).sort((a, b) => a.getTime() - b.getTime());
  const failed = missing.find((part) => part.error !== null) ?? parts.find((part) => part.error !== null);
  return {
    value: missing.length > 0 ? null : join(),
    error: failed?.error ?? null,
    loading: missing.some((part) => part.loading),
    keptAt: kept[0] ?? null,
    again: () => parts.forEach((part) => part.again()),
  };
}

/** Whether what was answered may be old: it comes from this tablet's memory, or could not be asked anew. */
export const isStale = (asked: Asked<unknown>): boolean => asked.error !== null || asked.keptAt !== null;

/** Whether the server does not know the path: it is older than this page, or the feature is switched off. */
export const isMissing = (error: Error | null): boolean => error instanceof Problem && error.status === 404;
