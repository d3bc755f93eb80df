// The trail of everything: who did what, what it changed, and the proof that nobody changed the record since.
import { download, seg } from "../core/api";
import type { LogEvent } from "../core/live";
import { useAsked } from "../core/query";
import { dayFrom, dayTo, filter, setFilters } from "../core/route";
import { type Key, number, t, time, word, words } from "../i18n";
import { Subject, told, useAccountNames } from "../parts/events";
import { PrintButton } from "../parts/exports";
import { ProveAll } from "../parts/proof";
import { Badge, DayField, Field, Grid, Page, Pages, Shown, useDoing } from "../parts/ui";
import { text } from "../parts/values";

interface EventsFound {
  events: LogEvent[];
  total: number;
  /** False where there are more than are counted. */
  total_exact: boolean;
  next_cursor: string | null;
}

const EXPORTS = ["csv", "jsonl", "html"] as const;
const PAGE = 50;

export function Audit() {
  const nameOf = useAccountNames();
  const { run, fault } = useDoing();
  const from = dayFrom("since");
  const to = dayTo("until");
  const type = filter("type");
  const id = filter("id");
  const params = { aggregate_type: type, aggregate_id: id, event_type: filter("event"), user_id: filter("user") };
  const skip = Number(filter("skip"));
  const asked = useAsked<EventsFound>("/events", { ...params, since: from, until: to, order: "desc", limit: PAGE, skip: skip || undefined });
  const save = (format: string): void => void run(() => download("/audit/trail", { ...params, from, to, format }, `audit.${format}`));
  const set = (changes: Record<string, string>): void => setFilters({ ...changes, skip: "" });
  const typedIn = (name: string, label: Key) => <Field label={t(label)}><input value={filter(name)} onChange={(event) => set({ [name]: event.currentTarget.value.trim() })} /></Field>;
  return (
    <Page title={t("page.audit")} lead={t("audit.lead")} actions={<>{EXPORTS.map((format) => <button type="button" onClick={() => save(format)}>{format.toUpperCase()}</button>)}<PrintButton /></>}>
      {fault}
      <Checkpoint />
      <div class="filters no-print">
        <Field label={t("audit.type")}>
          <select value={type} onChange={(event) => set({ type: event.currentTarget.value, id: "" })}>
            <option value="">{t("filter.all")}</option>
            {[...new Set([...words("thing"), ...(type ? [type] : [])])].map((name) => <option value={name}>{word("thing", name)}</option>)}
          </select>
        </Field>
        {typedIn("id", "audit.id")}
        {typedIn("event", "audit.event")}
        {typedIn("user", "audit.user")}
        <DayField name="since" label={t("audit.since")} />
        <DayField name="until" label={t("audit.until")} />
      </div>
      {type && id && <VersionDiff type={type} id={id} />}
      <Shown asked={asked} isEmpty={(found) => found.events.length === 0} empty={t("audit.none")}>
        {(found) => (
          <>
            <ProveAll positions={found.events.map((event) => event.position)} />
            <Grid
              label={t("page.audit")}
              rows={found.events}
              keyOf={(event) => event.id}
              columns={[
                ...told("position", "when"),
                { name: t("audit.about"), cell: (event) => <><Subject type={event.aggregate_type} id={event.aggregate_id} /> <button type="button" class="quiet no-print" onClick={() => set({ type: event.aggregate_type, id: event.aggregate_id })}>{t("audit.narrow")}<span class="hidden"> {event.aggregate_id}</span></button></> },
                ...told("what"),
                { name: t("audit.who"), cell: (event) => nameOf(event.metadata.user_id) },
                ...told("details", "proof"),
              ]}
            />
            <Pages size={PAGE} count={found.events.length} total={number(found.total) + (found.total_exact ? "" : "+")} isLast={!found.next_cursor} before="pages.newer" next="pages.older" />
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
  const { run, fault } = useDoing();
  const last = asked.value?.checkpoints.at(-1);
  if (!last) return null;
  return (
    <>
      <p class="notice row">
        <span>{t("audit.checkpoint", { size: number(last.tree_size), count: number(asked.value?.total) })}</span> <code class="hash">{last.root_hash}</code>
        <button type="button" class="quiet no-print" onClick={() => void run(() => download("/audit/checkpoint", { format: "note" }, "checkpoint.txt"))}>{t("audit.keep")}</button>
      </p>
      {fault}
    </>
  );
}

interface Diff {
  changes?: { field: string; old_value: unknown; new_value: unknown; changed_at: string | null }[];
}

/** What changed between two versions of one thing. */
function VersionDiff({ type, id }: { type: string; id: string }) {
  const known = useAsked<{ latest_version: number }>(`/events/${seg(id)}/version`, { aggregate_type: type });
  const newest = known.value?.latest_version ?? 2;
  const from = Number(filter("v1") || 1);
  const to = Number(filter("v2") || newest);
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
