// What is due, what fits into the workshop, and moving an order without a surprise: the planner's page.
import { useState } from "preact/hooks";
import { HeatMap } from "../charts/svg";
import { seg, write } from "../core/api";
import { isStale, together, useAsked, useWhole } from "../core/query";
import { filter, href, setFilters } from "../core/route";
import { may } from "../core/session";
import type { Task, Track, Vehicle, WorkOrder, Workshop } from "../core/types";
import { day, DAY_MS, iso, number, t, weekday, word } from "../i18n";
import { DataLinks, PrintButton } from "../parts/exports";
import { Badge, Dialog, Empty, Field, Grid, Page, Shown, type Tone, useDoing } from "../parts/ui";
import { waitsForRelease } from "./release";

/** Days that the board shows at once. */
const DAYS = 14;
const COLUMNS = ["draft", "scheduled", "in_progress", "completed"] as const;
const DONE_SHOWN = 8;
/** Closed orders that are asked for, the newest first: the board shows few of them, and nothing collides with them. */
const DONE_ASKED = 100;

export const daysUntil = (date: string): number => Math.floor((new Date(date).getTime() - new Date(iso(Date.now())).getTime()) / DAY_MS);
const isOpen = (order: WorkOrder): boolean => order.status !== "completed" && order.status !== "cancelled";

export function Planner() {
  const tasks = useWhole<Task>("/maintenance/tasks", { is_completed: false });
  const draft = useWhole<WorkOrder>("/maintenance/orders", { status: "draft" });
  const planned = useWhole<WorkOrder>("/maintenance/orders", { status: "scheduled" });
  const running = useWhole<WorkOrder>("/maintenance/orders", { status: "in_progress" });
  const done = useAsked<WorkOrder[]>("/maintenance/orders", { status: "completed", limit: DONE_ASKED });
  const workshops = useWhole<Workshop>("/workshops");
  const tracks = useWhole<Track>("/tracks");
  const vehicles = useWhole<Vehicle>("/vehicles");
  const [moving, setMoving] = useState<Moving | null>(null);
  const fleet = vehicles.value ?? [];
  const nameOf = new Map(fleet.map((vehicle) => [vehicle.id, vehicle.asset_id]));
  // What an order can collide with: every one that is open, not only the newest.
  const open = together([draft, planned, running], () => [draft, planned, running].flatMap((asked) => asked.value ?? []));
  const due = together([tasks, open, vehicles], () => tasks.value ?? []);
  const plan = together([open, done, workshops, tracks, vehicles], () => open.value ?? []);
  return (
    <Page title={t("page.planner")} lead={t("plan.lead")} actions={<PrintButton />}>
      <Shown asked={due}>{(found) => <Due tasks={found} orders={open.value ?? []} vehicles={fleet} />}</Shown>
      <Shown asked={plan}>
        {(found) => (
          <>
            <Plan orders={found} workshops={workshops.value ?? []} tracks={tracks.value ?? []} nameOf={nameOf} onMove={setMoving} />
            <Board open={found} done={done.value ?? []} nameOf={nameOf} onMove={(order) => setMoving({ order, day: null, track: order.assigned_track })} />
          </>
        )}
      </Shown>
      {moving && <Move moving={moving} others={open.value ?? []} isCertain={plan.value !== null && !isStale(plan)} tracks={tracks.value ?? []} onClose={() => setMoving(null)} onDone={() => { setMoving(null); open.again(); }} />}
    </Page>
  );
}

interface DueRow {
  key: string;
  vehicle: string;
  what: string;
  link: string;
  /** Days until it is due: by its date, or by its kilometres if these come first. */
  days: number;
  km: number | null;
  date: string;
  isFirm: boolean;
}

/** Kilometres a day of each vehicle, over a month that ends when half of the fleet was heard of last. */
function useRates(vehicles: Vehicle[]): Map<string, number> {
  const heard = vehicles.map((vehicle) => vehicle.updated_at).sort();
  const last = heard[Math.floor(heard.length / 2)];
  const at = last ? iso(new Date(last).getTime() - 30 * DAY_MS) : null;
  const before = useWhole<Vehicle>(at ? "/time-travel/fleet" : null, { at: at && `${at}T00:00:00Z`, limit: 1_000 }, false, "vehicles");
  const then = new Map((before.value ?? []).map((vehicle) => [vehicle.asset_id, vehicle.current_mileage_km]));
  const rates = new Map<string, number>();
  for (const vehicle of vehicles) {
    const was = then.get(vehicle.asset_id);
    if (was != null && vehicle.current_mileage_km != null && vehicle.current_mileage_km > was) rates.set(vehicle.asset_id, (vehicle.current_mileage_km - was) / 30);
  }
  return rates;
}

