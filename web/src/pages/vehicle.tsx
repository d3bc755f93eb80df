// One vehicle: what it is, what it was on any day in both times, what befell it, what may befall it, and the proof.
import { useState } from "preact/hooks";
import { Timeline, type Span } from "../charts/timeline";
import { seg } from "../core/api";
import type { LogEvent } from "../core/live";
import { type Asked, useAsked, useWhole } from "../core/query";
import { dayTo, filter, href, setFilters } from "../core/route";
import type { Vehicle, WorkOrder } from "../core/types";
import { date, day, DAY_MS, iso, number, t, time, word } from "../i18n";
import { told } from "../parts/events";
import { DataLinks, PrintButton } from "../parts/exports";
import { ProveAll } from "../parts/proof";
import { Badge, DayField, Fact, Field, Grid, Page, Shown, toneOfStatus } from "../parts/ui";
import { text } from "../parts/values";
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
  const incidents = useWhole<LogEvent>("/events", { aggregate_type: "Vehicle", aggregate_id: id, event_type: "VehicleIncidentReported" });
  const orders = useWhole<WorkOrder>("/maintenance/orders", { vehicle_id: id });
  return (
    <Page
      title={id}
      lead={asked.value ? [asked.value.manufacturer, asked.value.model, asked.value.year].filter(Boolean).join(" · ") : undefined}
      actions={<><a class="button" href={href(["record", id])}>{t("record.title")}</a><PrintButton /></>}
    >
      <Shown asked={asked}>
        {(vehicle) => (
          <dl class="facts">
            <Fact name={t("filter.status")}><Badge tone={toneOfStatus(vehicle.status)}>{word("status", vehicle.status)}</Badge></Fact>
            <Fact name={t("vehicle.mileage")}>{number(vehicle.current_mileage_km)} km</Fact>
            <Fact name={t("vehicle.hours")}>{number(vehicle.total_operating_hours)} h</Fact>
            <Fact name={t("vehicle.place")}>{vehicle.current_location ?? vehicle.home_depot ?? "–"}</Fact>
            <Fact name={t("vehicle.service")}>{date(vehicle.last_service_date)}</Fact>
            <Fact name={t("vehicle.failures")}>{number(vehicle.incidents?.failures)} / {number(vehicle.incidents?.total)}</Fact>
          </dl>
        )}
      </Shown>
      <Scrubber id={id} incidents={incidents.value ?? []} orders={orders.value ?? []} />
      <div class="halves">
        <Risk id={id} />
        <Orders asked={orders} />
      </div>
      <Incidents id={id} asked={incidents} />
      <History id={id} />
    </Page>
  );
}

/** Any day in both times: what was true then, and what was known then. The address holds both. */
function Scrubber({ id, incidents, orders }: { id: string; incidents: LogEvent[]; orders: WorkOrder[] }) {
  const of = { aggregate_type: "Vehicle", aggregate_id: id };
  const first = useAsked<LogEvent[]>(`/events/Vehicle/${seg(id)}`, { limit: 1 }, false);
  const changes = useWhole<LogEvent>("/events", { ...of, event_type: "VehicleStatusChanged" });
  const begin = first.value?.[0]?.occurred_at;
  const start = begin ? Math.floor(new Date(begin).getTime() / DAY_MS) * DAY_MS : Date.now() - 365 * DAY_MS;
  const end = Date.now();
  const days = Math.max(1, Math.floor((end - start) / DAY_MS));
  const at = filter("at");
  const asOf = filter("as_of");
  const then = useAsked<Snapshot>(at || asOf ? "/time-travel/state-at" : null, { ...of, at: dayTo("at"), as_of: dayTo("as_of") }, false);
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
  // Without all of the changes nothing is told of any of them.
  const bands = bandsOf(changes.value ? first.value?.[0] : undefined, changes.value ?? [], end);
  return (
    <section>
      <h2>{t("scrub.title")}</h2>
      <Timeline
        title={t("timeline.title")}
        from={start}
        to={end}
        bands={bands}
        marks={incidents.map((event) => ({ at: new Date(event.occurred_at).getTime(), label: [word("fault", String(event.data.fault_group ?? event.data.fault_code ?? "")), event.data.delay_min !== undefined ? `${String(event.data.delay_min)} min` : ""].filter(Boolean).join(", "), isFailure: event.data.is_failure === true }))}
        orders={orders.flatMap((order) => {
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
        <DayField name="at" label={t("scrub.at")} min={iso(start)} max={iso(end)} />
        <DayField name="as_of" label={t("scrub.as-of")} min={iso(start)} max={iso(end)} />
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

function Orders({ asked }: { asked: Asked<WorkOrder[]> }) {
  return (
    <section>
      <h2>{t("orders.title")}</h2>
      <Shown asked={asked} isEmpty={(orders) => orders.length === 0} empty={t("orders.none")}>
        {(orders) => (
          <Grid
            label={t("orders.title")}
            rows={orders}
            max={20}
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

function Incidents({ id, asked }: { id: string; asked: Asked<LogEvent[]> }) {
  const failures = filter("failures") === "1";
  return (
    <section>
      <h2>{t("incidents.title")}</h2>
      <label class="check no-print"><input type="checkbox" checked={failures} onChange={(event) => setFilters({ failures: event.currentTarget.checked ? "1" : "" })} /> {t("incidents.failures")}</label>
      <Shown asked={asked} isEmpty={(found) => found.length === 0} empty={t("incidents.none")}>
        {(found) => {
          const rows = found.filter((event) => !failures || event.data.is_failure === true);
          return (
            <>
              <Grid
                label={t("incidents.title")}
                rows={rows}
                max={15}
                keyOf={(event) => event.id}
                columns={[
                  ...told("when"),
                  { name: t("incidents.kind"), cell: (event) => <Badge tone={event.data.is_failure === true ? "bad" : "none"}>{t(event.data.is_failure === true ? "timeline.failure" : "incidents.other")}</Badge> },
                  { name: t("incidents.group"), cell: (event) => word("fault", event.data.fault_group as string) },
                  { name: t("incidents.code"), cell: (event) => String(event.data.fault_code ?? "–") },
                  { name: t("incidents.delay"), cell: (event) => number(event.data.delay_min as number), number: true },
                  { name: t("incidents.km"), cell: (event) => number(event.data.mileage_km as number), number: true },
                ]}
              />
              <DataLinks file={`incidents-${id}`} table={{ head: ["occurred_at", "is_failure", "fault_group", "fault_code", "delay_min", "mileage_km"], rows: found.map((event) => [event.occurred_at, String(event.data.is_failure ?? ""), (event.data.fault_group as string) ?? null, (event.data.fault_code as string) ?? null, (event.data.delay_min as number) ?? null, (event.data.mileage_km as number) ?? null]) }} />
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
              columns={[...told("when"), { name: t("history.known"), cell: (event) => time(event.recorded_at) }, ...told("what", "details", "proof")]}
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
