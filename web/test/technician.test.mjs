// The technician in the pit: own orders, everything with gloves, nothing lost without a network, nothing twice after it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, depot, missing, person, picture, settled, violations } from "./harness.mjs";

const skip = missing ?? false;
const TABLET = { viewport: { width: 1280, height: 800 }, touch: true };
let served;
let chromium;
let me;

before(async () => {
  if (missing) return;
  served = await depot();
  chromium = await browser();
  me = await served.call("technician", "GET", "/auth/me");
});

after(async () => {
  await chromium?.close();
  await served?.end();
});

/** An order on a vehicle of the fleet that is planned for today and the technician's own. */
async function order(index, description) {
  const { vehicles } = await served.call("admin", "GET", "/vehicles?limit=20");
  const [workshop] = await served.call("admin", "GET", "/workshops");
  const at = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();
  return served.call("planner", "POST", "/maintenance/orders", {
    vehicle_id: vehicles[index].id, workshop_id: workshop.id, work_description: description, status: "scheduled", priority: "high",
    scheduled_start: at(1), scheduled_end: at(5), tasks: ["Measure pads", "Replace pads"], assigned_staff: [me.id],
  });
}

const eventsOf = (id) => served.call("admin", "GET", `/events/WorkOrder/${id}?limit=100`);
const count = (events, type) => events.filter((event) => event.event_type === type).length;

/** Waits for the service worker, so that the page can be opened without a network. */
async function prepared(page) {
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await settled(page);
}

test("a routine order closes in three taps without a network; after it, one event", { skip }, async () => {
  const planned = await order(2, "Brake pads");
  const { context, page, faults, go } = await person(chromium, served, "technician", TABLET);
  await page.waitForSelector(`.card:has-text("${planned.order_number}")`);
  assert.equal(await page.locator("h1").innerText(), "My orders", "a technician begins at the own orders");
  await prepared(page);
  await page.waitForSelector(`.card:has-text("${planned.order_number}")`);

  await context.setOffline(true);
  await page.reload();
  let taps = 0;
  const tap = async (target) => {
    taps += 1;
    await page.tap(target);
  };
  await tap(`.card:has-text("${planned.order_number}")`);
  await picture(page, "technician-order-offline");
  await tap(".pad button.main");
  const required = await page.locator("dialog :is(input, textarea, select)[required]").count();
  assert.ok(required <= 2, `${required} required fields`);
  await tap("dialog button.main");
  await page.waitForSelector("text=Completed");
  assert.equal(taps, 3);
  await page.waitForSelector(".chip:has-text('1 waiting')");
  assert.equal(count(await eventsOf(planned.id), "WorkOrderCompleted"), 0, "nothing has reached the server");

  await page.reload();
  await page.waitForSelector(".chip:has-text('1 waiting')");
  await page.waitForSelector("text=Completed");
  await go("technician");
  await page.waitForSelector(".acts >> text=Waiting");
  await picture(page, "technician-queue-offline");

  // The first answer is lost on its way back: the tablet cannot know that the server has the operations, and sends again.
  let lost = 0;
  await context.route("**/api/v1/sync/crdt/sync", async (route) => {
    if (lost++ > 0) return route.continue();
    await route.fetch();
    await route.abort("connectionreset");
  });
  await context.setOffline(false);
  await page.waitForFunction(() => document.querySelector(".chip") === null, null, { timeout: 40_000 });
  assert.ok(lost >= 2, "the operations were sent twice");
  const events = await eventsOf(planned.id);
  assert.equal(count(events, "WorkOrderCompleted"), 1);
  assert.equal(events.filter((event) => event.data.new_status === "in_progress").length, 1);
  const closed = await served.call("admin", "GET", `/maintenance/orders/${planned.order_number}`);
  assert.equal(closed.status, "completed");
  assert.equal(closed.work_performed, "Done as planned.");
  const done = events.find((event) => event.event_type === "WorkOrderCompleted");
  assert.equal(done.metadata.user_id, me.id);
  assert.ok(done.metadata.crdt, "it came by the sync of tablets");
  assert.deepEqual(faults, []);
  await context.close();
});

