// The dashboard as each role meets it, in a real browser against a real server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, depot, missing, paper, person, picture, settled, violations } from "./harness.mjs";

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

test("the keyboard alone reaches a vehicle", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin");
  await go("audit");
  await settled(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "content");
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
