// What is there, what will be needed, what to order: the list, and a part with its moves.
import { LineChart } from "../charts/line";
import { Bars } from "../charts/svg";
import { seg } from "../core/api";
import { together, useAsked, useWhole } from "../core/query";
import { filter, href, setFilters } from "../core/route";
import type { Part } from "../core/types";
import { money, number, t, time, word } from "../i18n";
import { DataLinks, PrintButton } from "../parts/exports";
import { Badge, Fact, Field, Grid, Page, Shown, type Tone } from "../parts/ui";

interface Forecast {
  part_no: string;
  demand_class: string;
  months: { month: string; mean: number; p50: number; p90: number }[];
  order: { lead_time_days: number; reorder_point: number; order_up_to: number; safety_stock: number; service_level: number; recommended_order_quantity: number };
}
interface Purchase {
  lines: { part_no: string; quantity_ordered: number; quantity_received: number }[];
}

/** Statuses of purchase orders of which something is still to come. */
const COMING = ["DRAFT", "APPROVED", "ORDERED"];

interface Line {
  part: Part;
  forecast: Forecast | undefined;
  coming: number;
  /** What to order beyond what is on its way. */
  order: number;
  /** Months that the stock lasts. */
  lasts: number | null;
}

/** How much of each part is still to come. */
function comingOf(purchases: Purchase[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { part_no, quantity_ordered, quantity_received } of purchases.flatMap((one) => one.lines)) {
    found.set(part_no, (found.get(part_no) ?? 0) + Math.max(0, quantity_ordered - quantity_received));
  }
  return found;
}

function lineOf(part: Part, forecast: Forecast | undefined, coming: number): Line {
  const have = part.current_stock + coming;
  const point = Math.max(part.min_stock, forecast?.order.reorder_point ?? 0);
  const upTo = Math.max(point, forecast?.order.order_up_to ?? 0);
  const monthly = forecast?.months[0]?.mean ?? 0;
  return { part, forecast, coming, order: have <= point ? Math.max(1, Math.ceil(upTo - have)) : 0, lasts: monthly > 0.01 ? part.current_stock / monthly : null };
}

/** All parts' forecasts, by their numbers. */
function useForecasts() {
  const asked = useWhole<Forecast>("/ml/forecast/parts", {}, false);
  return { error: asked.error, byNumber: new Map((asked.value ?? []).map((one) => [one.part_no, one])) };
}

const stateOf = (line: Line): [Tone, "part.out" | "part.order-now" | "part.enough"] =>
  line.part.current_stock <= 0 ? ["bad", "part.out"] : line.order > 0 ? ["warn", "part.order-now"] : ["good", "part.enough"];

export function Parts() {
  const search = filter("search");
  const low = filter("low") === "1";
  const parts = useWhole<Part>("/parts", { search });
  const purchases = COMING.map((status) => useWhole<Purchase>("/purchase_orders", { status }));
  const forecasts = useForecasts();
  // What is on its way need not be ordered: without it there is nothing to be told.
  const asked = together([parts, ...purchases], () => {
    const coming = comingOf(purchases.flatMap((one) => one.value ?? []));
    return (parts.value ?? []).map((part) => lineOf(part, forecasts.byNumber.get(part.part_no), coming.get(part.part_no) ?? 0));
  });
  return (
    <Page title={t("page.parts")} lead={t("parts.lead")} actions={<PrintButton />}>
      <div class="filters no-print">
        <Field label={t("filter.search")}><input type="search" value={search} onChange={(event) => setFilters({ search: event.currentTarget.value })} /></Field>
        <label class="check"><input type="checkbox" checked={low} onChange={(event) => setFilters({ low: event.currentTarget.checked ? "1" : "" })} /> {t("parts.low")}</label>
      </div>
      {forecasts.error && <p class="notice" role="status">{t("parts.no-forecast")}</p>}
      <Shown asked={asked} isEmpty={(lines) => lines.length === 0} empty={t("parts.none")}>
        {(lines) => {
          const wanted = lines.filter((line) => line.order > 0);
          const rows = [...(low ? wanted : lines)].sort((a, b) => b.order - a.order || a.part.part_no.localeCompare(b.part.part_no));
          const soon = lines.filter((line) => line.lasts !== null).sort((a, b) => (a.lasts ?? 0) - (b.lasts ?? 0)).slice(0, 10);
          return (
            <>
              <p class="row">
                <Badge tone={wanted.length > 0 ? "warn" : "good"}>{t("parts.to-order", { count: number(wanted.length), money: money(wanted.reduce((sum, line) => sum + line.order * Number(line.part.unit_price ?? 0), 0)) })}</Badge>
                <Badge tone="none">{t("parts.value", { money: money(lines.reduce((sum, line) => sum + line.part.current_stock * Number(line.part.unit_price ?? 0), 0)) })}</Badge>
              </p>
              {soon.length > 0 && <Bars title={t("parts.lasts")} summary={t("parts.lasts.summary")} file="stock-lasts" unit={t("unit.months")} bars={soon.map((line) => ({ label: line.part.part_no, value: line.lasts ?? 0, href: href(["part", line.part.part_no]), tone: stateOf(line)[0] }))} />}
              <Grid
                label={t("page.parts")}
                rows={rows}
                keyOf={(line) => line.part.part_no}
                columns={[
                  { name: t("part.number"), cell: ({ part }) => <a href={href(["part", part.part_no])}>{part.part_no}</a> },
                  { name: t("part.name"), cell: ({ part }) => part.name },
                  { name: t("part.there"), cell: ({ part }) => `${number(part.current_stock)} ${part.unit}`, number: true },
                  { name: t("part.coming"), cell: (line) => number(line.coming), number: true },
                  { name: t("part.point"), cell: ({ part, forecast: one }) => number(Math.max(part.min_stock, one?.order.reorder_point ?? 0)), number: true },
                  { name: t("part.next-month"), cell: ({ forecast: one }) => (one?.months[0] ? t("part.mean-p90", { mean: number(one.months[0].mean, 1), p90: number(one.months[0].p90) }) : "–"), number: true },
                  { name: t("part.reorder"), cell: (line) => { const [tone, key] = stateOf(line); return <Badge tone={tone}>{t(key)}{line.order > 0 ? `: ${number(line.order)}` : ""}</Badge>; } },
                  { name: t("part.price"), cell: ({ part }) => money(part.unit_price), number: true },
                ]}
              />
              <DataLinks file="parts" table={{ head: ["part_no", "name", "stock", "unit", "coming", "min_stock", "reorder_point", "next_month_mean", "next_month_p90", "order", "unit_price"], rows: rows.map(({ part, forecast: one, coming, order }) => [part.part_no, part.name, part.current_stock, part.unit, coming, part.min_stock, one?.order.reorder_point ?? null, one?.months[0]?.mean ?? null, one?.months[0]?.p90 ?? null, order, part.unit_price === null ? null : Number(part.unit_price)]) }} />
            </>
          );
        }}
      </Shown>
    </Page>
  );
}