test("checklist, finding, part and photo wait on the tablet and each arrives once", { skip }, async () => {
  const planned = await order(4, "Door does not close");
  const { parts } = await served.call("admin", "GET", "/parts?search=DOR-100&limit=1");
  const { context, page, faults, go } = await person(chromium, served, "technician", TABLET);
  await page.waitForSelector(`.card:has-text("${planned.order_number}")`);
  await prepared(page);
  await go(`order/${planned.order_number}`);
  await page.waitForSelector(".checks input");
  await settled(page);
  // The photo's form asks for the order's documents and the part's for its places: both were seen once.
  await page.tap("text=Use a part");
  await page.waitForSelector("dialog .card");
  await page.tap("dialog .card");
  await page.waitForSelector("dialog form");
  await page.tap("dialog header button");

  await context.setOffline(true);
  for (const box of await page.locator(".checks input").all()) await box.check();
  await page.fill("input[maxlength='500']", "Guide rail is worn");
  await page.selectOption(".pit form select", "high");
  await page.tap("form button[type=submit]");
  await page.waitForSelector("text=Guide rail is worn");
  await page.tap("text=Use a part");
  await page.fill("dialog input[type=search]", "DOR-100");
  await page.tap("dialog .card:has-text('DOR-100')");
  await page.fill("dialog input[inputmode=numeric]", "2");
  await page.tap("dialog button.main");
  await page.waitForSelector("text=2 × DOR-100");
  const [picked] = await Promise.all([page.waitForEvent("filechooser"), page.tap("label.button")]);
  const shot = await page.screenshot();
  await picked.setFiles({ name: "photo.png", mimeType: "image/png", buffer: shot });
  await page.waitForSelector(".photos img");
  await page.reload();
  await page.waitForSelector("text=Guide rail is worn");
  assert.equal(await page.locator(".checks input:checked").count(), 2);
  await page.waitForSelector(".photos img");
  await picture(page, "technician-order-filled");

  await context.setOffline(false);
  await page.waitForFunction(() => document.querySelector(".chip") === null, null, { timeout: 40_000 });
  const arrived = await served.call("admin", "GET", `/maintenance/orders/${planned.order_number}`);
  assert.deepEqual(arrived.checklist.map((item) => [item.text, item.done]).sort(), [["Measure pads", true], ["Replace pads", true]]);
  assert.deepEqual(arrived.finding_items.map((item) => [item.text, item.severity]), [["Guide rail is worn", "high"]]);
  assert.deepEqual(arrived.used_parts.map((item) => [item.part_no, item.quantity]), [["DOR-100", 2]]);
  const left = await served.call("admin", "GET", "/parts/DOR-100");
  assert.equal(left.current_stock, parts[0].current_stock - 2);
  const { documents } = await served.call("admin", "GET", `/docs/links?work_order_id=${planned.id}`);
  assert.equal(documents.length, 1);
  assert.match(documents[0].metadata_json.image, /^data:image\/jpeg;base64,/);
  assert.ok(documents[0].file_size_bytes <= 150_000, `${documents[0].file_size_bytes} bytes`);
  const bytes = Buffer.from(documents[0].metadata_json.image.split(",")[1], "base64");
  assert.equal(bytes.length, documents[0].file_size_bytes);

  // Back online the order is closed as well; what is on the screen is what the server has.
  await page.tap(".pad button.main");
  await page.tap("dialog button.main");
  await page.waitForFunction(() => document.querySelector(".chip") === null && document.body.innerText.includes("Completed"));
  assert.equal(count(await eventsOf(planned.id), "WorkOrderCompleted"), 1);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a vehicle's number is there in a depot of any size, and no list of vehicles is asked for", { skip }, async () => {
  const { vehicles } = await served.call("admin", "GET", "/vehicles?limit=100");
  const lists = [];
  // What a depot says of its first vehicles where there are many more.
  const others = Array.from({ length: 500 }, (_, at) => ({ id: `other-${at}`, asset_id: `A${at}` }));
  const before = (context) =>
    context.route(/\/api\/v1\/vehicles\?/, (route) => {
      lists.push(route.request().url());
      return route.fulfill({ json: { total: 2_000, vehicles: others, next_cursor: "more" } });
    });
  const { context, page, faults } = await person(chromium, served, "technician", { ...TABLET, serviceWorkers: "block", before });
  const known = vehicles.map((vehicle) => vehicle.asset_id);
  await page.waitForFunction((known) => known.includes(document.querySelector(".card .big")?.textContent), known);
  assert.deepEqual(lists, []);
  assert.deepEqual(faults, []);
  await context.close();
});

