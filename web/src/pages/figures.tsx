// Parts, workshops, costs, predictions, and what stands behind a number.
import { Bars, Scatter } from "../charts/svg";
import { LineChart } from "../charts/line";
import { download } from "../core/api";
import { useAsked } from "../core/query";
import { filters, href, setFilters } from "../core/route";
import type { Kpis, Part, Series } from "../core/types";
import type { LogEvent } from "../core/live";
import { type Key, money, number, t, time, word } from "../i18n";
import { Badge, Field, Grid, Page, Shown } from "../parts/ui";
import { ProofBadge } from "../parts/proof";
import { KpiTile } from "./fleet";
import { Details } from "./vehicle";

export function Parts() {
  const search = filters.value.get("search") ?? "";
  const low = filters.value.get("low") === "1";
  const asked = useAsked<{ total: number; parts: Part[] }>("/parts", { search, low_stock: low || undefined, limit: 200 });
  return (
    <Page title={t("page.parts")} lead={t("parts.lead")}>
      <div class="filters no-print">
        <Field label={t("filter.search")}><input type="search" value={search} onChange={(event) => setFilters({ search: event.currentTarget.value })} /></Field>
        <label class="check"><input type="checkbox" checked={low} onChange={(event) => setFilters({ low: event.currentTarget.checked ? "1" : "" })} /> {t("parts.low")}</label>
      </div>
      <Shown asked={asked} isEmpty={(found) => found.parts.length === 0} empty={t("parts.none")}>
        {(found) => (
          <Grid
            label={t("page.parts")}
            rows={found.parts}
            keyOf={(part) => part.part_no}
            columns={[
              { name: t("part.number"), cell: (part) => part.part_no },
              { name: t("part.name"), cell: (part) => part.name },
              { name: t("part.there"), cell: (part) => `${number(part.current_stock)} ${part.unit}`, number: true },
              { name: t("part.least"), cell: (part) => number(part.min_stock), number: true },
              { name: t("part.reorder"), cell: (part) => (part.current_stock <= part.min_stock ? <Badge tone={part.current_stock <= 0 ? "bad" : "warn"}>{t("part.order-now")}</Badge> : <Badge tone="good">{t("part.enough")}</Badge>) },
              { name: t("part.price"), cell: (part) => money(part.unit_price), number: true },
            ]}
          />
        )}
      </Shown>
    </Page>
  );
}

interface Benchmark {
  workshops: { code: string; name: string; orders: number; actual_hours: number; expected_hours: number; ratio: number; low: number; high: number; funnel_low: number; funnel_high: number; ranked: boolean }[];
}

export function Workshops() {
  const asked = useAsked<Benchmark>("/analytics/benchmark/workshops");
  return (
    <Page title={t("page.workshops")} lead={t("workshops.lead")}>
      <Shown asked={asked} isEmpty={(found) => found.workshops.length === 0}>
        {(found) => {
          const sorted = [...found.workshops].sort((a, b) => a.orders - b.orders);
          return (
            <>
              <Scatter
                title={t("workshops.funnel")}
                summary={t("workshops.funnel.summary")}
                file="workshops"
                xLabel={t("workshops.orders")}
                yLabel={t("workshops.ratio")}
                dots={found.workshops.map((one) => ({ label: `${one.code}: ${number(one.ratio, 2)}`, x: one.orders, y: one.ratio }))}
                curves={[
                  { points: sorted.map((one) => [one.orders, one.funnel_high]), dashed: true },
                  { points: sorted.map((one) => [one.orders, one.funnel_low]), dashed: true },
                ]}
              />
              <Grid
                label={t("page.workshops")}
                rows={found.workshops}
                keyOf={(one) => one.code}
                columns={[
                  { name: t("workshops.code"), cell: (one) => one.code },
                  { name: t("part.name"), cell: (one) => one.name },
                  { name: t("workshops.orders"), cell: (one) => number(one.orders), number: true },
                  { name: t("workshops.ratio"), cell: (one) => `${number(one.ratio, 2)} (${number(one.low, 2)}–${number(one.high, 2)})`, number: true },
                  { name: t("workshops.verdict"), cell: (one) => (!one.ranked ? t("workshops.few") : one.ratio > one.funnel_high ? <Badge tone="bad">{t("workshops.slower")}</Badge> : one.ratio < one.funnel_low ? <Badge tone="good">{t("workshops.faster")}</Badge> : <Badge tone="none">{t("workshops.usual")}</Badge>) },
                ]}
              />
            </>
          );
        }}
      </Shown>
    </Page>
  );
}

interface Fan {
  history: { x: number[]; values: (number | null)[] };
  x: number[];
  point: number[];
  lo80: number[];
  hi80: number[];
  planned_layer: number[];
  skill: number | null;
  method: string;
}

