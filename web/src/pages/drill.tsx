// The events that make a number, so that the number can be checked: each with what it adds, and with its proof.
import { useState } from "preact/hooks";
import { LineChart } from "../charts/line";
import { Histogram } from "../charts/svg";
import { get, type Params } from "../core/api";
import type { LogEvent } from "../core/live";
import { useAsked } from "../core/query";
import { filter, setFilters } from "../core/route";
import type { Kpi, Kpis, Series } from "../core/types";
import { number, t, word } from "../i18n";
import { told } from "../parts/events";
import { PrintButton, ServerTable } from "../parts/exports";
import { Field, Grid, Page, Shown, useDoing } from "../parts/ui";
import { daysOf, digits, kpiName, KpiTile, span, Window } from "./kpi";

type Counted = LogEvent & { amount: number };
interface Drilled {
  numerator: Counted[];
  denominator: Counted[];
  numerator_events: number;
  denominator_events: number;
  position: number;
}
type Side = "numerator" | "denominator";

const PAGE = 50;
/** Events that are asked for when more are wanted. */
const MORE = 500;
/** Sums are whole numbers of the smallest unit: microseconds, and hundredths of a euro. */
const HOUR = 3_600_000_000;
const IN_TIME: Record<Side, Set<string>> = {
  numerator: new Set(["availability", "availability_restoration", "availability_inherent", "utilisation", "mtbf", "mttr", "mttrs", "mtbm", "planned_share", "wrench_time", "order_age", "cycle_time"]),
  denominator: new Set(["availability", "availability_restoration", "availability_inherent", "utilisation", "planned_share", "wrench_time"]),
};
const IN_MONEY = new Set(["maintenance_cost", "cost_per_km", "inventory_turns", "life_cycle_cost"]);
/** Figures whose amounts are one each for a repair or an order, so that it says something how they lie. */
const SPREAD = new Set(["mttr", "mttrs", "cycle_time", "order_age", "maintenance_cost"]);

interface Distribution {
  unit: string;
  count: number;
  edges: number[];
  counts: number[];
  overflow: number;
  p50: number | null;
  p90: number | null;
  p99: number | null;
}

/** How the amounts of the figure lie: its mean hides a long tail. */
function Spread({ metric, params }: { metric: string; params: Params }) {
  const asked = useAsked<Distribution>(`/analytics/distribution/${metric}`, params);
  return (
    <Shown asked={asked} isEmpty={(found) => found.counts.length === 0}>
      {(found) => {
        const said = (value: number | null): string => number(value, digits(value));
        return <Histogram title={t("drill.spread")} summary={t("drill.spread.summary", { p50: said(found.p50), p90: said(found.p90), p99: said(found.p99), unit: word("unit", found.unit), over: number(found.overflow) })} file={`${metric}-spread`} edges={found.edges} counts={found.counts} unit={word("unit", found.unit)} />;
      }}
    </Shown>
  );
}

/** An amount as its unit: hours, euros, or a plain count. */
function amount(metric: string, side: Side, value: number): string {
  if (IN_TIME[side].has(metric)) return `${number(value / HOUR, digits(value / HOUR))} h`;
  if (side === "numerator" && IN_MONEY.has(metric)) return `${number(value / 100, 2)} EUR`;
  return number(value, 2);
}

