// What the server knows of itself: the log, its tablets, and the trail of everything.
import { useState } from "preact/hooks";
import { call, download, Problem, seg, url } from "../core/api";
import { connected, type LogEvent } from "../core/live";
import { changes, clear, flush } from "../core/queue";
import { useAsked } from "../core/query";
import { filters, href, setFilters } from "../core/route";
import { may } from "../core/session";
import { type Key, number, t, time, word } from "../i18n";
import { Ago, Badge, Field, Grid, Page, Shown, type Tone } from "../parts/ui";
import { ProofBadge } from "../parts/proof";
import { Details } from "./vehicle";

interface EventsFound {
  events: LogEvent[];
  next_cursor?: string | null;
}

const EXPORTS = ["csv", "jsonl", "html"] as const;

export function Audit() {
  const at = (name: string): string => filters.value.get(name) ?? "";
  const params = { aggregate_type: at("type"), aggregate_id: at("id"), event_type: at("event"), user_id: at("user"), since: at("since") && `${at("since")}T00:00:00Z`, until: at("until") && `${at("until")}T23:59:59Z`, limit: 100 };
  const asked = useAsked<EventsFound>("/events", params);
  const words = (name: string, label: Key) => (
    <Field label={t(label)}><input value={at(name)} onChange={(event) => setFilters({ [name]: event.currentTarget.value })} /></Field>
  );
  const date = (name: string, label: Key) => (
    <Field label={t(label)}><input type="date" value={at(name)} onChange={(event) => setFilters({ [name]: event.currentTarget.value })} /></Field>
  );
  return (
    <Page
      title={t("page.audit")}
      lead={t("audit.lead")}
      actions={<>{EXPORTS.map((format) => <button type="button" onClick={() => void download("/audit/trail", { ...params, format }, `audit.${format}`)}>{format.toUpperCase()}</button>)}</>}
    >
      <div class="filters no-print">
        {words("type", "audit.type")}
        {words("id", "audit.id")}
        {words("event", "audit.event")}
        {words("user", "audit.user")}
        {date("since", "audit.since")}
        {date("until", "audit.until")}
      </div>
      {at("type") && at("id") && <VersionDiff type={at("type")} id={at("id")} />}
      <Shown asked={asked} isEmpty={(found) => found.events.length === 0} empty={t("audit.none")}>
        {(found) => (
          <Grid
            label={t("page.audit")}
            rows={found.events}
            keyOf={(event) => event.id}
            columns={[
              { name: t("audit.position"), cell: (event) => number(event.position), number: true },
              { name: t("history.when"), cell: (event) => time(event.occurred_at) },
              { name: t("audit.about"), cell: (event) => <button type="button" class="quiet" onClick={() => setFilters({ type: event.aggregate_type, id: event.aggregate_id })}>{event.aggregate_type} {event.aggregate_id}</button> },
              { name: t("history.what"), cell: (event) => word("event", event.event_type) },
              { name: t("audit.who"), cell: (event) => String(event.metadata.user_id ?? "–").slice(0, 36) },
              { name: t("history.details"), cell: (event) => <Details data={event.data} /> },
              { name: t("history.proof"), cell: (event) => <ProofBadge position={event.position} /> },
            ]}
          />
        )}
      </Shown>
    </Page>
  );
}

interface Diff {
  changes?: { field: string; old: unknown; new: unknown; change?: string }[];
}

/** What changed between two versions of one thing. */
function VersionDiff({ type, id }: { type: string; id: string }) {
  const [from, setFrom] = useState(1);
  const [to, setTo] = useState(2);
  const asked = useAsked<Diff>(`/audit/diff/${seg(id)}`, { aggregate_type: type, v1: from, v2: to }, false);
  return (
    <section>
      <h2>{t("audit.diff")}</h2>
      <div class="filters no-print">
        <Field label={t("audit.from")}><input type="number" min={0} value={from} onChange={(event) => setFrom(event.currentTarget.valueAsNumber)} /></Field>
        <Field label={t("audit.to")}><input type="number" min={0} value={to} onChange={(event) => setTo(event.currentTarget.valueAsNumber)} /></Field>
      </div>
      <Shown asked={asked} isEmpty={(found) => (found.changes ?? []).length === 0}>
        {(found) => (
          <Grid
            label={t("audit.diff")}
            rows={found.changes ?? []}
            keyOf={(change) => change.field}
            columns={[
              { name: t("field"), cell: (change) => word("field", change.field) },
              { name: t("audit.before"), cell: (change) => JSON.stringify(change.old) ?? "–" },
              { name: t("audit.after"), cell: (change) => JSON.stringify(change.new) ?? "–" },
            ]}
          />
        )}
      </Shown>
    </section>
  );
}

interface Device {
  device_id: string;
  device_name: string;
  device_type: string | null;
  is_active: boolean;
  last_sync_at: string | null;
  lag?: number | null;
}
interface Conflict {
  conflict_id: string;
  entity_type: string;
  entity_id: string;
  field_name: string;
  server_value: { value: unknown };
  client_value: { value: unknown };
}