/** Every open task and every open order by the week in which it is due. */
function Due({ tasks, orders, vehicles }: { tasks: Task[]; orders: WorkOrder[]; vehicles: Vehicle[] }) {
  const rates = useRates(vehicles);
  const byId = new Map(vehicles.map((vehicle) => [vehicle.id, vehicle]));
  const rows: DueRow[] = [];
  for (const task of tasks) {
    if (task.is_completed) continue;
    const vehicle = byId.get(task.vehicle_id);
    const name = vehicle?.asset_id ?? task.vehicle_id.slice(0, 8);
    const km = task.due_mileage_km !== null && vehicle?.current_mileage_km != null ? task.due_mileage_km - vehicle.current_mileage_km : null;
    const rate = rates.get(name);
    // What is run already is overdue, however little the vehicle runs now.
    const byKm = km === null ? null : rate ? Math.floor(km / rate) : km <= 0 ? -1 : null;
    const byDate = task.due_date ? daysUntil(task.due_date) : null;
    const days = Math.min(byKm ?? Infinity, byDate ?? Infinity);
    if (!Number.isFinite(days)) continue;
    const isFirm = byDate !== null && byDate <= (byKm ?? Infinity);
    rows.push({ key: task.id, vehicle: name, what: `${word("task", task.type)}${task.description ? `: ${task.description}` : ""}`, link: href(["vehicle", name]), days, km, date: iso(Date.now() + days * DAY_MS), isFirm });
  }
  for (const order of orders) {
    if (!isOpen(order) || order.status === "in_progress" || !order.scheduled_start) continue;
    const name = byId.get(order.vehicle_id)?.asset_id ?? order.vehicle_id.slice(0, 8);
    rows.push({ key: order.id, vehicle: name, what: `${order.order_number}: ${order.work_description ?? ""}`, link: href(["order", order.order_number]), days: daysUntil(order.scheduled_start), km: null, date: iso(order.scheduled_start), isFirm: true });
  }
  rows.sort((a, b) => a.days - b.days);
  const today = (new Date().getUTCDay() + 6) % 7;
  const weeks: [string, DueRow[]][] = [
    [t("plan.week.over"), rows.filter((row) => row.days < 0)],
    [t("plan.week.this"), rows.filter((row) => row.days >= 0 && row.days < 7 - today)],
    [t("plan.week.next"), rows.filter((row) => row.days >= 7 - today && row.days < 14 - today)],
    [t("plan.week.later"), rows.filter((row) => row.days >= 14 - today)],
  ];
  const tone = (row: DueRow): Tone => (row.days < 0 ? "bad" : row.days < 14 ? "warn" : "none");
  return (
    <section>
      <h2>{t("plan.due")}</h2>
      {rows.length === 0 && <Empty>{t("plan.due.none")}</Empty>}
      {weeks.filter(([, due]) => due.length > 0).map(([title, due]) => (
        <section>
          <h3>{title} <span class="count">{due.length}</span></h3>
          <Grid
            label={title}
            rows={due}
            max={60}
            keyOf={(row) => row.key}
            columns={[
              { name: t("vehicle.id"), cell: (row) => <a href={href(["vehicle", row.vehicle])}>{row.vehicle}</a> },
              { name: t("plan.kind"), cell: (row) => <a href={row.link}>{row.what}</a> },
              { name: t("plan.days"), cell: (row) => <Badge tone={tone(row)}>{t("plan.in-days", { days: number(row.days) })}</Badge> },
              { name: t("plan.km"), cell: (row) => (row.km === null ? "–" : `${number(row.km)} km`), number: true },
              { name: t("plan.rate"), cell: (row) => { const rate = rates.get(row.vehicle); return rate ? `${number(rate)} km` : "–"; }, number: true },
              { name: t("plan.date"), cell: (row) => `${row.isFirm ? "" : "≈ "}${day(row.date)}` },
            ]}
          />
        </section>
      ))}
      {rows.length > 0 && <DataLinks file="due" table={{ head: ["vehicle", "what", "days", "km", "date"], rows: rows.map((row) => [row.vehicle, row.what, row.days, row.km, row.date]) }} />}
    </section>
  );
}

interface Moving {
  order: WorkOrder;
  day: string | null;
  track: string | null;
}

interface PlanProps {
  orders: WorkOrder[];
  workshops: Workshop[];
  tracks: Track[];
  nameOf: Map<string, string>;
  onMove: (moving: Moving) => void;
}

