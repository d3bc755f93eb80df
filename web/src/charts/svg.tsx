// Small charts as SVG: sparkline, bars, heat map, scatter, funnel, histogram.
import { number } from "../i18n";
import { ChartFrame } from "./frame";

const WIDTH = 640;

/** The ends of an axis over these values, never of no length. */
function range(values: number[], fromZero = false): [number, number] {
  const low = fromZero ? Math.min(0, ...values) : Math.min(...values);
  const high = Math.max(...values, fromZero ? 0 : -Infinity);
  return high > low ? [low, high] : [low - 1, high + 1];
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
  tone?: "good" | "warn" | "bad";
}

/** Bars from the left, one a line, longest word first read. */
export function Bars({ title, summary, file, bars, unit }: { title: string; summary: string; file: string; bars: Bar[]; unit: string }) {
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
            <span class="number">{number(bar.value, 1)} {unit}</span>
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
  href?: (row: number, column: number) => string;
}

/** Rows by columns, darker for more. Every cell says its number; the colour is never alone. */
export function HeatMap({ title, summary, file, rows, columns, values, unit, href }: HeatMapProps) {
  const known = values.flat().filter((value): value is number => value !== null);
  const high = Math.max(1e-9, ...known);
  const table = { head: ["", ...columns], rows: rows.map((row, index) => [row, ...(values[index] ?? [])]) };
  return (
    <ChartFrame title={title} summary={summary} file={file} table={table}>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        <table class="heat">
          <thead>
            <tr>
              <td />
              {columns.map((column) => (
                <th scope="col">{column}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, r) => (
              <tr>
                <th scope="row">{row}</th>
                {columns.map((column, c) => {
                  const value = values[r]?.[c] ?? null;
                  const share = value === null ? 0 : Math.max(0, value) / high;
                  const step = value === null ? "none" : Math.min(5, Math.floor(share * 5.999));
                  const text = value === null ? "" : number(value, 1);
                  return (
                    <td class={`heat-${step}`} title={`${row}, ${column}: ${text} ${unit}`}>
                      {href && value !== null ? <a href={href(r, c)}>{text}</a> : text}
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
  const all = [...dots.map((dot): [number, number] => [dot.x, dot.y]), ...curves.flatMap((curve) => curve.points)];
  if (all.length === 0) return null;
  const [x0, x1] = range(all.map(([x]) => x), true);
  const [y0, y1] = range(all.map(([, y]) => y));
  const px = (x: number): number => 56 + ((x - x0) / (x1 - x0)) * (WIDTH - 72);
  const py = (y: number): number => height - 40 - ((y - y0) / (y1 - y0)) * (height - 56);
  const ticks = (low: number, high: number): number[] => [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low));
  return (
    <ChartFrame title={title} summary={summary} file={file} table={{ head: ["", xLabel, yLabel], rows: dots.map((dot) => [dot.label, dot.x, dot.y]) }}>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="group" aria-label={title}>
        {ticks(y0, y1).map((tick) => (
          <g>
            <line x1="56" x2={WIDTH - 16} y1={py(tick)} y2={py(tick)} class="grid" />
            <text x="50" y={py(tick) + 4} text-anchor="end">{number(tick, 1)}</text>
          </g>
        ))}
        {ticks(x0, x1).map((tick) => (
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
        {dots.map((dot) => {
          const circle = <circle cx={px(dot.x)} cy={py(dot.y)} r="6" class="dot"><title>{dot.label}</title></circle>;
          return dot.href ? <a href={dot.href} aria-label={dot.label}>{circle}</a> : circle;
        })}
      </svg>
    </ChartFrame>
  );
}
