// Predictions on a depot with enough history to learn from: trained from the page, ranked, explained, judged.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, depot, missing, person, picture, settled, violations } from "./harness.mjs";

const skip = missing ?? false;
/** A build without optimisation takes its time to learn. */
const LEARN_MS_MAX = 300_000;
let served;
let chromium;

before(async () => {
  if (missing) return;
  served = await depot({ vehicles: 44, days: 800 });
  chromium = await browser();
});

after(async () => {
  await chromium?.close();
  await served?.end();
});

test("a model is trained from the page; the ranking, the reasons and its card are there", { skip }, async () => {
  const { context, page, faults, go } = await person(chromium, served, "admin", { viewport: { width: 1440, height: 900 } });
  await go("predictions");
  await settled(page);
  await page.waitForSelector("text=No model is in use");
  await page.click("text=Train a model");
  const said = page.locator("[role=status]", { hasText: /Done|Failed/ });
  await said.waitFor({ timeout: LEARN_MS_MAX });
  assert.match(await said.innerText(), /Done/);
  // One that beats what is in use goes into use by itself; else somebody decides, on its card.
  await page.click("tbody a:has-text('Failure predictor')");
  await settled(page);
  await page.waitForSelector("figure:has-text('Calibration error') .bars li");
  const promote = page.locator("text=Put into use");
  if (await promote.count()) await promote.click();
  await page.waitForSelector(".facts >> text=In use");
  await go("predictions");
  await settled(page);
  await page.waitForSelector("text=By the trained model");
  assert.ok((await page.locator("figure:has-text('Highest risk') .bars li").count()) >= 10);
  await page.waitForSelector("text=/raises|lowers/");
  await picture(page, "predictions-model");
  // The ranking is the server's.
  const ranked = await served.call("admin", "GET", "/ml/fleet/risk?limit=1");
  assert.equal(await page.locator(".bars a").first().innerText(), ranked.vehicles[0].vehicle_id);
  assert.deepEqual(await violations(page), []);
  await page.click("text=Model card");
  await settled(page);
  await page.waitForSelector("figure:has-text('Calibration error') .bars li");
  const { models } = await served.call("admin", "GET", "/ml/models");
  const ece = (100 * models[0].metrics.ece_30).toFixed(1).replace(/\.0$/, "");
  assert.match(await page.locator("figure:has-text('Calibration error') .bars li").first().innerText(), new RegExp(`${ece} %`));
  // The curve's dots are the card's own bins.
  const card = await served.call("admin", "GET", `/ml/models/${models[0].model_id}`);
  const told = page.locator("figure:has-text('What was told and what came') circle.dot");
  assert.equal(await told.count(), card.metrics.calibration["30"].length);
  assert.deepEqual(await violations(page), []);
  await picture(page, "model-card");
  await go(`vehicle/${ranked.vehicles[0].vehicle_id}`);
  await settled(page);
  await page.waitForSelector("h2:has-text('Predicted risk')");
  await page.waitForSelector("text=/raises|lowers/");
  assert.deepEqual(faults, []);
  await context.close();
});
