// A page's rows as files: CSV as the world writes it, and as a German Excel reads it; the server's own tables; and the page on
// paper.
import type { ComponentChildren } from "preact";
import { download, type Params, saveBlob } from "../core/api";
import { type Key, t } from "../i18n";
import { useDoing } from "./ui";

export interface Table {
  head: string[];
  rows: (string | number | null)[][];
}

type Dialect = "rfc" | "excel-de";

/** A cell that a spreadsheet would run as a formula is made text. The German dialect has decimal commas. */
export function csvCell(cell: string | number | null, dialect: Dialect = "rfc"): string {
  if (cell === null) return "";
  if (typeof cell === "number") return dialect === "excel-de" ? String(cell).replace(".", ",") : String(cell);
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\n\r;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function saveCsv(table: Table, file: string, dialect: Dialect): void {
  const between = dialect === "excel-de" ? ";" : ",";
  const lines = [table.head, ...table.rows].map((row) => row.map((cell) => csvCell(cell, dialect)).join(between));
  saveBlob(new Blob(["\ufeff" + lines.join("\r\n") + "\r\n"], { type: "text/csv" }), `${file}.csv`);
}

const DIALECTS: [Dialect, Key][] = [
  ["rfc", "export.csv"],
  ["excel-de", "export.excel"],
];

/** Rows that the page has, saved by the page; behind whatever else stands in the line. */
export function DataLinks({ table, file, children }: { table: Table; file: string; children?: ComponentChildren }) {
  return (
    <div class="tools no-print">
      {children}
      {DIALECTS.map(([dialect, key]) => <button type="button" class="quiet" aria-label={`${t(key)}, ${file}`} onClick={() => saveCsv(table, file, dialect)}>{t(key)}</button>)}
    </div>
  );
}

/** What the server writes, the ending of its file, and what the button says. */
const FORMATS: [string, string, Key][] = [
  ["csv", "csv", "export.csv"],
  ["csv-de", "csv", "export.excel"],
  ["xlsx", "xlsx", "export.workbook"],
  ["jsonl", "jsonl", "export.lines"],
];

/** A table that the server writes: whole, with its definition, however long it is. */
export function ServerTable({ path, params = {}, file }: { path: string; params?: Params; file: string }) {
  const { run, fault } = useDoing();
  return (
    <div class="tools no-print" role="group" aria-label={t("export.of", { file })}>
      <span class="small">{t("export.take")}</span>
      {FORMATS.map(([format, ending, key]) => <button type="button" class="quiet" onClick={() => void run(() => download(path, { ...params, format }, `${file}.${ending}`))}>{t(key)}<span class="hidden">, {file}</span></button>)}
      {fault}
    </div>
  );
}

export function PrintButton() {
  return <button type="button" onClick={() => print()}>{t("action.print")}</button>;
}
