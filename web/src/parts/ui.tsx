// The small pieces of every page: headings, states of asking and doing, tables, badges, dialogs.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Offline, Problem } from "../core/api";
import { type Asked, isMissing } from "../core/query";
import { filter, setFilters } from "../core/route";
import { type Key, number, relative, t, time } from "../i18n";

export function Page({ title, lead, actions, children }: { title: string; lead?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · RailFleet`;
  }, [title]);
  return (
    <>
      <header class="page-head">
        <div>
          <h1>{title}</h1>
          {lead && <p class="lead">{lead}</p>}
        </div>
        {actions && <div class="actions no-print">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** What was asked for, or why it is not there: loading, refused, unreachable, unknown to this server, empty. */
export function Shown<T>({ asked, empty, isEmpty, children }: { asked: Asked<T>; empty?: ComponentChildren; isEmpty?: (value: T) => boolean; children: (value: T) => ComponentChildren }) {
  const { value, error, loading, keptAt } = asked;
  if (value === null && loading) return <div class="skeleton" role="status" aria-label={t("state.loading")} />;
  if (value === null) return <Failure error={error} again={asked.again} />;
  return (
    <>
      {keptAt && <p class="notice" role="status">{t("state.kept", { time: time(keptAt) })}</p>}
      {error && !keptAt && <p class="notice warn" role="status">{t("state.stale", { reason: error.message })}</p>}
      {isEmpty?.(value) ? <Empty>{empty ?? t("state.empty")}</Empty> : children(value)}
    </>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

function Failure({ error, again }: { error: Error | null; again: () => void }) {
  if (isMissing(error)) return <Empty>{t("state.missing")}</Empty>;
  const offline = error instanceof Offline;
  return (
    <div class="failure" role="alert">
      <strong>{offline ? t("state.offline") : error instanceof Problem ? error.title : t("state.failed")}</strong>
      <p>{offline ? t("state.offline.hint") : error?.message}</p>
      {error instanceof Problem && error.requestId && (
        <p>
          {t("state.request")} <code>{error.requestId}</code>{" "}
          <button type="button" class="quiet" onClick={() => void navigator.clipboard?.writeText(error.requestId ?? "")}>{t("action.copy")}</button>
        </p>
      )}
      <button type="button" onClick={again}>{t("action.again")}</button>
    </div>
  );
}

/** What went wrong is in sight, wherever on the page the hand was. */
const showLine = (line: HTMLElement | null): void => line?.scrollIntoView({ block: "nearest" });

/** Does what somebody asked for. `run` says whether it went well, `fault` what went wrong, where the page puts it, until `clear`. */
export function useDoing(): { run: (work: () => Promise<unknown>) => Promise<boolean>; fault: ComponentChildren; clear: () => void } {
  const [error, setError] = useState<string | null>(null);
  const clear = (): void => setError(null);
  const run = async (work: () => Promise<unknown>): Promise<boolean> => {
    clear();
    try {
      await work();
      return true;
    } catch (failure) {
      setError(failure instanceof Offline ? t("state.offline.now") : (failure as Error).message || t("state.failed"));
      return false;
    }
  };
  return { run, clear, fault: error && <p class="failure" role="alert" ref={showLine}>{error}</p> };
}

export interface Column<T> {
  name: string;
  cell: (row: T) => ComponentChildren;
  number?: boolean;
}

/** Rows that a page can be drawn with at once. */
const ROWS_SHOWN = 1_000;

/** A table. Of more rows than `max` the first are shown, with how many there are, and the next when they are asked for. */
export function Grid<T>({ label, rows, columns, keyOf, max = ROWS_SHOWN }: { label: string; rows: T[]; columns: Column<T>[]; keyOf: (row: T) => string; max?: number }) {
  const [shown, setShown] = useState(max);
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={label}>
        <table>
          <thead>
            <tr>{columns.map((column) => <th scope="col" class={column.number ? "number" : ""}>{column.name}</th>)}</tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column, index) =>
                  index === 0 ? <th scope="row">{column.cell(row)}</th> : <td class={column.number ? "number" : ""}>{column.cell(row)}</td>,
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More shown={shown} step={max} count={rows.length} onMore={setShown} />
    </>
  );
}

/** Under a list: how much of it is shown, and the button for `step` more; nothing where all of it is. */
export function More({ shown, step, count, onMore }: { shown: number; step: number; count: number; onMore: (shown: number) => void }) {
  if (shown >= count) return null;
  const more = (button: HTMLElement): void => {
    onMore(shown + step);
    // The button goes with the last rows; whoever pressed it stays at the list.
    if (shown + step >= count) (button.parentElement?.previousElementSibling as HTMLElement | null)?.focus({ preventScroll: true });
  };
  return (
    <p class="row">
      <span role="status">{t("pages.of", { from: 1, to: number(shown), total: number(count) })}</span>
      <button type="button" onClick={(event) => more(event.currentTarget)}>{t("action.more")}</button>
    </p>
  );
}

/** The way through a list that the server gives in pages of `size`; where a page begins stands in the address. */
export function Pages({ size, count, total, isLast, before, next }: { size: number; count: number; total: string; isLast: boolean; before: Key; next: Key }) {
  const skip = Number(filter("skip"));
  return (
    <nav class="pages no-print" aria-label={t("pages.label")}>
      <button type="button" disabled={skip === 0} onClick={() => setFilters({ skip: String(Math.max(0, skip - size) || "") })}>{t(before)}</button>
      <span>{t("pages.of", { from: number(skip + 1), to: number(skip + count), total })}</span>
      <button type="button" disabled={isLast} onClick={() => setFilters({ skip: String(skip + size) })}>{t(next)}</button>
    </nav>
  );
}

/** One of a list's facts, in a `dl`. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

export type Tone = "good" | "warn" | "bad" | "none";
const MARKS: Record<Tone, string> = { good: "●", warn: "▲", bad: "■", none: "○" };

/** A word with a mark: the shape says what the colour says. */
export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{MARKS[tone]}</span> {children}
    </span>
  );
}

const TONES: Record<string, Tone> = {
  available: "good",
  in_service: "good",
  completed: "good",
  workshop_planned: "warn",
  maintenance_due: "warn",
  scheduled: "warn",
  in_progress: "warn",
  in_workshop: "bad",
  out_of_service: "bad",
  cancelled: "bad",
};
export const toneOfStatus = (status: string): Tone => TONES[status] ?? "none";

export function Ago({ at }: { at: string | null | undefined }) {
  return at ? <time dateTime={at} title={time(at)}>{relative(at)}</time> : <>–</>;
}

/** A dialog over the page; Escape and the button close it, the focus goes back. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current;
    const before = document.activeElement as HTMLElement | null;
    dialog?.showModal();
    return () => before?.focus();
  }, []);
  return (
    <dialog ref={place} aria-label={title} onCancel={onClose}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="quiet" onClick={onClose}>{t("action.close")}</button>
      </header>
      {children}
    </dialog>
  );
}

/** A day in the address, under `name`. */
export function DayField({ name, label, min, max }: { name: string; label: string; min?: string; max?: string }) {
  return <Field label={label}><input type="date" value={filter(name)} min={min} max={max} onChange={(event) => setFilters({ [name]: event.currentTarget.value, skip: "" })} /></Field>;
}

export function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}
