// The fleet at a glance: is it healthy, what gets worse and where, what happened just now.
import { Bars, HeatMap, Scatter } from "../charts/svg";
import { type LogEvent, recent } from "../core/live";
import { useAsked, useWhole } from "../core/query";
import { filter, href, setFilters } from "../core/route";
import type { Heat, Kpis, Vehicle } from "../core/types";
import { number, t, word, words } from "../i18n";
import { Subject } from "../parts/events";
import { DataLinks, PrintButton, ServerTable } from "../parts/exports";
import { Ago, Badge, Field, Grid, Page, Pages, Shown, toneOfStatus } from "../parts/ui";
import { isOfSix, KpiTile, SixTiles, span, Window } from "./kpi";

/** Readings, sign-ins and the like come all the time and change nothing for a manager. */
const QUIET = new Set(["VehicleMileageUpdated", "VehicleOperatingHoursUpdated", "PredictionMade"]);
const QUIET_THINGS = new Set(["User", "Security", "Device", "SyncSession", "Prediction"]);
const isNews = (event: LogEvent): boolean => !QUIET.has(event.event_type) && !QUIET_THINGS.has(event.aggregate_type);

export function Fleet() {
  const kpis = useAsked<Kpis>("/analytics/catalogue", span());
  const heat = useAsked<Heat>("/analytics/fleet/heatmap");
  const vehicles = useWhole<Vehicle>("/vehicles", {}, "slowly");
  return (
    <Page title={t("page.fleet")} lead={t("fleet.lead")} actions={<PrintButton />}>
      <Window />
      <Shown asked={kpis}>
        {(found) => {
          const rest = found.kpis.filter((kpi) => !isOfSix(kpi));
          return (
            <>
              <SixTiles kpis={found.kpis} />
              <ServerTable path="/analytics/catalogue" params={span()} file="key-figures" />
              {rest.length > 0 && (
                <details class="more">
                  <summary>{t("fleet.more", { count: rest.length })}</summary>
                  <div class="tiles">{rest.map((kpi) => <KpiTile kpi={kpi} />)}</div>
                </details>
              )}
            </>
          );
        }}
      </Shown>
      <div class="two">
        <div>
          <Shown asked={heat} isEmpty={(found) => found.rows.length === 0}>
            {(found) => (
              <HeatMap
                title={t("fleet.heat")}
                summary={t("fleet.heat.summary", { rows: found.rows.length, columns: found.cols.length })}
                file="fleet-heatmap"
                rows={found.rows}
                columns={found.cols}
                values={found.values}
                unit={t("timeline.failures")}
                href={(row, column) => href(["drill", "failures"], { vehicle: found.rows[row] ?? "", since: found.edges[column] ?? "", until: found.edges[column + 1] ?? "" })}
                rowHref={(row) => href(["vehicle", found.rows[row] ?? ""])}
              />
            )}
          </Shown>
        </div>
        <WhatChanged />
      </div>
      <Shown asked={vehicles} isEmpty={(found) => found.length === 0} empty={t("fleet.none")}>{(found) => <Where vehicles={found} />}</Shown>
      <VehicleList />
    </Page>
  );
}

/** What fails, and on which vehicles: causes by number, and failures against kilometres. */
function Where({ vehicles }: { vehicles: Vehicle[] }) {
  const groups = new Map<string, number>();
  for (const vehicle of vehicles) {
    for (const [name, count] of Object.entries(vehicle.incidents?.by_group ?? {})) groups.set(name, (groups.get(name) ?? 0) + count);
  }
  const causes = [...groups].sort((a, b) => b[1] - a[1]).slice(0, 10);
  const all = causes.reduce((sum, [, count]) => sum + count, 0);
  if (causes.length === 0) return null;
  const dots = vehicles.filter((vehicle) => vehicle.current_mileage_km !== null).map((vehicle) => ({ label: vehicle.asset_id, x: (vehicle.current_mileage_km ?? 0) / 1_000, y: vehicle.incidents?.failures ?? 0, href: href(["vehicle", vehicle.asset_id]) }));
  // Where not all of them can be drawn, those that fail most are.
  dots.sort((a, b) => b.y - a.y);
  return (
    <div class="halves">
      <Bars
        title={t("fleet.causes")}
        summary={t("fleet.causes.summary", { first: word("fault", causes[0]?.[0]), share: number((100 * (causes[0]?.[1] ?? 0)) / Math.max(1, all)) })}
        file="causes"
        unit=""
        bars={causes.map(([name, count]) => ({ label: word("fault", name), value: count, href: href(["audit"], { type: "Vehicle", event: "VehicleIncidentReported" }) }))}
      />
      <Scatter title={t("fleet.scatter")} summary={t("fleet.scatter.summary")} file="km-failures" xLabel={t("fleet.scatter.x")} yLabel={t("timeline.failures")} dots={dots} />
    </div>
  );
}

interface Vehicles {
  total: number;
  vehicles: Vehicle[];
}

const PAGE = 25;

function VehicleList() {
  const status = filter("status");
  const search = filter("search");
  const skip = Number(filter("skip"));
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
            {words("status").map((name) => <option value={name}>{word("status", name)}</option>)}
          </select>
        </Field>
      </div>
      <Shown asked={asked} isEmpty={(found) => found.vehicles.length === 0} empty={t(status || search ? "fleet.no-match" : "fleet.none")}>
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
                { name: t("vehicle.failures"), cell: (row) => `${number(row.incidents?.failures)} / ${number(row.incidents?.total)}`, number: true },
                { name: "km", cell: (row) => number(row.current_mileage_km), number: true },
                { name: t("vehicle.place"), cell: (row) => row.current_location ?? row.home_depot ?? "–" },
              ]}
            />
            <Pages size={PAGE} count={found.vehicles.length} total={number(found.total)} isLast={skip + PAGE >= found.total} before="pages.before" next="pages.next" />
            <DataLinks file="vehicles" table={{ head: ["asset_id", "model", "status", "failures", "incidents", "km", "place"], rows: found.vehicles.map((row) => [row.asset_id, row.model, row.status, row.incidents?.failures ?? null, row.incidents?.total ?? null, row.current_mileage_km, row.current_location ?? row.home_depot]) }} />
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
  const asked = useAsked<EventPage>("/events", { order: "desc", limit: 200 });
  const fresh = recent.value;
  const known = new Set(fresh.map((event) => event.id));
  const events = [...fresh, ...(asked.value?.events ?? []).filter((event) => !known.has(event.id))].filter(isNews).slice(0, 12);
  return (
    <section aria-live="polite">
      <h2 class="first">{t("fleet.changed")}</h2>
      <Shown asked={asked} isEmpty={() => events.length === 0} empty={t("fleet.changed.none")}>
        {() => (
          <>
            <ol class="feed">
              {events.map((event) => (
                <li key={event.id}>
                  <strong>{word("event", event.event_type)}</strong>{" "}
                  <Subject type={event.aggregate_type} id={event.aggregate_id} />{" "}
                  <span class="small"><Ago at={event.occurred_at} /></span>
                </li>
              ))}
            </ol>
            <p class="no-print"><a href={href(["audit"])}>{t("fleet.changed.all")}</a></p>
          </>
        )}
      </Shown>
    </section>
  );
}
