// The pit: own orders, what the last one found, and closing one in three taps, with or without a network.
//
// Everything is 56 px or more, nothing hovers, nothing is swiped. A change is safe on the tablet before the page says
// so, and the chip at the top counts what the server does not have yet.
import { useState } from "preact/hooks";
import { enqueue, waiting } from "../core/queue";
import { useAsked } from "../core/query";
import { seg } from "../core/api";
import { href } from "../core/route";
import type { Part, WorkOrder } from "../core/types";
import { day, t, typed, word } from "../i18n";
import { Badge, Dialog, Field, Page, Shown, toneOfStatus } from "../parts/ui";

const OPEN = new Set(["scheduled", "in_progress", "draft"]);
const RANK: Record<string, number> = { urgent: 0, high: 1, medium: 2, low: 3 };

/** What waits on this tablet for an order, laid over what the server says. */
function withWaiting(order: WorkOrder): WorkOrder {
  let shown = order;
  for (const change of waiting.value) {
    if (change.about === order.order_number && change.method === "PATCH") shown = { ...shown, ...(change.body as Partial<WorkOrder>) };
  }
  return shown;
}

export function Technician() {
  const asked = useAsked<WorkOrder[]>("/maintenance/orders", { limit: 200 });
  return (
    <div class="pit">
      <Page title={t("page.technician")} lead={t("tech.lead")}>
        <Shown asked={asked} isEmpty={(orders) => orders.every((order) => !OPEN.has(order.status))} empty={t("tech.none")}>
          {(orders) => (
            <ul class="cards">
              {orders
                .map(withWaiting)
                .filter((order) => OPEN.has(order.status))
                .sort((a, b) => (RANK[a.priority] ?? 9) - (RANK[b.priority] ?? 9) || (a.scheduled_start ?? "9").localeCompare(b.scheduled_start ?? "9"))
                .map((order) => (
                  <li key={order.id}>
                    <a class="card" href={href(["order", order.order_number])}>
                      <strong>{order.order_number}</strong>
                      <span>{order.work_description ?? order.tasks?.join(", ") ?? "–"}</span>
                      <span class="row">
                        <Badge tone={toneOfStatus(order.status)}>{word("order-status", order.status)}</Badge>
                        <Badge tone={order.priority === "urgent" ? "bad" : order.priority === "high" ? "warn" : "none"}>{word("priority", order.priority)}</Badge>
                        <span>{day(order.scheduled_start)}</span>
                      </span>
                    </a>
                  </li>
                ))}
            </ul>
          )}
        </Shown>
      </Page>
    </div>
  );
}

export function OrderPage({ id }: { id: string }) {
  const asked = useAsked<WorkOrder>(`/maintenance/orders/${seg(id)}`);
  return (
    <div class="pit">
      <Page title={id} lead={<a href={href(["technician"])}>{t("tech.back")}</a>}>
        <Shown asked={asked}>{(order) => <Order order={withWaiting(order)} />}</Shown>
      </Page>
    </div>
  );
}