test("what the tablet's disk does not take is said, and is not shown as done", { skip }, async () => {
  const planned = await order(7, "Window");
  const { context, page } = await person(chromium, served, "technician", TABLET);
  await page.tap(`.card:has-text("${planned.order_number}")`);
  await page.waitForSelector(".pad button.main");
  await page.evaluate(() => {
    window.fault = "The disk is full";
    IDBObjectStore.prototype.add = () => {
      throw new DOMException(window.fault, "QuotaExceededError");
    };
  });
  await page.fill("input[maxlength='500']", "Window is cracked");
  await page.tap("form button[type=submit]");
  await page.waitForSelector("[role=alert]:has-text('The disk is full')");
  assert.equal(await page.inputValue("input[maxlength='500']"), "Window is cracked", "what was written is still there");
  assert.equal(await page.locator("li:has-text('Window is cracked')").count(), 0);
  // Another text, so that what was said before does not pass for it.
  await page.evaluate(() => (window.fault = "The disk is broken"));
  await page.tap(".pad button.main");
  await page.waitForSelector("dialog");
  assert.equal(await page.locator(".failure").count(), 0, "what went wrong before is none of the dialog's");
  await page.tap("dialog button.main");
  await page.locator("dialog [role=alert]", { hasText: "The disk is broken" }).waitFor();
  assert.equal(await page.locator(".failure").count(), 1, "it is said once");
  await context.close();
});

test("what the server refuses stays, with the reason, until it is taken off", { skip }, async () => {
  const planned = await order(6, "Lamp");
  const { context, page, faults, go } = await person(chromium, served, "technician", TABLET);
  await page.waitForSelector(`.card:has-text("${planned.order_number}")`);
  await prepared(page);
  await context.setOffline(true);
  await page.tap(`.card:has-text("${planned.order_number}")`);
  await page.tap(".pad button.main");
  await page.tap("dialog button.main");
  await page.waitForSelector(".chip:has-text('1 waiting')");
  // Meanwhile the planner calls it off.
  await served.call("planner", "PATCH", `/maintenance/orders/${planned.order_number}`, { status: "cancelled", reason: "Not needed" });
  await context.setOffline(false);
  await page.waitForSelector(".chip:has-text('1 refused')", { timeout: 40_000 });
  await go("sync");
  await page.waitForSelector(".acts .badge.bad");
  await picture(page, "technician-refused");
  await page.click(".acts button");
  await page.waitForFunction(() => document.querySelector(".chip") === null);
  const now = await served.call("admin", "GET", `/maintenance/orders/${planned.order_number}`);
  assert.equal(now.status, "cancelled");
  assert.deepEqual(faults, []);
  await context.close();
});

