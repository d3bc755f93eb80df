// A work order for those who plan and look: what is asked for, what was done, found and used, and its history with proof.
// Whoever works on it sees the tablet's page instead (technician.tsx).
import type { Item } from "../core/replica";
import { useAsked } from "../core/query";
import { seg } from "../core/api";
import { href, setFilters, filters } from "../core/route";
import { may, user } from "../core/session";
import type { LogEvent } from "../core/live";
import type { Vehicle, WorkOrder } from "../core/types";
import { day, money, number, t, time, word } from "../i18n";
import { Badge, Grid, Page, Shown, toneOfStatus } from "../parts/ui";
import { ProofBadge } from "../parts/proof";
import { Details } from "../parts/values";
import { PrintButton } from "../parts/exports";
import { useAccountNames } from "./audit";
import { OrderOnTablet } from "./technician";

type Full = WorkOrder & { finding_items?: Item[]; used_parts?: (Item & { usage_id?: string })[]; assigned_staff?: string[] | null; estimated_cost: number | null; actual_cost: number | null; estimated_hours: number | null; actual_hours: number | null };

export function OrderPage({ id }: { id: string }) {
  const onTablet = filters.value.get("work") === "1" || user.value?.role === "TECHNICIAN";
  return onTablet ? <OrderOnTablet id={id} /> : <OrderSheet id={id} />;
}

function OrderSheet({ id }: { id: string }) {
  const asked = useAsked<Full>(`/maintenance/orders/${seg(id)}`);
  const order = asked.value;
  const vehicle = useAsked<Vehicle>(order ? `/vehicles/${seg(order.vehicle_id)}` : null);
  const events = useAsked<LogEvent[]>(order ? `/events/WorkOrder/${seg(order.id)}` : null, { order: "desc", limit: 100 });
  const nameOf = useAccountNames();
  const canWork = may("TECHNICIAN") && (order?.status === "scheduled" || order?.status === "in_progress");
  return (
    <Page
      title={order?.order_number ?? id}
      lead={order?.work_description ?? undefined}
      actions={<>{canWork && <button type="button" class="main" onClick={() => setFilters({ work: "1" })}>{t("order.work")}</button>}<PrintButton /></>}
    >
      <Shown asked={asked}>
        {(found) => (
          <>
            <dl class="facts">
              <div><dt>{t("vehicle.id")}</dt><dd>{vehicle.value ? <a href={href(["vehicle", vehicle.value.asset_id])}>{vehicle.value.asset_id}</a> : "–"}</dd></div>
              <div><dt>{t("filter.status")}</dt><dd><Badge tone={toneOfStatus(found.status)}>{word("order-status", found.status)}</Badge></dd></div>
              <div><dt>{t("order.priority")}</dt><dd>{word("priority", found.priority)}</dd></div>
              <div><dt>{t("order.planned")}</dt><dd>{day(found.scheduled_start)} – {day(found.scheduled_end)}</dd></div>
              <div><dt>{t("order.done")}</dt><dd>{time(found.actual_end)}</dd></div>
              <div><dt>{t("order.place")}</dt><dd>{[found.assigned_track, found.assigned_team].filter(Boolean).join(" · ") || "–"}</dd></div>
              <div><dt>{t("order.hours")}</dt><dd>{number(found.actual_hours, 1)} / {number(found.estimated_hours, 1)} h</dd></div>
              <div><dt>{t("order.cost")}</dt><dd>{money(found.actual_cost)} / {money(found.estimated_cost)}</dd></div>
            </dl>
            {(found.tasks ?? []).length > 0 && <section><h2>{t("tech.checklist")}</h2><ul>{(found.tasks ?? []).map((task) => <li>{task}</li>)}</ul></section>}
            <section>
              <h2>{t("tech.findings")}</h2>
              <p>{found.work_performed}</p>
              <p>{found.findings ?? ((found.finding_items ?? []).length === 0 ? t("tech.findings.none") : "")}</p>
              <ul>{(found.finding_items ?? []).map((item) => <li>{word("severity", item.severity as string)}: {String(item.text ?? "")}</li>)}</ul>
            </section>
            {(found.used_parts ?? []).length > 0 && <section><h2>{t("tech.parts")}</h2><ul>{(found.used_parts ?? []).map((item) => <li>{number(item.quantity as number)} × {String(item.part_no ?? "")}</li>)}</ul></section>}
          </>
        )}
      </Shown>
      <section>
        <h2>{t("order.history")}</h2>
        <Shown asked={events} isEmpty={(found) => found.length === 0}>
          {(found) => (
            <Grid
              label={t("order.history")}
              rows={found}
              keyOf={(event) => event.id}
              columns={[
                { name: t("history.when"), cell: (event) => time(event.occurred_at) },
                { name: t("history.what"), cell: (event) => word("event", event.event_type) },
                { name: t("audit.who"), cell: (event) => nameOf(event.metadata.user_id) },
                { name: t("history.details"), cell: (event) => <Details data={event.data} /> },
                { name: t("history.proof"), cell: (event) => <ProofBadge position={event.position} /> },
              ]}
            />
          )}
        </Shown>
      </section>
    </Page>
  );
}
