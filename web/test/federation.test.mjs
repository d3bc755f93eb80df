// The other depots, on the System page: what a real server says of a broker that is not there, and how depots are shown.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, emptyDepot, missing, person, picture, settled, violations } from "./harness.mjs";

const skip = missing ?? false;
let chromium;

before(async () => {
  if (!missing) chromium = await browser();
});

after(() => chromium?.close());

test("a depot that is alone shows no others, one without its broker says so", { skip }, async (t) => {
  const alone = await emptyDepot();
  t.after(() => alone.end());
  const first = await person(chromium, alone, "admin");
  await first.go("system");
  await settled(first.page);
  assert.equal(await first.page.getByRole("heading", { name: "Other depots" }).count(), 0);
  await first.context.close();

  // Port 9 is nobody's.
  const nord = await emptyDepot(["federation.servers=nats://127.0.0.1:9", "federation.name=Nord"]);
  t.after(() => nord.end());
  const { context, page, faults, go } = await person(chromium, nord, "admin");
  await go("system");
  await page.getByRole("heading", { name: "Other depots" }).waitFor();
  await page.getByText("the broker cannot be reached").waitFor();
  for (const text of ["Publishes nothing at the moment", "Receives nothing at the moment", "No other depot was heard of yet."]) {
    assert.equal(await page.getByText(text).count(), 1, text);
  }
  assert.equal(await page.getByText("the broker cannot be reached").count(), 1, "the same is said once");

  // As a server with two others would say it.
  const depot = (name, received, seconds, refused) => ({ name, log_id: `log-${name}`, received_position: received, published_position: 1_200, last_contact: seconds === null ? null : new Date(Date.now() - seconds * 1_000).toISOString(), appended: 7, repeated: 0, refused });
  await context.route("**/api/v1/federation", (route) =>
    route.fulfill({ json: { enabled: true, name: "Nord", log_id: "log", publishes: true, receives: true, published_position: 41, publish_error: "long ago", receive_error: null, contested_total: 2, awaited_total: 0, depots: [depot("Süd", 1_190, 2, null), depot("West", 1_200, 3_600, { reason: "its signature is not one of what it says" })] } }),
  );
  await page.getByText("Nord publishes (up to 41)").waitFor();
  const row = (name) => page.getByRole("row", { name: new RegExp(name) });
  assert.match(await row("Süd").innerText(), /● .*1,190\s+10\s+7\s+–/s);
  assert.match(await row("West").innerText(), /▲ .*1,200\s+0\s+7.*■ its signature/s);
  assert.equal(await page.getByText("2 vehicles are claimed by more than one depot").count(), 1);
  assert.equal(await page.getByText("long ago").count(), 0, "what was mended is not told");
  assert.deepEqual(await violations(page), []);
  await picture(page, "federation");
  assert.deepEqual(faults, []);
  await context.close();
});
