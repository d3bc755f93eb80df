// What a page asks the server for, kept fresh while it is looked at.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, get, getWhole, type Params, Problem, url } from "./api";
import { pulse } from "./live";

/** A question without an answer for so long is taken for lost, and asked again when there is news. */
const PATIENCE_MS = 30_000;

interface State<T> {
  value: T | null;
  error: Error | null;
  loading: boolean;
  /** When the value was true, if it comes from this tablet's memory. */
  keptAt: Date | null;
}
export interface Asked<T> extends State<T> {
  again: () => void;
}

/**
 * The answer to `GET path`; asked anew when the parameters change, when events came, and when the tablet is back online.
 * A `null` path asks nothing. The last value stays until the next one is there, so nothing jumps.
 */
export function useAsked<T>(path: string | null, params: Params = {}, live = true): Asked<T> {
  return useAnswer(path, params, live, (path, abort) => get<T>(path, params, abort));
}

/** As [`useAsked`], for all rows of a list: they are there when the last one is ([`getWhole`] says what `name` is). */
export function useWhole<T>(path: string | null, params: Params = {}, live = true, name?: string): Asked<T[]> {
  return useAnswer(path, params, live, (path, abort) => getWhole<T>(path, params, abort, name));
}

function useAnswer<T>(path: string | null, params: Params, live: boolean, ask: (path: string, abort: AbortSignal) => Promise<Answer<T>>): Asked<T> {
  const [state, setState] = useState<State<T>>({ value: null, error: null, loading: path !== null, keptAt: null });
  const [turn, setTurn] = useState(0);
  const address = path === null ? null : url(path, params);
  const shown = useRef<string | null>(null);
  const beat = live ? pulse.value : 0;
  /** The beat that was heard last, since when a question is under way, and whether a beat came meanwhile. */
  const heard = useRef(beat);
  const askedAt = useRef<number | null>(null);
  const isBehind = useRef(false);

  useEffect(() => {
    const again = (): void => setTurn((turn) => turn + 1);
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);

  useEffect(() => {
    askedAt.current = null;
    if (path === null || address === null) {
      shown.current = null;
      setState({ value: null, error: null, loading: false, keptAt: null });
      return;
    }
    const abort = new AbortController();
    const sameAddress = shown.current === address;
    if (!sameAddress) setState((before) => ({ ...before, loading: true }));
    askedAt.current = Date.now();
    isBehind.current = false;
    const settled = (next: (before: State<T>) => State<T>): void => {
      askedAt.current = null;
      setState(next);
      if (isBehind.current) setTurn((turn) => turn + 1);
    };
    ask(path, abort.signal).then(
      ({ value, keptAt }) => {
        if (abort.signal.aborted) return;
        shown.current = address;
        settled(() => ({ value, error: null, loading: false, keptAt }));
      },
      (error: Error) => {
        if (abort.signal.aborted) return;
        settled((before) => ({ value: sameAddress ? before.value : null, error, loading: false, keptAt: before.keptAt }));
      },
    );
    return () => abort.abort();
  }, [address, turn]);

  // A question under way is not broken off for news: where news never ends, no answer that takes its time would ever come.
  useEffect(() => {
    if (heard.current === beat) return;
    heard.current = beat;
    if (askedAt.current !== null && Date.now() - askedAt.current < PATIENCE_MS) isBehind.current = true;
    else setTurn((turn) => turn + 1);
  }, [beat]);

  return { ...state, again: () => setTurn((turn) => turn + 1) };
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