interface Move {
  id: string;
  move_type: string;
  quantity: number;
  from_location_id: string | null;
  to_location_id: string | null;
  performed_at: string;
  work_order_id: string | null;
  notes: string | null;
}

/** What a move did to the whole stock. */
const effect = (move: Move): number => (move.to_location_id && !move.from_location_id ? move.quantity : move.from_location_id && !move.to_location_id ? -move.quantity : move.move_type === "USAGE" ? -move.quantity : 0);

/** One part: its stock over time, what is expected, and every move. */
export function PartPage({ id }: { id: string }) {
  const asked = useAsked<Part & { stock_by_location?: Record<string, number> }>(`/parts/${seg(id)}`);
  const moves = useWhole<Move>("/stock/moves", { part_no: id });
  const locations = useWhole<{ id: string; location_code: string }>("/stock/locations", {}, false);
  const codes = new Map((locations.value ?? []).map((one) => [one.id, one.location_code]));
  const mine = useForecasts().byNumber.get(id);
  return (
    <Page title={id} lead={asked.value?.name} actions={<PrintButton />}>
      <p class="no-print"><a href={href(["parts"])}>{t("page.parts")}</a></p>
      <Shown asked={asked}>
        {(part) => (
          <>
            <dl class="facts">
              <Fact name={t("part.there")}>{number(part.current_stock)} {part.unit}</Fact>
              <Fact name={t("part.least")}>{number(part.min_stock)}</Fact>
              {Object.entries(part.stock_by_location ?? {}).map(([place, count]) => <Fact name={codes.get(place) ?? place.slice(0, 8)}>{number(count)}</Fact>)}
              {mine && <Fact name={t("part.point")}>{number(mine.order.reorder_point)}</Fact>}
              {mine && <Fact name={t("part.lead-time")}>{t("plan.in-days", { days: number(mine.order.lead_time_days) })}</Fact>}
            </dl>
            <Shown asked={moves} isEmpty={(found) => found.length === 0} empty={t("part.moves.none")}>
              {(found) => {
                const newest = [...found].sort((a, b) => b.performed_at.localeCompare(a.performed_at));
                let level = part.current_stock;
                const points = newest.map((move) => {
                  const here = { at: new Date(move.performed_at).getTime() / 1_000, level };
                  level -= effect(move);
                  return here;
                }).reverse();
                return (
                  <>
                    {points.length > 1 && <LineChart title={t("part.stock-line")} summary={t("part.stock-line.summary")} file={`stock-${id}`} unit={part.unit} x={points.map((point) => point.at)} lines={[{ label: t("part.there"), values: points.map((point) => point.level) }, { label: t("part.least"), values: points.map(() => part.min_stock), color: "soft", dashed: true }]} />}
                    {mine && <Bars title={t("part.expected")} summary={t("part.expected.summary", { kind: word("demand", mine.demand_class) })} file={`demand-${id}`} unit={part.unit} bars={mine.months.map((month) => ({ label: month.month, value: month.mean }))} />}
                    <h2>{t("part.moves")}</h2>
                    <Grid
                      label={t("part.moves")}
                      rows={newest}
                      max={60}
                      keyOf={(move) => move.id}
                      columns={[
                        { name: t("history.when"), cell: (move) => time(move.performed_at) },
                        { name: t("plan.kind"), cell: (move) => word("move", move.move_type) },
                        { name: t("part.change"), cell: (move) => number(effect(move)), number: true },
                        { name: t("part.where"), cell: (move) => [move.from_location_id, move.to_location_id].filter(Boolean).map((place) => codes.get(place as string) ?? (place as string).slice(0, 8)).join(" → ") || "–" },
                        { name: t("order.number"), cell: (move) => (move.work_order_id ? <a href={href(["order", move.work_order_id])}>{t("action.open")}</a> : "–") },
                      ]}
                    />
                  </>
                );
              }}
            </Shown>
          </>
        )}
      </Shown>
    </Page>
  );
}
