// A page's rows as files: CSV as the world writes it, and as a German Excel reads it; the server's own tables; and the page on
// paper.
import { useState } from "preact/hooks";
import { saveCsv, type Table } from "../charts/frame";
import { download, type Params } from "../core/api";
import { type Key, t } from "../i18n";

/** Rows that the page has, saved by the page. */
export function DataLinks({ table, file }: { table: Table; file: string }) {
  return (
    <div class="tools no-print">
      <button type="button" class="quiet" aria-label={`CSV, ${file}`} onClick={() => saveCsv(table, file)}>CSV</button>
      <button type="button" class="quiet" aria-label={`${t("export.excel")}, ${file}`} onClick={() => saveCsv(table, file, "excel-de")}>{t("export.excel")}</button>
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
  const [error, setError] = useState<string | null>(null);
  const save = (format: string, ending: string): void => {
    setError(null);
    download(path, { ...params, format }, `${file}.${ending}`).catch((failure: Error) => setError(failure.message));
  };
  return (
    <div class="tools no-print" role="group" aria-label={t("export.of", { file })}>
      <span class="small">{t("export.take")}</span>
      {FORMATS.map(([format, ending, key]) => <button type="button" class="quiet" onClick={() => save(format, ending)}>{t(key)}<span class="hidden">, {file}</span></button>)}
      {error && <p class="failure" role="alert">{error}</p>}
    </div>
  );
}

export function PrintButton() {
  return <button type="button" onClick={() => print()}>{t("action.print")}</button>;
}
