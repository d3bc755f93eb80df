// One vehicle: what it is, what it was on any day in both times, what befell it, what may befall it, and the proof.
import { useState } from "preact/hooks";
import { useAsked } from "../core/query";
import { filters, href, setFilters } from "../core/route";
import type { LogEvent } from "../core/live";
import { seg } from "../core/api";
import type { Vehicle, WorkOrder } from "../core/types";
import { day, number, t, time, word } from "../i18n";
import { Ago, Badge, Field, Grid, Page, Shown, toneOfStatus } from "../parts/ui";
import { ProofBadge } from "../parts/proof";

interface Snapshot {
  state: Record<string, unknown>;
  version: number;
  timestamp: string | null;
  event_count: number;
}

export function VehiclePage({ id }: { id: string }) {
  const asked = useAsked<Vehicle>(`/vehicles/${seg(id)}`);
  return (
    <Page
      title={id}
      lead={asked.value ? [asked.value.manufacturer, asked.value.model, asked.value.year].filter(Boolean).join(" · ") : undefined}
      actions={<button type="button" onClick={() => print()}>{t("action.print")}</button>}
    >
      <Shown asked={asked}>
        {(vehicle) => (
          <dl class="facts">
            <div><dt>{t("filter.status")}</dt><dd><Badge tone={toneOfStatus(vehicle.status)}>{word("status", vehicle.status)}</Badge></dd></div>
            <div><dt>{t("vehicle.mileage")}</dt><dd>{number(vehicle.current_mileage_km)} km</dd></div>
            <div><dt>{t("vehicle.hours")}</dt><dd>{number(vehicle.total_operating_hours)} h</dd></div>
            <div><dt>{t("vehicle.place")}</dt><dd>{vehicle.current_location ?? vehicle.home_depot ?? "–"}</dd></div>
            <div><dt>{t("vehicle.service")}</dt><dd>{day(vehicle.last_service_date)}</dd></div>
          </dl>
        )}
      </Shown>
      <Scrubber id={id} />
      <Risk id={id} />
      <Orders id={id} />
      <History id={id} />
    </Page>
  );
}

const DAY_MS = 86_400_000;

/** Any day in both times: what was true then, and what was known then. */
function Scrubber({ id }: { id: string }) {
  const first = useAsked<LogEvent[]>(`/events/Vehicle/${seg(id)}`, { limit: 1 }, false);
  const begin = first.value?.[0]?.occurred_at;
  const start = begin ? new Date(begin).getTime() : Date.now() - 365 * DAY_MS;
  const days = Math.max(1, Math.ceil((Date.now() - start) / DAY_MS));
  const at = filters.value.get("at") ?? "";
  const asOf = filters.value.get("as_of") ?? "";
  const then = useAsked<Snapshot>(at || asOf ? "/time-travel/state-at" : null, { aggregate_type: "Vehicle", aggregate_id: id, at: at && `${at}T23:59:59Z`, as_of: asOf && `${asOf}T23:59:59Z` }, false);
  const now = useAsked<Snapshot>("/time-travel/state-at", { aggregate_type: "Vehicle", aggregate_id: id });
  const position = at ? Math.round((new Date(at).getTime() - start) / DAY_MS) : days;
  return (
    <section>
      <h2>{t("scrub.title")}</h2>
      <div class="filters no-print">
        <Field label={t("scrub.slide")}>
          <input
            type="range"
            min={0}
            max={days}
            value={position}
            aria-valuetext={at ? day(at) : t("scrub.today")}
            onInput={(event) => {
              const chosen = event.currentTarget.valueAsNumber;
              setFilters({ at: chosen >= days ? "" : new Date(start + chosen * DAY_MS).toISOString().slice(0, 10) });
            }}
          />
        </Field>
        <Field label={t("scrub.at")}>
          <input type="date" value={at} onChange={(event) => setFilters({ at: event.currentTarget.value })} />
        </Field>
        <Field label={t("scrub.as-of")}>
          <input type="date" value={asOf} onChange={(event) => setFilters({ as_of: event.currentTarget.value })} />
        </Field>
        {(at || asOf) && <button type="button" class="quiet" onClick={() => setFilters({ at: "", as_of: "" })}>{t("scrub.today")}</button>}
      </div>
      <Shown asked={now}>
        {(current) => <Compare now={current.state} then={then.value?.state ?? null} when={at || asOf} />}
      </Shown>
      {then.error && <p class="notice warn" role="status">{then.error.message}</p>}
    </section>
  );
}

