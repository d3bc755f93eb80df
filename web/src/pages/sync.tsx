// Tablets: what waits on this one, how far behind the others are, and where two people changed the same thing.
import { useState } from "preact/hooks";
import { seg, write } from "../core/api";
import { useAsked, useWhole } from "../core/query";
import { may } from "../core/session";
import { acts, type Act, exchange, forget, heardAt, isTablet, syncing, trouble } from "../core/tablet";
import { type Key, number, relative, t, time, typed, word } from "../i18n";
import { DataLinks } from "../parts/exports";
import { Ago, Badge, Dialog, Empty, Field, Grid, Page, Shown, type Tone, useDoing } from "../parts/ui";

const TONE: Record<Act["state"], Tone> = { waiting: "warn", sent: "good", refused: "bad" };

/** What was done on this tablet, newest first, each with what became of it. */
export function ActList() {
  if (acts.value.length === 0) return <Empty>{t("sync.nothing")}</Empty>;
  return (
    <ul class="feed acts">
      {[...acts.value].reverse().map((one) => (
        <li key={one.id}>
          <span class="row">
            <Badge tone={TONE[one.state]}>{one.state === "waiting" && syncing.value ? t("sync.sending") : word("act-state", one.state)}</Badge>
            <strong>{t(one.label as Key)} {one.about}</strong>
            <Ago at={one.madeAt} />
          </span>
          {one.said && <p class="small">{word("verdict", one.said)}</p>}
          {one.state === "refused" && <button type="button" class="no-print" onClick={() => void forget(one)}>{t("action.clear")}</button>}
        </li>
      ))}
    </ul>
  );
}

interface Device {
  device_id: string;
  device_name: string | null;
  is_active: boolean;
  is_expired: boolean;
  last_sync_at: string | null;
  lag: number | null;
  operations_seen: number | null;
  verdicts_waiting: number | null;
  role: string;
}
interface Conflict {
  conflict_id: string;
  conflict_type: string;
  created_at: string;
  entity_type: string;
  entity_id: string;
  field_name: string;
  source_device: string | null;
  notes: string | null;
  server_value: { type: string; value: unknown };
  client_value: { type: string; value: unknown };
}

const shown = (value: unknown): string => (typeof value === "string" ? value : typeof value === "number" ? number(value, 2) : JSON.stringify(value ?? null));

export function Sync() {
  const devices = useWhole<Device>("/sync/devices");
  const conflicts = useWhole<Conflict>("/sync/conflicts");
  const [choosing, setChoosing] = useState<Conflict | null>(null);
  const [looking, setLooking] = useState<Device | null>(null);
  return (
    <Page title={t("page.sync")} lead={t("sync.lead")}>
      <section>
        <h2>{t("sync.here")}</h2>
        <p class="row">
          <Badge tone={!isTablet.value ? "none" : trouble.value ? "bad" : "good"}>{t(isTablet.value ? "sync.is-tablet" : "sync.is-none")}</Badge>
          {heardAt.value && <span>{t("sync.heard", { ago: relative(heardAt.value) })}</span>}
          <button type="button" class="no-print" disabled={syncing.value} onClick={() => void exchange()}>{t("sync.now")}</button>
        </p>
        {trouble.value && <p class="failure" role="alert">{trouble.value}</p>}
        <ActList />
      </section>
      <section>
        <h2>{t("sync.conflicts")}</h2>
        <Shown asked={conflicts} isEmpty={(found) => found.length === 0} empty={t("sync.conflicts.none")}>
          {(found) => (
            <Grid
              label={t("sync.conflicts")}
              rows={found}
              keyOf={(conflict) => conflict.conflict_id}
              columns={[
                { name: t("audit.about"), cell: (conflict) => `${word("thing", conflict.entity_type)} ${conflict.entity_id}` },
                { name: t("field"), cell: (conflict) => word("field", conflict.field_name) },
                { name: t("sync.choose"), cell: (conflict) => (may("DISPATCHER") ? <button type="button" onClick={() => setChoosing(conflict)}>{t("sync.choose")}<span class="hidden">: {word("field", conflict.field_name)}, {conflict.entity_id}</span></button> : "–") },
                { name: t("sync.server"), cell: (conflict) => shown(conflict.server_value?.value) },
                { name: t("sync.client"), cell: (conflict) => <>{shown(conflict.client_value?.value)} <span class="small">{conflict.source_device}</span></> },
                { name: t("sync.why"), cell: (conflict) => word("conflict", conflict.conflict_type) },
                { name: t("history.when"), cell: (conflict) => <Ago at={conflict.created_at} /> },
              ]}
            />
          )}
        </Shown>
      </section>
      <section>
        <h2>{t("sync.devices")}</h2>
        <Shown asked={devices} isEmpty={(found) => found.length === 0} empty={t("sync.devices.none")}>
          {(found) => (
            <>
              <Grid
                label={t("sync.devices")}
                rows={found}
                keyOf={(device) => device.device_id}
                columns={[
                  { name: t("sync.device"), cell: (device) => device.device_name ?? device.device_id },
                  { name: t("filter.status"), cell: (device) => <Badge tone={!device.is_active ? "none" : device.is_expired ? "warn" : "good"}>{t(!device.is_active ? "sync.revoked" : device.is_expired ? "sync.expired" : "sync.active")}</Badge> },
                  { name: t("sync.last"), cell: (device) => <Ago at={device.last_sync_at} /> },
                  { name: t("sync.lag"), cell: (device) => (device.lag === null ? "–" : <Badge tone={device.lag > 1_000 ? "bad" : device.lag > 0 ? "warn" : "good"}>{number(device.lag)}</Badge>), number: true },
                  { name: t("sync.seen"), cell: (device) => number(device.operations_seen), number: true },
                  { name: t("history.details"), cell: (device) => <button type="button" class="quiet" onClick={() => setLooking(device)}>{t("action.open")}<span class="hidden"> {device.device_name ?? device.device_id}</span></button> },
                ]}
              />
              <DataLinks
                file="tablets"
                table={{ head: ["device_id", "name", "active", "last_sync_at", "lag", "operations"], rows: found.map((device) => [device.device_id, device.device_name, String(device.is_active), device.last_sync_at, device.lag, device.operations_seen]) }}
              />
            </>
          )}
        </Shown>
      </section>
      {choosing && <Choose conflict={choosing} onClose={() => setChoosing(null)} onDone={() => { setChoosing(null); conflicts.again(); }} />}
      {looking && <DeviceDialog device={looking} onClose={() => setLooking(null)} onDone={() => { setLooking(null); devices.again(); }} />}
    </Page>
  );
}

