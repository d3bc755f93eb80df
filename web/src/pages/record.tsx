// A vehicle's maintenance record, as an entity in charge of maintenance has to show it ((EU) 2019/779, Annex II): every
// entry under its function, each with its proof, all of them checked in this browser; as a page and on paper.
import { useState } from "preact/hooks";
import { download, seg } from "../core/api";
import { useAsked } from "../core/query";
import { filters, href, setFilters } from "../core/route";
import { type Key, number, t, time, word } from "../i18n";
import { type Proof, verdictOf } from "../parts/proof";
import { Badge, Field, Grid, Page, Shown } from "../parts/ui";
import { Details } from "../parts/values";
import { PrintButton } from "../parts/exports";
import { Subject, useAccountNames } from "./audit";

interface Entry {
  position: number;
  event_id: string;
  event_type: string;
  aggregate_type: string;
  aggregate_id: string;
  function: string;
  occurred_at: string;
  recorded_at: string;
  by: string | null;
  data: Record<string, unknown>;
  proof: Omit<Proof, "root_hash" | "tree_size"> & Partial<Proof>;
}
interface Record_ {
  vehicle: string;
  regulation: string;
  generated_at: string;
  count: number;
  truncated: boolean;
  tree_size: number;
  root_hash: string;
  checkpoint: string;
  public_key: string;
  entries: Entry[];
}

const FUNCTIONS = ["maintenance development", "fleet maintenance management", "maintenance delivery", "release to service"];
/** Readings are many and say little each: they are shown when asked for. */
const READINGS = new Set(["VehicleMileageUpdated", "VehicleOperatingHoursUpdated"]);

export function RecordPage({ id }: { id: string }) {
  const from = filters.value.get("since") ?? "";
  const to = filters.value.get("until") ?? "";
  const only = filters.value.get("function") ?? "";
  const readings = filters.value.get("readings") === "1";
  const path = `/compliance/maintenance-record/${seg(id)}`;
  const params = { from: from && `${from}T00:00:00Z`, to: to && `${to}T23:59:59Z` };
  const asked = useAsked<Record_>(path, params, false);
  const nameOf = useAccountNames();
  const [error, setError] = useState<string | null>(null);
  const save = (format: string): void => {
    setError(null);
    download(path, { ...params, ...(format === "html" ? { format } : {}) }, `record-${id}.${format}`).catch((failure: Error) => setError(failure.message));
  };
  const date = (name: string, label: Key, value: string) => <Field label={t(label)}><input type="date" value={value} onChange={(event) => setFilters({ [name]: event.currentTarget.value })} /></Field>;
  return (
    <Page
      title={t("record.of", { id })}
      lead={asked.value?.regulation}
      actions={<><button type="button" onClick={() => save("html")}>HTML</button><button type="button" onClick={() => save("json")}>JSON</button><PrintButton /></>}
    >
      <p class="no-print"><a href={href(["vehicle", id])}>{id}</a></p>
      {error && <p class="failure" role="alert">{error}</p>}
      <div class="filters no-print">
        {date("since", "audit.since", from)}
        {date("until", "audit.until", to)}
        <Field label={t("record.function")}>
          <select value={only} onChange={(event) => setFilters({ function: event.currentTarget.value })}>
            <option value="">{t("filter.all")}</option>
            {FUNCTIONS.map((name) => <option value={name}>{word("function", name)}</option>)}
          </select>
        </Field>
        <label class="check"><input type="checkbox" checked={readings} onChange={(event) => setFilters({ readings: event.currentTarget.checked ? "1" : "" })} /> {t("record.readings")}</label>
      </div>
      <Shown asked={asked} isEmpty={(found) => found.entries.length === 0}>
        {(found) => (
          <>
            <CheckAll record={found} />
            {found.truncated && <p class="notice warn">{t("record.truncated")}</p>}
            {FUNCTIONS.filter((name) => only === "" || name === only).map((name) => {
              const all = found.entries.filter((entry) => entry.function === name);
              const rows = all.filter((entry) => readings || !READINGS.has(entry.event_type));
              return (
                <section>
                  <h2>{word("function", name)} <span class="count">{all.length}</span></h2>
                  {rows.length === 0 ? <p>{t("record.none")}</p> : (
                    <Grid
                      label={word("function", name)}
                      rows={rows}
                      keyOf={(entry) => entry.event_id}
                      columns={[
                        { name: t("audit.position"), cell: (entry) => number(entry.position), number: true },
                        { name: t("history.when"), cell: (entry) => time(entry.occurred_at) },
                        { name: t("history.what"), cell: (entry) => word("event", entry.event_type) },
                        { name: t("audit.about"), cell: (entry) => <Subject type={entry.aggregate_type} id={entry.aggregate_id} /> },
                        { name: t("audit.who"), cell: (entry) => nameOf(entry.by) },
                        { name: t("history.details"), cell: (entry) => <Details data={entry.data} /> },
                      ]}
                    />
                  )}
                </section>
              );
            })}
            <section>
              <h2>{t("record.sealed")}</h2>
              <pre class="notice hash">{found.checkpoint}</pre>
              <p class="small">{t("record.made", { time: time(found.generated_at), count: number(found.count), size: number(found.tree_size) })}</p>
            </section>
          </>
        )}
      </Shown>
    </Page>
  );
}

/** Every entry's proof, computed here from the record alone. */
function CheckAll({ record }: { record: Record_ }) {
  const [state, setState] = useState<{ done: number; bad: string[] } | null>(null);
  const run = async (): Promise<void> => {
    const bad: string[] = [];
    for (const [index, entry] of record.entries.entries()) {
      const { tree_size, root_hash, checkpoint, public_key } = record;
      const verdict = await verdictOf({ ...entry.proof, tree_size, root_hash, checkpoint, public_key }, null).catch((error: Error) => error.message);
      if (verdict !== "holds") bad.push(`${entry.position}: ${verdict}`);
      if (index % 25 === 24 || index + 1 === record.entries.length) setState({ done: index + 1, bad: [...bad] });
    }
  };
  return (
    <p class="row">
      <button type="button" class="no-print" onClick={() => void run()}>{t("proof.all", { count: number(record.entries.length) })}</button>
      <span role="status">
        {state && state.bad.length === 0 && <Badge tone="good">{t("proof.all.hold", { count: number(state.done) })}</Badge>}
        {state && state.bad.length > 0 && <Badge tone="bad">{t("proof.some.fail", { list: state.bad.slice(0, 5).join(", ") })}</Badge>}
      </span>
    </p>
  );
}
