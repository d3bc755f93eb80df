// What maintenance costs and will cost: the executive's second question. A month opens into the orders that made it.
import { type Line, LineChart } from "../charts/line";
import { useAsked } from "../core/query";
import { filter, go, href, setFilters } from "../core/route";
import type { Kpis } from "../core/types";
import { money, number, t, word } from "../i18n";
import { DataLinks, PrintButton, ServerTable } from "../parts/exports";
import { Badge, Field, Grid, Page, Shown } from "../parts/ui";
import { daysOf, KpiTile, span, Window } from "./kpi";

interface Fan {
  history: { x: number[]; edges: string[]; values: (number | null)[] };
  x: number[];
  edges: string[];
  point: number[];
  /** Null where the months are too few to say how wrong the forecast may be. */
  lo80: (number | null)[];
  hi80: (number | null)[];
  planned_layer: number[];
  skill: number | null;
  method: string;
}
interface Booked {
  metrics: { cost_center: string; category: string; planned_budget: string; actual_cost: string; variance: string; variance_pct: number | null; status: string }[];
}

export function Costs() {
  const months = filter("months") || "12";
  const kpis = useAsked<Kpis>("/analytics/catalogue", span());
  const period = filter("period") || lastMonth();
  const booked = useAsked<Booked>("/reports/costs", { period });
  return (
    <Page title={t("page.costs")} lead={t("costs.lead")} actions={<PrintButton />}>
      <Window />
      <Shown asked={kpis}>{(found) => <section class="tiles">{found.kpis.filter((kpi) => kpi.unit.includes("EUR")).map((kpi) => <KpiTile kpi={kpi} />)}</section>}</Shown>
      <div class="filters no-print">
        <Field label={t("costs.horizon")}>
          <select value={months} onChange={(event) => setFilters({ months: event.currentTarget.value })}>{["3", "6", "12"].map((count) => <option value={count}>{t("costs.months", { count })}</option>)}</select>
        </Field>
      </div>
      <CostFan months={months} />
      <section>
        <h2>{t("costs.budget")}</h2>
        <div class="filters no-print"><Field label={t("costs.month")}><input type="month" value={period} onChange={(event) => setFilters({ period: event.currentTarget.value })} /></Field></div>
        <Shown asked={booked} isEmpty={(found) => found.metrics.length === 0} empty={t("costs.budget.none")}>
          {(found) => (
            <>
              <Grid
                label={t("costs.budget")}
                rows={found.metrics}
                keyOf={(one) => `${one.cost_center} ${one.category}`}
                columns={[
                  { name: t("costs.center"), cell: (one) => one.cost_center },
                  { name: t("plan.kind"), cell: (one) => word("cost", one.category) },
                  { name: t("costs.budgeted"), cell: (one) => money(one.planned_budget), number: true },
                  { name: t("costs.was"), cell: (one) => money(one.actual_cost), number: true },
                  { name: t("costs.difference"), cell: (one) => <Badge tone={Number(one.variance) > 0 ? "bad" : "good"}>{money(one.variance)}</Badge>, number: true },
                ]}
              />
              <DataLinks file={`costs-${period}`} table={{ head: ["cost_center", "category", "planned", "actual", "variance"], rows: found.metrics.map((one) => [one.cost_center, one.category, Number(one.planned_budget), Number(one.actual_cost), Number(one.variance)]) }} />
            </>
          )}
        </Shown>
      </section>
    </Page>
  );
}

/** Booked and expected costs a month; a booked month opens into its orders. */
export function CostFan({ months }: { months: string }) {
  const asked = useAsked<Fan>("/analytics/forecast/costs", { months });
  return (
    <Shown asked={asked} isEmpty={(found) => found.history.x.length === 0}>
      {(found) => {
        const x = [...found.history.x, ...found.x];
        const before = found.history.x.map(() => null);
        const after = found.x.map(() => null);
        const skill = found.skill === null ? t("costs.short") : found.skill > 1 ? t("costs.no-better") : t("costs.skill", { share: number(found.skill, 2) });
        const hasBand = found.lo80.some((value) => value !== null);
        const ends: Line[] = [
          { label: "80 % ↑", values: [...before, ...found.hi80], color: "soft", dashed: true },
          { label: "80 % ↓", values: [...before, ...found.lo80], color: "soft", dashed: true },
        ];
        return (
          <>
            <LineChart
              title={t("costs.fan")}
              summary={`${t(hasBand ? "costs.fan.summary" : "costs.no-band")} ${skill} ${t("costs.drill")}`}
              file="cost-forecast"
              unit="EUR"
              x={x}
              days={[...daysOf(found.history.edges), ...daysOf(found.edges)]}
              {...(hasBand ? { band: [3, 2] as [number, number] } : {})}
              lines={[
                { label: t("costs.was"), values: [...found.history.values, ...after] },
                { label: t("costs.will"), values: [...before, ...found.point], color: "two" },
                ...(hasBand ? ends : []),
                { label: t("costs.planned"), values: [...before, ...found.planned_layer], color: "three" },
              ]}
              onPick={(index) => {
                const [since, until] = [found.history.edges[index], found.history.edges[index + 1]];
                if (since && until) go(href(["drill", "maintenance_cost"], { since, until }));
              }}
            />
            <ServerTable path="/analytics/forecast/costs" params={{ months }} file="cost-forecast" />
            <p class="row"><Badge tone="none">{t("costs.year", { money: money(found.point.reduce((sum, value) => sum + value, 0)), count: found.point.length })}</Badge></p>
          </>
        );
      }}
    </Shown>
  );
}

/** The last month that is over. */
const lastMonth = (): string => {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)).toISOString().slice(0, 7);
};
