// The trail of everything: who did what, what it changed, and the proof that nobody changed the record since.
import { useState } from "preact/hooks";
import { download, seg } from "../core/api";
import type { LogEvent } from "../core/live";
import { useAsked } from "../core/query";
import { filters, href, setFilters } from "../core/route";
import { may } from "../core/session";
import { type Key, number, t, time, word } from "../i18n";
import { ProofBadge, ProveAll } from "../parts/proof";
import { Badge, Field, Grid, Page, Shown } from "../parts/ui";
import { Details, text } from "../parts/values";
import { PrintButton } from "../parts/exports";

interface EventsFound {
  events: LogEvent[];
  total?: number;
  next_cursor?: string | null;
}

const EXPORTS = ["csv", "jsonl", "html"] as const;
const PAGE = 50;
const THINGS = ["Vehicle", "WorkOrder", "MaintenanceTask", "Part", "StockMove", "PurchaseOrder", "Invoice", "Workshop", "Track", "Team", "Staff", "Document", "SyncSession", "SyncConflict", "User"];

/** Where an event's subject has a page of its own. */
export function Subject({ type, id }: { type: string; id: string }) {
  const name = `${word("thing", type)} ${id.length > 20 ? id.slice(0, 8) : id}`;
  if (type === "Vehicle") return <a href={href(["vehicle", id])}>{name}</a>;
  if (type === "WorkOrder") return <a href={href(["order", id])}>{name}</a>;
  return <>{name}</>;
}

/** Names of accounts, for those who may read them. */
export function useAccountNames(): (id: unknown) => string {
  const asked = useAsked<{ users?: { id: string; username: string }[] } | { id: string; username: string }[]>(may("FLEET_MANAGER") ? "/users" : null, {}, false);
  const list = Array.isArray(asked.value) ? asked.value : (asked.value?.users ?? []);
  const names = new Map(list.map((user) => [user.id, user.username]));
  return (id) => (typeof id === "string" ? (names.get(id) ?? id.slice(0, 8)) : "–");
}

export function Audit() {
  const nameOf = useAccountNames();
  const [error, setError] = useState<string | null>(null);
  const at = (name: string): string => filters.value.get(name) ?? "";
  const from = at("since") && `${at("since")}T00:00:00Z`;
  const to = at("until") && `${at("until")}T23:59:59Z`;
  const params = { aggregate_type: at("type"), aggregate_id: at("id"), event_type: at("event"), user_id: at("user") };
  const skip = Number(at("skip") || 0);
  const asked = useAsked<EventsFound>("/events", { ...params, since: from, until: to, order: "desc", limit: PAGE, skip: skip || undefined });
  const save = (format: string): void => {
    setError(null);
    download("/audit/trail", { ...params, from, to, format }, `audit.${format}`).catch((failure: Error) => setError(failure.message));
  };
  const set = (changes: Record<string, string>): void => setFilters({ ...changes, skip: "" });
  const words = (name: string, label: Key) => <Field label={t(label)}><input value={at(name)} onChange={(event) => set({ [name]: event.currentTarget.value.trim() })} /></Field>;
  const date = (name: string, label: Key) => <Field label={t(label)}><input type="date" value={at(name)} onChange={(event) => set({ [name]: event.currentTarget.value })} /></Field>;
  return (
    <Page title={t("page.audit")} lead={t("audit.lead")} actions={<>{EXPORTS.map((format) => <button type="button" onClick={() => save(format)}>{format.toUpperCase()}</button>)}<PrintButton /></>}>
      {error && <p class="failure" role="alert">{error}</p>}
      <Checkpoint />
      <div class="filters no-print">
        <Field label={t("audit.type")}>
          <select value={at("type")} onChange={(event) => set({ type: event.currentTarget.value, id: "" })}>
            <option value="">{t("filter.all")}</option>
            {[...new Set([...THINGS, ...(at("type") ? [at("type")] : [])])].map((name) => <option value={name}>{word("thing", name)}</option>)}
          </select>
        </Field>
        {words("id", "audit.id")}
        {words("event", "audit.event")}
        {words("user", "audit.user")}
        {date("since", "audit.since")}
        {date("until", "audit.until")}
      </div>
      {at("type") && at("id") && <VersionDiff type={at("type")} id={at("id")} />}
      <Shown asked={asked} isEmpty={(found) => found.events.length === 0} empty={t("audit.none")}>
        {(found) => (
          <>
            <ProveAll positions={found.events.map((event) => event.position)} />
            <Grid
              label={t("page.audit")}
              rows={found.events}
              keyOf={(event) => event.id}
              columns={[
                { name: t("audit.position"), cell: (event) => number(event.position), number: true },
                { name: t("history.when"), cell: (event) => time(event.occurred_at) },
                { name: t("audit.about"), cell: (event) => <><Subject type={event.aggregate_type} id={event.aggregate_id} /> <button type="button" class="quiet no-print" onClick={() => set({ type: event.aggregate_type, id: event.aggregate_id })}>{t("audit.narrow")}<span class="hidden"> {event.aggregate_id}</span></button></> },
                { name: t("history.what"), cell: (event) => word("event", event.event_type) },
                { name: t("audit.who"), cell: (event) => nameOf(event.metadata.user_id) },
                { name: t("history.details"), cell: (event) => <Details data={event.data} /> },
                { name: t("history.proof"), cell: (event) => <ProofBadge position={event.position} /> },
              ]}
            />
            <nav class="pages no-print" aria-label={t("pages.label")}>
              <button type="button" disabled={skip === 0} onClick={() => setFilters({ skip: String(Math.max(0, skip - PAGE) || "") })}>{t("pages.newer")}</button>
              <span>{t("pages.of", { from: number(skip + 1), to: number(skip + found.events.length), total: number(found.total ?? skip + found.events.length) })}</span>
              <button type="button" disabled={!found.next_cursor && found.events.length < PAGE} onClick={() => setFilters({ skip: String(skip + PAGE) })}>{t("pages.older")}</button>
            </nav>
          </>
        )}
      </Shown>
    </Page>
  );
}

