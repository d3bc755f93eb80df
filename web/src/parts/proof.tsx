// A record's proof, checked here and not believed: the inclusion proof of RFC 9162 is computed by this browser against
// the signed checkpoint's root.
import { useState } from "preact/hooks";
import { get } from "../core/api";
import { t } from "../i18n";
import { Badge } from "./ui";

interface Proof {
  /** Base64 or hex of 32 bytes each. */
  leaf_hash: string;
  leaf_index: number;
  tree_size: number;
  path: string[];
  root_hash: string;
}

export function bytes(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

async function node(left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
  const input = new Uint8Array(1 + left.length + right.length);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", input));
}

/** The root that a leaf and its path lead to (RFC 9162, 2.1.3.2); null when the path does not fit the tree's size. */
export async function rootOf(leaf: Uint8Array, index: number, size: number, path: Uint8Array[]): Promise<Uint8Array | null> {
  if (index < 0 || index >= size) return null;
  let fn = index;
  let sn = size - 1;
  let hash = leaf;
  for (const step of path) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      hash = await node(step, hash);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      hash = await node(hash, step);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? hash : null;
}

export async function check(proof: Proof): Promise<boolean> {
  const root = await rootOf(bytes(proof.leaf_hash), proof.leaf_index, proof.tree_size, proof.path.map(bytes));
  const expected = bytes(proof.root_hash);
  return root !== null && root.length === expected.length && root.every((byte, index) => byte === expected[index]);
}

export function ProofBadge({ position }: { position: number }) {
  const [state, setState] = useState<"unknown" | "checking" | "holds" | "fails" | string>("unknown");
  const look = async (): Promise<void> => {
    setState("checking");
    try {
      const { value } = await get<Proof>(`/audit/proof/${position}`);
      setState((await check(value)) ? "holds" : "fails");
    } catch (error) {
      setState((error as Error).message);
    }
  };
  if (state === "holds") return <Badge tone="good">{t("proof.holds")}</Badge>;
  if (state === "fails") return <Badge tone="bad">{t("proof.fails")}</Badge>;
  return (
    <button type="button" class="quiet" disabled={state === "checking"} title={state === "unknown" ? "" : state} onClick={() => void look()}>
      {t(state === "unknown" || state === "checking" ? "proof.check" : "proof.none")}
    </button>
  );
}
