// What a page says when there is nothing, when something fails, and when the server is gone; how it fits longer texts; where the
// focus goes; and how fast it is there.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, depot, emptyDepot, missing, person, picture, PICTURES, settled, violations } from "./harness.mjs";

const skip = missing ?? false;
const PAGES = ["fleet", "overview", "technician", "planner", "dispatcher", "parts", "workshops", "costs", "predictions", "sync", "audit", "system"];
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

test("an empty depot: every page says what is not there yet, and no figure is made up", { skip }, async (t) => {
  const empty = await emptyDepot();
  // Also when it fails: a server that runs on keeps the tests from ending.
  t.after(() => empty.end());
  const { context, page, faults, go } = await person(chromium, empty, "admin");
  for (const name of PAGES) {
    await go(name);
    await settled(page);
    const text = await page.locator("main").innerText();
    assert.doesNotMatch(text, /NaN|undefined|null|Infinity|\[object/, `${name}: ${text}`);
    assert.equal(await page.locator(".failure").count(), 0, `${name}: ${text}`);
    assert.deepEqual(await violations(page), [], name);
    if (name === "fleet" || name === "planner") await picture(page, `empty-${name}`);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("a page about something that is not there says so", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin");
  for (const path of ["vehicle/9999", "order/WO-1", "part/NO-1", "record/9999", "model/none", "nowhere"]) {
    await go(path);
    await settled(page);
    assert.ok((await page.locator(".empty, .failure").count()) > 0, path);
    assert.deepEqual(await violations(page), [], path);
  }
  await context.close();
});

test("a failing request is named, with the number that support asks for, and can be tried again", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin", { serviceWorkers: "block" });
  let broken = true;
  await context.route("**/api/v1/workshops*", (route) =>
    broken ? route.fulfill({ status: 503, headers: { "x-request-id": "abc-123" }, contentType: "application/problem+json", body: JSON.stringify({ title: "Not now", detail: "The read model is being rebuilt", status: 503 }) }) : route.continue(),
  );
  await context.route("**/api/v1/analytics/benchmark/workshops*", (route) =>
    broken ? route.fulfill({ status: 503, headers: { "x-request-id": "abc-123" }, contentType: "application/problem+json", body: JSON.stringify({ title: "Not now", detail: "The read model is being rebuilt", status: 503 }) }) : route.continue(),
  );
  await go("workshops");
  await page.waitForSelector(".failure");
  assert.match(await page.locator(".failure").innerText(), /Not now[\s\S]*being rebuilt[\s\S]*abc-123/);
  assert.deepEqual(await violations(page), []);
  await picture(page, "failure");
  broken = false;
  await page.click(".failure >> text=Try again");
  await page.waitForSelector("svg.scatter");
  await context.close();
});

test("what is still to come has not failed", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin", { serviceWorkers: "block" });
  let give = () => {};
  const isGiven = new Promise((resolve) => (give = resolve));
  await context.route("**/api/v1/maintenance/orders/*", async (route) => {
    await isGiven;
    await route.continue();
  });
  await go("order/WO-2026-0001");
  await page.waitForSelector(".skeleton");
  assert.equal(await page.locator(".failure").count(), 0, await page.locator("main").innerText());
  give();
  await page.waitForSelector("tbody");
  assert.equal(await page.locator(".failure").count(), 0);
  await context.close();
});

test("that the server is not reached is said in the reader's language, and no old file is given for a new one", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin", { language: "de" });
  await go("audit");
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await settled(page);
  const csv = page.locator(".actions button", { hasText: "CSV" });
  await Promise.all([page.waitForEvent("download"), csv.click()]);
  await context.setOffline(true);
  await csv.click();
  await page.waitForSelector("[role=alert]:has-text('nicht erreichbar')");
  await context.close();
});

