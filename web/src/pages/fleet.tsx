// The fleet at a glance: is it healthy, what gets worse, what happened just now.
import { useMemo } from "preact/hooks";
import { HeatMap, Sparkline } from "../charts/svg";
import { type LogEvent, recent } from "../core/live";
import { useAsked } from "../core/query";
import { filters, href, setFilters } from "../core/route";
import type { Heat, Kpi, Kpis, Vehicle } from "../core/types";
import { type Key, number, t, word } from "../i18n";
import { Ago, Badge, Field, Grid, Page, Shown, toneOfStatus, type Tone } from "../parts/ui";

const TREND: Record<Kpi["trend"], Tone> = { improving: "good", declining: "bad", stable: "none", too_little_data: "none" };
/** Sign-ins and the like are the audit's, not the fleet's. */
const ofTheFleet = (event: LogEvent): boolean => event.aggregate_type !== "User";

/** The six numbers, in the order in which a manager asks. */
const SIX = ["availability", "mtbf", "mttrs", "pm_compliance", "overdue_safety_critical", "cost_per_km"];

export function Fleet() {
  const kpis = useAsked<Kpis>("/analytics/catalogue");
  const heat = useAsked<Heat>("/analytics/fleet/heatmap");
  return (
    <Page title={t("page.fleet")} lead={t("fleet.lead")}>
      <Shown asked={kpis}>
        {(found) => (
          <section aria-label={t("fleet.numbers")} class="tiles">
            {SIX.flatMap((key) => found.kpis.filter((kpi) => kpi.key === key)).map((kpi) => <KpiTile kpi={kpi} />)}
          </section>
        )}
      </Shown>
      <Shown asked={heat} isEmpty={(found) => found.rows.length === 0}>
        {(found) => (
          <HeatMap
            title={t("fleet.heat")}
            summary={t("fleet.heat.summary", { rows: found.rows.length, columns: found.cols.length })}
            file="fleet-heatmap"
            rows={found.rows}
            columns={found.cols}
            values={found.values}
            unit={found.unit}
            href={(row) => href(["vehicle", found.rows[row] ?? ""])}
          />
        )}
      </Shown>
      <div class="two">
        <VehicleList />
        <WhatChanged />
      </div>
    </Page>
  );
}

export function KpiTile({ kpi }: { kpi: Kpi }) {
  const name = t(`kpi.${kpi.key}` as Key);
  const interval = kpi.low !== null && kpi.high !== null ? `${number(kpi.low, 1)} – ${number(kpi.high, 1)}` : kpi.low !== null ? `> ${number(kpi.low, 1)}` : null;
  return (
    <article class="tile">
      <h2><a href={href(["drill", kpi.key])}>{name}</a></h2>
      <p class="figure">{kpi.value === null ? "–" : number(kpi.value, 1)} <span class="unit">{kpi.value === null ? "" : kpi.unit}</span></p>
      {kpi.value === null && <p class="small">{word("reason", kpi.reason)}</p>}
      {interval && <p class="small">{t("kpi.interval", { interval })}</p>}
      <Badge tone={TREND[kpi.trend]}>{t(`trend.${kpi.trend}` as Key)}</Badge>
      <Sparkline values={kpi.months} label={t("kpi.months", { name })} />
    </article>
  );
}

interface Vehicles {
  total: number;
  vehicles: Vehicle[];
}

const STATUSES = ["available", "in_service", "workshop_planned", "in_workshop", "out_of_service", "maintenance_due", "retired"];
const PAGE = 50;

function VehicleList() {
  const status = filters.value.get("status") ?? "";
  const search = filters.value.get("search") ?? "";
  const skip = Number(filters.value.get("skip") ?? 0);
  const asked = useAsked<Vehicles>("/vehicles", { status, search, skip, limit: PAGE });
  return (
    <section>
      <h2>{t("fleet.vehicles")}</h2>
      <div class="filters no-print">
        <Field label={t("filter.search")}>
          <input type="search" value={search} onChange={(event) => setFilters({ search: event.currentTarget.value, skip: "" })} />
        </Field>
        <Field label={t("filter.status")}>
          <select value={status} onChange={(event) => setFilters({ status: event.currentTarget.value, skip: "" })}>
            <option value="">{t("filter.all")}</option>
            {STATUSES.map((name) => <option value={name}>{word("status", name)}</option>)}
          </select>
        </Field>
      </div>
      <Shown asked={asked} isEmpty={(found) => found.vehicles.length === 0} empty={t("fleet.none")}>
        {(found) => (
          <>
            <Grid
              label={t("fleet.vehicles")}
              rows={found.vehicles}
              keyOf={(row) => row.asset_id}
              columns={[
                { name: t("vehicle.id"), cell: (row) => <a href={href(["vehicle", row.asset_id])}>{row.asset_id}</a> },
                { name: t("vehicle.model"), cell: (row) => row.model ?? "–" },
                { name: t("filter.status"), cell: (row) => <Badge tone={toneOfStatus(row.status)}>{word("status", row.status)}</Badge> },
                { name: "km", cell: (row) => number(row.current_mileage_km), number: true },
                { name: t("vehicle.place"), cell: (row) => row.current_location ?? row.home_depot ?? "–" },
              ]}
            />
            <nav class="pages no-print" aria-label={t("pages.label")}>
              <button type="button" disabled={skip === 0} onClick={() => setFilters({ skip: String(Math.max(0, skip - PAGE) || "") })}>{t("pages.before")}</button>
              <span>{t("pages.of", { from: skip + 1, to: skip + found.vehicles.length, total: found.total })}</span>
              <button type="button" disabled={skip + PAGE >= found.total} onClick={() => setFilters({ skip: String(skip + PAGE) })}>{t("pages.next")}</button>
            </nav>
          </>
        )}
      </Shown>
    </section>
  );
}

interface EventPage {
  events: LogEvent[];
}

function WhatChanged() {
  const asked = useAsked<EventPage>("/events", { limit: 50 });
  const fresh = recent.value;
  const events = useMemo(() => {
    const known = new Set(fresh.map((event) => event.id));
    return [...fresh, ...(asked.value?.events ?? []).filter((event) => !known.has(event.id))].filter(ofTheFleet).slice(0, 15);
  }, [fresh, asked.value]);
  return (
    <section aria-live="polite">
      <h2>{t("fleet.changed")}</h2>
      <Shown asked={asked} isEmpty={() => events.length === 0} empty={t("fleet.changed.none")}>
        {() => (
          <ol class="feed">
            {events.map((event) => (
              <li key={event.id}>
                <Ago at={event.occurred_at} />{" "}
                {event.aggregate_type === "Vehicle" ? <a href={href(["vehicle", event.aggregate_id])}>{event.aggregate_id}</a> : <span>{event.aggregate_type} {event.aggregate_id.slice(0, 12)}</span>}{" "}
                <strong>{word("event", event.event_type)}</strong>
              </li>
            ))}
          </ol>
        )}
      </Shown>
    </section>
  );
}