/** Track by day: how full, and with what. An order is dragged to another cell, or moved by its button. */
function Plan({ orders, workshops, tracks, nameOf, onMove }: PlanProps) {
  const shop = filter("workshop") || workshops[0]?.id || "";
  const begin = filter("from") || iso(Date.now());
  const days = Array.from({ length: DAYS }, (_, index) => iso(new Date(begin).getTime() + index * DAY_MS));
  // The days of each order, once for all cells of the board.
  const spans = new Map(orders.flatMap((order) => (order.scheduled_start === null || !isOpen(order) ? [] : [[order, [iso(order.scheduled_start), iso(order.scheduled_end ?? order.scheduled_start)]] as const])));
  const covers = (order: WorkOrder, date: string): boolean => {
    const [from = "~", to = ""] = spans.get(order) ?? [];
    return from <= date && to >= date;
  };
  const there = orders.filter((order) => spans.has(order) && order.workshop_id === shop);
  const own = tracks.filter((track) => track.workshop_id === shop && track.is_active);
  const rows: (Track | null)[] = [...own, null];
  const cell = (track: Track | null, date: string): WorkOrder[] => there.filter((order) => (track === null ? !own.some((one) => one.track_id === order.assigned_track) : order.assigned_track === track.track_id) && covers(order, date));
  const full = (workshop: Workshop): (number | null)[] =>
    days.map((date) => (workshop.total_tracks > 0 ? (100 * orders.filter((order) => order.workshop_id === workshop.id && covers(order, date)).length) / workshop.total_tracks : null));
  const shift = (count: number): void => setFilters({ from: iso(new Date(begin).getTime() + count * DAY_MS) });
  const drop = (event: DragEvent, track: Track | null, date: string): void => {
    event.preventDefault();
    const order = orders.find((one) => one.id === event.dataTransfer?.getData("text/plain"));
    if (order) onMove({ order, day: date, track: track?.track_id ?? null });
  };
  return (
    <section>
      <h2>{t("plan.capacity")}</h2>
      <div class="filters no-print">
        <Field label={t("workshops.code")}>
          <select value={shop} onChange={(event) => setFilters({ workshop: event.currentTarget.value })}>{workshops.map((workshop) => <option value={workshop.id}>{workshop.code} · {workshop.name}</option>)}</select>
        </Field>
        <button type="button" onClick={() => shift(-7)}>{t("plan.week.back")}</button>
        <button type="button" onClick={() => setFilters({ from: "" })}>{t("scrub.today")}</button>
        <button type="button" onClick={() => shift(7)}>{t("plan.week.forth")}</button>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("plan.tracks")}>
        <table class="heat plan">
          <caption class="hidden">{t("plan.tracks")}</caption>
          <thead><tr><th scope="col">{t("plan.track")}</th>{days.map((date) => <th scope="col" class={date === iso(Date.now()) ? "today" : ""}>{weekday(date)}<br />{date.slice(8)}.{date.slice(5, 7)}.</th>)}</tr></thead>
          <tbody>
            {rows.map((track) => (
              <tr>
                <th scope="row">{track?.name ?? t("plan.no-track")}</th>
                {days.map((date) => {
                  const found = cell(track, date);
                  const step = found.length === 0 ? "none" : track !== null && found.length > 1 ? "clash" : Math.min(3, found.length);
                  return (
                    <td class={`heat-${step}`} onDragOver={(event) => event.preventDefault()} onDrop={(event) => drop(event, track, date)}>
                      {found.map((order) => (
                        <span class="job" draggable={may("DISPATCHER")} onDragStart={(event) => event.dataTransfer?.setData("text/plain", order.id)}>
                          <a href={href(["order", order.order_number])} draggable={false} title={`${order.order_number}: ${order.work_description ?? ""}`}>{nameOf.get(order.vehicle_id) ?? order.order_number}</a>
                        </span>
                      ))}
                      {step === "clash" && <span class="small">{t("plan.double")}</span>}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <HeatMap title={t("plan.full")} summary={t("plan.capacity.summary", { days: DAYS })} file="capacity" rows={workshops.map((workshop) => workshop.code)} columns={days.map((date) => date.slice(5))} values={workshops.map(full)} unit="%" high={100} href={(row) => href(["planner"], { workshop: workshops[row]?.id ?? "", from: begin })} />
    </section>
  );
}

function Board({ open, done, nameOf, onMove }: { open: WorkOrder[]; done: WorkOrder[]; nameOf: Map<string, string>; onMove: (order: WorkOrder) => void }) {
  return (
    <section>
      <h2>{t("plan.board")}</h2>
      <div class="board">
        {COLUMNS.map((status) => {
          const of = [...open, ...done].filter((order) => order.status === status).sort((a, b) => (a.scheduled_start ?? "9").localeCompare(b.scheduled_start ?? "9"));
          const more = status === "completed" && of.length >= DONE_ASKED ? "+" : "";
          const shown = status === "completed" ? of.slice(-DONE_SHOWN).reverse() : of.slice(0, 30);
          return (
            <section aria-label={word("order-status", status)}>
              <h3>{word("order-status", status)} <span class="count">{of.length}{more}</span></h3>
              <ul class="cards">
                {shown.map((order) => (
                  <li class="card" draggable={may("DISPATCHER") && isOpen(order)} onDragStart={(event) => event.dataTransfer?.setData("text/plain", order.id)}>
                    <span class="row"><a href={href(["order", order.order_number])}>{order.order_number}</a> <strong>{nameOf.get(order.vehicle_id) ?? ""}</strong></span>
                    <span>{order.work_description}</span>
                    <span class="small">{word("priority", order.priority)} · {day(status === "completed" ? order.actual_end : order.scheduled_start)}</span>
                    {waitsForRelease(order) && <Badge tone="warn">{t("order.waits")}</Badge>}
                    {may("DISPATCHER") && isOpen(order) && <button type="button" onClick={() => onMove(order)}>{t("plan.move")}</button>}
                  </li>
                ))}
                {of.length > shown.length && <li class="small">{t("plan.more", { count: number(of.length - shown.length) + more })}</li>}
              </ul>
            </section>
          );
        })}
      </div>
    </section>
  );
}

const overlaps = (a: WorkOrder, start: string, end: string): boolean => (a.scheduled_start ?? "") < end && (a.scheduled_end ?? "") > start;

/** A day's local time for an input, and back to the instant that it means here. */
const local = (at: string): string => {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};
const instant = (text: string): string => new Date(text).toISOString();

/**
 * Another time and track for an order, by form and not only by drag; what it collides with shows before it is saved. That it
 * collides with nothing is said only where `others` are certain to be all and as they are now.
 */
function Move({ moving, others, isCertain, tracks, onClose, onDone }: { moving: Moving; others: WorkOrder[]; isCertain: boolean; tracks: Track[]; onClose: () => void; onDone: () => void }) {
  const { order } = moving;
  const was = order.scheduled_start ?? new Date().toISOString();
  const length = order.scheduled_start && order.scheduled_end ? new Date(order.scheduled_end).getTime() - new Date(order.scheduled_start).getTime() : 8 * 3_600_000;
  const begins = moving.day ? `${moving.day}T${local(was).slice(11)}` : local(was);
  const [start, setStart] = useState(begins);
  const [end, setEnd] = useState(local(new Date(new Date(begins).getTime() + length).toISOString()));
  const [track, setTrack] = useState(moving.track ?? "");
  const { run, fault } = useDoing();
  const isWrong = start === "" || end === "" || end <= start;
  const clash = isWrong ? [] : others.filter((other) => other.id !== order.id && isOpen(other) && overlaps(other, instant(start), instant(end)) && (other.vehicle_id === order.vehicle_id || (track !== "" && other.assigned_track === track && other.workshop_id === order.workshop_id)));
  const own = tracks.filter((one) => one.workshop_id === order.workshop_id && one.is_active);
  const closed = own.find((one) => one.track_id === track)?.availability?.filter((one) => one.is_available === false && one.start_ts < instant(end || start) && one.end_ts > instant(start)) ?? [];
  const save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const changes = { scheduled_start: instant(start), scheduled_end: instant(end), ...(track !== (order.assigned_track ?? "") ? { assigned_track: track || null } : {}), ...(order.status === "draft" ? { status: "scheduled" } : {}) };
    if (await run(() => write("PATCH", `/maintenance/orders/${seg(order.order_number)}`, changes))) onDone();
  };
  return (
    <Dialog title={t("plan.move.title", { order: order.order_number })} onClose={onClose}>
      <form onSubmit={(event) => void save(event)}>
        <Field label={t("plan.start")}><input type="datetime-local" value={start} onInput={(event) => setStart(event.currentTarget.value)} required /></Field>
        <Field label={t("plan.end")}><input type="datetime-local" value={end} min={start} onInput={(event) => setEnd(event.currentTarget.value)} required /></Field>
        <Field label={t("plan.track")}>
          <select value={track} onChange={(event) => setTrack(event.currentTarget.value)}>
            <option value="">{t("plan.no-track")}</option>
            {own.map((one) => <option value={one.track_id}>{one.name}</option>)}
          </select>
        </Field>
        {clash.length > 0 && <p class="notice warn" role="alert">{t("plan.clash", { orders: clash.map((other) => other.order_number).join(", ") })}</p>}
        {clash.length === 0 && (isWrong || isCertain) && <p class="small" role="status">{t(isWrong ? "plan.order-of-times" : "plan.clash.none")}</p>}
        {!isWrong && !isCertain && <p class="notice warn" role="status">{t("plan.clash.unknown")}</p>}
        {closed.length > 0 && <p class="notice warn" role="alert">{t("plan.closed")}</p>}
        {fault}
        <button type="submit" class="main" disabled={isWrong}>{t("action.save")}</button>
      </form>
    </Dialog>
  );
}
