// What every chart has: a title, what it shows in one sentence, its figures as a table, and a file of them.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { saveBlob } from "../core/api";
import { t } from "../i18n";

export interface Table {
  head: string[];
  rows: (string | number | null)[][];
}

interface Props {
  title: string;
  /** What it shows, in one sentence: what a reader who sees no picture hears. */
  summary: string;
  table: Table;
  /** The name of the file of its figures. */
  file: string;
  children: ComponentChildren;
}

export function ChartFrame({ title, summary, table, file, children }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <p class="summary">{summary}</p>
      </figcaption>
      <div class="plot">{children}</div>
      <div class="tools no-print">
        <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          {t("chart.table")}
        </button>
        <button type="button" class="quiet" onClick={() => saveCsv(table, file)}>
          CSV
        </button>
        <button type="button" class="quiet" onClick={() => saveCsv(table, file, "excel-de")}>
          {t("export.excel")}
        </button>
      </div>
      {open && <DataTable table={table} label={title} />}
    </figure>
  );
}

export function DataTable({ table, label }: { table: Table; label: string }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {table.head.map((name) => (
              <th scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row) => (
            <tr>{row.map((cell, column) => (column === 0 ? <th scope="row">{cell}</th> : <td class={typeof cell === "number" ? "number" : ""}>{cell ?? "–"}</td>))}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export type Dialect = "rfc" | "excel-de";

/** A cell that a spreadsheet would run as a formula is made text. The German dialect has decimal commas. */
export function csvCell(cell: string | number | null, dialect: Dialect = "rfc"): string {
  if (cell === null) return "";
  if (typeof cell === "number") return dialect === "excel-de" ? String(cell).replace(".", ",") : String(cell);
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\n\r;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function saveCsv(table: Table, file: string, dialect: Dialect = "rfc"): void {
  const between = dialect === "excel-de" ? ";" : ",";
  const lines = [table.head, ...table.rows].map((row) => row.map((cell) => csvCell(cell, dialect)).join(between));
  saveBlob(new Blob(["\ufeff" + lines.join("\r\n") + "\r\n"], { type: "text/csv" }), `${file}.csv`);
}
