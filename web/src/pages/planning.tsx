// What is due, what fits, and which vehicles may run: the planner's and the dispatcher's pages.
import { useState } from "preact/hooks";
import { HeatMap } from "../charts/svg";
import { Problem, seg, write } from "../core/api";
import { useAsked } from "../core/query";
import { href } from "../core/route";
import { may } from "../core/session";
import type { Task, Vehicle, WorkOrder, Workshop } from "../core/types";
import { day, number, t, word } from "../i18n";
import { Badge, Dialog, Field, Grid, Page, Shown, toneOfStatus, type Tone } from "../parts/ui";

const DAY_MS = 86_400_000;
const COLUMNS = ["draft", "scheduled", "in_progress", "completed"] as const;
/** Days that the capacity map looks ahead. */
const DAYS = 14;

const daysUntil = (date: string): number => Math.ceil((new Date(date).getTime() - Date.now()) / DAY_MS);

export function Planner() {
  const tasks = useAsked<Task[]>("/maintenance/tasks", { limit: 500 });
  const orders = useAsked<WorkOrder[]>("/maintenance/orders", { limit: 500 });
  const workshops = useAsked<Workshop[]>("/workshops");
  const vehicles = useAsked<{ vehicles: Vehicle[] }>("/vehicles", { limit: 500 });
  const nameOf = new Map((vehicles.value?.vehicles ?? []).map((vehicle) => [vehicle.id, vehicle]));
  const [moving, setMoving] = useState<WorkOrder | null>(null);
  return (
    <Page title={t("page.planner")} lead={t("plan.lead")}>
      <section>
        <h2>{t("plan.due")}</h2>
        <Shown asked={tasks} isEmpty={(found) => found.every((task) => task.is_completed)} empty={t("plan.due.none")}>
          {(found) => (
            <Grid
              label={t("plan.due")}
              rows={found.filter((task) => !task.is_completed).sort((a, b) => a.due_date.localeCompare(b.due_date)).slice(0, 100)}
              keyOf={(task) => task.id}
              columns={[
                { name: t("vehicle.id"), cell: (task) => { const vehicle = nameOf.get(task.vehicle_id); return <a href={href(["vehicle", vehicle?.asset_id ?? task.vehicle_id])}>{vehicle?.asset_id ?? task.vehicle_id.slice(0, 8)}</a>; } },
                { name: t("plan.kind"), cell: (task) => word("task", task.type) },
                { name: t("plan.days"), cell: (task) => <Badge tone={task.is_overdue || daysUntil(task.due_date) < 0 ? "bad" : daysUntil(task.due_date) < 14 ? "warn" : "none"}>{t("plan.in-days", { days: daysUntil(task.due_date) })}</Badge> },
                { name: t("plan.km"), cell: (task) => { const run = nameOf.get(task.vehicle_id)?.current_mileage_km; return task.due_mileage_km !== null && run != null ? `${number(task.due_mileage_km - run)} km` : "–"; }, number: true },
                { name: t("plan.date"), cell: (task) => day(task.due_date) },
              ]}
            />
          )}
        </Shown>
      </section>
      <Shown asked={orders}>
        {(found) => (
          <>
            <section>
              <h2>{t("plan.board")}</h2>
              <div class="board">
                {COLUMNS.map((status) => {
                  const of = found.filter((order) => order.status === status).slice(0, 30);
                  return (
                    <section aria-label={word("order-status", status)}>
                      <h3>{word("order-status", status)} <span class="count">{of.length}</span></h3>
                      <ul class="cards">
                        {of.map((order) => (
                          <li class="card">
                            <a href={href(["order", order.order_number])}>{order.order_number}</a>
                            <span>{nameOf.get(order.vehicle_id)?.asset_id ?? ""} · {word("priority", order.priority)}</span>
                            <span>{day(order.scheduled_start)}</span>
                            {may("DISPATCHER") && status !== "completed" && <button type="button" class="quiet" onClick={() => setMoving(order)}>{t("plan.move")}</button>}
                          </li>
                        ))}
                      </ul>
                    </section>
                  );
                })}
              </div>
            </section>
            <Capacity orders={found} workshops={workshops.value ?? []} />
          </>
        )}
      </Shown>
      {moving && <Move order={moving} others={orders.value ?? []} onClose={() => setMoving(null)} onDone={() => { setMoving(null); orders.again(); }} />}
    </Page>
  );
}

/** Orders a workshop and day against its tracks. */
function Capacity({ orders, workshops }: { orders: WorkOrder[]; workshops: Workshop[] }) {
  const days = Array.from({ length: DAYS }, (_, index) => new Date(Date.now() + index * DAY_MS).toISOString().slice(0, 10));
  const values = workshops.map((workshop) =>
    days.map((date) => {
      const there = orders.filter((order) => order.workshop_id === workshop.id && order.status !== "cancelled" && order.scheduled_start && order.scheduled_start.slice(0, 10) <= date && (order.scheduled_end ?? order.scheduled_start).slice(0, 10) >= date);
      return workshop.total_tracks > 0 ? (100 * there.length) / workshop.total_tracks : null;
    }),
  );
  return <HeatMap title={t("plan.capacity")} summary={t("plan.capacity.summary", { days: DAYS })} file="capacity" rows={workshops.map((workshop) => workshop.code)} columns={days.map((date) => date.slice(5))} values={values} unit="%" />;
}

const overlaps = (a: WorkOrder, start: string, end: string): boolean => (a.scheduled_start ?? "") < end && (a.scheduled_end ?? "") > start;

