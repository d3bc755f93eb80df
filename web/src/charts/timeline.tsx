// A vehicle's life as one strip: its statuses as bands, failures and incidents as marks, orders below, and the day that
// is looked at. The slider under it moves that day; a click on the strip does too.
import { day, iso, number, t, word } from "../i18n";
import { ChartFrame } from "./frame";

export interface Span {
  from: number;
  to: number;
  label: string;
  tone: "good" | "warn" | "bad" | "none";
}
export interface Mark {
  at: number;
  label: string;
  isFailure: boolean;
}

interface Props {
  title: string;
  from: number;
  to: number;
  bands: Span[];
  marks: Mark[];
  orders: Span[];
  /** The day that is looked at; null: today. */
  at: number | null;
  onPick: (at: number) => void;
}

const WIDTH = 1_000;

export function Timeline({ title, from, to, bands, marks, orders, at, onPick }: Props) {
  const span = Math.max(1, to - from);
  const x = (time: number): number => (Math.min(to, Math.max(from, time)) - from) / span * WIDTH;
  const months: number[] = [];
  const first = new Date(from);
  for (let month = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 1)); month.getTime() < to; month.setUTCMonth(month.getUTCMonth() + 1)) months.push(month.getTime());
  const every = Math.max(1, Math.ceil(months.length / 12));
  const pick = (event: MouseEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    onPick(from + ((event.clientX - box.left) / box.width) * span);
  };
  const rows: (string | null)[][] = [
    ...bands.map((band) => [iso(band.from), iso(band.to), band.label]),
    ...marks.map((mark) => [iso(mark.at), null, mark.label]),
    ...orders.map((order) => [iso(order.from), iso(order.to), order.label]),
  ].sort((a, b) => (a[0] ?? "").localeCompare(b[0] ?? ""));
  const failures = marks.filter((mark) => mark.isFailure).length;
  return (
    <ChartFrame
      title={title}
      summary={t("timeline.summary", { from: day(from), to: day(to), failures: number(failures), incidents: number(marks.length - failures), orders: number(orders.length) })}
      file="timeline"
      table={{ head: [t("audit.since"), t("audit.until"), t("history.what")], rows }}
    >
      {/* The slider below does the same by keyboard. */}
      <svg class="timeline" viewBox={`0 0 ${WIDTH} 96`} preserveAspectRatio="none" role="img" aria-label={title} onClick={pick}>
        {bands.map((band) => <rect x={x(band.from)} width={Math.max(1, x(band.to) - x(band.from))} y="22" height="22" class={`band ${band.tone}`}><title>{`${band.label}: ${day(band.from)} – ${day(band.to)}`}</title></rect>)}
        {marks.map((mark) => <line x1={x(mark.at)} x2={x(mark.at)} y1={mark.isFailure ? 2 : 12} y2="22" class={mark.isFailure ? "mark bad" : "mark"}><title>{`${day(mark.at)}: ${mark.label}`}</title></line>)}
        {orders.map((order) => <rect x={x(order.from)} width={Math.max(3, x(order.to) - x(order.from))} y="50" height="12" class="order"><title>{`${order.label}: ${day(order.from)} – ${day(order.to)}`}</title></rect>)}
        {months.filter((_, index) => index % every === 0).map((month) => <line x1={x(month)} x2={x(month)} y1="66" y2="72" class="grid" />)}
        {at !== null && <line x1={x(at)} x2={x(at)} y1="0" y2="72" class="cursor" />}
      </svg>
      <div class="months" aria-hidden="true">
        {months.filter((_, index) => index % every === 0).map((month) => <span style={{ left: `${(x(month) / WIDTH) * 100}%` }}>{iso(month).slice(0, 7)}</span>)}
      </div>
      <p class="legend small"><span class="key good" /> {word("status", "in_service")} <span class="key warn" /> {word("status", "workshop_planned")} <span class="key bad" /> {word("status", "in_workshop")} <span class="key mark" /> {t("timeline.failure")} <span class="key order" /> {t("orders.title")}</p>
    </ChartFrame>
  );
}