export function Drill({ id: metric }: { id: string }) {
  const vehicle = filter("vehicle");
  const params: Params = { ...span(), vehicle_id: vehicle };
  const kpis = useAsked<Kpis>("/analytics/catalogue", params);
  const series = useAsked<Series>(`/analytics/timeseries/${metric}`, { interval: "month", vehicle_id: vehicle });
  const asked = useAsked<Drilled>(`/analytics/drilldown/${metric}`, { ...params, limit: PAGE });
  const kpi: (Kpi & { text?: string }) | undefined = kpis.value?.kpis.find((one) => one.key === metric);
  const name = kpiName(metric);
  return (
    <Page
      title={name}
      lead={kpi && <>{kpi.text && <>{kpi.text}<br /></>}{t("drill.lead", { numerator: amount(metric, "numerator", kpi.numerator), denominator: amount(metric, "denominator", kpi.denominator), definition: kpi.definition })}</>}
      actions={<PrintButton />}
    >
      <Window />
      <div class="filters no-print">
        <Field label={t("vehicle.id")}><input value={vehicle} onChange={(event) => setFilters({ vehicle: event.currentTarget.value.trim() })} /></Field>
      </div>
      {kpi && <section class="tiles"><KpiTile kpi={kpi} /></section>}
      <Shown asked={series} isEmpty={(found) => found.x.length === 0}>
        {(found) => (
          <><LineChart
            title={name}
            summary={t("drill.months")}
            file={metric}
            unit={word("unit", found.series[0]?.unit)}
            x={found.x}
            days={daysOf(found.edges)}
            lines={found.series.map((one) => ({ label: kpiName(one.key), values: one.values }))}
            onPick={(index) => {
              const [since, until] = [found.edges[index], found.edges[index + 1]];
              if (since && until) setFilters({ days: "", since, until });
            }}
          />
          <ServerTable path={`/analytics/timeseries/${metric}`} params={{ interval: "month", vehicle_id: vehicle }} file={`${metric}-months`} /></>
        )}
      </Shown>
      {SPREAD.has(metric) && <Spread metric={metric} params={params} />}
      <Shown asked={asked}>
        {(found) => (
          <>
            <ServerTable path={`/analytics/drilldown/${metric}`} params={params} file={`${metric}-events`} />
            {(["numerator", "denominator"] as const).map((side) => (
              <Events key={JSON.stringify(params) + side} metric={metric} side={side} first={found[side]} count={found[`${side}_events`]} params={params} total={kpi?.[side]} />
            ))}
          </>
        )}
      </Shown>
    </Page>
  );
}

/** One side of the fraction, page by page, with the sum of what is shown beside the sum that the figure uses. */
function Events({ metric, side, first, count, params, total }: { metric: string; side: Side; first: Counted[]; count: number; params: Params; total: number | undefined }) {
  /** What was asked for behind the first page: it stays when that is asked for anew, as long as that ends where it did. */
  const [further, setFurther] = useState({ behind: 0, rows: [] as Counted[] });
  const { run, fault } = useDoing();
  const behind = first.at(-1)?.position ?? 0;
  const rows = further.behind === behind ? [...first, ...further.rows] : first;
  const more = async (): Promise<void> => {
    const { value } = await get<Drilled>(`/analytics/drilldown/${metric}`, { ...params, limit: MORE, after: rows.at(-1)?.position });
    setFurther({ behind, rows: [...rows.slice(first.length), ...value[side]] });
  };
  const sum = rows.reduce((before, row) => before + row.amount, 0);
  const isWhole = rows.length >= count;
  return (
    <section>
      <h2>{t(`drill.${side}`)} <span class="count">{number(count)}</span></h2>
      {total !== undefined && rows.length > 0 && <p class="small">{isWhole ? t("drill.sum", { sum: amount(metric, side, sum), total: amount(metric, side, total) }) : t("drill.part", { shown: number(rows.length), count: number(count) })}</p>}
      {fault}
      {rows.length === 0 ? (
        <p>{t("drill.none")}</p>
      ) : (
        <>
          <Grid
            label={t(`drill.${side}`)}
            rows={rows}
            max={Infinity}
            keyOf={(event) => event.id}
            columns={[...told("when"), { name: t("drill.adds"), cell: (event) => amount(metric, side, event.amount), number: true }, ...told("about", "what", "details", "proof")]}
          />
          {!isWhole && <p class="row no-print"><button type="button" onClick={() => void run(more)}>{t("action.more")}</button></p>}
        </>
      )}
    </section>
  );
}