function Order({ order }: { order: WorkOrder }) {
  const [closing, setClosing] = useState(false);
  const [using, setUsing] = useState(false);
  const [note, setNote] = useState("");
  const change = (label: string, body: unknown): Promise<void> =>
    enqueue({ method: "PATCH", path: `/maintenance/orders/${seg(order.order_number)}`, body, label, about: order.order_number });
  return (
    <>
      <p class="row">
        <Badge tone={toneOfStatus(order.status)}>{word("order-status", order.status)}</Badge>
        <span>{day(order.scheduled_start)} – {day(order.scheduled_end)}</span>
        <span>{order.assigned_track ?? ""} {order.assigned_team ?? ""}</span>
      </p>
      <p class="big">{order.work_description ?? "–"}</p>
      <LastFinding order={order} />
      {(order.tasks ?? []).length > 0 && (
        <section>
          <h2>{t("tech.checklist")}</h2>
          <ul class="checks">{(order.tasks ?? []).map((task) => <li><label><input type="checkbox" /> {task}</label></li>)}</ul>
        </section>
      )}
      <section>
        <h2>{t("tech.findings")}</h2>
        <p>{order.findings ?? t("tech.findings.none")}</p>
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            if (note.trim() === "") return;
            void change("queue.finding", { findings: [order.findings, note.trim()].filter(Boolean).join("\n") }).then(() => setNote(""));
          }}
        >
          <Field label={t("tech.finding.add")}>
            <input value={note} maxLength={500} onInput={(event) => setNote(event.currentTarget.value)} />
          </Field>
          <button type="submit">{t("action.add")}</button>
        </form>
      </section>
      <div class="pad no-print">
        {order.status !== "in_progress" && order.status !== "completed" && (
          <button type="button" onClick={() => void change("queue.start", { status: "in_progress", actual_start: new Date().toISOString() })}>{t("tech.start")}</button>
        )}
        <button type="button" onClick={() => setUsing(true)}>{t("tech.part")}</button>
        {order.status !== "completed" && <button type="button" class="main" onClick={() => setClosing(true)}>{t("tech.close")}</button>}
      </div>
      {closing && (
        <Dialog title={t("tech.close")} onClose={() => setClosing(false)}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              const done = String(new FormData(event.currentTarget as HTMLFormElement).get("done"));
              const end = new Date().toISOString();
              const body = { status: "completed", work_performed: done, actual_end: end, ...(order.actual_start ? {} : { actual_start: end }) };
              void change("queue.close", body).then(() => setClosing(false));
            }}
          >
            <Field label={t("tech.done")}>
              <textarea name="done" rows={3} maxLength={2000}>{t("tech.done.usual")}</textarea>
            </Field>
            <button type="submit" class="main">{t("tech.close.now")}</button>
          </form>
        </Dialog>
      )}
      {using && <UsePart order={order} onClose={() => setUsing(false)} />}
    </>
  );
}

/** What the last order on this vehicle found: the first thing a technician asks. */
function LastFinding({ order }: { order: WorkOrder }) {
  const asked = useAsked<WorkOrder[]>("/maintenance/orders", { vehicle_id: order.vehicle_id, status: "completed", limit: 20 });
  const last = (asked.value ?? []).filter((other) => other.findings && other.id !== order.id).sort((a, b) => (b.actual_end ?? "").localeCompare(a.actual_end ?? ""))[0];
  if (!last) return null;
  return <p class="notice">{t("tech.last", { order: last.order_number, day: day(last.actual_end) })}: {last.findings}</p>;
}

function UsePart({ order, onClose }: { order: WorkOrder; onClose: () => void }) {
  const [search, setSearch] = useState("");
  const asked = useAsked<{ parts: Part[] }>("/parts", { search, limit: 8 });
  const [part, setPart] = useState<Part | null>(null);
  const [count, setCount] = useState("1");
  const quantity = typed(count);
  return (
    <Dialog title={t("tech.part")} onClose={onClose}>
      {part === null ? (
        <>
          <Field label={t("filter.search")}>
            <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
          </Field>
          <Shown asked={asked} isEmpty={(found) => found.parts.length === 0}>
            {(found) => (
              <ul class="cards">
                {found.parts.map((one) => (
                  <li><button type="button" class="card" onClick={() => setPart(one)}><strong>{one.part_no}</strong><span>{one.name}</span><span>{t("part.stock", { count: one.current_stock, unit: one.unit })}</span></button></li>
                ))}
              </ul>
            )}
          </Shown>
        </>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (quantity === null || quantity < 1) return;
            const body = { part_no: part.part_no, move_type: "USAGE", quantity, work_order_id: order.id };
            void enqueue({ method: "POST", path: "/stock/moves", body, label: "queue.part", about: order.order_number }).then(onClose);
          }}
        >
          <p class="big">{part.part_no} · {part.name}</p>
          <Field label={t("part.count", { unit: part.unit })}>
            <input inputMode="numeric" value={count} onInput={(event) => setCount(event.currentTarget.value)} />
          </Field>
          <button type="submit" class="main" disabled={quantity === null || quantity < 1}>{t("tech.part.use")}</button>
        </form>
      )}
    </Dialog>
  );
}