/** Another time for an order, by form and not only by drag; a conflict shows before it is saved. */
function Move({ order, others, onClose, onDone }: { order: WorkOrder; others: WorkOrder[]; onClose: () => void; onDone: () => void }) {
  const [start, setStart] = useState((order.scheduled_start ?? new Date().toISOString()).slice(0, 16));
  const [end, setEnd] = useState((order.scheduled_end ?? new Date(Date.now() + DAY_MS).toISOString()).slice(0, 16));
  const [error, setError] = useState<string | null>(null);
  const clash = others.filter((other) => other.id !== order.id && other.status !== "cancelled" && other.status !== "completed" && overlaps(other, `${start}:00Z`, `${end}:00Z`) && (other.vehicle_id === order.vehicle_id || (order.assigned_track !== null && other.assigned_track === order.assigned_track && other.workshop_id === order.workshop_id)));
  const save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    try {
      await write("PATCH", `/maintenance/orders/${seg(order.order_number)}`, { scheduled_start: `${start}:00Z`, scheduled_end: `${end}:00Z`, ...(order.status === "draft" ? { status: "scheduled" } : {}) });
      onDone();
    } catch (failure) {
      setError(failure instanceof Problem ? failure.message : t("state.offline"));
    }
  };
  return (
    <Dialog title={t("plan.move.title", { order: order.order_number })} onClose={onClose}>
      <form onSubmit={(event) => void save(event)}>
        <Field label={t("plan.start")}><input type="datetime-local" value={start} onInput={(event) => setStart(event.currentTarget.value)} required /></Field>
        <Field label={t("plan.end")}><input type="datetime-local" value={end} onInput={(event) => setEnd(event.currentTarget.value)} required /></Field>
        {clash.length > 0 && <p class="notice warn" role="alert">{t("plan.clash", { orders: clash.map((other) => other.order_number).join(", ") })}</p>}
        {error && <p class="failure" role="alert">{error}</p>}
        <button type="submit" class="main">{t("action.save")}</button>
      </form>
    </Dialog>
  );
}

type Verdict = "released" | "restricted" | "blocked";
const VERDICT: Record<Verdict, Tone> = { released: "good", restricted: "warn", blocked: "bad" };

/** Which vehicles may run tomorrow, and why not. */
function verdict(vehicle: Vehicle, orders: WorkOrder[], tasks: Task[]): { verdict: Verdict; reason: string } {
  const running = orders.find((order) => order.vehicle_id === vehicle.id && order.status === "in_progress");
  if (running) return { verdict: "blocked", reason: t("dispatch.order", { order: running.order_number }) };
  if (["in_workshop", "out_of_service", "retired"].includes(vehicle.status)) return { verdict: "blocked", reason: word("status", vehicle.status) };
  const overdue = tasks.find((task) => task.vehicle_id === vehicle.id && !task.is_completed && (task.is_overdue || daysUntil(task.due_date) < 0));
  if (overdue) return { verdict: overdue.type === "HU" || overdue.type === "ECM" ? "blocked" : "restricted", reason: t("dispatch.overdue", { task: word("task", overdue.type), day: day(overdue.due_date) }) };
  if (vehicle.status === "maintenance_due" || vehicle.status === "workshop_planned") return { verdict: "restricted", reason: word("status", vehicle.status) };
  return { verdict: "released", reason: word("status", vehicle.status) };
}

export function Dispatcher() {
  const vehicles = useAsked<{ vehicles: Vehicle[] }>("/vehicles", { limit: 500 });
  const orders = useAsked<WorkOrder[]>("/maintenance/orders", { status: "in_progress", limit: 500 });
  const tasks = useAsked<Task[]>("/maintenance/tasks", { limit: 1000 });
  return (
    <Page title={t("page.dispatcher")} lead={t("dispatch.lead")} actions={<button type="button" onClick={() => print()}>{t("action.print")}</button>}>
      <Shown asked={vehicles} isEmpty={(found) => found.vehicles.length === 0} empty={t("fleet.none")}>
        {(found) => {
          const rows = found.vehicles.map((vehicle) => ({ vehicle, ...verdict(vehicle, orders.value ?? [], tasks.value ?? []) }));
          const order: Verdict[] = ["blocked", "restricted", "released"];
          rows.sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict) || a.vehicle.asset_id.localeCompare(b.vehicle.asset_id));
          return (
            <>
              <p class="row">{order.map((name) => <Badge tone={VERDICT[name]}>{word("dispatch", name)}: {rows.filter((row) => row.verdict === name).length}</Badge>)}</p>
              <Grid
                label={t("page.dispatcher")}
                rows={rows}
                keyOf={(row) => row.vehicle.asset_id}
                columns={[
                  { name: t("vehicle.id"), cell: (row) => <a href={href(["vehicle", row.vehicle.asset_id])}>{row.vehicle.asset_id}</a> },
                  { name: t("dispatch.verdict"), cell: (row) => <Badge tone={VERDICT[row.verdict]}>{word("dispatch", row.verdict)}</Badge> },
                  { name: t("dispatch.reason"), cell: (row) => row.reason },
                  { name: t("vehicle.place"), cell: (row) => row.vehicle.current_location ?? row.vehicle.home_depot ?? "–" },
                  { name: t("filter.status"), cell: (row) => <Badge tone={toneOfStatus(row.vehicle.status)}>{word("status", row.vehicle.status)}</Badge> },
                ]}
              />
            </>
          );
        }}
      </Shown>
    </Page>
  );
}
