// A vehicle's maintenance record, as an entity in charge of maintenance has to show it ((EU) 2019/779, Annex II): every
// entry under its function, each with its proof, all of them checked in this browser; as a page and on paper.
import { download, seg } from "../core/api";
import { useAsked } from "../core/query";
import { dayFrom, dayTo, filter, href, setFilters } from "../core/route";
import { number, t, time, word, words } from "../i18n";
import { told, useAccountNames } from "../parts/events";
import { PrintButton } from "../parts/exports";
import { type Proof, ProveAll, type Verdict, verdictOf } from "../parts/proof";
import { DayField, Field, Grid, Page, Shown, useDoing } from "../parts/ui";

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

/** Readings are many and say little each: they are shown when asked for. */
const READINGS = new Set(["VehicleMileageUpdated", "VehicleOperatingHoursUpdated"]);

export function RecordPage({ id }: { id: string }) {
  const only = filter("function");
  const readings = filter("readings") === "1";
  const path = `/compliance/maintenance-record/${seg(id)}`;
  const params = { from: dayFrom("since"), to: dayTo("until") };
  const asked = useAsked<Record_>(path, params, false);
  const nameOf = useAccountNames();
  const { run, fault } = useDoing();
  const save = (format: string): void => void run(() => download(path, { ...params, format }, `record-${id}.${format}`));
  return (
    <Page
      title={t("record.of", { id })}
      lead={asked.value?.regulation}
      actions={<><button type="button" onClick={() => save("html")}>HTML</button><button type="button" onClick={() => save("json")}>JSON</button><PrintButton /></>}
    >
      <p class="no-print"><a href={href(["vehicle", id])}>{id}</a></p>
      {fault}
      <div class="filters no-print">
        <DayField name="since" label={t("audit.since")} />
        <DayField name="until" label={t("audit.until")} />
        <Field label={t("record.function")}>
          <select value={only} onChange={(event) => setFilters({ function: event.currentTarget.value })}>
            <option value="">{t("filter.all")}</option>
            {words("function").map((name) => <option value={name}>{word("function", name)}</option>)}
          </select>
        </Field>
        <label class="check"><input type="checkbox" checked={readings} onChange={(event) => setFilters({ readings: event.currentTarget.checked ? "1" : "" })} /> {t("record.readings")}</label>
      </div>
      <Shown asked={asked} isEmpty={(found) => found.entries.length === 0}>
        {(found) => (
          <>
            <ProveAll positions={found.entries.map((entry) => entry.position)} check={checkOf(found)} />
            {found.truncated && <p class="notice warn">{t("record.truncated")}</p>}
            {words("function").filter((name) => only === "" || name === only).map((name) => {
              const all = found.entries.filter((entry) => entry.function === name);
              const rows = all.filter((entry) => readings || !READINGS.has(entry.event_type));
              return (
                <section>
                  <h2>{word("function", name)} <span class="count">{all.length}</span></h2>
                  {rows.length === 0 ? <p>{t("record.none")}</p> : (
                    <Grid
                      label={word("function", name)}
                      rows={rows}
                      max={Infinity}
                      keyOf={(entry) => entry.event_id}
                      columns={[...told("position", "when", "what", "about"), { name: t("audit.who"), cell: (entry) => nameOf(entry.by) }, ...told("details")]}
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

/** How an entry's proof is checked: from the record alone. */
function checkOf({ entries, tree_size, root_hash, checkpoint, public_key }: Record_): (position: number) => Promise<Verdict> {
  const proofs = new Map(entries.map((entry) => [entry.position, entry.proof]));
  return async (position) => {
    const proof = proofs.get(position);
    return proof ? verdictOf({ ...proof, tree_size, root_hash, checkpoint, public_key }, null) : "path";
  };
}
