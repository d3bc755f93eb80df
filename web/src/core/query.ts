// What a page asks the server for, kept fresh while it is looked at.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, type Params, Problem, url } from "./api";
import { pulse } from "./live";

export interface Asked<T> {
  value: T | null;
  error: Error | null;
  loading: boolean;
  /** When the value was true, if it comes from this tablet's memory. */
  keptAt: Date | null;
  again: () => void;
}

/**
 * The answer to `GET path`; asked anew when the parameters change, when events came, and when the tablet is back online.
 * A `null` path asks nothing. The last value stays until the next one is there, so nothing jumps.
 */
export function useAsked<T>(path: string | null, params: Params = {}, live = true): Asked<T> {
  const [state, setState] = useState<Omit<Asked<T>, "again">>({ value: null, error: null, loading: path !== null, keptAt: null });
  const [turn, setTurn] = useState(0);
  const address = path === null ? null : url(path, params);
  const shown = useRef<string | null>(null);
  const beat = live ? pulse.value : 0;

  useEffect(() => {
    const again = (): void => setTurn((turn) => turn + 1);
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);

  useEffect(() => {
    if (path === null || address === null) {
      shown.current = null;
      setState({ value: null, error: null, loading: false, keptAt: null });
      return;
    }
    const abort = new AbortController();
    const sameAddress = shown.current === address;
    if (!sameAddress) setState((before) => ({ ...before, loading: true }));
    get<T>(path, params, abort.signal).then(
      ({ value, keptAt }) => {
        shown.current = address;
        setState({ value, error: null, loading: false, keptAt });
      },
      (error: Error) => {
        if (abort.signal.aborted) return;
        setState((before) => ({ value: sameAddress ? before.value : null, error, loading: false, keptAt: before.keptAt }));
      },
    );
    return () => abort.abort();
  }, [address, turn, beat]);

  return { ...state, again: () => setTurn((turn) => turn + 1) };
}

/** Whether the server does not know the path: it is older than this page, or the feature is switched off. */
export const isMissing = (error: Error | null): boolean => error instanceof Problem && error.status === 404;