interface Checkpoints {
  checkpoints: { tree_size: number; root_hash: string }[];
  total: number;
}

/** What the whole record was sealed with last: to be copied to where the log's keeper cannot write. */
function Checkpoint() {
  const asked = useAsked<Checkpoints>("/audit/checkpoints", {}, false);
  const last = asked.value?.checkpoints.at(-1);
  if (!last) return null;
  return (
    <p class="notice row">
      <span>{t("audit.checkpoint", { size: number(last.tree_size), count: number(asked.value?.total) })}</span> <code class="hash">{last.root_hash}</code>
      <button type="button" class="quiet no-print" onClick={() => void download("/audit/checkpoint", { format: "note" }, "checkpoint.txt")}>{t("audit.keep")}</button>
    </p>
  );
}

interface Diff {
  changes?: { field: string; old_value: unknown; new_value: unknown; changed_at: string | null }[];
}

/** What changed between two versions of one thing. */
function VersionDiff({ type, id }: { type: string; id: string }) {
  const known = useAsked<{ latest_version: number }>(`/events/${seg(id)}/version`, { aggregate_type: type });
  const newest = known.value?.latest_version ?? 2;
  const from = Number(filters.value.get("v1") ?? 1);
  const to = Number(filters.value.get("v2") ?? newest);
  const asked = useAsked<Diff>(`/audit/diff/${seg(id)}`, { aggregate_type: type, v1: from, v2: to }, false);
  const version = (name: string, label: Key, value: number) => (
    <Field label={t(label)}><input type="number" min={1} max={newest} value={value} onChange={(event) => setFilters({ [name]: event.currentTarget.value })} /></Field>
  );
  return (
    <section>
      <h2>{t("audit.diff")}</h2>
      <div class="filters no-print">
        {version("v1", "audit.from", from)}
        {version("v2", "audit.to", to)}
      </div>
      <Shown asked={asked} isEmpty={(found) => (found.changes ?? []).length === 0} empty={t("audit.same")}>
        {(found) => (
          <Grid
            label={t("audit.diff")}
            rows={found.changes ?? []}
            keyOf={(change) => change.field}
            columns={[
              { name: t("field"), cell: (change) => word("field", change.field) },
              { name: t("audit.before"), cell: (change) => text(change.old_value, change.field) },
              { name: t("audit.after"), cell: (change) => <Badge tone="none">{text(change.new_value, change.field)}</Badge> },
              { name: t("history.when"), cell: (change) => time(change.changed_at) },
            ]}
          />
        )}
      </Shown>
    </section>
  );
}
