// One vehicle: what it is, what it was on any day in both times, what befell it, what may befall it, and the proof.
import { useState } from "preact/hooks";
import { Timeline, type Span } from "../charts/timeline";
import { useAsked } from "../core/query";
import { filters, href, setFilters } from "../core/route";
import type { LogEvent } from "../core/live";
import { seg } from "../core/api";
import type { Vehicle, WorkOrder } from "../core/types";
import { date, day, number, t, time, word } from "../i18n";
import { Badge, Field, Grid, Page, Shown, toneOfStatus } from "../parts/ui";
import { ProofBadge, ProveAll } from "../parts/proof";
import { Details, text } from "../parts/values";
import { DataLinks, PrintButton } from "../parts/exports";
import { waitsForRelease } from "./release";
import { Risk } from "./risk";

interface Snapshot {
  state: Record<string, unknown>;
  version: number;
  timestamp: string | null;
  recorded_at: string | null;
  event_count: number;
}

export function VehiclePage({ id }: { id: string }) {
  const asked = useAsked<Vehicle>(`/vehicles/${seg(id)}`);
  return (
    <Page
      title={id}
      lead={asked.value ? [asked.value.manufacturer, asked.value.model, asked.value.year].filter(Boolean).join(" · ") : undefined}
      actions={<><a class="button" href={href(["record", id])}>{t("record.title")}</a><PrintButton /></>}
    >
      <Shown asked={asked}>
        {(vehicle) => (
          <dl class="facts">
            <div><dt>{t("filter.status")}</dt><dd><Badge tone={toneOfStatus(vehicle.status)}>{word("status", vehicle.status)}</Badge></dd></div>
            <div><dt>{t("vehicle.mileage")}</dt><dd>{number(vehicle.current_mileage_km)} km</dd></div>
            <div><dt>{t("vehicle.hours")}</dt><dd>{number(vehicle.total_operating_hours)} h</dd></div>
            <div><dt>{t("vehicle.place")}</dt><dd>{vehicle.current_location ?? vehicle.home_depot ?? "–"}</dd></div>
            <div><dt>{t("vehicle.service")}</dt><dd>{date(vehicle.last_service_date)}</dd></div>
            <div><dt>{t("vehicle.failures")}</dt><dd>{number(vehicle.incidents?.failures)} / {number(vehicle.incidents?.total)}</dd></div>
          </dl>
        )}
      </Shown>
      <Scrubber id={id} uuid={asked.value?.id} />
      <div class="halves">
        <Risk id={id} />
        <Orders id={id} />
      </div>
      <Incidents id={id} />
      <History id={id} />
    </Page>
  );
}

