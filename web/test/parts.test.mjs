// The parts that need no browser: proofs, numbers, files, and that both languages say the same things.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
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
globalThis.location ??= { href: "http://depot/app/" };
// A depot west of UTC: a date that were taken for an instant would be the day before.
process.env.TZ = "America/New_York";

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

test("a seal's signature and the record's own bytes are checked, and another key is told", async () => {
  const { verdictOf } = await module("src/parts/proof.tsx");
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const leaf = Buffer.from("record 3");
  const leaves = Array.from({ length: 11 }, (_, index) => leafHash(index));
  const { root, path } = tree(leaves, 3);
  const text = `railfleet.log/x\n11\n${root.toString("base64")}\n`;
  const line = (note) => `— railfleet.log/x ${Buffer.concat([Buffer.from("0000"), sign(null, Buffer.from(note), privateKey)]).toString("base64")}\n`;
  const public_key = `railfleet.log/x+30303030+${Buffer.concat([Buffer.from([1]), raw]).toString("base64")}`;
  const proof = { leaf: leaf.toString("base64"), leaf_hash: leaves[3].toString("base64"), leaf_index: 3, tree_size: 11, path: path.map((step) => step.toString("base64")), root_hash: root.toString("base64"), checkpoint: `${text}\n${line(text)}`, public_key };
  assert.equal(await verdictOf(proof, null), "holds");
  assert.equal(await verdictOf(proof, public_key), "holds");
  assert.equal(await verdictOf({ ...proof, leaf: Buffer.from("record 4").toString("base64") }, null), "leaf");
  assert.equal(await verdictOf({ ...proof, path: proof.path.slice(1) }, null), "path");
  assert.equal(await verdictOf({ ...proof, checkpoint: `${text.replace("11", "12")}\n${line(text)}` }, null), "note");
  assert.equal(await verdictOf({ ...proof, checkpoint: `${text}\n${line("another note\n")}` }, null), "signature");
  assert.equal(await verdictOf({ ...proof, checkpoint: text }, null), "note");
  assert.equal(await verdictOf(proof, public_key.replace("30303030", "31313131")), "other_key");
});

test("a tablet's row follows pages, whole or by what changed, and its own operations lie over it", async () => {
  const { merged, overlaid } = await module("src/core/replica.ts");
  const item = (key, fields) => ({ key, fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { value, device_id: "x" }])) });
  let row = merged({}, { status: { value: "scheduled" }, tasks: { added: ["a", "b"] }, checklist: { items_changed: [item("1", { text: "a", done: false })] } });
  assert.deepEqual(row, { status: "scheduled", tasks: ["a", "b"], checklist: [{ key: "1", text: "a", done: false }] });
  row = merged(row, { tasks: { added: ["c", "b"], removed: ["a"] }, checklist: { items_changed: [item("1", { done: true }), item("2", { text: "b" })] } });
  assert.deepEqual(row, { status: "scheduled", tasks: ["b", "c"], checklist: [{ key: "1", text: "a", done: true }, { key: "2", text: "b" }] });
  row = merged(row, { tasks: { value: ["z"] }, checklist: { items_removed: ["1"] } });
  assert.deepEqual(row, { status: "scheduled", tasks: ["z"], checklist: [{ key: "2", text: "b" }] });
  row = merged(row, { checklist: { items: [item("9", { text: "new" })] } });
  assert.deepEqual(row.checklist, [{ key: "9", text: "new" }]);
  const operation = (field, more) => ({ id: "o", entity_type: "WorkOrder", entity_id: "1", field, timestamp: "", ...more });
  const seen = overlaid(row, [operation("status", { value: "completed" }), operation("checklist", { op: "put", key: "9", value: { done: true } }), operation("findings", { op: "put", key: "f", value: { text: "x" } }), operation("checklist", { op: "drop", key: "8" })]);
  assert.deepEqual(seen, { status: "completed", tasks: ["z"], checklist: [{ key: "9", text: "new", done: true }], findings: [{ key: "f", text: "x" }] });
  assert.equal(row.status, "scheduled", "what is held stays as it was");
});

test("the axes' numbers are round and hold what is drawn", async () => {
  const { ticksOf } = await module("src/charts/svg.tsx");
  assert.deepEqual(ticksOf(0, 4), [0, 1, 2, 3, 4]);
  assert.deepEqual(ticksOf(0.55, 1.45), [0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6]);
  assert.deepEqual(ticksOf(834, 1674), [800, 1000, 1200, 1400, 1600, 1800]);
});

