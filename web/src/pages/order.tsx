// A work order for those who plan and look: what is asked for, what was done, found and used, whether it still holds its
// vehicle, and its history with proof. Whoever works on it sees the tablet's page instead (technician.tsx).
import { useState } from "preact/hooks";
import { seg } from "../core/api";
import type { LogEvent } from "../core/live";
import { useAsked } from "../core/query";
import { filter, href, setFilters } from "../core/route";
import { may, user } from "../core/session";
import type { Vehicle, WorkOrder } from "../core/types";
import { day, type Key, money, number, t, time, word } from "../i18n";
import { told, useAccountNames } from "../parts/events";
import { PrintButton } from "../parts/exports";
import { Badge, Fact, Grid, Page, Shown, toneOfStatus } from "../parts/ui";
import { FindingItem, graveFindings, Release, waitsForRelease } from "./release";
import { OrderOnTablet } from "./technician";

type Finding = { finding_id: string; text: string | null; severity: string | null; resolution?: string | null; resolved_at?: string | null };

type Full = WorkOrder & { finding_items?: Finding[]; used_parts?: { quantity: number | null; part_no: string | null }[]; assigned_staff?: string[] | null; estimated_cost: number | null; actual_cost: number | null; estimated_hours: number | null; actual_hours: number | null };

export function OrderPage({ id }: { id: string }) {
  const onTablet = filter("work") === "1" || user.value?.role === "TECHNICIAN";
  return onTablet ? <OrderOnTablet id={id} /> : <OrderSheet id={id} />;
}

function OrderSheet({ id }: { id: string }) {
  const asked = useAsked<Full>(`/maintenance/orders/${seg(id)}`);
  const order = asked.value;
  const vehicle = useAsked<Vehicle>(order ? `/vehicles/${seg(order.vehicle_id)}` : null);
  const events = useAsked<LogEvent[]>(order ? `/events/WorkOrder/${seg(order.id)}` : null, { order: "desc" });
  const nameOf = useAccountNames();
  const [said, setSaid] = useState<Key | null>(null);
  const findings = order?.finding_items ?? [];
  const grave = graveFindings(findings).length;
  const changed = (what: Key): void => {
    setSaid(what);
    asked.again();
    vehicle.again();
  };
  const canWork = may("TECHNICIAN") && (order?.status === "scheduled" || order?.status === "in_progress");
  return (
    <Page
      title={order?.order_number ?? id}
      lead={order?.work_description ?? undefined}
      actions={<>{canWork && <button type="button" class="main" onClick={() => setFilters({ work: "1" })}>{t("order.work")}</button>}{order && <Release order={order} findings={findings} onDone={() => changed("order.release.done")} />}<PrintButton /></>}
    >
      {said && <p class="notice" role="status">{t(said)}</p>}
      <Shown asked={asked}>
        {(found) => (
          <>
            {waitsForRelease(found) && <p class="notice warn">{t("order.waits.why")} {grave > 0 && t("order.waits.grave", { count: grave })}</p>}
            <dl class="facts">
              <Fact name={t("vehicle.id")}>{vehicle.value ? <a href={href(["vehicle", vehicle.value.asset_id])}>{vehicle.value.asset_id}</a> : "–"} {vehicle.value && <Badge tone={toneOfStatus(vehicle.value.status)}>{word("status", vehicle.value.status)}</Badge>}</Fact>
              <Fact name={t("filter.status")}><Badge tone={toneOfStatus(found.status)}>{word("order-status", found.status)}</Badge></Fact>
              <Fact name={t("order.priority")}>{word("priority", found.priority)}</Fact>
              <Fact name={t("order.planned")}>{day(found.scheduled_start)} – {day(found.scheduled_end)}</Fact>
              <Fact name={t("order.done")}>{time(found.actual_end)}</Fact>
              {(found.released_at || waitsForRelease(found)) && <Fact name={t("order.released")}><Badge tone={found.released_at ? "good" : "warn"}>{found.released_at ? time(found.released_at) : t("order.waits")}</Badge> {found.release_notes}</Fact>}
              <Fact name={t("order.place")}>{[found.assigned_track, found.assigned_team].filter(Boolean).join(" · ") || "–"}</Fact>
              <Fact name={t("order.hours")}>{number(found.actual_hours, 1)} / {number(found.estimated_hours, 1)} h</Fact>
              <Fact name={t("order.cost")}>{money(found.actual_cost)} / {money(found.estimated_cost)}</Fact>
            </dl>
            {(found.tasks ?? []).length > 0 && <section><h2>{t("tech.checklist")}</h2><ul>{(found.tasks ?? []).map((task) => <li>{task}</li>)}</ul></section>}
            <section>
              <h2>{t("tech.findings")}</h2>
              <p>{found.work_performed}</p>
              <p>{found.findings ?? (findings.length === 0 ? t("tech.findings.none") : "")}</p>
              <ul class="feed">
                {findings.map((item) => <FindingItem key={item.finding_id} finding={item} id={item.finding_id} order={found.order_number} isAskable={!found.released_at} onDone={() => changed("finding.resolve.done")} />)}
              </ul>
            </section>
            {(found.used_parts ?? []).length > 0 && <section><h2>{t("tech.parts")}</h2><ul>{(found.used_parts ?? []).map((item) => <li>{number(item.quantity)} × {item.part_no}</li>)}</ul></section>}
          </>
        )}
      </Shown>
      {order && (
        <section>
          <h2>{t("order.history")}</h2>
          <Shown asked={events} isEmpty={(found) => found.length === 0}>
            {(found) => (
              <Grid
                label={t("order.history")}
                rows={found}
                keyOf={(event) => event.id}
                columns={[...told("when", "what"), { name: t("audit.who"), cell: (event) => nameOf(event.metadata.user_id) }, ...told("details", "proof")]}
              />
            )}
          </Shown>
        </section>
      )}
    </Page>
  );
}
