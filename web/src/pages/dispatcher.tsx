// Which vehicles may run tomorrow, with which restrictions, and which may not: each with its reason and what stands behind it.
import { isStale, together, useWhole } from "../core/query";
import { filter, href, setFilters } from "../core/route";
import type { Task, Vehicle, WorkOrder } from "../core/types";
import { date, day, DAY_MS, iso, number, t, word } from "../i18n";
import { DataLinks, PrintButton } from "../parts/exports";
import { Badge, Field, Grid, Page, Shown, toneOfStatus, type Tone } from "../parts/ui";
import { daysUntil } from "./planning";
import { graveFindings, waitsForRelease } from "./release";

/** `unknown`: nothing that is known speaks against it, but not all that could is known to be fresh. */
type Verdict = "released" | "restricted" | "blocked" | "unknown";
const VERDICT: Record<Verdict, Tone> = { released: "good", restricted: "warn", blocked: "bad", unknown: "none" };
const ORDER: Verdict[] = ["blocked", "restricted", "unknown", "released"];
/** Tasks with a legal limit: past it a vehicle does not run. */
const LEGAL = new Set(["HU", "ECM"]);

/** An order with what was found: open findings can stand before its release. */
type Order = WorkOrder & { finding_items?: Readonly<Record<string, unknown>>[] };

interface Judged {
  vehicle: Vehicle;
  verdict: Verdict;
  reason: string;
  /** Where the reason can be seen. */
  link: string;
}

/** What bears on each vehicle, by its id. */
function byVehicle<T extends { vehicle_id: string }>(rows: T[]): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const row of rows) {
    const before = found.get(row.vehicle_id);
    if (before) before.push(row);
    else found.set(row.vehicle_id, [row]);
  }
  return found;
}

/** Looks at tomorrow: what is due until then counts as due. `orders` and `tasks` are the vehicle's own. */
export function judge(vehicle: Vehicle, orders: Order[], tasks: Task[], isCertain: boolean): Judged {
  const as = (verdict: Verdict, reason: string, link: string): Judged => ({ vehicle, verdict, reason, link });
  const statusLink = href(["audit"], { type: "Vehicle", id: vehicle.asset_id, event: "VehicleStatusChanged" });
  const running = orders.find((order) => order.status === "in_progress");
  if (running) return as("blocked", t("dispatch.order", { order: running.order_number }), href(["order", running.order_number]));
  const done = orders.find(waitsForRelease);
  if (done) {
    const grave = graveFindings(done.finding_items ?? []).length;
    return as("blocked", t(grave > 0 ? "dispatch.waits.grave" : "dispatch.waits", { order: done.order_number, count: grave }), href(["order", done.order_number]));
  }
  if (["in_workshop", "out_of_service", "retired"].includes(vehicle.status)) return as("blocked", word("status", vehicle.status), statusLink);
  const overdue = tasks.filter((task) => !task.is_completed && (task.is_overdue || (task.due_date !== null && daysUntil(task.due_date) < 1)));
  const legal = overdue.find((task) => LEGAL.has(task.type));
  const worst = legal ?? overdue[0];
  if (worst) return as(legal ? "blocked" : "restricted", t("dispatch.overdue", { task: word("task", worst.type), day: date(worst.due_date) }), href(["vehicle", vehicle.asset_id]));
  const tomorrow = iso(Date.now() + DAY_MS);
  const planned = orders.find((order) => order.status === "scheduled" && (order.scheduled_start ?? "9").slice(0, 10) <= tomorrow && (order.scheduled_end ?? "").slice(0, 10) >= tomorrow);
  if (planned) return as("restricted", t("dispatch.planned", { order: planned.order_number, day: day(planned.scheduled_start) }), href(["order", planned.order_number]));
  if (vehicle.status === "maintenance_due" || vehicle.status === "workshop_planned") {
    const next = orders.find((order) => order.status === "scheduled");
    return as("restricted", next ? t("dispatch.planned", { order: next.order_number, day: day(next.scheduled_start) }) : word("status", vehicle.status), next ? href(["order", next.order_number]) : statusLink);
  }
  return isCertain ? as("released", word("status", vehicle.status), statusLink) : as("unknown", t("dispatch.unknown.why"), statusLink);
}

