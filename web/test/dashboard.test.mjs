// The dashboard as each role meets it, in a real browser against a real server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, depot, missing, paper, person, picture, quickNews, settled, violations } from "./harness.mjs";

const skip = missing ?? false;
let served;
let chromium;

before(async () => {
  if (missing) return;
  served = await depot();
  chromium = await browser();
});

after(async () => {
  await chromium?.close();
  await served?.end();
});

const PAGES = ["fleet", "overview", "technician", "planner", "dispatcher", "parts", "workshops", "costs", "predictions", "sync", "audit", "system", "vehicle/5001", "record/5001", "drill/mtbf", "part/DOR-100", "order/WO-2026-0001"];
const file = (name) => name.split("/")[0];

for (const theme of ["light", "dark", "sun"]) {
  for (const language of ["en", "de"]) {
    test(`every page is accessible, ${theme}, ${language}`, { skip }, async () => {
      const { context, page, faults, go } = await person(chromium, served, "admin", { theme, language });
      for (const name of PAGES) {
        await go(name);
        await settled(page);
        assert.deepEqual(await violations(page), [], `${name} in ${theme}, ${language}`);
        await picture(page, `${file(name)}-${theme}-${language}`);
      }
      assert.deepEqual(faults, []);
      await context.close();
    });
  }
}