const HIDDEN = new Set(["id", "asset_id", "extra"]);

function text(value: unknown): string {
  if (value === undefined || value === null || value === "") return "–";
  if (typeof value === "number") return number(value, 2);
  if (typeof value === "string") return /^\d{4}-\d\d-\d\dT/.test(value) ? time(value) : value;
  return JSON.stringify(value);
}

function Compare({ now, then, when }: { now: Record<string, unknown>; then: Record<string, unknown> | null; when: string }) {
  const fields = [...new Set([...Object.keys(now), ...Object.keys(then ?? {})])].filter((name) => !HIDDEN.has(name) && !name.startsWith("_")).sort();
  return (
    <Grid
      label={t("scrub.title")}
      rows={fields}
      keyOf={(name) => name}
      columns={[
        { name: t("field"), cell: (name) => word("field", name) },
        ...(then ? [{ name: when ? day(when) : t("scrub.then"), cell: (name: string) => (text(then[name]) !== text(now[name]) ? <mark>{text(then[name])}</mark> : text(then[name])) }] : []),
        { name: t("scrub.today"), cell: (name) => text(now[name]) },
      ]}
    />
  );
}

interface Prediction {
  horizons?: { days: number; probability: number; low?: number | null; high?: number | null }[];
  risk_level?: string;
  reasons?: { text?: string; feature?: string; effect?: number }[];
  model_id?: string | null;
  rule_based?: boolean;
}

function Risk({ id }: { id: string }) {
  const asked = useAsked<Prediction>(`/ml/predict/maintenance/${seg(id)}`, {}, false);
  return (
    <section>
      <h2>{t("risk.title")}</h2>
      <Shown asked={asked}>
        {(found) => (
          <>
            {found.rule_based && <p class="notice">{t("risk.rule")}</p>}
            <dl class="facts">
              {(found.horizons ?? []).map((horizon) => (
                <div>
                  <dt>{t("risk.within", { days: horizon.days })}</dt>
                  <dd>{number(horizon.probability * 100, 0)} %{horizon.low != null && horizon.high != null && <span class="small"> ({number(horizon.low * 100)}–{number(horizon.high * 100)} %)</span>}</dd>
                </div>
              ))}
            </dl>
            <ul>{(found.reasons ?? []).slice(0, 5).map((reason) => <li>{reason.text ?? reason.feature}</li>)}</ul>
          </>
        )}
      </Shown>
    </section>
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
              { name: t("filter.status"), cell: (order) => <Badge tone={toneOfStatus(order.status)}>{word("order-status", order.status)}</Badge> },
              { name: t("order.priority"), cell: (order) => word("priority", order.priority) },
              { name: t("order.planned"), cell: (order) => day(order.scheduled_start) },
              { name: t("order.done"), cell: (order) => day(order.actual_end) },
            ]}
          />
        )}
      </Shown>
    </section>
  );
}

function History({ id }: { id: string }) {
  const [limit, setLimit] = useState(25);
  const asked = useAsked<LogEvent[]>(`/events/Vehicle/${seg(id)}`, { order: "desc", limit });
  return (
    <section>
      <h2>{t("history.title")}</h2>
      <Shown asked={asked} isEmpty={(found) => found.length === 0}>
        {(found) => (
          <>
            <Grid
              label={t("history.title")}
              rows={found}
              keyOf={(event) => event.id}
              columns={[
                { name: t("history.when"), cell: (event) => <Ago at={event.occurred_at} /> },
                { name: t("history.what"), cell: (event) => word("event", event.event_type) },
                { name: t("history.details"), cell: (event) => <Details data={event.data} /> },
                { name: t("history.known"), cell: (event) => time(event.recorded_at) },
                { name: t("history.proof"), cell: (event) => <ProofBadge position={event.position} /> },
              ]}
            />
            {found.length >= limit && <button type="button" class="no-print" onClick={() => setLimit(limit + 50)}>{t("action.more")}</button>}
          </>
        )}
      </Shown>
    </section>
  );
}

export function Details({ data }: { data: Record<string, unknown> }) {
  const shown = Object.entries(data).filter(([, value]) => value !== null && value !== "").slice(0, 6);
  return <>{shown.map(([name, value], index) => <span>{index > 0 && ", "}<span class="small">{word("field", name)}</span> {text(value)}</span>)}</>;
}