test("a finding is resolved on the tablet, with the network only", { skip }, async () => {
  const planned = await order(6, "Guide rail");
  const findings = `/maintenance/orders/${planned.order_number}/findings`;
  await served.call("technician", "POST", findings, { text: "Guide rail is bent", severity: "high" });
  const { context, page, faults, go } = await person(chromium, served, "technician", TABLET);
  await page.waitForSelector(`.card:has-text("${planned.order_number}")`);
  await prepared(page);
  await go(`order/${planned.order_number}`);
  const resolve = page.getByRole("button", { name: "Resolve: Guide rail is bent", exact: true });
  await resolve.waitFor();
  await context.setOffline(true);
  // What the server does not know yet cannot be resolved there.
  await page.fill("input[maxlength='500']", "Paint is off");
  await page.tap("form button[type=submit]");
  await page.waitForSelector("li:has-text('Paint is off')");
  assert.equal(await page.locator("li:has-text('Paint is off') button").count(), 0);
  await resolve.tap();
  await page.fill("dialog textarea", "Straightened");
  await page.tap("dialog button.main");
  await page.locator("dialog [role=alert]", { hasText: "nothing is kept on this device" }).waitFor();
  await picture(page, "technician-resolve-offline");
  await context.setOffline(false);
  await page.tap("dialog button.main");
  await page.waitForSelector("dialog", { state: "detached" });
  await page.locator("li:has-text('Guide rail is bent') >> text=Straightened").waitFor({ timeout: 40_000 });
  assert.equal(await resolve.count(), 0);
  await page.locator("li:has-text('Paint is off') button").waitFor({ timeout: 40_000 });
  const { finding_items: items } = await served.call("admin", "GET", `/maintenance/orders/${planned.order_number}`);
  assert.deepEqual(items.map((item) => [item.text, item.resolution ?? null]).sort(), [["Guide rail is bent", "Straightened"], ["Paint is off", null]]);
  // It takes a track that the next ones need.
  await served.call("planner", "PATCH", `/maintenance/orders/${planned.order_number}`, { status: "cancelled", reason: "Not needed" });
  assert.deepEqual(faults, []);
  await context.close();
});

test("every control is 56 px and 12 px from the next, in every theme and language", { skip }, async () => {
  const planned = await order(8, "Wipers");
  await served.call("technician", "POST", `/maintenance/orders/${planned.order_number}/findings`, { text: "Wiper arm is loose", severity: "high" });
  for (const [theme, language] of [["light", "en"], ["dark", "de"], ["sun", "de"]]) {
    const { context, page, faults, go } = await person(chromium, served, "technician", { ...TABLET, theme, language });
    for (const path of ["technician", `order/${planned.order_number}`]) {
      await go(path);
      await page.waitForSelector(path === "technician" ? ".card" : ".pad");
      await settled(page);
      const small = await page.evaluate(() => {
        const boxes = [...document.querySelectorAll("button, select, input, textarea, a, label:has(input[type=checkbox]), label.button")]
          .filter((one) => !one.matches(".skip, label input, .field input") || one.matches(".field :is(input, select)"))
          .filter((one) => one.checkVisibility() && getComputedStyle(one).opacity !== "0")
          .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()]);
        const small = boxes.filter(([, box]) => box.height < 55.5 || box.width < 55.5).map(([html, box]) => `${Math.round(box.width)} × ${Math.round(box.height)}: ${html}`);
        const between = (a, b) => Math.max(a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom);
        for (const [index, [html, box]] of boxes.entries()) {
          const near = boxes.slice(index + 1).find(([, other]) => between(box, other) < 11.5 && between(box, other) > -1);
          if (near) small.push(`${Math.round(between(box, near[1]))} px between ${html} and ${near[0]}`);
        }
        return small;
      });
      assert.deepEqual(small, [], `${path} in ${theme}`);
      assert.deepEqual(await violations(page), [], `${path} in ${theme}, ${language}`);
      await picture(page, `gloves-${theme}-${path.split("/")[0]}`);
    }
    assert.deepEqual(faults, []);
    await context.close();
  }
});

test("who signs out leaves nothing on the tablet that the next person could read", { skip }, async () => {
  const { context, page } = await person(chromium, served, "technician", TABLET);
  await page.waitForSelector(".card");
  await page.click("text=Sign out");
  await page.waitForSelector("input[name=username]");
  await page.waitForTimeout(500);
  const left = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const request = indexedDB.open("railfleet-tablet", 1);
        request.onsuccess = () => {
          const all = request.result.transaction("entities").objectStore("entities").getAll();
          all.onsuccess = () => resolve(all.result.length);
        };
      }),
  );
  assert.equal(left, 0);
  const answers = await page.evaluate(async () => (await caches.has("answers-1")) && (await (await caches.open("answers-1")).keys()).length);
  assert.ok(!answers, `${answers} answers are left`);
  await context.close();
});