test("a tablet sees every page without scrolling sideways", { skip }, async () => {
  const { context, page, faults, go } = await person(chromium, served, "admin", { viewport: { width: 820, height: 1180 }, touch: true, language: "de" });
  for (const name of PAGES) {
    await go(name);
    await settled(page);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wider, 0, `${name} is ${wider} px too wide`);
    await picture(page, `tablet-${file(name)}`);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("every page is whole and white on A4, whatever the screen wears", { skip }, async () => {
  const { context, page, faults, go } = await person(chromium, served, "admin", { viewport: { width: 1280, height: 900 }, theme: "dark" });
  for (const name of PAGES) {
    await go(name);
    await settled(page);
    assert.ok((await paper(page, `paper-${file(name)}`)) >= 1);
    // What the sheet shows: 688 px are A4 without its margins.
    await page.setViewportSize({ width: 688, height: 1017 });
    await page.emulateMedia({ media: "print" });
    const found = await page.evaluate(() => ({
      ground: getComputedStyle(document.body).backgroundColor,
      ink: getComputedStyle(document.body).color,
      cut: [...document.querySelectorAll("main table, main svg, main canvas, main .board > *")].filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 60)),
      controls: [...document.querySelectorAll("header.top, nav, .filters, .tools")].filter((one) => one.checkVisibility()).length,
    }));
    assert.deepEqual(found, { ground: "rgb(255, 255, 255)", ink: "rgb(0, 0, 0)", cut: [], controls: 0 }, name);
    await page.emulateMedia({ media: "screen" });
    await page.setViewportSize({ width: 1280, height: 900 });
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("an auditor scrubs to a day, sees what was different, and shares the address", { skip }, async () => {
  const { context, page, faults, go } = await person(chromium, served, "admin");
  const events = await served.call("admin", "GET", "/events?event_type=VehicleStatusChanged&limit=1");
  const id = events.events[0].aggregate_id;
  await go(`vehicle/${encodeURIComponent(id)}`);
  await settled(page);
  const first = await served.call("admin", "GET", `/events/Vehicle/${encodeURIComponent(id)}?limit=1`);
  await page.fill("input[type=date] >> nth=0", first[0].occurred_at.slice(0, 10));
  await page.waitForSelector("td mark");
  assert.match(page.url(), /at=\d{4}-\d\d-\d\d/);
  await page.reload();
  await page.waitForSelector("td mark");
  await picture(page, "vehicle-then");
  assert.deepEqual(faults, []);
  await context.close();
});

test("what is appended shows without a reload", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin");
  await go("fleet");
  await settled(page);
  await page.waitForTimeout(500);
  await served.call("admin", "POST", "/events", { aggregate_type: "Vehicle", aggregate_id: "live-1", event_type: "VehicleCreated", data: { asset_id: "live-1", model: "BR 185" } });
  await page.waitForSelector(".feed a:has-text('live-1')", { timeout: 10_000 });
  await context.close();
});

test("without a network the last picture stays, and is marked", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin");
  await go("fleet");
  await settled(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await settled(page);
  await context.setOffline(true);
  await page.reload();
  await page.waitForSelector("text=Without a network");
  await picture(page, "fleet-offline");
  await context.setOffline(false);
  await context.close();
});

test("the parts of long lists, proofs and files crowd no page out of the browser's memory", { skip }, async () => {
  const { context, page } = await person(chromium, served, "admin");
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await settled(page);
  const left = await page.evaluate(async () => {
    const cache = await caches.open("answers-1");
    await Promise.all(Array.from({ length: 320 }, (_, at) => cache.put(`/api/v1/parts?cursor=${at}`, new Response("[]"))));
    const headers = { Authorization: `Bearer ${JSON.parse(localStorage.getItem("railfleet.session")).access}` };
    const ask = (path) => fetch(`/api/v1${path}`, { headers });
    const { next_cursor } = await (await ask("/vehicles?limit=1")).json();
    for (const path of [`/vehicles?limit=1&cursor=${encodeURIComponent(next_cursor)}`, "/audit/proof/1", "/analytics/catalogue?format=csv"]) await ask(path);
    const kept = (await cache.keys()).map((request) => request.url);
    const count = (pattern) => kept.filter((url) => pattern.test(url)).length;
    return { parts: count(/cursor=/), newest: count(/vehicles.*cursor=/), files: count(/format=|\/proof\//) };
  });
  assert.deepEqual(left, { parts: 300, newest: 1, files: 0 });
  // The page that was open is there.
  await context.setOffline(true);
  await page.reload();
  await page.waitForSelector("text=Without a network");
  await page.waitForSelector(".six .tile");
  await context.close();
});

/** A fleet of `count` vehicles as the server gives it, in parts of what is asked for; each of them failed once. */
const fleetOf = (count) => (route) => {
  const asked = new URL(route.request().url()).searchParams;
  const from = Number(asked.get("cursor") ?? asked.get("skip") ?? 0);
  const end = Math.min(count, from + Number(asked.get("limit")));
  const vehicle = (at) => ({ id: `id-${at}`, asset_id: `V${at}`, model: null, status: "available", current_location: null, home_depot: null, current_mileage_km: 1_000 * at, incidents: { failures: 1, breakdowns: 0, total: 1, by_group: { door: 1 } } });
  return route.fulfill({ json: { total: count, vehicles: Array.from({ length: end - from }, (_, at) => vehicle(from + at)), next_cursor: end < count ? String(end) : null } });
};

test("a fleet of 2,000 is counted whole, and what is not drawn of it is said", { skip }, async () => {
  const before = (context) => context.route(/\/api\/v1\/vehicles\?/, fleetOf(2_000));
  const { context, page, faults } = await person(chromium, served, "admin", { serviceWorkers: "block", before });
  await page.locator("figure:has-text('What fails') .bars li", { hasText: "Doors" }).locator("text=2,000").waitFor();
  const scatter = page.locator("figure", { hasText: "Failures against kilometres" });
  assert.equal(await scatter.locator("circle.dot").count(), 500);
  await scatter.locator("text=The first 500 of 2,000 are drawn; the table has all.").waitFor();
  await scatter.locator("text=Figures as a table").click();
  await scatter.locator("text=1 to 1,000 of 2,000").waitFor();
  await scatter.locator("text=Show more").click();
  await scatter.locator("tbody tr >> nth=1999").waitFor();
  assert.equal(await scatter.locator("text=Show more").count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.className), "scroll", "the focus is not lost with the button");
  assert.deepEqual(faults, []);
  await context.close();
});

test("a long list that is on its way is not begun again for news, however long it takes", { skip }, async () => {
  const held = [];
  let begun = 0;
  const before = async (context) => {
    await quickNews(context);
    // The page's time goes on in leaps.
    await context.addInitScript(() => {
      const now = Date.now;
      window.ahead = 0;
      Date.now = () => now() + window.ahead;
    });
    await context.route(/\/api\/v1\/vehicles\?limit=500/, async (route) => {
      const isFirst = !route.request().url().includes("cursor=");
      if (isFirst) begun += 1;
      await new Promise((give) => held.push(give));
      const vehicle = { id: `${isFirst}`, asset_id: `${isFirst}`, current_mileage_km: 1_000, incidents: { failures: 1, total: 1, by_group: { door: 1 } } };
      // It may have been broken off meanwhile.
      await route.fulfill({ json: { total: 2, vehicles: [vehicle], next_cursor: isFirst ? "2" : null } }).catch(() => {});
    });
  };
  const { context, page, faults } = await person(chromium, served, "admin", { serviceWorkers: "block", before });
  const nextHeld = async () => {
    const end = Date.now() + 60_000;
    while (held.length === 0) {
      assert.ok(Date.now() < end, "the list is not asked for");
      await page.waitForTimeout(20);
    }
    return held.shift();
  };
  const leap = (seconds) => page.evaluate((seconds) => (window.ahead = seconds * 1_000), seconds);
  const first = await nextHeld();
  await leap(20);
  first();
  const second = await nextHeld();
  await leap(40);
  // Another question of the page is asked anew when the news has come.
  const hasCome = page.waitForRequest(/\/api\/v1\/events\?order=desc/);
  await served.call("admin", "POST", "/events", { aggregate_type: "Vehicle", aggregate_id: "news-1", event_type: "VehicleCreated", data: { asset_id: "news-1", model: "BR 185" } });
  await hasCome;
  await page.waitForTimeout(100);
  assert.equal(begun, 1);
  second();
  await page.locator("figure:has-text('What fails') .bars li", { hasText: "Doors" }).locator(".number:has-text('2')").waitFor();
  // Only then it is asked for anew.
  const third = await nextHeld();
  assert.equal(begun, 2);
  // Where nothing is heard for so long, it is lost.
  await leap(80);
  await served.call("admin", "POST", "/events", { aggregate_type: "Vehicle", aggregate_id: "news-2", event_type: "VehicleCreated", data: { asset_id: "news-2", model: "BR 185" } });
  (await nextHeld())();
  assert.equal(begun, 3);
  third();
  (await nextHeld())();
  assert.deepEqual(faults, []);
  await context.close();
});

test("proofs of a page that was left are not asked for any more", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin", { serviceWorkers: "block" });
  let asked = 0;
  let answer;
  const held = new Promise((give) => (answer = give));
  await context.route("**/api/v1/audit/proof/*", async (route) => {
    asked += 1;
    await held;
    await route.fulfill({ status: 404, json: { title: "Not found", detail: "no such event", status: 404 } });
  });
  await go("audit");
  await settled(page);
  const first = page.waitForRequest("**/api/v1/audit/proof/*");
  await page.click("button:has-text('Check all')");
  await first;
  await page.click("nav a[href$='/fleet']");
  await page.waitForSelector(".tile");
  const answered = page.waitForResponse("**/api/v1/audit/proof/*");
  answer();
  await answered;
  await page.waitForTimeout(300);
  assert.equal(asked, 1);
  await context.close();
});

test("the keyboard alone reaches a vehicle", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin");
  await go("audit");
  await settled(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "content");
  assert.match(page.url(), /\/app\/audit$/, "the page is still the same");
  await context.close();
});

test("a wrong password is said, and a role sees only its pages", { skip }, async () => {
  const context = await chromium.newContext();
  const page = await context.newPage();
  await page.goto(`${served.address}/`);
  assert.match(page.url(), /\/app\/$/);
  await page.fill("input[name=username]", "admin");
  await page.fill("input[name=password]", "wrong");
  await page.click("button[type=submit]");
  await page.waitForSelector("[role=alert]");
  await context.close();
  const technician = await person(chromium, served, "technician");
  assert.equal(await technician.page.locator("#menu a[href$='/system']").count(), 0);
  await technician.go("system");
  await technician.page.waitForSelector(".empty");
  await technician.context.close();
});