/** Which value stands: the one here, the one from the tablet, or another. The choice is an event, so nothing is lost. */
function Choose({ conflict, onClose, onDone }: { conflict: Conflict; onClose: () => void; onDone: () => void }) {
  const [other, setOther] = useState("");
  const { run, fault } = useDoing();
  const isNumber = typeof conflict.server_value?.value === "number" || typeof conflict.client_value?.value === "number";
  /** What was typed, as what the field holds; null where it is none. */
  const custom = isNumber ? typed(other) : other.trim() || null;
  const resolve = async (resolution: "server" | "client" | "custom"): Promise<void> => {
    const choice = { resolution, ...(resolution === "custom" ? { custom_value: custom } : {}) };
    if (await run(() => write("POST", `/sync/conflicts/${seg(conflict.conflict_id)}/resolve`, choice))) onDone();
  };
  return (
    <Dialog title={`${word("field", conflict.field_name)}, ${conflict.entity_id}`} onClose={onClose}>
      {conflict.notes && <p>{conflict.notes}</p>}
      {fault}
      <div class="choices">
        <button type="button" onClick={() => void resolve("server")}><span class="small">{t("sync.keep-server")}</span> <strong>{shown(conflict.server_value?.value)}</strong></button>
        <button type="button" onClick={() => void resolve("client")}><span class="small">{t("sync.keep-client")}</span> <strong>{shown(conflict.client_value?.value)}</strong></button>
        <form class="row" onSubmit={(event) => { event.preventDefault(); void resolve("custom"); }}>
          <Field label={t("sync.other")}><input value={other} required onInput={(event) => setOther(event.currentTarget.value)} /></Field>
          <button type="submit" disabled={custom === null}>{t("action.save")}</button>
        </form>
      </div>
    </Dialog>
  );
}

interface Refused {
  operations: { operation_id: string; entity_type: string; entity_id: string; field: string; reason: string; detail: string | null; recorded_at: string }[];
}

function DeviceDialog({ device, onClose, onDone }: { device: Device; onClose: () => void; onDone: () => void }) {
  const asked = useAsked<Refused>(`/sync/devices/${seg(device.device_id)}/refused`, {}, false);
  const { run, fault } = useDoing();
  const revoke = async (): Promise<void> => {
    if (await run(() => write("DELETE", `/sync/devices/${seg(device.device_id)}?reason=lost`, undefined))) onDone();
  };
  return (
    <Dialog title={device.device_name ?? device.device_id} onClose={onClose}>
      <p class="small">{device.device_id} · {word("role", device.role)}</p>
      <h3>{t("sync.refusals")}</h3>
      <Shown asked={asked} isEmpty={(found) => found.operations.length === 0} empty={t("sync.refusals.none")}>
        {(found) => <ul class="feed">{found.operations.map((one) => <li key={one.operation_id}>{word("thing", one.entity_type)} {one.entity_id.slice(0, 12)}, {word("field", one.field)}: {one.detail ?? word("verdict", one.reason)} <span class="small">{time(one.recorded_at)}</span></li>)}</ul>}
      </Shown>
      {fault}
      {device.is_active && <button type="button" class="danger" onClick={() => void revoke()}>{t("sync.revoke")}</button>}
    </Dialog>
  );
}
