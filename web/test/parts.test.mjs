// The parts that need no browser: proofs, numbers, files, and that both languages say the same things.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";

// What the page finds in a browser and these parts touch when they are loaded.
globalThis.localStorage ??= { getItem: () => null, setItem() {}, removeItem() {} };
globalThis.navigator ??= { language: "en" };
globalThis.window ??= globalThis;
globalThis.addEventListener ??= () => {};

/** The module at `path`, compiled. */
async function module(path) {
  const outfile = join(mkdtempSync(join(tmpdir(), "railfleet-web-")), "module.mjs");
  await build({ entryPoints: [path], bundle: true, format: "esm", outfile, jsx: "automatic", jsxImportSource: "preact" });
  return import(outfile);
}

const json = (name) => JSON.parse(readFileSync(new URL(`../src/i18n/${name}.json`, import.meta.url), "utf8"));

test("both languages have the same texts, with the same blanks", () => {
  const [en, de] = [json("en"), json("de")];
  assert.deepEqual(Object.keys(de), Object.keys(en));
  const blanks = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const key of Object.keys(en)) assert.deepEqual(blanks(de[key]), blanks(en[key]), key);
});

const hash = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const leafHash = (index) => hash(Buffer.from([0]), Buffer.from(`record ${index}`));

/** A tree of RFC 9162, the slow and plain way: its root and the path of a leaf. */
function tree(leaves, index) {
  if (leaves.length === 1) return { root: leaves[0], path: [] };
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  const inLeft = index < split;
  const [near, far] = inLeft ? [tree(left, index), tree(right, 0)] : [tree(right, index - split), tree(left, 0)];
  const root = inLeft ? hash(Buffer.from([1]), near.root, far.root) : hash(Buffer.from([1]), far.root, near.root);
  return { root, path: [...near.path, far.root] };
}

test("every leaf of small trees proves its root, and a changed byte does not", async () => {
  const { check } = await module("src/parts/proof.tsx");
  for (let size = 1; size <= 20; size++) {
    const leaves = Array.from({ length: size }, (_, index) => leafHash(index));
    for (let index = 0; index < size; index++) {
      const { root, path } = tree(leaves, index);
      const proof = { leaf_hash: leaves[index].toString("hex"), leaf_index: index, tree_size: size, path: path.map((step) => step.toString("base64")), root_hash: root.toString("hex") };
      assert.equal(await check(proof), true, `${index} of ${size}`);
      const changed = Buffer.from(leaves[index]);
      changed[7] ^= 1;
      assert.equal(await check({ ...proof, leaf_hash: changed.toString("hex") }), false);
      if (size > 1) assert.equal(await check({ ...proof, path: proof.path.slice(1) }), false);
      assert.equal(await check({ ...proof, leaf_index: size }), false);
    }
  }
});

test("a cell that a spreadsheet would run is made text", async () => {
  const { csvCell } = await module("src/charts/frame.tsx");
  assert.equal(csvCell("=1+1"), "'=1+1");
  assert.equal(csvCell("@SUM(A1)"), "'@SUM(A1)");
  assert.equal(csvCell(-3), "-3");
  assert.equal(csvCell('say "x"; y'), '"say ""x""; y"');
  assert.equal(csvCell(null), "");
});

test("numbers are read as people write them", async () => {
  const { typed } = await module("src/i18n/index.ts");
  assert.equal(typed("1.234,5"), 1234.5);
  assert.equal(typed("12.5"), 12.5);
  assert.equal(typed(" 7 "), 7);
  assert.equal(typed(""), null);
  assert.equal(typed("seven"), null);
});

test("server-sent events are cut at their ends, wherever the pieces were cut", async () => {
  const { parse } = await module("src/core/live.ts");
  const whole = ': connected\nretry: 2000\n\nid: 7\ndata: {"a":1}\n\nevent: damaged\ndata: {}\n\n: beat\n\nid: 8\ndata: x\ndata: y\n\n';
  for (let cut = 0; cut <= whole.length; cut++) {
    const found = [];
    const take = (id, data) => found.push([id, data]);
    parse(parse(whole.slice(0, cut), take) + whole.slice(cut), take);
    assert.deepEqual(found, [["7", '{"a":1}'], ["8", "x\ny"]]);
  }
});