test("a cell that a spreadsheet would run is made text", async () => {
  const { csvCell } = await module("src/parts/exports.tsx");
  assert.equal(csvCell("=1+1"), "'=1+1");
  assert.equal(csvCell("@SUM(A1)"), "'@SUM(A1)");
  assert.equal(csvCell(-3), "-3");
  assert.equal(csvCell('say "x"; y'), '"say ""x""; y"');
  assert.equal(csvCell(null), "");
  assert.equal(csvCell(-1.5, "excel-de"), "-1,5");
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

/** Answers requests as this server of pages does: by the cursor, or by the word that fails. */
function serve(pages) {
  const seen = [];
  globalThis.fetch = async (path) => {
    seen.push(path);
    const { rows, next, status = 200, keptAt } = pages(new URL(path, "http://depot").searchParams.get("cursor"));
    const headers = { ...(next ? { "x-next-cursor": next } : {}), ...(keptAt ? { "x-kept-at": keptAt } : {}) };
    return new Response(JSON.stringify(rows), { status, headers });
  };
  return seen;
}

test("a list is asked for to its end, is as old as its oldest part, and is never a part of itself", async () => {
  const { getWhole } = await module("src/core/api.ts");
  const seen = serve((cursor) => (cursor === null ? { rows: [1, 2], next: "b", keptAt: "2026-05-02T00:00:00Z" } : { rows: [3], keptAt: "2026-05-01T00:00:00Z" }));
  const whole = await getWhole("/maintenance/tasks", { is_completed: false });
  assert.deepEqual([whole.value, whole.keptAt.toISOString().slice(0, 10), whole.next], [[1, 2, 3], "2026-05-01", null]);
  assert.deepEqual(seen, ["/api/v1/maintenance/tasks?limit=500&is_completed=false", "/api/v1/maintenance/tasks?limit=500&is_completed=false&cursor=b"]);
  serve((cursor) => (cursor === null ? { rows: { vehicles: ["x"], next_cursor: "b" } } : { rows: { vehicles: ["y"], next_cursor: null } }));
  let parts = 0;
  assert.deepEqual((await getWhole("/vehicles", {}, undefined, undefined, () => (parts += 1))).value, ["x", "y"]);
  assert.equal(parts, 2, "each part is a sign of life");
  serve((cursor) => (cursor === null ? { rows: [1], next: "b" } : { rows: {}, status: 503 }));
  await assert.rejects(getWhole("/maintenance/tasks"));
  const endless = serve(() => ({ rows: [1], next: "again" }));
  await assert.rejects(getWhole("/maintenance/tasks"));
  assert.equal(endless.length, 200);
});

/** A tab of a browser with these sessions in its storage: `answer` is the server's to whoever wants new tokens. */
async function tab(storage, answer) {
  const before = [globalThis.localStorage, globalThis.fetch];
  Object.defineProperty(globalThis, "localStorage", { value: { getItem: (name) => storage[name] ?? null, setItem: (name, text) => (storage[name] = text), removeItem: (name) => delete storage[name] }, configurable: true, writable: true });
  globalThis.fetch = async (_, { body }) => answer(JSON.parse(body).refresh_token);
  const session = await module("src/core/session.ts");
  return { ...session, close: () => ([globalThis.localStorage, globalThis.fetch] = before) };
}

test("a session ends when the server says so, not when it is busy; a second tab takes what the first one got", async (t) => {
  const storage = { "railfleet.session": JSON.stringify({ access: "a1", refresh: "r1", user: { id: "anna", role: "VIEWER" } }) };
  let status = 503;
  const shown = [];
  const answer = (token) => {
    shown.push(token);
    return status === 200 ? Response.json({ access_token: "a2", refresh_token: "r2" }) : Response.json({ detail: "no" }, { status });
  };
  const first = await tab(storage, answer);
  t.after(first.close);
  const second = await module("src/core/session.ts");
  for (status of [502, 503, 429, 403]) {
    assert.equal(await first.refresh(), false);
    assert.equal(first.user.value?.id, "anna", `after ${status}`);
  }
  status = 200;
  shown.length = 0;
  assert.deepEqual([await first.refresh(), first.accessToken()], [true, "a2"]);
  assert.deepEqual([await second.refresh(), second.accessToken()], [true, "a2"]);
  assert.deepEqual(shown, ["r1"], "a refresh token is shown once");
  status = 401;
  assert.equal(await second.refresh(), false);
  assert.deepEqual([second.user.value, storage["railfleet.session"]], [null, undefined]);
});

test("news that never end make a slow pulse every half minute, the first at once and none after the last", async (t) => {
  const { pulse, slowPulse } = await module("src/core/live.ts");
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  const after = (ms) => {
    t.mock.timers.tick(ms);
    return slowPulse.value;
  };
  assert.equal(after(60_000), 0);
  pulse.value += 1;
  assert.equal(after(1), 1);
  for (let second = 0; second < 29; second++) {
    pulse.value += 1;
    assert.equal(after(1_000), 1);
  }
  assert.equal(after(1_000), 2, "the last news are not lost");
  assert.equal(after(300_000), 2);
  pulse.value += 1;
  assert.equal(after(1), 3);
});

test("an address that nobody escaped leads somewhere", async (t) => {
  const before = globalThis.location;
  t.after(() => (globalThis.location = before));
  globalThis.location = { href: "http://depot/app/part/100%/a%2Fb" };
  const { path } = await module("src/core/route.ts");
  assert.deepEqual(path.value, ["part", "100%", "a/b"]);
});

test("what stands on several answers is missing with the first and old with the oldest of them", async () => {
  const { isStale, together } = await module("src/core/query.ts");
  const asked = (more) => ({ value: 1, error: null, loading: false, keptAt: null, again() {}, ...more });
  const of = (...parts) => together(parts, () => "joined");
  assert.deepEqual([of(asked(), asked()).value, isStale(of(asked(), asked()))], ["joined", false]);
  const failed = of(asked(), asked({ error: new Error("503") }));
  assert.deepEqual([failed.value, isStale(failed)], ["joined", true]);
  assert.equal(isStale(of(asked({ keptAt: new Date(2) }), asked())), true);
  assert.equal(of(asked({ keptAt: new Date(2) }), asked({ keptAt: new Date(1) })).keptAt.getTime(), 1);
  const waits = of(asked({ value: null, loading: true }), asked());
  assert.deepEqual([waits.value, waits.loading], [null, true]);
  const refused = of(asked(), asked({ value: null, error: new Error("403") }));
  assert.deepEqual([refused.value, refused.loading, refused.error.message], [null, false, "403"]);
});

test("a tablet takes no answer from the browser's memory for the server's", async () => {
  const { callAsDevice, Offline } = await module("src/core/api.ts");
  serve(() => ({ rows: {} }));
  assert.equal((await callAsDevice("/api/v1/sync/crdt/pull", "token")).status, 200);
  serve(() => ({ rows: {}, keptAt: "2026-05-01T00:00:00Z" }));
  await assert.rejects(callAsDevice("/api/v1/sync/crdt/pull", "token"), Offline);
});

test("an order waits for its release while it is done, asked for and not given", async () => {
  const { graveFindings, isOpenFinding, waitsForRelease } = await module("src/pages/release.tsx");
  const done = { status: "completed", requires_release: true, released_at: null };
  assert.equal(waitsForRelease(done), true);
  for (const other of [{ status: "in_progress" }, { requires_release: false }, { requires_release: undefined }, { released_at: "2026-05-01T00:00:00Z" }]) assert.equal(waitsForRelease({ ...done, ...other }), false, JSON.stringify(other));
  const findings = [{ severity: "critical" }, { severity: "high", resolution: null }, { severity: "critical", resolution: "Changed" }, { severity: "medium" }, { severity: "high", resolved_at: "2026-05-01T00:00:00Z" }];
  assert.deepEqual(findings.map(isOpenFinding), [true, true, false, true, false]);
  assert.deepEqual(graveFindings(findings), findings.slice(0, 2));
});

test("a vehicle that an order holds until its release is blocked by that order, and what is to be done is said", async () => {
  const { judge } = await module("src/pages/dispatcher.tsx");
  const vehicle = { id: "v", asset_id: "7001", status: "in_workshop" };
  const done = { id: "o", order_number: "WO-1", vehicle_id: "v", status: "completed", requires_release: true, released_at: null };
  // No texts are loaded here, so a text is its name.
  const of = (order) => { const { verdict, reason, link } = judge(vehicle, [order], [], true); return [verdict, reason, link.endsWith("/order/WO-1")]; };
  assert.deepEqual(of(done), ["blocked", "dispatch.waits", true]);
  assert.deepEqual(of({ ...done, finding_items: [{ severity: "low" }] }), ["blocked", "dispatch.waits", true]);
  assert.deepEqual(of({ ...done, finding_items: [{ severity: "critical" }] }), ["blocked", "dispatch.waits.grave", true]);
  assert.deepEqual(of({ ...done, status: "in_progress" }), ["blocked", "dispatch.order", true]);
  // Also where somebody told another status of the vehicle; and what is released holds nothing.
  assert.equal(judge({ ...vehicle, status: "available" }, [done], [], true).verdict, "blocked");
  assert.equal(judge({ ...vehicle, status: "available" }, [{ ...done, released_at: "2026-05-01T00:00:00Z" }], [], true).verdict, "released");
});

test("a date is the same day in every zone, a time is the reader's", async () => {
  const { date, day } = await module("src/i18n/index.ts");
  for (const text of ["2026-03-29", "2026-03-29T00:00:00Z", "2026-03-29T00:00:00.000000Z"]) assert.equal(date(text), "29 Mar 2026", text);
  assert.equal(day("2026-03-29"), "29 Mar 2026");
  assert.equal(day("2026-03-29T02:00:00Z"), "28 Mar 2026");
  assert.equal(date("2026-03-29T02:00:00Z"), "28 Mar 2026");
  assert.equal(date(null), "–");
});

test("a window is named by the days of its own clocks", async () => {
  const { daysOf, windowName } = await module("src/pages/kpi.tsx");
  const edges = ["2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", "2026-05-01T00:00:00+02:00"];
  assert.deepEqual(daysOf(edges), ["2026-03-01", "2026-04-01"]);
  assert.equal(windowName(edges[0], edges[1]), "2026-03-01 – 2026-03-31");
  assert.equal(windowName("2026-03-01", "2026-03-31"), "2026-03-01 – 2026-03-31");
  assert.equal(windowName("2026-03-01", "no Time"), "2026-03-01 – no Time");
});
