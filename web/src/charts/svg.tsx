// Small charts as SVG: sparkline, bars, heat map, scatter, funnel, histogram.
import { monthName, number, t } from "../i18n";
import type { Tone } from "../parts/ui";
import { ChartFrame } from "./frame";

const WIDTH = 640;
/** Dots that are drawn at most, the first ones; the table has all, and the summary says so. */
const DOTS_MAX = 500;

/** The ends of an axis over these values, never of no length. */
function range(values: number[], fromZero = false): [number, number] {
  const low = fromZero ? Math.min(0, ...values) : Math.min(...values);
  const high = Math.max(...values, fromZero ? 0 : -Infinity);
  return high > low ? [low, high] : [low - 1, high + 1];
}

/** Round numbers along an axis, about `count` of them, from below `low` to above `high`. */
export function ticksOf(low: number, high: number, count = 5): number[] {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough) ?? rough;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** `2026-05` as the reader's short month; the year where it begins. Other texts stay as they are. */
function monthLabel(column: string, index: number): string {
  if (!/^\d{4}-\d\d$/.test(column)) return column;
  return index === 0 || column.endsWith("-01") ? monthName(column, true) : monthName(column, false);
}

/** A line without axes, beside a number. */
export function Sparkline({ values, label }: { values: (number | null)[]; label: string }) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return null;
  const [low, high] = range(known);
  const x = (index: number): number => (index / (values.length - 1)) * 118 + 1;
  const y = (value: number): number => 29 - ((value - low) / (high - low)) * 28;
  const points = values.flatMap((value, index) => (value === null ? [] : [`${x(index).toFixed(1)},${y(value).toFixed(1)}`]));
  return (
    <svg class="spark" viewBox="0 0 120 30" role="img" aria-label={label}>
      <polyline points={points.join(" ")} fill="none" stroke="var(--series-one)" stroke-width="2" />
    </svg>
  );
}

export interface Bar {
  label: string;
  value: number;
  href?: string;
  tone?: Tone;
}

/** Bars from the left, one a line. */
export function Bars({ title, summary, file, bars, unit, digits = 1 }: { title: string; summary: string; file: string; bars: Bar[]; unit: string; digits?: number }) {
  const [, high] = range(bars.map((bar) => bar.value).concat(0), true);
  return (
    <ChartFrame title={title} summary={summary} file={file} table={{ head: ["", unit], rows: bars.map((bar) => [bar.label, bar.value]) }}>
      <ul class="bars">
        {bars.map((bar) => (
          <li>
            <span class="name">{bar.href ? <a href={bar.href}>{bar.label}</a> : bar.label}</span>
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
              <rect width={Math.max(0.5, (Math.max(0, bar.value) / high) * 100)} height="10" class={`fill ${bar.tone ?? ""}`} />
            </svg>
            <span class="number">{number(bar.value, digits)} {unit}</span>
          </li>
        ))}
      </ul>
    </ChartFrame>
  );
}

interface HeatMapProps {
  title: string;
  summary: string;
  file: string;
  rows: string[];
  columns: string[];
  /** By row, then column; null where there is nothing to say. */
  values: (number | null)[][];
  unit: string;
  /** What is full: the darkest colour. The greatest value where absent. */
  high?: number;
  href?: (row: number, column: number) => string;
  rowHref?: (row: number) => string;
}