export function Dispatcher() {
  const vehicles = useWhole<Vehicle>("/vehicles");
  const running = useWhole<WorkOrder>("/maintenance/orders", { status: "in_progress" });
  const planned = useWhole<WorkOrder>("/maintenance/orders", { status: "scheduled" });
  const waiting = useWhole<Order>("/maintenance/orders", { status: "completed", waits_for_release: true });
  const tasks = useWhole<Task>("/maintenance/tasks", { is_completed: false });
  const only = filter("verdict");
  const search = filter("search");
  // A verdict without its grounds would be a guess, so all of them have to be there; and nobody is released on old ones.
  const lists = [running, planned, waiting];
  const grounds = together([vehicles, tasks, ...lists], () => ({ vehicles: vehicles.value ?? [], orders: lists.flatMap((asked): Order[] => asked.value ?? []), tasks: tasks.value ?? [] }));
  const isCertain = !isStale(grounds);
  return (
    <Page title={t("page.dispatcher")} lead={t("dispatch.lead")} actions={<PrintButton />}>
      <Shown asked={grounds} isEmpty={(found) => found.vehicles.length === 0} empty={t("fleet.none")}>
        {(found) => {
          const orders = byVehicle(found.orders);
          const due = byVehicle(found.tasks);
          const all = found.vehicles.filter((vehicle) => vehicle.status !== "retired" || only === "blocked").map((vehicle) => judge(vehicle, orders.get(vehicle.id) ?? [], due.get(vehicle.id) ?? [], isCertain));
          all.sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) || a.vehicle.asset_id.localeCompare(b.vehicle.asset_id));
          const rows = all.filter((row) => (only === "" || row.verdict === only) && `${row.vehicle.asset_id} ${row.vehicle.current_location ?? ""}`.toLowerCase().includes(search.toLowerCase()));
          return (
            <>
              <div class="tiles three">
                {ORDER.filter((name) => name !== (isCertain ? "unknown" : "released")).map((name) => (
                  <button type="button" class="tile" aria-pressed={only === name} onClick={() => setFilters({ verdict: only === name ? "" : name })}>
                    <span class="figure">{number(all.filter((row) => row.verdict === name).length)}</span>
                    <Badge tone={VERDICT[name]}>{word("dispatch", name)}</Badge>
                  </button>
                ))}
              </div>
              <div class="filters no-print">
                <Field label={t("filter.search")}><input type="search" value={search} onInput={(event) => setFilters({ search: event.currentTarget.value })} /></Field>
              </div>
              <Grid
                label={t("page.dispatcher")}
                rows={rows}
                keyOf={(row) => row.vehicle.asset_id}
                columns={[
                  { name: t("vehicle.id"), cell: (row) => <a href={href(["vehicle", row.vehicle.asset_id])}>{row.vehicle.asset_id}</a> },
                  { name: t("dispatch.verdict"), cell: (row) => <Badge tone={VERDICT[row.verdict]}>{word("dispatch", row.verdict)}</Badge> },
                  { name: t("dispatch.reason"), cell: (row) => <a href={row.link}>{row.reason}</a> },
                  { name: t("vehicle.place"), cell: (row) => row.vehicle.current_location ?? row.vehicle.home_depot ?? "–" },
                  { name: t("filter.status"), cell: (row) => <Badge tone={toneOfStatus(row.vehicle.status)}>{word("status", row.vehicle.status)}</Badge> },
                ]}
              />
              <DataLinks file="dispatch" table={{ head: ["vehicle", "verdict", "reason", "place", "status"], rows: rows.map((row) => [row.vehicle.asset_id, row.verdict, row.reason, row.vehicle.current_location ?? row.vehicle.home_depot, row.vehicle.status]) }} />
            </>
          );
        }}
      </Shown>
    </Page>
  );
}