/** What lies in one store of the tablet's disk. */
const onDisk = (page, store) =>
  page.evaluate(
    (store) =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open("railfleet-tablet", 1);
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const all = request.result.transaction(store).objectStore(store).getAll();
          all.onsuccess = () => {
            request.result.close();
            resolve(all.result);
          };
        };
      }),
    store,
  );

async function signIn(page, name) {
  await page.fill("input[name=username]", name);
  await page.fill("input[name=password]", served.accounts[name]);
  await page.click("button[type=submit]");
  await page.waitForSelector("header.top");
}

test("who takes a tablet over in the middle of an exchange sends nothing in the name of the one before", { skip }, async () => {
  const planned = await order(6, "Sand pipes");
  const relief = await served.account("relief", "TECHNICIAN");
  // The first pull of the one before is held up once it is under way.
  let holding = false;
  let letGo = () => {};
  let held = () => {};
  const isHeld = new Promise((resolve) => (held = resolve));
  const before = (context) =>
    context.route("**/api/v1/sync/crdt/pull*", async (route) => {
      if (holding) {
        holding = false;
        const released = new Promise((resolve) => (letGo = resolve));
        held();
        await released;
      }
      // It may have been broken off meanwhile.
      await route.continue().catch(() => {});
    });
  const { context, page, faults } = await person(chromium, served, "technician", { ...TABLET, serviceWorkers: "block", before });
  await page.waitForSelector(`.card:has-text("${planned.order_number}")`);

  // What the technician did without a network waits here when they sign out.
  await context.setOffline(true);
  await page.tap(`.card:has-text("${planned.order_number}")`);
  await page.tap(".pad button.main");
  await page.tap("dialog button.main");
  await page.waitForSelector(".chip:has-text('1 waiting')");
  await page.click("text=Sign out");
  await page.waitForSelector("input[name=username]");
  await page.waitForTimeout(500);
  await context.setOffline(false);

  holding = true;
  await signIn(page, "relief");
  await isHeld;
  await page.click("text=Sign out");
  await page.waitForSelector("input[name=username]");
  await signIn(page, "technician");
  await page.waitForTimeout(1_000);
  letGo();

  // It arrives once, and as what the technician did.
  let events = [];
  for (let tries = 0; tries < 80 && count(events, "WorkOrderCompleted") === 0; tries++) {
    await page.waitForTimeout(500);
    events = await eventsOf(planned.id);
  }
  assert.equal(count(events, "WorkOrderCompleted"), 1);
  for (const event of events.filter((event) => event.metadata.crdt)) assert.equal(event.metadata.user_id, me.id, event.event_type);
  await page.waitForFunction(() => document.querySelector(".chip") === null, null, { timeout: 40_000 });
  const devices = Object.fromEntries((await onDisk(page, "facts")).map((fact) => [fact.name, fact.value]));
  assert.ok(devices[`device:${me.id}`].token, "the technician has a device");
  assert.notEqual(devices[`device:${me.id}`].id, devices[`device:${relief.id}`]?.id);
  assert.deepEqual([...new Set((await onDisk(page, "entities")).map((row) => row.user))], [me.id]);
  assert.deepEqual(faults, []);
  await context.close();
});

test("an answer from the browser's memory is no exchange with the server", { skip }, async () => {
  const { context, page, faults, go } = await person(chromium, served, "technician", TABLET);
  await page.waitForSelector(".card");
  await prepared(page);
  await go("sync");
  await settled(page);
  const heard = async () => (await onDisk(page, "facts")).find((fact) => fact.name === `device:${me.id}`).value.heardAt;
  const send = async () => {
    const button = page.locator("button:has-text('Send now'):not([disabled])");
    await button.click();
    await page.waitForTimeout(500);
    await button.waitFor();
  };
  for (let time = 0; time < 3; time++) await send();
  const kept = await page.evaluate(async () => (await (await caches.open("answers-1")).keys()).map((request) => request.url).filter((url) => url.includes("/sync/crdt/")));
  assert.deepEqual(kept, []);
  await context.setOffline(true);
  const last = await heard();
  await send();
  assert.equal(await heard(), last, "the server was not heard of");
  assert.deepEqual(faults, []);
  await context.close();
});
