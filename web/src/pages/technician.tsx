// The pit: own orders, what the last one found, and closing one in three taps, with or without a network.
//
// Everything is 56 px or more, nothing hovers, nothing is swiped. What is shown is what the tablet holds (core/tablet.ts);
// what is done is safe on the tablet before the page says so, and the chip at the top counts what the server does not have.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { seg } from "../core/api";
import { connected } from "../core/live";
import { photoDocument } from "../core/photo";
import { useAsked, useWhole } from "../core/query";
import type { Item } from "../core/replica";
import { filter, href, setFilters } from "../core/route";
import { user } from "../core/session";
import { act, asked, becomeTablet, exchange, held, type Held, heardAt, isReady, refused, syncing, trouble, waiting } from "../core/tablet";
import type { Vehicle } from "../core/types";
import { day, type Key, number, relative, t, typed, word, words } from "../i18n";
import { Badge, Dialog, Empty, Field, More, Page, toneOfStatus, useDoing } from "../parts/ui";
import { FindingItem, waitsForRelease } from "./release";
import { ActList } from "./sync";

/** What a technician can take up; a draft is the planner's. */
const OPEN = new Set(["scheduled", "in_progress"]);
const RANK: Record<string, number> = { urgent: 0, high: 1, medium: 2, low: 3 };

/** A work order as the tablet's rows hold it. */
export interface Order {
  id: string;
  order_number: string;
  status: string;
  priority: string;
  vehicle_id: string;
  work_description?: string;
  work_performed?: string;
  findings?: string;
  scheduled_start?: string;
  scheduled_end?: string;
  actual_start?: string;
  actual_end?: string;
  assigned_track?: string;
  assigned_team?: string;
  assigned_staff?: string[];
  tasks?: string[];
  checklist?: Item[];
  finding_items?: Item[];
  used_parts?: Item[];
  requires_release?: boolean;
  released_at?: string | null;
}

const orderOf = ({ id, row }: Held): Order => ({ ...(row as unknown as Order), id, order_number: (row.order_number as string) ?? id });

const isMine = (order: Order): boolean =>
  (order.assigned_staff ?? []).some((who) => who === user.value?.id || who === user.value?.username);

/** A vehicle's number by its UUID, which orders name; once asked for, it stays readable without a network. */
function VehicleName({ id }: { id: string | undefined }) {
  const asked = useAsked<Vehicle>(id ? `/vehicles/${seg(id)}` : null, {}, false);
  // A piece of a row id says nothing to anybody: it stands only where no name is to come.
  return <strong class="big">{asked.value?.asset_id ?? (asked.loading ? "…" : id?.slice(0, 8) ?? "–")}</strong>;
}

/** The line that says how fresh the tablet is, and what keeps it from being fresher. */
function Freshness() {
  const reason = trouble.value;
  if (reason) return <p class="notice warn" role="status">{t("tech.trouble", { reason })}</p>;
  if (!connected.value && heardAt.value) return <p class="notice" role="status">{t("tech.offline", { ago: relative(heardAt.value) })}</p>;
  return null;
}

/** Waits for the tablet's disk, and the first time for the server. */
function WhenHeld({ children }: { children: () => preact.JSX.Element }) {
  useEffect(() => void becomeTablet(), [user.value?.id]);
  if (isReady.value && heardAt.value !== null) return children();
  if (syncing.value || !asked.value) return <div class="skeleton" role="status" aria-label={t("state.loading")} />;
  return (
    <div class="failure" role="alert">
      <strong>{t("tech.first")}</strong>
      <p>{trouble.value ?? t("tech.first.hint")}</p>
      <button type="button" onClick={() => void becomeTablet()}>{t("action.again")}</button>
    </div>
  );
}

export function Technician() {
  return (
    <div class="pit">
      <Page title={t("page.technician")} lead={t("tech.lead")}>
        <WhenHeld>{() => <Orders />}</WhenHeld>
      </Page>
    </div>
  );
}

/** Orders that are shown at once: for each of them its vehicle's number is asked for. */
const ORDERS_SHOWN = 50;