export function Costs() {
  const months = filters.value.get("months") ?? "12";
  const asked = useAsked<Fan>("/analytics/forecast/costs", { months });
  const kpis = useAsked<Kpis>("/analytics/catalogue");
  return (
    <Page title={t("page.costs")} lead={t("costs.lead")} actions={<button type="button" onClick={() => print()}>{t("action.print")}</button>}>
      <Shown asked={kpis}>{(found) => <section class="tiles">{found.kpis.filter((kpi) => kpi.unit.includes("EUR")).map((kpi) => <KpiTile kpi={kpi} />)}</section>}</Shown>
      <div class="filters no-print">
        <Field label={t("costs.horizon")}>
          <select value={months} onChange={(event) => setFilters({ months: event.currentTarget.value })}>{["3", "6", "12"].map((count) => <option value={count}>{t("costs.months", { count })}</option>)}</select>
        </Field>
      </div>
      <Shown asked={asked}>
        {(found) => {
          const x = [...found.history.x, ...found.x];
          const before = found.history.x.map(() => null);
          const after = found.x.map(() => null);
          return (
            <LineChart
              title={t("costs.fan")}
              summary={found.skill !== null && found.skill > 1 ? t("costs.no-better") : t("costs.fan.summary", { share: found.skill === null ? "–" : number(found.skill, 2) })}
              file="cost-forecast"
              unit="EUR"
              x={x}
              band={[3, 2]}
              lines={[
                { label: t("costs.was"), values: [...found.history.values, ...after] },
                { label: t("costs.will"), values: [...before, ...found.point], color: "two" },
                { label: "80 % ↑", values: [...before, ...found.hi80], color: "soft", dashed: true },
                { label: "80 % ↓", values: [...before, ...found.lo80], color: "soft", dashed: true },
                { label: t("costs.planned"), values: [...before, ...found.planned_layer], color: "three" },
              ]}
            />
          );
        }}
      </Shown>
    </Page>
  );
}

interface Ranked {
  predictions: { vehicle_id: string; probability: number; risk_level: string; reasons: { text?: string; feature?: string }[] }[];
}
interface Models {
  models: { model_id: string; name: string; version: string | number; stage: string; metrics: Record<string, number>; trained_at: string | null }[];
}

export function Predictions() {
  const models = useAsked<Models>("/ml/models", {}, false);
  const ranked = useAsked<Ranked>("/ml/predictions/stats", {}, false);
  return (
    <Page title={t("page.predictions")} lead={t("predict.lead")}>
      <Shown asked={ranked} isEmpty={(found) => (found.predictions ?? []).length === 0} empty={t("predict.none")}>
        {(found) => (
          <Bars title={t("predict.ranked")} summary={t("predict.ranked.summary")} file="risk" unit="%" bars={found.predictions.slice(0, 20).map((one) => ({ label: one.vehicle_id, value: one.probability * 100, href: href(["vehicle", one.vehicle_id]), tone: one.risk_level === "high" || one.risk_level === "critical" ? "bad" : one.risk_level === "medium" ? "warn" : "good" }))} />
        )}
      </Shown>
      <section>
        <h2>{t("predict.models")}</h2>
        <Shown asked={models} isEmpty={(found) => (found.models ?? []).length === 0} empty={t("predict.untrained")}>
          {(found) => (
            <Grid
              label={t("predict.models")}
              rows={found.models}
              keyOf={(model) => model.model_id}
              columns={[
                { name: t("predict.model"), cell: (model) => `${model.name} ${model.version}` },
                { name: t("predict.stage"), cell: (model) => word("stage", model.stage) },
                { name: t("predict.trained"), cell: (model) => time(model.trained_at) },
                { name: t("predict.metrics"), cell: (model) => Object.entries(model.metrics ?? {}).slice(0, 4).map(([name, value]) => `${name} ${number(value, 3)}`).join(", ") },
              ]}
            />
          )}
        </Shown>
      </section>
    </Page>
  );
}

interface Drilled {
  numerator: LogEvent[];
  denominator: LogEvent[];
  next: string | null;
}

/** The events that make a number. */
export function Drill({ metric }: { metric: string }) {
  const kpis = useAsked<Kpis>("/analytics/catalogue");
  const series = useAsked<Series>(`/analytics/timeseries/${metric}`, { interval: "month" });
  const asked = useAsked<Drilled>(`/analytics/drilldown/${metric}`, { limit: 100 });
  const kpi = kpis.value?.kpis.find((one) => one.key === metric);
  const name = t(`kpi.${metric}` as Key) ?? metric;
  return (
    <Page title={name} lead={kpi && t("drill.lead", { numerator: number(kpi.numerator, 1), denominator: number(kpi.denominator, 1), definition: kpi.definition })} actions={<button type="button" onClick={() => void download(`/analytics/timeseries/${metric}`, { interval: "month", format: "csv" }, `${metric}.csv`)}>CSV</button>}>
      {kpi && <section class="tiles"><KpiTile kpi={kpi} /></section>}
      <Shown asked={series} isEmpty={(found) => found.x.length === 0}>
        {(found) => <LineChart title={name} summary={t("drill.months")} file={metric} unit={found.series[0]?.unit ?? ""} x={found.x} lines={found.series.map((one) => ({ label: one.key, values: one.values }))} />}
      </Shown>
      <Shown asked={asked}>
        {(found) => (
          <>
            {(["numerator", "denominator"] as const).map((side) => (
              <section>
                <h2>{t(`drill.${side}`)}</h2>
                <Grid
                  label={t(`drill.${side}`)}
                  rows={found[side]}
                  keyOf={(event) => event.id}
                  columns={[
                    { name: t("history.when"), cell: (event) => time(event.occurred_at) },
                    { name: t("vehicle.id"), cell: (event) => (event.aggregate_type === "Vehicle" ? <a href={href(["vehicle", event.aggregate_id])}>{event.aggregate_id}</a> : event.aggregate_id) },
                    { name: t("history.what"), cell: (event) => word("event", event.event_type) },
                    { name: t("history.details"), cell: (event) => <Details data={event.data} /> },
                    { name: t("history.proof"), cell: (event) => <ProofBadge position={event.position} /> },
                  ]}
                />
              </section>
            ))}
          </>
        )}
      </Shown>
    </Page>
  );
}