export function Sync() {
  const devices = useAsked<{ devices: Device[] }>("/sync/devices");
  const conflicts = useAsked<Conflict[]>("/sync/conflicts");
  const [error, setError] = useState<string | null>(null);
  const resolve = async (conflict: Conflict, resolution: "server" | "client"): Promise<void> => {
    try {
      await call(url(`/sync/conflicts/${seg(conflict.conflict_id)}/resolve`), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ resolution }) });
      conflicts.again();
    } catch (failure) {
      setError((failure as Error).message);
    }
  };
  return (
    <Page title={t("page.sync")} lead={t("sync.lead")}>
      <section>
        <h2>{t("sync.here")}</h2>
        {changes.value.length === 0 ? (
          <p>{t("sync.nothing")}</p>
        ) : (
          <Grid
            label={t("sync.here")}
            rows={changes.value}
            keyOf={(change) => change.key}
            columns={[
              { name: t("sync.change"), cell: (change) => `${t(change.label as Key)} ${change.about}` },
              { name: t("sync.made"), cell: (change) => <Ago at={change.madeAt} /> },
              { name: t("filter.status"), cell: (change) => (change.refused === null ? <Badge tone="warn">{t("sync.waits")}</Badge> : <><Badge tone="bad">{t("sync.refused")}</Badge> {change.refused} <button type="button" class="quiet" onClick={() => void clear(change.key)}>{t("action.clear")}</button></>) },
            ]}
          />
        )}
        <button type="button" class="no-print" onClick={() => void flush()}>{t("sync.now")}</button>
      </section>
      <section>
        <h2>{t("sync.devices")}</h2>
        <Shown asked={devices} isEmpty={(found) => (found.devices ?? []).length === 0} empty={t("sync.devices.none")}>
          {(found) => (
            <Grid
              label={t("sync.devices")}
              rows={found.devices}
              keyOf={(device) => device.device_id}
              columns={[
                { name: t("sync.device"), cell: (device) => device.device_name ?? device.device_id },
                { name: t("plan.kind"), cell: (device) => device.device_type ?? "–" },
                { name: t("filter.status"), cell: (device) => <Badge tone={device.is_active ? "good" : "none"}>{device.is_active ? t("sync.active") : t("sync.revoked")}</Badge> },
                { name: t("sync.last"), cell: (device) => <Ago at={device.last_sync_at} /> },
                { name: t("sync.lag"), cell: (device) => number(device.lag), number: true },
              ]}
            />
          )}
        </Shown>
      </section>
      <section>
        <h2>{t("sync.conflicts")}</h2>
        {error && <p class="failure" role="alert">{error}</p>}
        <Shown asked={conflicts} isEmpty={(found) => found.length === 0} empty={t("sync.conflicts.none")}>
          {(found) => (
            <Grid
              label={t("sync.conflicts")}
              rows={found}
              keyOf={(conflict) => conflict.conflict_id}
              columns={[
                { name: t("audit.about"), cell: (conflict) => `${conflict.entity_type} ${conflict.entity_id}` },
                { name: t("field"), cell: (conflict) => word("field", conflict.field_name) },
                { name: t("sync.server"), cell: (conflict) => JSON.stringify(conflict.server_value?.value) },
                { name: t("sync.client"), cell: (conflict) => JSON.stringify(conflict.client_value?.value) },
                { name: "", cell: (conflict) => may("WORKSHOP_MANAGER") && (<><button type="button" onClick={() => void resolve(conflict, "server")}>{t("sync.keep-server")}</button> <button type="button" onClick={() => void resolve(conflict, "client")}>{t("sync.keep-client")}</button></>) },
              ]}
            />
          )}
        </Shown>
      </section>
    </Page>
  );
}

interface Health {
  status: string;
  [name: string]: unknown;
}
interface Projection {
  name: string;
  status: string;
  position: number;
  lag_events: number;
}

export function System() {
  const health = useAsked<Health>("/health");
  const projections = useAsked<{ projections: Projection[] }>("/projections");
  const [said, setSaid] = useState<string | null>(null);
  const backup = async (): Promise<void> => {
    try {
      await call(url("/operations/backups"), { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
      setSaid(t("system.backup.done"));
    } catch (failure) {
      setSaid(failure instanceof Problem ? failure.message : t("state.offline"));
    }
  };
  const tone: Tone = health.value?.status === "ok" || health.value?.status === "healthy" ? "good" : "bad";
  return (
    <Page title={t("page.system")} lead={t("system.lead")} actions={may("SUPER_ADMIN") && <button type="button" onClick={() => void backup()}>{t("system.backup")}</button>}>
      {said && <p class="notice" role="status">{said}</p>}
      <p class="row"><Badge tone={connected.value ? "good" : "bad"}>{connected.value ? t("system.live") : t("system.not-live")}</Badge></p>
      <section>
        <h2>{t("system.log")}</h2>
        <Shown asked={health}>
          {(found) => (
            <>
              <Badge tone={tone}>{found.status}</Badge>
              <dl class="facts">{Object.entries(found).filter(([name]) => name !== "status").map(([name, value]) => <div><dt>{word("health", name)}</dt><dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd></div>)}</dl>
            </>
          )}
        </Shown>
      </section>
      <section>
        <h2>{t("system.projections")}</h2>
        <Shown asked={projections}>
          {(found) => (
            <Grid
              label={t("system.projections")}
              rows={found.projections}
              keyOf={(one) => one.name}
              columns={[
                { name: t("part.name"), cell: (one) => <a href={`/api/v1/projections/${seg(one.name)}`}>{one.name}</a> },
                { name: t("filter.status"), cell: (one) => one.status },
                { name: t("audit.position"), cell: (one) => number(one.position), number: true },
                { name: t("sync.lag"), cell: (one) => number(one.lag_events), number: true },
              ]}
            />
          )}
        </Shown>
      </section>
      <p><a href={href(["audit"])}>{t("page.audit")}</a> · <a href="/docs" target="_blank" rel="noreferrer">API</a> · <a href="/metrics" target="_blank" rel="noreferrer">{t("system.metrics")}</a></p>
    </Page>
  );
}
