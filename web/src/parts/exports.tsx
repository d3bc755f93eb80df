// A page's rows as files: CSV as the world writes it, and as a German Excel reads it; and the page on paper.
import { saveCsv, type Table } from "../charts/frame";
import { t } from "../i18n";

export function DataLinks({ table, file }: { table: Table; file: string }) {
  return (
    <div class="tools no-print">
      <button type="button" class="quiet" aria-label={`CSV, ${file}`} onClick={() => saveCsv(table, file)}>CSV</button>
      <button type="button" class="quiet" aria-label={`${t("export.excel")}, ${file}`} onClick={() => saveCsv(table, file, "excel-de")}>{t("export.excel")}</button>
    </div>
  );
}

export function PrintButton() {
  return <button type="button" onClick={() => print()}>{t("action.print")}</button>;
}