function Orders() {
  const [shown, setShown] = useState(ORDERS_SHOWN);
  const open = held("WorkOrder").map(orderOf).filter((order) => OPEN.has(order.status));
  const mine = open.filter(isMine);
  const show = filter("show") || (mine.length > 0 ? "mine" : "all");
  const rows = (show === "mine" ? mine : open).sort(
    (a, b) => Number(b.status === "in_progress") - Number(a.status === "in_progress") || (RANK[a.priority] ?? 9) - (RANK[b.priority] ?? 9) || (a.scheduled_start ?? "9").localeCompare(b.scheduled_start ?? "9"),
  );
  return (
    <>
      <Freshness />
      <div class="pad tabs no-print" role="group" aria-label={t("tech.show")}>
        <button type="button" aria-pressed={show === "mine"} onClick={() => setFilters({ show: "mine" })}>{t("tech.mine", { count: mine.length })}</button>
        <button type="button" aria-pressed={show === "all"} onClick={() => setFilters({ show: "all" })}>{t("tech.all", { count: open.length })}</button>
      </div>
      {rows.length === 0 ? (
        <Empty>{t(show === "mine" ? "tech.none.mine" : "tech.none")}</Empty>
      ) : (
        <ul class="cards" tabIndex={-1}>
          {rows.slice(0, shown).map((order) => (
            <li key={order.id}>
              <a class="card" href={href(["order", order.order_number])}>
                <span class="row"><VehicleName id={order.vehicle_id} /><span>{order.order_number}</span></span>
                <span>{order.work_description ?? order.tasks?.join(", ") ?? "–"}</span>
                <span class="row">
                  <Badge tone={toneOfStatus(order.status)}>{word("order-status", order.status)}</Badge>
                  <Badge tone={order.priority === "urgent" ? "bad" : order.priority === "high" ? "warn" : "none"}>{word("priority", order.priority)}</Badge>
                  <span>{day(order.scheduled_start)}</span>
                  <span>{order.assigned_track ?? ""}</span>
                </span>
              </a>
            </li>
          ))}
        </ul>
      )}
      <More shown={shown} step={ORDERS_SHOWN} count={rows.length} onMore={setShown} />
      {(waiting.value.length > 0 || refused.value.length > 0) && (
        <section>
          <h2>{t("sync.here")}</h2>
          <ActList />
        </section>
      )}
    </>
  );
}

/** Keeps the screen on while an order is open. */
function useWakeLock(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | null = null;
    let over = false;
    const take = (): void => {
      if (document.visibilityState !== "visible") return;
      void navigator.wakeLock?.request("screen").then((found) => (over ? void found.release() : (lock = found)), () => {});
    };
    take();
    document.addEventListener("visibilitychange", take);
    return () => {
      over = true;
      document.removeEventListener("visibilitychange", take);
      void lock?.release();
    };
  }, []);
}

export function OrderOnTablet({ id }: { id: string }) {
  useWakeLock();
  return (
    <div class="pit">
      <Page title={id} lead={<a href={href(["technician"])}>{t("tech.back")}</a>}>
        <WhenHeld>
          {() => {
            const found = held("WorkOrder").find((one) => one.id === id || one.row.order_number === id);
            return found ? <OrderView order={orderOf(found)} /> : <Empty>{t("tech.unknown")}</Empty>;
          }}
        </WhenHeld>
      </Page>
    </div>
  );
}

type Change = { field: string; op?: "put"; key?: string; value: unknown };

