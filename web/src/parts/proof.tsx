// A record's proof, checked here and not believed: this browser hashes the record's own bytes, climbs to the root (RFC
// 9162), and checks the signature of the checkpoint that names the root (docs/AUDIT.md).
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../core/api";
import { number, t, word } from "../i18n";
import { Badge } from "./ui";

export interface Proof {
  /** Base64: what the event brought into the log, byte for byte; absent for accounts. */
  leaf?: string | null;
  /** Base64 or hex of 32 bytes each. */
  leaf_hash: string;
  leaf_index: number;
  tree_size: number;
  path: string[];
  root_hash: string;
  /** A signed note (C2SP): which log, how many events, the root; then the signature. */
  checkpoint?: string;
  public_key?: string;
}

/** What was found; the first that fails is told. */
export type Verdict = "holds" | "leaf" | "path" | "note" | "signature" | "other_key";

export function bytes(text: string): Uint8Array<ArrayBuffer> {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, index) => byte === b[index]);

async function hash(first: number, ...parts: Uint8Array[]): Promise<Uint8Array> {
  const input = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  input[0] = first;
  let at = 1;
  for (const part of parts) {
    input.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", input));
}

/** The root that a leaf and its path lead to (RFC 9162, 2.1.3.2); null when the path does not fit the tree's size. */
export async function rootOf(leaf: Uint8Array, index: number, size: number, path: Uint8Array[]): Promise<Uint8Array | null> {
  if (index < 0 || index >= size) return null;
  let fn = index;
  let sn = size - 1;
  let found = leaf;
  for (const step of path) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      found = await hash(1, step, found);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      found = await hash(1, found, step);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? found : null;
}

export async function check(proof: Proof): Promise<boolean> {
  const root = await rootOf(bytes(proof.leaf_hash), proof.leaf_index, proof.tree_size, proof.path.map(bytes));
  return root !== null && same(root, bytes(proof.root_hash));
}

/** Whether the checkpoint names this root and size, and its signature is the key's. */
async function signed(proof: Required<Pick<Proof, "checkpoint" | "public_key">> & Proof): Promise<Verdict> {
  const end = proof.checkpoint.indexOf("\n\n") + 1;
  const text = proof.checkpoint.slice(0, end);
  const [origin, size, root] = text.split("\n");
  if (end === 0 || size !== String(proof.tree_size) || !root || !same(bytes(root), bytes(proof.root_hash))) return "note";
  const [name, , encoded] = splitKey(proof.public_key);
  const key = bytes(encoded ?? "");
  const line = proof.checkpoint.slice(end + 1).split("\n").find((one) => one.startsWith(`— ${name} `));
  if (!line || name !== origin || key[0] !== 1) return "signature";
  const signature = bytes(line.slice(line.lastIndexOf(" ") + 1)).slice(4);
  const imported = await crypto.subtle.importKey("raw", key.slice(1), "Ed25519", false, ["verify"]);
  return (await crypto.subtle.verify("Ed25519", imported, signature, new TextEncoder().encode(text))) ? "holds" : "signature";
}

/** `NAME+ID+KEY`, where base64 of the key may hold a plus itself. */
function splitKey(text: string): string[] {
  const [name = "", id = "", ...rest] = text.split("+");
  return [name, id, rest.join("+")];
}

/** The whole proof: bytes, tree, signature. `known` is the key that was seen before, if any. */
export async function verdictOf(proof: Proof, known: string | null): Promise<Verdict> {
  if (proof.leaf && !same(await hash(0, bytes(proof.leaf)), bytes(proof.leaf_hash))) return "leaf";
  if (!(await check(proof))) return "path";
  if (!proof.checkpoint || !proof.public_key) return "note";
  if (known !== null && known !== proof.public_key) return "other_key";
  return signed({ ...proof, checkpoint: proof.checkpoint, public_key: proof.public_key });
}

const PINNED = "railfleet.log-key";

/** Asks for a proof and checks it; the log's key is remembered when it is first seen, and may not change after. */
export async function prove(position: number): Promise<Verdict> {
  const { value } = await get<Proof>(`/audit/proof/${position}`);
  const verdict = await verdictOf(value, localStorage.getItem(PINNED));
  if (verdict === "holds" && value.public_key) localStorage.setItem(PINNED, value.public_key);
  return verdict;
}

/** Why a proof could not be checked. */
const reasonOf = (error: Error): string => (crypto.subtle ? error.message : t("proof.insecure"));

export function ProofBadge({ position }: { position: number }) {
  const [state, setState] = useState<"unknown" | "checking" | Verdict | { reason: string }>("unknown");
  const look = async (): Promise<void> => {
    setState("checking");
    try {
      setState(await prove(position));
    } catch (error) {
      setState({ reason: reasonOf(error as Error) });
    }
  };
  if (state === "holds") return <span title={t("proof.holds.how")}><Badge tone="good">{t("proof.holds")}</Badge></span>;
  if (typeof state === "string" && state !== "unknown" && state !== "checking") {
    return <><Badge tone="bad">{t("proof.fails")}</Badge> <span class="small">{word("proof", state)}</span></>;
  }
  return (
    <>
      <button type="button" class="quiet no-print" disabled={state === "checking"} aria-label={t("proof.check.of", { position })} onClick={() => void look()}>
        {t(typeof state === "object" ? "action.again" : "proof.check")}
      </button>
      {typeof state === "object" && <span class="small">{state.reason}</span>}
    </>
  );
}

/**
 * All of some records, one after the other, with what came of it in one line: of those that are shown now, since others may
 * have come meanwhile. `check` is how one is checked, where its proof need not be asked for.
 */
export function ProveAll({ positions, check: verdictAt = prove }: { positions: number[]; check?: (position: number) => Promise<Verdict> }) {
  const [verdicts, setVerdicts] = useState<ReadonlyMap<number, string>>(new Map());
  const [busy, setBusy] = useState(false);
  const isLeft = useRef(false);
  useEffect(() => () => void (isLeft.current = true), []);
  const known = positions.filter((position) => verdicts.has(position));
  const bad = known.filter((position) => verdicts.get(position) !== "holds");
  const run = async (): Promise<void> => {
    const found = new Map<number, string>();
    setBusy(true);
    setVerdicts(new Map());
    for (const position of positions) {
      if (isLeft.current) return;
      found.set(position, await verdictAt(position).catch(reasonOf));
      // Seen to go on, and not drawn anew for each of thousands.
      if (found.size % 25 === 0) setVerdicts(new Map(found));
    }
    setVerdicts(found);
    setBusy(false);
  };
  const isPart = known.length > 0 && known.length < positions.length;
  return (
    <p class="row">
      <button type="button" class="no-print" disabled={busy || positions.length === 0} onClick={() => void run()}>{t("proof.all", { count: number(positions.length) })}</button>
      <span role="status">
        {bad.length > 0 ? (
          <Badge tone="bad">{t("proof.some.fail", { list: bad.slice(0, 5).map((position) => `${position}: ${word("proof", verdicts.get(position))}`).join(", ") })}</Badge>
        ) : busy || isPart ? (
          t("proof.going", { done: number(known.length), count: number(positions.length) })
        ) : (
          known.length > 0 && <Badge tone="good">{t("proof.all.hold", { count: number(known.length) })}</Badge>
        )}
      </span>
    </p>
  );
}
