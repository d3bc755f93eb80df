// What stands between finished work and a vehicle that runs again: open findings, and the release. Who says what became of
// a finding, or lets a vehicle go, does so with the network only: the server judges both by what is known now.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { seg, write } from "../core/api";
import { may } from "../core/session";
import { day, t, word } from "../i18n";
import { Badge, Dialog, Field, type Tone, useDoing } from "../parts/ui";

/** As much of an order as says whether it holds its vehicle: a row of the server, or of a tablet. */
interface Releasable {
  status: string;
  requires_release?: boolean | null;
  released_at?: string | null;
}

/** A finding, as the server's and the tablet's rows have it: `severity`, `resolution` and `resolved_at` once told, and more. */
type Found = Readonly<Record<string, unknown>>;

/** Whether the work is done and its vehicle stays in the workshop until somebody releases it. */
export const waitsForRelease = (order: Releasable): boolean => order.status === "completed" && order.requires_release === true && !order.released_at;

/** Whether nobody said yet what became of it, nor when. */
export const isOpenFinding = (finding: Found): boolean => typeof finding.resolution !== "string" && typeof finding.resolved_at !== "string";

/** The open findings with which an order is not released. */
export const graveFindings = (findings: Found[]): Found[] => findings.filter((one) => isOpenFinding(one) && (one.severity === "high" || one.severity === "critical"));

const toneOfFinding = (finding: Found): Tone => (!isOpenFinding(finding) ? "good" : finding.severity === "critical" ? "bad" : finding.severity === "high" ? "warn" : "none");

/** Characters that the server takes of what became of a finding, and of the notes of a release. */
const TEXT_MAX = 2_000;

interface Asking {
  title: string;
  label: string;
  button: string;
  /** Whether it cannot be sent without a text. */
  isNeeded: boolean;
  send: (text: string) => Promise<unknown>;
  onClose: () => void;
  onDone: () => void;
  children?: ComponentChildren;
}

/** Asks for a text and sends it. What the server refuses stands there in its own words, and the text stays. */
function Ask({ title, label, button, isNeeded, send, onClose, onDone, children }: Asking) {
  const [text, setText] = useState("");
  const { run, fault } = useDoing();
  const [isSending, setSending] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isSending) return;
    setSending(true);
    if (await run(() => send(text.trim()))) onDone();
    setSending(false);
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {children}
        <Field label={label}><textarea rows={3} maxLength={TEXT_MAX} required={isNeeded} value={text} onInput={(event) => setText(event.currentTarget.value)} /></Field>
        {fault}
        <button type="submit" class="main" disabled={isNeeded && text.trim() === ""}>{button}</button>
      </form>
    </Dialog>
  );
}

/** The button beside an open finding, for whoever works on vehicles. */
function Resolve({ order, finding, text, onDone }: { order: string; finding: string; text: string; onDone: () => void }) {
  const [isAsking, setAsking] = useState(false);
  if (!may("TECHNICIAN")) return null;
  return (
    <>
      <button type="button" class="no-print" aria-label={`${t("finding.resolve")}: ${text}`} onClick={() => setAsking(true)}>{t("finding.resolve")}</button>
      {isAsking && (
        <Ask
          title={t("finding.resolve")}
          label={t("finding.resolution")}
          button={t("action.save")}
          isNeeded
          send={(resolution) => write("POST", `/maintenance/orders/${seg(order)}/findings/${seg(finding)}/resolve`, { resolution })}
          onClose={() => setAsking(false)}
          onDone={() => { setAsking(false); onDone(); }}
        >
          <p>{text}</p>
        </Ask>
      )}
    </>
  );
}

/** A finding in a list, with what became of it, or with the button for saying so where `isAskable`. */
export function FindingItem({ finding, id, order, isAskable, onDone }: { finding: Found; id: string; order: string; isAskable: boolean; onDone: () => void }) {
  const text = String(finding.text ?? "");
  return (
    <li class="row">
      <span><Badge tone={toneOfFinding(finding)}>{word("severity", finding.severity as string)}</Badge> {text}</span>
      {!isOpenFinding(finding) && <span class="small">{t("finding.resolved", { day: day(finding.resolved_at as string) })} {String(finding.resolution ?? "")}</span>}
      {isOpenFinding(finding) && isAskable && <Resolve order={order} finding={id} text={text} onDone={onDone} />}
    </li>
  );
}

/** The button that lets an order's vehicle run again, for whoever answers for the workshop; nothing where nothing waits. */
export function Release({ order, findings, onDone }: { order: Releasable & { order_number: string }; findings: Found[]; onDone: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const open = findings.filter(isOpenFinding).length;
  // The dialog stays where it is when another person was faster: the server says so to whoever sends it.
  if (!isAsking && !(waitsForRelease(order) && may("WORKSHOP_MANAGER"))) return null;
  return (
    <>
      <button type="button" class="main" onClick={() => setAsking(true)}>{t("order.release")}</button>
      {isAsking && (
        <Ask
          title={t("order.release.title", { order: order.order_number })}
          label={t("order.release.notes")}
          button={t("order.release")}
          isNeeded={false}
          send={(notes) => write("POST", `/maintenance/orders/${seg(order.order_number)}/release`, notes === "" ? {} : { notes })}
          onClose={() => setAsking(false)}
          onDone={() => { setAsking(false); onDone(); }}
        >
          <p>{t("order.release.means")}</p>
          {open > 0 && <p class="notice warn">{t("order.release.open", { count: open })}</p>}
        </Ask>
      )}
    </>
  );
}