const DAY_MS = 86_400_000;
const iso = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** Any day in both times: what was true then, and what was known then. The address holds both. */
function Scrubber({ id, uuid }: { id: string; uuid: string | undefined }) {
  const of = { aggregate_type: "Vehicle", aggregate_id: id };
  const first = useAsked<LogEvent[]>(`/events/Vehicle/${seg(id)}`, { limit: 1 }, false);
  const changes = useAsked<{ events: LogEvent[] }>("/events", { ...of, event_type: "VehicleStatusChanged", limit: 500 });
  const incidents = useAsked<{ events: LogEvent[] }>("/events", { ...of, event_type: "VehicleIncidentReported", order: "desc", limit: 500 });
  const orders = useAsked<WorkOrder[]>(uuid ? "/maintenance/orders" : null, { vehicle_id: id, limit: 200 });
  const begin = first.value?.[0]?.occurred_at;
  const start = begin ? Math.floor(new Date(begin).getTime() / DAY_MS) * DAY_MS : Date.now() - 365 * DAY_MS;
  const end = Date.now();
  const days = Math.max(1, Math.floor((end - start) / DAY_MS));
  const at = filters.value.get("at") ?? "";
  const asOf = filters.value.get("as_of") ?? "";
  const then = useAsked<Snapshot>(at || asOf ? "/time-travel/state-at" : null, { ...of, at: at && `${at}T23:59:59Z`, as_of: asOf && `${asOf}T23:59:59Z` }, false);
  const now = useAsked<Snapshot>("/time-travel/state-at", of);
  const [onlyChanged, setOnlyChanged] = useState(false);
  const set = (name: string, chosen: number): void => setFilters({ [name]: chosen >= end - DAY_MS / 2 ? "" : iso(chosen) });
  const slider = (name: "at" | "as_of", value: string, label: string) => (
    <Field label={`${label}: ${value ? day(value) : t("scrub.today")}`}>
      <input
        type="range"
        min={0}
        max={days}
        value={value ? Math.round((new Date(value).getTime() - start) / DAY_MS) : days}
        aria-valuetext={value ? day(value) : t("scrub.today")}
        onInput={(event) => set(name, event.currentTarget.valueAsNumber >= days ? end : start + event.currentTarget.valueAsNumber * DAY_MS)}
      />
    </Field>
  );
  const date = (name: "at" | "as_of", value: string, label: string) => (
    <Field label={label}><input type="date" value={value} min={iso(start)} max={iso(end)} onChange={(event) => setFilters({ [name]: event.currentTarget.value })} /></Field>
  );
  const bands = bandsOf(first.value?.[0], changes.value?.events ?? [], end);
  return (
    <section>
      <h2>{t("scrub.title")}</h2>
      <Timeline
        title={t("timeline.title")}
        from={start}
        to={end}
        bands={bands}
        marks={(incidents.value?.events ?? []).map((event) => ({ at: new Date(event.occurred_at).getTime(), label: [word("fault", String(event.data.fault_group ?? event.data.fault_code ?? "")), event.data.delay_min !== undefined ? `${String(event.data.delay_min)} min` : ""].filter(Boolean).join(", "), isFailure: event.data.is_failure === true }))}
        orders={(orders.value ?? []).flatMap((order) => {
          const from = order.actual_start ?? order.scheduled_start;
          const to = order.actual_end ?? order.scheduled_end ?? from;
          return from && to ? [{ from: new Date(from).getTime(), to: new Date(to).getTime(), label: order.order_number, tone: "none" as const }] : [];
        })}
        at={at ? new Date(at).getTime() + DAY_MS / 2 : null}
        onPick={(chosen) => set("at", chosen)}
      />
      <div class="scrub no-print">
        {slider("at", at, t("scrub.at"))}
        {slider("as_of", asOf, t("scrub.as-of"))}
      </div>
      <div class="filters no-print">
        {date("at", at, t("scrub.at"))}
        {date("as_of", asOf, t("scrub.as-of"))}
        <label class="check"><input type="checkbox" checked={onlyChanged} onChange={(event) => setOnlyChanged(event.currentTarget.checked)} /> {t("scrub.only")}</label>
        {(at || asOf) && <button type="button" onClick={() => setFilters({ at: "", as_of: "" })}>{t("scrub.back")}</button>}
      </div>
      {(at || asOf) && <p class="small">{t("scrub.means", { at: at ? day(at) : t("scrub.today"), as_of: asOf ? day(asOf) : t("scrub.today") })} {then.value && t("scrub.version", { version: then.value.version, recorded: time(then.value.recorded_at) })}</p>}
      <Shown asked={then.value || !(at || asOf) ? now : then}>
        {(current) => <Compare now={now.value?.state ?? current.state} then={then.value?.state ?? null} when={at || asOf} onlyChanged={onlyChanged} />}
      </Shown>
    </section>
  );
}

/** Statuses as spans of time. */
function bandsOf(first: LogEvent | undefined, changes: LogEvent[], end: number): Span[] {
  if (!first) return [];
  const sorted = [...changes].sort((a, b) => a.occurred_at.localeCompare(b.occurred_at));
  const points = [{ at: first.occurred_at, status: String(first.data.status ?? sorted[0]?.data.old_status ?? "") }, ...sorted.map((event) => ({ at: event.occurred_at, status: String(event.data.new_status ?? "") }))];
  return points.map((point, index) => ({ from: new Date(point.at).getTime(), to: index + 1 < points.length ? new Date(points[index + 1]?.at ?? point.at).getTime() : end, label: word("status", point.status), tone: toneOfStatus(point.status) }));
}

const HIDDEN = new Set(["id", "asset_id"]);

function Compare({ now, then, when, onlyChanged }: { now: Record<string, unknown>; then: Record<string, unknown> | null; when: string; onlyChanged: boolean }) {
  const differs = (name: string): boolean => then !== null && text(then[name], name) !== text(now[name], name);
  const fields = [...new Set([...Object.keys(now), ...Object.keys(then ?? {})])].filter((name) => !HIDDEN.has(name) && !name.startsWith("_") && (!onlyChanged || differs(name))).sort();
  return (
    <Grid
      label={t("scrub.title")}
      rows={fields}
      keyOf={(name) => name}
      columns={[
        { name: t("field"), cell: (name) => word("field", name) },
        ...(then ? [{ name: when ? day(when) : t("scrub.then"), cell: (name: string) => (differs(name) ? <mark>{text(then[name], name)}</mark> : text(then[name], name)) }] : []),
        { name: t("scrub.today"), cell: (name) => text(now[name], name) },
      ]}
    />
  );
}

