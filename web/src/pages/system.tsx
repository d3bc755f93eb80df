// Whether the server is well: its log, its read models, what was found damaged, and a backup.
import { useEffect, useState } from "preact/hooks";
import { call, write } from "../core/api";
import { connected, pulse } from "../core/live";
import { useAsked } from "../core/query";
import { href } from "../core/route";
import { may } from "../core/session";
import { type Key, number, t, time, word } from "../i18n";
import { DataLinks, PrintButton } from "../parts/exports";
import { Federation } from "../parts/federation";
import { Badge, Fact, Field, Grid, Page, Shown, useDoing } from "../parts/ui";

interface Health {
  status: string;
  version: string;
  log: { state: string; position: number; damage: unknown[] };
  /** `detail` says what to do where keys of people are lost. */
  keys?: { detail?: string };
}
interface Projection {
  name: string;
  status: string;
  position: number;
  lag_events: number;
  lag_seconds: number;
  skipped_events_count: number;
  last_updated: string | null;
}
interface Checkpoints {
  checkpoints: { tree_size: number; note: string }[];
  total: number;
}

/** The log's own gauges, out of `/metrics`; null until they are there. */
function useGauges(): Map<string, number> | null {
  const [gauges, setGauges] = useState<Map<string, number> | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    call("/metrics", { signal: abort.signal })
      .then((answer) => answer.text())
      .then((body) => setGauges(new Map([...body.matchAll(/^railfleet_(log_\w+) (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]))), () => {});
    return () => abort.abort();
  }, [pulse.value]);
  return gauges;
}

const mebi = (bytes: number | undefined): string => (bytes === undefined ? "–" : `${number(bytes / 2 ** 20, 1)} MiB`);

export function System() {
  const health = useAsked<Health>("/health");
  const projections = useAsked<{ projections: Projection[] }>("/projections");
  const checkpoints = useAsked<Checkpoints>("/audit/checkpoints", {}, false);
  const gauges = useGauges();
  const facts = (found: Health): [Key, string][] => [
    ["system.version", found.version],
    ["system.position", number(found.log.position)],
    ["system.streams", number(gauges?.get("log_streams"))],
    ["system.segments", number(gauges?.get("log_segments"))],
    ["system.disk", mebi(gauges?.get("log_disk_bytes"))],
    ["system.syncs", number(gauges?.get("log_syncs_total"))],
  ];
  return (
    <Page title={t("page.system")} lead={t("system.lead")} actions={<PrintButton />}>
      <p class="row"><Badge tone={connected.value ? "good" : "bad"}>{connected.value ? t("system.live") : t("system.not-live")}</Badge></p>
      <section>
        <h2>{t("system.log")}</h2>
        <Shown asked={health}>
          {(found) => (
            <>
              <p class="row">
                <Badge tone={found.status === "ok" ? "good" : "bad"}>{word("health", found.status)}</Badge>
                <Badge tone={found.log.state === "writable" ? "good" : "bad"}>{word("health", found.log.state)}</Badge>
                <Badge tone={found.log.damage.length === 0 ? "good" : "bad"}>{found.log.damage.length === 0 ? t("system.scrub.well") : t("system.scrub.damage", { count: found.log.damage.length })}</Badge>
              </p>
              {found.keys?.detail && <p class="failure">{found.keys.detail}</p>}
              <dl class="facts">{facts(found).map(([name, value]) => <Fact name={t(name)}>{value}</Fact>)}</dl>
              <p class="small">{t("system.scrub.how")}</p>
              {found.log.damage.length > 0 && <pre class="failure">{JSON.stringify(found.log.damage, null, 1)}</pre>}
            </>
          )}
        </Shown>
      </section>
      <section>
        <h2>{t("system.projections")}</h2>
        <Shown asked={projections}>
          {(found) => (
            <>
              <Grid
                label={t("system.projections")}
                rows={found.projections}
                keyOf={(one) => one.name}
                columns={[
                  { name: t("part.name"), cell: (one) => one.name },
                  { name: t("filter.status"), cell: (one) => <Badge tone={one.status === "up_to_date" ? "good" : "warn"}>{word("projection", one.status)}</Badge> },
                  { name: t("audit.position"), cell: (one) => number(one.position), number: true },
                  { name: t("system.lag"), cell: (one) => number(one.lag_events), number: true },
                  { name: t("system.lag.seconds"), cell: (one) => number(one.lag_seconds, 1), number: true },
                  { name: t("system.skipped"), cell: (one) => <Badge tone={one.skipped_events_count > 0 ? "bad" : "none"}>{number(one.skipped_events_count)}</Badge>, number: true },
                  { name: t("system.updated"), cell: (one) => time(one.last_updated) },
                ]}
              />
              <DataLinks file="projections" table={{ head: ["name", "status", "position", "lag_events", "lag_seconds", "skipped"], rows: found.projections.map((one) => [one.name, one.status, one.position, one.lag_events, one.lag_seconds, one.skipped_events_count]) }} />
            </>
          )}
        </Shown>
      </section>
      <Federation />
      <section>
        <h2>{t("system.backup")}</h2>
        <p>{t("system.sealed", { count: number(checkpoints.value?.total), size: number(checkpoints.value?.checkpoints.at(-1)?.tree_size) })} <a href={href(["audit"])}>{t("page.audit")}</a></p>
        {may("SUPER_ADMIN") ? <Backup /> : <p class="small">{t("system.backup.role")}</p>}
      </section>
      <p class="no-print"><a href="/docs" target="_blank" rel="noreferrer">API</a> · <a href="/metrics" target="_blank" rel="noreferrer">{t("system.metrics")}</a></p>
    </Page>
  );
}

interface Taken {
  name: string;
  position: number;
  segments: number;
  bytes_copied: number;
}

function Backup() {
  const [name, setName] = useState(() => new Date().toISOString().slice(0, 16).replace(":", "").replace("T", "-"));
  const [taken, setTaken] = useState<Taken | null>(null);
  const [busy, setBusy] = useState(false);
  const { run, fault } = useDoing();
  const take = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setTaken(null);
    await run(async () => setTaken(await write<Taken>("POST", "/operations/backups", { name })));
    setBusy(false);
  };
  return (
    <form class="row no-print" onSubmit={(event) => void take(event)}>
      <Field label={t("system.backup.name")}><input value={name} required pattern="[A-Za-z0-9_][A-Za-z0-9_.\-]*" maxLength={100} onInput={(event) => setName(event.currentTarget.value)} /></Field>
      <button type="submit" disabled={busy}>{t("system.backup.now")}</button>
      {taken && <p role="status"><Badge tone="good">{t("system.backup.done", { name: taken.name, position: number(taken.position), bytes: mebi(taken.bytes_copied) })}</Badge></p>}
      {fault}
    </form>
  );
}
