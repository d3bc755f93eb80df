// A key figure as a tile, and the time that the figures of a page are about.
import { Sparkline } from "../charts/svg";
import { dayFrom, dayTo, filter, href, setFilters } from "../core/route";
import type { Kpi } from "../core/types";
import { DAY_MS, iso, type Key, number, t, word } from "../i18n";
import { Badge, Field, type Tone } from "../parts/ui";

const TREND: Record<Kpi["trend"], Tone> = { improving: "good", declining: "bad", stable: "none", too_little_data: "none" };
/** What the law allows none of. */
const MUST_BE_ZERO = new Set(["overdue_safety_critical"]);
const DAYS = ["30", "90", "180", "365"];

/**
 * The window in the address, as the API's parameters; the server's own where none is chosen. A time in the address, such as a
 * month of a chart has, is exact, and `until` the first moment outside; a date stands for its whole day in UTC.
 */
export function span(): { from?: string; to?: string } {
  const since = filter("since");
  const until = filter("until");
  if (since || until) return { from: isTime(since) ? since : dayFrom("since"), to: isTime(until) ? until : dayTo("until") };
  const days = Number(filter("days"));
  return days > 0 ? { from: `${iso(Date.now() - days * DAY_MS)}T00:00:00Z` } : {};
}

const isTime = (text: string): boolean => text.includes("T");

/** The depot's days on which buckets begin, of the edges that the server gives with them. */
export const daysOf = (edges: string[]): string[] => edges.slice(0, -1).map((edge) => edge.slice(0, 10));

/** The days of a window, first and last, as the clocks of its own times have them. */
export function windowName(since: string, until: string): string {
  const end = new Date(`${until.slice(0, 19)}Z`).getTime() - 1_000;
  const last = isTime(until) && Number.isFinite(end) ? new Date(end).toISOString() : until;
  return `${since.slice(0, 10)} – ${last.slice(0, 10)}`;
}

/** The window's part of an address, to hand on to another page. */
function windowQuery(): Record<string, string> {
  return Object.fromEntries(["since", "until", "days"].map((name) => [name, filter(name)]));
}

export function Window() {
  const days = filter("days") || (filter("since") ? "" : "90");
  return (
    <div class="filters no-print">
      <Field label={t("filter.days")}>
        <select value={days} onChange={(event) => setFilters({ days: event.currentTarget.value === "90" ? "" : event.currentTarget.value, since: "", until: "" })}>
          {days === "" && <option value="">{windowName(filter("since"), filter("until"))}</option>}
          {DAYS.map((count) => <option value={count}>{t("filter.last-days", { count })}</option>)}
        </select>
      </Field>
    </div>
  );
}

/** Digits that a figure of this size needs. */
export const digits = (value: number | null): number => (value === null || Math.abs(value) >= 1_000 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

/** The name of a figure; one that these texts do not know yet keeps the API's. */
export const kpiName = (key: string): string => word("kpi", key);

/** The six numbers, in the order in which a manager asks. */
const SIX = ["availability", "mtbf", "mttrs", "pm_compliance", "overdue_safety_critical", "cost_per_km"];
export const isOfSix = (kpi: Kpi): boolean => SIX.includes(kpi.key);

export function SixTiles({ kpis }: { kpis: Kpi[] }) {
  return <section aria-label={t("fleet.numbers")} class="tiles six">{SIX.flatMap((key) => kpis.filter((kpi) => kpi.key === key)).map((kpi) => <KpiTile kpi={kpi} />)}</section>;
}

export function KpiTile({ kpi }: { kpi: Kpi }) {
  const name = kpiName(kpi.key);
  const shown = (value: number): string => number(value, digits(value));
  const interval = kpi.low !== null && kpi.high !== null ? `${shown(kpi.low)} – ${shown(kpi.high)}` : kpi.low !== null ? `> ${shown(kpi.low)}` : null;
  return (
    <article class="tile">
      <h2><a href={href(["drill", kpi.key], windowQuery())}>{name}</a></h2>
      <p class="figure">{kpi.value === null ? "–" : shown(kpi.value)} <span class="unit">{kpi.value === null ? "" : word("unit", kpi.unit)}</span></p>
      {kpi.value === null && <p class="small">{word("reason", kpi.reason)}</p>}
      {interval && <p class="small">{t("kpi.interval", { interval })}</p>}
      {kpi.target !== null && kpi.meets_target !== null && !MUST_BE_ZERO.has(kpi.key) && <p><Badge tone={kpi.meets_target ? "good" : "warn"}>{t(kpi.meets_target ? "kpi.target.met" : "kpi.target.missed", { target: number(kpi.target, 0) })}</Badge></p>}
      {MUST_BE_ZERO.has(kpi.key) && (kpi.value ?? 0) > 0 && <p><Badge tone="bad">{t("kpi.must-be-zero")}</Badge></p>}
      <Badge tone={TREND[kpi.trend] ?? "none"}>{t(`trend.${kpi.trend}` as Key)}</Badge>
      <Sparkline values={kpi.months} label={t("kpi.months", { name })} />
    </article>
  );
}
