// The small pieces of every page: headings, states of asking, tables, badges, dialogs.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Offline, Problem } from "../core/api";
import { type Asked, isMissing } from "../core/query";
import { relative, t, time } from "../i18n";

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

export interface Column<T> {
  name: string;
  cell: (row: T) => ComponentChildren;
  number?: boolean;
}

export function Grid<T>({ label, rows, columns, keyOf }: { label: string; rows: T[]; columns: Column<T>[]; keyOf: (row: T) => string }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>{columns.map((column) => <th scope="col" class={column.number ? "number" : ""}>{column.name}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column, index) =>
                index === 0 ? <th scope="row">{column.cell(row)}</th> : <td class={column.number ? "number" : ""}>{column.cell(row)}</td>,
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
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

export const toneOfStatus = (status: string | null | undefined): Tone =>
  status === "available" || status === "in_service" || status === "completed"
    ? "good"
    : status === "workshop_planned" || status === "maintenance_due" || status === "scheduled" || status === "in_progress"
      ? "warn"
      : status === "in_workshop" || status === "out_of_service" || status === "cancelled"
        ? "bad"
        : "none";

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

export function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}