test("the server goes away in the middle: what was seen stays, a page that was not says so", { skip }, async (t) => {
  const other = await emptyDepot();
  t.after(() => other.end());
  const { context, page } = await person(chromium, other, "admin");
  await page.goto(`${other.address}/app/fleet`);
  await settled(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await settled(page);
  await other.stop();
  await page.click("nav a[href$='/parts']");
  await page.waitForSelector(".failure, .notice, .empty");
  assert.notEqual((await page.locator("main").innerText()).trim(), "", "never a blank page");
  await picture(page, "server-gone");
  await page.click("nav a[href$='/fleet']");
  await page.waitForSelector(".tile");
  await context.close();
});

test("texts that are 40 % longer break no page", { skip }, async () => {
  const before = (context) =>
    context.route("**/app/texts-en-*.json", async (route) => {
      const answer = await route.fetch();
      const texts = await answer.json();
      for (const [key, text] of Object.entries(texts)) texts[key] = `${text.replace(/\{\w+\}|[aeiou]/g, (letter) => ({ a: "á", e: "é", i: "í", o: "ó", u: "ú" })[letter] ?? letter)}${" ~~~".repeat(Math.ceil((text.length * 0.4) / 4))}`;
      await route.fulfill({ response: answer, json: texts });
    });
  const { context, page, go } = await person(chromium, served, "admin", { viewport: { width: 820, height: 1180 }, serviceWorkers: "block", before });
  for (const name of [...PAGES, "vehicle/5001", "drill/mtbf"]) {
    await go(name);
    await settled(page);
    assert.match(await page.locator("h1").innerText(), name.includes("/") ? /./ : /~/);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wider, 0, `${name} is ${wider} px too wide`);
    if (name === "planner") await picture(page, "longer-texts");
  }
  await context.close();
});

test("the focus is seen, goes in reading order, and is not hidden under the bar", { skip }, async () => {
  const { context, page, faults, go } = await person(chromium, served, "admin", { viewport: { width: 1280, height: 720 } });
  for (const name of ["fleet", "planner", "sync"]) {
    await go(name);
    await settled(page);
    await page.evaluate(() => document.body.focus());
    const hidden = [];
    for (let step = 0; step < 45; step++) {
      await page.keyboard.press("Tab");
      const fault = await page.evaluate(() => {
        const one = document.activeElement;
        if (!one || one === document.body) return null;
        const box = one.getBoundingClientRect();
        const bar = document.querySelector("header.top").getBoundingClientRect();
        const style = getComputedStyle(one);
        const name = one.outerHTML.slice(0, 80);
        if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return `no ring: ${name}`;
        if (one.closest("header.top, nav.side, .skip")) return null;
        if (box.bottom <= bar.bottom) return `under the bar: ${name}`;
        if (box.top >= innerHeight) return `below the window: ${name}`;
        return null;
      });
      if (fault) hidden.push(fault);
    }
    assert.deepEqual(hidden, [], name);
  }
  // A dialog takes the focus, keeps it, and gives it back.
  await go("planner");
  await settled(page);
  const opener = page.locator(".board .card button").first();
  await opener.focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog");
  for (let step = 0; step < 12; step++) {
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null), "the focus stays in the dialog");
  }
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  assert.ok(await opener.evaluate((one) => one === document.activeElement), "the focus is where it was");
  assert.deepEqual(faults, []);
  await context.close();
});

test("who wants less motion gets none", { skip }, async () => {
  const { context, page, go } = await person(chromium, served, "admin");
  await go("fleet");
  await settled(page);
  const moving = await page.evaluate(() => {
    const probe = document.createElement("div");
    probe.className = "skeleton";
    document.body.append(probe);
    const found = [...document.querySelectorAll("*")].filter((one) => getComputedStyle(one).animationName !== "none" || getComputedStyle(one).transitionDuration !== "0s").map((one) => one.className);
    probe.remove();
    return found;
  });
  assert.deepEqual(moving, []);
  await context.close();
});

test("how fast a page is there, on a processor four times slower: a figure to look at", { skip }, async (t) => {
  const figures = {};
  for (const [name, rate] of [["as it is", 1], ["four times slower", 4]]) {
    const { context, page } = await person(chromium, served, "admin", { serviceWorkers: "block" });
    const debug = await context.newCDPSession(page);
    await debug.send("Emulation.setCPUThrottlingRate", { rate });
    await debug.send("Network.setCacheDisabled", { cacheDisabled: true });
    await page.goto(`${served.address}/app/fleet`);
    await page.waitForSelector(".tile .figure");
    const times = await page.evaluate(() => ({ paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime, figures: performance.now() }));
    figures[name] = { first_paint_ms: Math.round(times.paint), six_figures_ms: Math.round(times.figures) };
    t.diagnostic(`${name}: first paint ${figures[name].first_paint_ms} ms, the six figures ${figures[name].six_figures_ms} ms`);
    await context.close();
  }
  mkdirSync(PICTURES, { recursive: true });
  writeFileSync(join(PICTURES, "speed.json"), `${JSON.stringify(figures, null, 2)}\n`);
  assert.ok(figures["as it is"].first_paint_ms > 0);
});
