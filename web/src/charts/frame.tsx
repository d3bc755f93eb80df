// What every chart has: a title, what it shows in one sentence, its figures as a table, and a file of them.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { t } from "../i18n";
import { DataLinks, type Table } from "../parts/exports";
import { Grid } from "../parts/ui";

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
      <DataLinks table={table} file={file}>
        <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>{t("chart.table")}</button>
      </DataLinks>
      {open && <Figures table={table} label={title} />}
    </figure>
  );
}

function Figures({ table, label }: { table: Table; label: string }) {
  const rows = table.rows.map((cells, at) => ({ cells, at }));
  const columns = table.head.map((name, at) => ({ name, cell: (row: (typeof rows)[number]) => row.cells[at] ?? "–", number: table.rows.some((cells) => typeof cells[at] === "number") }));
  return <Grid label={label} rows={rows} keyOf={(row) => String(row.at)} columns={columns} />;
}