/** Rows by columns, darker for more. Every cell says its number; the colour is never alone. */
export function HeatMap({ title, summary, file, rows, columns, values, unit, high: full, href, rowHref }: HeatMapProps) {
  const known = values.flat().filter((value): value is number => value !== null);
  const high = full ?? Math.max(1e-9, ...known);
  const table = { head: ["", ...columns], rows: rows.map((row, index) => [row, ...(values[index] ?? [])]) };
  return (
    <ChartFrame title={title} summary={summary} file={file} table={table}>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        <table class="heat">
          <thead>
            <tr>
              <td />
              {columns.map((column, index) => (
                <th scope="col">{monthLabel(column, index)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, r) => (
              <tr>
                <th scope="row">{rowHref ? <a href={rowHref(r)}>{row}</a> : row}</th>
                {columns.map((column, c) => {
                  const value = values[r]?.[c] ?? null;
                  const share = value === null ? 0 : Math.max(0, value) / high;
                  const step = value === null ? "none" : value === 0 ? 0 : Math.min(5, Math.max(1, Math.ceil(share * 5)));
                  const text = value === null ? "" : value === 0 ? "·" : number(value, 1);
                  return (
                    <td class={`heat-${step}`} title={`${row}, ${column}: ${text} ${unit}`}>
                      {href && value ? <a href={href(r, c)} aria-label={`${row}, ${column}: ${text} ${unit}`}>{text}</a> : text}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </ChartFrame>
  );
}

export interface Dot {
  label: string;
  x: number;
  y: number;
  href?: string;
  /** Where the value may lie, drawn as a line through the dot. */
  low?: number;
  high?: number;
}

interface ScatterProps {
  title: string;
  summary: string;
  file: string;
  dots: Dot[];
  xLabel: string;
  yLabel: string;
  /** Lines over the dots: each a row of points. */
  curves?: { points: [number, number][]; dashed?: boolean }[];
}

/** Dots on two axes, and lines over them: a funnel is a scatter with its two limits. */
export function Scatter({ title, summary, file, dots, xLabel, yLabel, curves = [] }: ScatterProps) {
  const height = 300;
  const all = [...dots.flatMap((dot): [number, number][] => [[dot.x, dot.low ?? dot.y], [dot.x, dot.high ?? dot.y]]), ...curves.flatMap((curve) => curve.points)];
  if (all.length === 0) return null;
  const xs = ticksOf(...range(all.map(([x]) => x)));
  const ys = ticksOf(...range(all.map(([, y]) => y)));
  const [x0, x1] = [xs[0] ?? 0, xs.at(-1) ?? 1];
  const [y0, y1] = [ys[0] ?? 0, ys.at(-1) ?? 1];
  const px = (x: number): number => 56 + ((x - x0) / (x1 - x0)) * (WIDTH - 80);
  const py = (y: number): number => height - 40 - ((y - y0) / (y1 - y0)) * (height - 68);
  return (
    <ChartFrame
      title={title}
      summary={dots.length > DOTS_MAX ? `${summary} ${t("chart.part", { shown: number(DOTS_MAX), count: number(dots.length) })}` : summary}
      file={file}
      table={{ head: ["", xLabel, yLabel], rows: dots.map((dot) => [dot.label, dot.x, dot.y]) }}
    >
      <svg class="scatter" viewBox={`0 0 ${WIDTH} ${height}`} role="group" aria-label={title}>
        {ys.map((tick) => (
          <g>
            <line x1="56" x2={WIDTH - 24} y1={py(tick)} y2={py(tick)} class="grid" />
            <text x="50" y={py(tick) + 4} text-anchor="end">{number(tick, 2)}</text>
          </g>
        ))}
        {xs.map((tick) => (
          <text x={px(tick)} y={height - 20} text-anchor="middle">{number(tick, 0)}</text>
        ))}
        <text x={WIDTH / 2} y={height - 4} text-anchor="middle">{xLabel}</text>
        <text x="8" y="12">{yLabel}</text>
        {curves.map((curve) => (
          <polyline
            points={curve.points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ")}
            fill="none"
            stroke="var(--muted)"
            stroke-dasharray={curve.dashed ? "5 4" : undefined}
          />
        ))}
        {dots.slice(0, DOTS_MAX).map((dot) => {
          const said = `${dot.label}: ${number(dot.x, 0)}, ${number(dot.y, 2)}`;
          const drawn = (
            <>
              {dot.low !== undefined && dot.high !== undefined && <line x1={px(dot.x)} x2={px(dot.x)} y1={py(dot.low)} y2={py(dot.high)} class="range" />}
              <circle cx={px(dot.x)} cy={py(dot.y)} r="12" class="reach" />
              <circle cx={px(dot.x)} cy={py(dot.y)} r="6" class="dot"><title>{said}</title></circle>
              {dots.length <= 12 && <text x={px(dot.x) + (px(dot.x) > WIDTH / 2 ? -10 : 10)} y={py(dot.y) + 4} text-anchor={px(dot.x) > WIDTH / 2 ? "end" : "start"}>{dot.label}</text>}
            </>
          );
          return dot.href ? <a href={dot.href} aria-label={said}>{drawn}</a> : <g>{drawn}</g>;
        })}
      </svg>
    </ChartFrame>
  );
}

/** How many lie between each two of the edges, which are of equal width. */
export function Histogram({ title, summary, file, edges, counts, unit }: { title: string; summary: string; file: string; edges: number[]; counts: number[]; unit: string }) {
  const height = 220;
  const most = Math.max(1, ...counts);
  const end = edges.at(-1) ?? 1;
  const px = (x: number): number => 56 + (x / end) * (WIDTH - 80);
  const py = (y: number): number => height - 40 - (y / most) * (height - 60);
  const span = (bin: number): string => `${number(edges[bin], 1)} – ${number(edges[bin + 1], 1)}`;
  return (
    <ChartFrame title={title} summary={summary} file={file} table={{ head: [unit, t("chart.count")], rows: counts.map((count, bin) => [span(bin), count]) }}>
      <svg class="scatter" viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={`${title}. ${summary}`}>
        {[0, most].map((tick) => (
          <g>
            <line x1="56" x2={WIDTH - 24} y1={py(tick)} y2={py(tick)} class="grid" />
            <text x="50" y={py(tick) + 4} text-anchor="end">{number(tick)}</text>
          </g>
        ))}
        {counts.map((count, bin) => (
          <rect x={px(edges[bin] ?? 0) + 1} width={Math.max(1, (WIDTH - 80) / counts.length - 2)} y={py(count)} height={py(0) - py(count)} class="bin"><title>{`${span(bin)} ${unit}: ${number(count)}`}</title></rect>
        ))}
        {ticksOf(0, end).filter((tick) => tick <= end).map((tick) => (
          <text x={px(tick)} y={height - 22} text-anchor="middle">{number(tick, 1)}</text>
        ))}
        <text x={WIDTH / 2} y={height - 4} text-anchor="middle">{unit}</text>
      </svg>
    </ChartFrame>
  );
}
