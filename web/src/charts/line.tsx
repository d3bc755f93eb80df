// Lines over time, drawn by uPlot on a canvas; a band around a line shows where a forecast may lie.
import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { axisTime, day, iso, language, number, t } from "../i18n";
import { theme } from "../core/theme";
import { ChartFrame } from "./frame";

export interface Line {
  label: string;
  values: (number | null)[];
  /** One of the palette's names: `one` to `four`, or `soft`. */
  color?: string;
  dashed?: boolean;
}

interface Props {
  title: string;
  summary: string;
  file: string;
  /** Seconds since 1970, one a point. */
  x: number[];
  /** The day of each point, `2026-05-01`, where it is the depot's; else it is the reader's. */
  days?: string[];
  lines: Line[];
  /** Indexes of the lines between which the band lies: lower, upper. */
  band?: [number, number];
  unit: string;
  /** Called with a point's index when it is clicked. */
  onPick?: (index: number) => void;
}

const HEIGHT = 240;

type Library = typeof uPlot;
let library: Library | null = null;

/** The library comes with the first chart of lines, so that no other page waits for it. */
function useLibrary(): Library | null {
  const [found, setFound] = useState<Library | null>(() => library);
  useEffect(() => {
    if (library) return;
    void import("uplot").then((module) => {
      library = module.default;
      setFound(() => module.default);
    });
  }, []);
  return found;
}

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function LineChart({ title, summary, file, x, days, lines, band, unit, onPick }: Props) {
  const dayOf = (index: number): string => day(days?.[index] ?? (x[index] ?? 0) * 1_000);
  const place = useRef<HTMLDivElement>(null);
  const Plot = useLibrary();
  useEffect(() => {
    const box = place.current;
    if (!box || !Plot) return;
    // Asked when it is drawn, since paper has other colours than the screen.
    const axis = { stroke: () => css("--muted"), grid: { stroke: () => css("--grid"), width: 1 }, ticks: { stroke: () => css("--grid"), width: 1 } };
    const chart = new Plot(
      {
        width: Math.max(280, box.clientWidth),
        height: HEIGHT,
        cursor: { drag: { x: false, y: false }, sync: { key: "time" } },
        legend: { live: true },
        series: [
          { label: t("history.when"), value: (_: uPlot, __: number | null, ___: number, index: number | null) => (index == null ? "–" : dayOf(index)) },
          ...lines.map((line) => ({
            label: line.label,
            stroke: () => css(`--series-${line.color ?? "one"}`),
            width: 2,
            ...(line.dashed ? { dash: [6, 4] } : {}),
            points: { show: x.length < 40 },
            value: (_: uPlot, value: number | null) => (value === null ? "–" : `${number(value, 1)} ${unit}`),
          })),
        ],
        ...(band ? { bands: [{ series: [band[1] + 1, band[0] + 1] as [number, number], fill: () => css("--band") }] } : {}),
        axes: [{ ...axis, values: (_: uPlot, ticks: number[], __: number, ___: number, gap: number) => ticks.map((tick, index) => axisTime(tick * 1_000, gap, index === 0)) }, { ...axis, size: 64, values: (_: uPlot, ticks: number[]) => ticks.map((tick) => number(tick, 2)) }],
      },
      [x, ...lines.map((line) => line.values)] as uPlot.AlignedData,
      box,
    );
    const click = (): void => {
      const index = chart.cursor.idx;
      if (onPick && index !== null && index !== undefined) onPick(index);
    };
    chart.over.addEventListener("click", click);
    const paper = matchMedia("print");
    const redraw = (): void => chart.redraw(false, false);
    paper.addEventListener("change", redraw);
    const sized = new ResizeObserver(() => chart.setSize({ width: Math.max(280, box.clientWidth), height: HEIGHT }));
    sized.observe(box);
    return () => {
      sized.disconnect();
      paper.removeEventListener("change", redraw);
      chart.destroy();
    };
  }, [x, lines, theme.value, language.value, Plot]);

  /** The arrow keys move the cursor, Enter opens what stands there. */
  const keys = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0 && event.key !== "Enter") return;
    event.preventDefault();
    const box = place.current;
    const at = Math.min(x.length - 1, Math.max(0, Number(box?.dataset.at ?? x.length) + step));
    if (box) {
      box.dataset.at = String(at);
      const label = lines.map((line) => `${line.label} ${number(line.values[at], 1)} ${unit}`).join(", ");
      box.setAttribute("aria-valuetext", `${dayOf(at)}: ${label}`);
      box.setAttribute("aria-valuenow", String(at));
    }
    if (event.key === "Enter" && onPick) onPick(at);
  };

  const rows = x.map((second, index) => [
    days?.[index] ?? iso(second * 1_000),
    ...lines.map((line) => line.values[index] ?? null),
  ]);
  return (
    <ChartFrame title={title} summary={summary} file={file} table={{ head: ["", ...lines.map((line) => `${line.label} (${unit})`)], rows }}>
      <div
        ref={place}
        role="slider"
        tabIndex={0}
        aria-label={title}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, x.length - 1)}
        aria-valuenow={Math.max(0, x.length - 1)}
        onKeyDown={keys}
      />
    </ChartFrame>
  );
}
