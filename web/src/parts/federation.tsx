// How this depot stands with the others, where it takes part in a federation.
import { useEffect } from "preact/hooks";
import { useAsked } from "../core/query";
import { number, t, time } from "../i18n";
import { Badge, Grid, Shown } from "./ui";
import { DataLinks } from "./exports";

interface Depot {
  name: string;
  log_id: string;
  received_position: number;
  published_position: number;
  last_contact: string | null;
  appended: number;
  refused: { reason: string } | null;
}
interface Standing {
  enabled: boolean;
  name: string | null;
  publishes: boolean;
  receives: boolean;
  published_position: number;
  publish_error: string | null;
  receive_error: string | null;
  depots: Depot[];
  contested_total: number;
  awaited_total: number;
}

/** A broker that is gone makes no event that would have the page ask again. */
const GLANCE_MS = 5_000;
/** Depots say every five seconds that they are there. */
const SILENT_MS = 60_000;

const lag = (depot: Depot): number => Math.max(0, depot.published_position - depot.received_position);
const isSilent = (depot: Depot): boolean => depot.last_contact === null || Date.now() - Date.parse(depot.last_contact) > SILENT_MS;

export function Federation() {
  const standing = useAsked<Standing>("/federation");
  useEffect(() => {
    const timer = setInterval(standing.again, GLANCE_MS);
    return () => clearInterval(timer);
  }, []);
  // Who is alone has nothing to see here.
  if (!standing.error && !standing.value?.enabled) return null;
  return (
    <section>
      <h2>{t("federation.title")}</h2>
      <Shown asked={standing}>
        {(found) => (
          <>
            <p class="row">
              <Badge tone={found.publishes ? "good" : "bad"}>{found.publishes ? t("federation.publishes", { name: found.name ?? "", position: number(found.published_position) }) : t("federation.publishes-not")}</Badge>
              <Badge tone={found.receives ? "good" : "bad"}>{found.receives ? t("federation.receives") : t("federation.receives-not")}</Badge>
              {found.contested_total > 0 && <Badge tone="warn">{t("federation.contested", { count: number(found.contested_total) })}</Badge>}
              {found.awaited_total > 0 && <Badge tone="warn">{t("federation.awaited", { count: number(found.awaited_total) })}</Badge>}
            </p>
            {[...new Set([!found.publishes && found.publish_error, !found.receives && found.receive_error])].map((why) => why && <p class="small">{why}</p>)}
            {found.depots.length === 0 ? (
              <p class="small">{t("federation.nobody")}</p>
            ) : (
              <>
                <Grid
                  label={t("federation.title")}
                  rows={found.depots}
                  keyOf={(depot) => depot.log_id}
                  columns={[
                    { name: t("federation.depot"), cell: (depot) => depot.name || depot.log_id },
                    { name: t("federation.contact"), cell: (depot) => <Badge tone={isSilent(depot) ? "warn" : "good"}>{time(depot.last_contact)}</Badge> },
                    { name: t("federation.received"), cell: (depot) => number(depot.received_position), number: true },
                    { name: t("system.lag"), cell: (depot) => number(lag(depot)), number: true },
                    { name: t("federation.appended"), cell: (depot) => number(depot.appended), number: true },
                    { name: t("federation.refused"), cell: (depot) => (depot.refused ? <Badge tone="bad">{depot.refused.reason}</Badge> : "–") },
                  ]}
                />
                <DataLinks file="federation" table={{ head: ["depot", "log_id", "last_contact", "received", "lag", "appended"], rows: found.depots.map((depot) => [depot.name, depot.log_id, depot.last_contact, depot.received_position, lag(depot), depot.appended]) }} />
              </>
            )}
          </>
        )}
      </Shown>
    </section>
  );
}