function OrderView({ order }: { order: Order }) {
  const { run, fault, clear } = useDoing();
  const [dialog, setDialog] = useState<"close" | "part" | null>(null);
  /** What went wrong before was told, and is none of the dialog's. */
  const open = (which: "close" | "part"): void => {
    clear();
    setDialog(which);
  };
  const shut = (): void => setDialog(null);
  const change = (label: Key, changes: Change[]): Promise<boolean> =>
    run(() => act(label, order.order_number, changes.map((one) => ({ entity_type: "WorkOrder", entity_id: order.id, ...one }))));
  const isOpen = OPEN.has(order.status);
  const steps = checklistOf(order);
  const left = (order.checklist ?? []).filter((item) => item.done !== true).length;
  const begin: Change[] = order.status === "in_progress" ? [] : [{ field: "status", value: "in_progress" }];
  return (
    <>
      <Freshness />
      <p class="row">
        <VehicleName id={order.vehicle_id} />
        <Badge tone={toneOfStatus(order.status)}>{word("order-status", order.status)}</Badge>
        {waitsForRelease(order) && <Badge tone="warn">{t("order.waits")}</Badge>}
        <span>{day(order.scheduled_start)} – {day(order.scheduled_end)}</span>
        <span>{[order.assigned_track, order.assigned_team].filter(Boolean).join(" · ")}</span>
      </p>
      <p class="big">{order.work_description ?? "–"}</p>
      <LastFinding order={order} />
      {steps.length > 0 && (
        <section>
          <h2>{t("tech.checklist")} <span class="count">{steps.filter((step) => step.done).length}/{steps.length}</span></h2>
          <ul class="checks">
            {steps.map((step) => (
              <li key={step.key}>
                <label>
                  <input
                    type="checkbox"
                    checked={step.done}
                    disabled={!isOpen}
                    onChange={(event) => void change("act.check", [{ field: "checklist", op: "put", key: step.key, value: { text: step.text, done: event.currentTarget.checked } }])}
                  />{" "}
                  {step.text}
                </label>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Findings order={order} isOpen={isOpen} change={change} />
      <UsedParts order={order} />
      <Photos order={order} isOpen={isOpen} />
      {!dialog && fault}
      {isOpen && (
        <div class="pad no-print">
          {begin.length > 0 && <button type="button" onClick={() => void change("act.start", begin)}>{t("tech.start")}</button>}
          <button type="button" onClick={() => open("part")}>{t("tech.part")}</button>
          <button type="button" class="main" onClick={() => open("close")}>{t("tech.close")}</button>
        </div>
      )}
      {dialog === "close" && (
        <Dialog title={t("tech.close")} onClose={shut}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              const done = String(new FormData(event.currentTarget as HTMLFormElement).get("done")).trim();
              const performed: Change[] = done === "" ? [] : [{ field: "work_performed", value: done }];
              void change("act.close", [...begin, ...performed, { field: "status", value: "completed" }]).then((isDone) => isDone && shut());
            }}
          >
            {fault}
            {left > 0 && <p class="notice warn" role="alert">{t("tech.left", { count: left })}</p>}
            <Field label={t("tech.done")}>
              <textarea name="done" rows={3} maxLength={2000}>{t("tech.done.usual")}</textarea>
            </Field>
            <button type="submit" class="main" disabled={left > 0}>{t("tech.close.now")}</button>
          </form>
        </Dialog>
      )}
      {dialog === "part" && <UsePart change={change} fault={fault} onClose={shut} />}
    </>
  );
}

/** The steps: the order's checklist, and its tasks that have not become a step of it yet. */
function checklistOf(order: Order): { key: string; text: string; done: boolean }[] {
  const steps = (order.checklist ?? []).map((item) => ({ key: item.key, text: String(item.text ?? item.key), done: item.done === true }));
  const known = new Set(steps.map((step) => step.text));
  const tasks = (order.tasks ?? []).filter((task) => !known.has(task)).map((task) => ({ key: `task-${task}`.slice(0, 100), text: task, done: false }));
  return [...steps, ...tasks];
}

interface Findable {
  order: Order;
  isOpen: boolean;
  change: (label: Key, changes: Change[]) => Promise<boolean>;
}

/** Whether the server does not know an item yet: nothing can be asked of it there. */
const isUnsent = (key: string): boolean => waiting.value.some((one) => one.operations.some((operation) => operation.key === key));

function Findings({ order, isOpen, change }: Findable) {
  const [note, setNote] = useState("");
  const [severity, setSeverity] = useState<string>("low");
  const found = order.finding_items ?? [];
  return (
    <section>
      <h2>{t("tech.findings")}</h2>
      {order.findings && <p>{order.findings}</p>}
      {found.length > 0 && (
        <ul class="feed">
          {found.map((item) => <FindingItem key={item.key} finding={item} id={item.key} order={order.order_number} isAskable={!order.released_at && !isUnsent(item.key)} onDone={() => void exchange()} />)}
        </ul>
      )}
      {!order.findings && found.length === 0 && <p>{t("tech.findings.none")}</p>}
      {isOpen && (
        <form
          class="row no-print"
          onSubmit={(event) => {
            event.preventDefault();
            if (note.trim() === "") return;
            const value = { text: note.trim(), severity };
            void change("act.finding", [{ field: "finding_items", op: "put", key: crypto.randomUUID(), value }]).then((isDone) => isDone && setNote(""));
          }}
        >
          <Field label={t("tech.finding.add")}><input value={note} maxLength={500} onInput={(event) => setNote(event.currentTarget.value)} /></Field>
          <Field label={t("tech.severity")}>
            <select value={severity} onChange={(event) => setSeverity(event.currentTarget.value)}>{words("severity").map((name) => <option value={name}>{word("severity", name)}</option>)}</select>
          </Field>
          <button type="submit" disabled={note.trim() === ""}>{t("action.add")}</button>
        </form>
      )}
    </section>
  );
}

function UsedParts({ order }: { order: Order }) {
  const used = order.used_parts ?? [];
  if (used.length === 0) return null;
  return (
    <section>
      <h2>{t("tech.parts")}</h2>
      <ul class="feed">{used.map((item) => <li key={item.key}>{number(item.quantity as number)} × {String(item.part_no ?? "")}</li>)}</ul>
    </section>
  );
}

/** What the last order on this vehicle found: the first thing a technician asks. */
function LastFinding({ order }: { order: Order }) {
  const texts = (one: Order): string => [one.findings, ...(one.finding_items ?? []).map((item) => item.text as string)].filter(Boolean).join("; ");
  const last = held("WorkOrder")
    .filter((one) => one.row.vehicle_id === order.vehicle_id && one.row.status === "completed" && one.id !== order.id)
    .map(orderOf)
    .filter((one) => texts(one) !== "")
    .sort((a, b) => (b.actual_end ?? "").localeCompare(a.actual_end ?? ""))[0];
  if (!last) return null;
  return <p class="notice">{t("tech.last", { order: last.order_number, day: day(last.actual_end) })}: {texts(last)}</p>;
}

interface Document {
  document_id: string;
  title: string | null;
  metadata_json: { image?: string } | null;
}

/** Photos: those that wait here, and those that the server has. */
function Photos({ order, isOpen }: { order: Order; isOpen: boolean }) {
  const { run, fault } = useDoing();
  const asked = useAsked<{ documents: Document[] }>("/docs/links", { work_order_id: order.id, limit: 50 });
  const here = waiting.value.filter((one) => one.document?.work_order_id === order.id).map((one) => one.document as unknown as Document);
  const there = asked.value?.documents ?? [];
  const shown = [...here, ...there].filter((one) => one.metadata_json?.image?.startsWith("data:image/jpeg"));
  const take = async (file: File): Promise<void> => {
    const made = await photoDocument(file, { id: order.id, number: order.order_number }).catch(() => {
      throw new Error(t("tech.photo.bad"));
    });
    await act("act.photo", order.order_number, [], made);
  };
  return (
    <section>
      <h2>{t("tech.photos")}</h2>
      {shown.length > 0 && <ul class="photos">{shown.map((one) => <li key={one.document_id}><img src={one.metadata_json?.image} alt={one.title ?? t("tech.photos")} loading="lazy" /></li>)}</ul>}
      {fault}
      {isOpen && (
        <label class="button no-print">
          <input type="file" accept="image/*" capture="environment" onChange={(event) => { const input = event.currentTarget; const file = input.files?.[0]; if (file) void run(() => take(file)).then(() => (input.value = "")); }} />
          <span>{t("tech.photo")}</span>
        </label>
      )}
    </section>
  );
}

interface Location {
  id: string;
  location_code: string;
  name: string;
}

function UsePart({ change, fault, onClose }: Pick<Findable, "change"> & { fault: ComponentChildren; onClose: () => void }) {
  const [search, setSearch] = useState("");
  const [part, setPart] = useState<Held | null>(null);
  const [count, setCount] = useState("1");
  const places = useWhole<Location>("/stock/locations", {}, false);
  const [place, setPlace] = useState<string>("");
  const quantity = typed(count);
  const isGood = quantity !== null && Number.isInteger(quantity) && quantity >= 1;
  const locations = places.value ?? [];
  const from = place || locations[0]?.id;
  const text = search.trim().toLowerCase();
  const matching = held("Part").filter((one) => one.row.is_active !== false && `${one.id} ${String(one.row.name ?? "")}`.toLowerCase().includes(text)).slice(0, 8);
  return (
    <Dialog title={t("tech.part")} onClose={onClose}>
      {part === null ? (
        <>
          <Field label={t("filter.search")}><input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} /></Field>
          {matching.length === 0 ? (
            <Empty>{t("parts.none")}</Empty>
          ) : (
            <ul class="cards">
              {matching.map((one) => (
                <li key={one.id}>
                  <button type="button" class="card" onClick={() => setPart(one)}>
                    <strong>{one.id}</strong>
                    <span>{String(one.row.name ?? "")}</span>
                    <span>{t("part.stock", { count: number(one.row.current_stock as number), unit: String(one.row.unit ?? "") })}</span>
                  </button>
                </li>
              ))}
            </ul>
          )}
        </>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!isGood) return;
            const value = { ...(from ? { from_location_id: from } : {}), part_no: part.id, quantity };
            void change("act.part", [{ field: "used_parts", op: "put", key: crypto.randomUUID(), value }]).then((isDone) => isDone && onClose());
          }}
        >
          {fault}
          <p class="big">{part.id} · {String(part.row.name ?? "")}</p>
          <Field label={t("part.count", { unit: String(part.row.unit ?? "") })}><input inputMode="numeric" value={count} onInput={(event) => setCount(event.currentTarget.value)} /></Field>
          {locations.length > 1 && (
            <Field label={t("tech.from")}>
              <select value={from} onChange={(event) => setPlace(event.currentTarget.value)}>{locations.map((one) => <option value={one.id}>{one.location_code} · {one.name}</option>)}</select>
            </Field>
          )}
          <button type="submit" class="main" disabled={!isGood}>{t("tech.part.use")}</button>
        </form>
      )}
    </Dialog>
  );
}