function Orders({ id }: { id: string }) {
  const asked = useAsked<WorkOrder[]>("/maintenance/orders", { vehicle_id: id, limit: 20 });
  return (
    <section>
      <h2>{t("orders.title")}</h2>
      <Shown asked={asked} isEmpty={(orders) => orders.length === 0} empty={t("orders.none")}>
        {(orders) => (
          <Grid
            label={t("orders.title")}
            rows={orders}
            keyOf={(order) => order.id}
            columns={[
              { name: t("order.number"), cell: (order) => <a href={href(["order", order.order_number])}>{order.order_number}</a> },
              { name: t("filter.status"), cell: (order) => <><Badge tone={toneOfStatus(order.status)}>{word("order-status", order.status)}</Badge> {waitsForRelease(order) && <Badge tone="warn">{t("order.waits")}</Badge>}</> },
              { name: t("order.what"), cell: (order) => order.work_description ?? "–" },
              { name: t("order.planned"), cell: (order) => day(order.scheduled_start) },
              { name: t("order.done"), cell: (order) => day(order.actual_end) },
            ]}
          />
        )}
      </Shown>
    </section>
  );
}

function Incidents({ id }: { id: string }) {
  const failures = filters.value.get("failures") === "1";
  const asked = useAsked<{ events: LogEvent[]; total: number }>("/events", { aggregate_type: "Vehicle", aggregate_id: id, event_type: "VehicleIncidentReported", order: "desc", limit: 200 });
  return (
    <section>
      <h2>{t("incidents.title")}</h2>
      <label class="check no-print"><input type="checkbox" checked={failures} onChange={(event) => setFilters({ failures: event.currentTarget.checked ? "1" : "" })} /> {t("incidents.failures")}</label>
      <Shown asked={asked} isEmpty={(found) => found.events.length === 0} empty={t("incidents.none")}>
        {(found) => {
          const rows = found.events.filter((event) => !failures || event.data.is_failure === true).slice(0, 15);
          return (
            <>
              <Grid
                label={t("incidents.title")}
                rows={rows}
                keyOf={(event) => event.id}
                columns={[
                  { name: t("history.when"), cell: (event) => time(event.occurred_at) },
                  { name: t("incidents.kind"), cell: (event) => <Badge tone={event.data.is_failure === true ? "bad" : "none"}>{t(event.data.is_failure === true ? "timeline.failure" : "incidents.other")}</Badge> },
                  { name: t("incidents.group"), cell: (event) => word("fault", event.data.fault_group as string) },
                  { name: t("incidents.code"), cell: (event) => String(event.data.fault_code ?? "–") },
                  { name: t("incidents.delay"), cell: (event) => number(event.data.delay_min as number), number: true },
                  { name: t("incidents.km"), cell: (event) => number(event.data.mileage_km as number), number: true },
                ]}
              />
              <DataLinks file={`incidents-${id}`} table={{ head: ["occurred_at", "is_failure", "fault_group", "fault_code", "delay_min", "mileage_km"], rows: found.events.map((event) => [event.occurred_at, String(event.data.is_failure ?? ""), (event.data.fault_group as string) ?? null, (event.data.fault_code as string) ?? null, (event.data.delay_min as number) ?? null, (event.data.mileage_km as number) ?? null]) }} />
            </>
          );
        }}
      </Shown>
    </section>
  );
}

function History({ id }: { id: string }) {
  const [limit, setLimit] = useState(15);
  const asked = useAsked<LogEvent[]>(`/events/Vehicle/${seg(id)}`, { order: "desc", limit });
  return (
    <section>
      <h2>{t("history.title")}</h2>
      <Shown asked={asked} isEmpty={(found) => found.length === 0}>
        {(found) => (
          <>
            <ProveAll positions={found.map((event) => event.position)} />
            <Grid
              label={t("history.title")}
              rows={found}
              keyOf={(event) => event.id}
              columns={[
                { name: t("history.when"), cell: (event) => time(event.occurred_at) },
                { name: t("history.known"), cell: (event) => time(event.recorded_at) },
                { name: t("history.what"), cell: (event) => word("event", event.event_type) },
                { name: t("history.details"), cell: (event) => <Details data={event.data} /> },
                { name: t("history.proof"), cell: (event) => <ProofBadge position={event.position} /> },
              ]}
            />
            <p class="row no-print">
              {found.length >= limit && <button type="button" onClick={() => setLimit(limit + 50)}>{t("action.more")}</button>}
              <a href={href(["audit"], { type: "Vehicle", id })}>{t("history.audit")}</a>
            </p>
          </>
        )}
      </Shown>
    </section>
  );
}
