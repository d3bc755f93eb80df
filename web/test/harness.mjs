// A real server with a small demo depot, and a real browser. What is missing on this machine is said loudly.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const BINARY = process.env.RAILFLEET_BIN ?? "../target/debug/railfleet";
/** Pictures for people to look at. */
export const PICTURES = process.env.RAILFLEET_PICTURES ?? "../out/web";
/** How long the demo may take to fill in a build without optimisation. */
const FILL_MS_MAX = 240_000;

/** Why these tests cannot run here; null when they can. */
export const missing = !existsSync(CHROMIUM) ? "no chromium" : !existsSync(BINARY) ? `no ${BINARY}` : null;
if (missing) console.error(`SKIPPED: the dashboard in a browser: ${missing}`);

/** With RAILFLEET_WEB=dist the files of `dist` are served in place of those in the binary: no new build for a new page. */
async function front(server) {
  if (process.env.RAILFLEET_WEB !== "dist") return { address: server, end() {} };
  const child = spawn("node", ["dev.mjs", server, "0"]);
  const address = await new Promise((resolve) => child.stdout.on("data", (chunk) => resolve(String(chunk).trim().replace("/app/", ""))));
  return { address, end: () => child.kill() };
}

/** A demo depot that serves; `accounts` has the passwords it printed. */
export async function depot({ vehicles = 24, days = 260 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "railfleet-web-"));
  const server = spawn(BINARY, ["demo", "--data", folder, "--vehicles", String(vehicles), "--days", String(days), "--port", "0"]);
  let said = "";
  const served = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the demo did not begin to serve:\n${said}`)), FILL_MS_MAX);
    const listen = (chunk) => {
      said += chunk;
      const found = /railfleet listens on (http:\S+)/.exec(said);
      if (found) {
        clearTimeout(late);
        resolve(found[1]);
      }
    };
    server.stdout.on("data", listen);
    server.stderr.on("data", listen);
    server.on("exit", () => reject(new Error(`the demo ended:\n${said}`)));
  });
  const before = await front(served);
  const { address } = before;
  const accounts = Object.fromEntries([...said.matchAll(/^ {2}(\S+) +(\S+) +[A-Z_]+$/gm)].map(([, name, password]) => [name, password]));
  return {
    address,
    accounts,
    /** A call of the API by an account. */
    async call(name, method, path, body) {
      const token = await this.token(name);
      const answer = await fetch(`${address}/api/v1${path}`, { method, headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return answer.status === 204 ? null : answer.json();
    },
    /** An account of another role than the demo has. */
    async account(name, role) {
      accounts[name] = `${name}-password-2026`;
      return this.call("admin", "POST", "/users", { username: name, email: `${name}@demo.example`, password: accounts[name], role });
    },
    tokens: {},
    async token(name) {
      this.tokens[name] ??= (await (await fetch(`${address}/api/v1/auth/login`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ username: name, password: accounts[name] }) })).json()).access_token;
      return this.tokens[name];
    },
    async end() {
      before.end();
      server.removeAllListeners("exit");
      server.kill("SIGTERM");
      await new Promise((resolve) => server.on("exit", resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A server on a log without a single event but its first account; with settings such as `federation.name=Nord`. */
export async function emptyDepot(settings = []) {
  const folder = mkdtempSync(join(tmpdir(), "railfleet-web-"));
  const password = "first-password-2026";
  const begin = async () => {
    const child = spawn(BINARY, ["serve", "--data", folder, "--port", "0", ...settings.flatMap((one) => ["--set", one])]);
    let said = "";
    const served = await new Promise((resolve, reject) => {
      const listen = (chunk) => {
        said += chunk;
        const found = /listens on (http:\S+)|address=(127\S+)/.exec(said);
        if (found) resolve(found[1] ?? `http://${found[2]}`);
      };
      child.stdout.on("data", listen);
      child.stderr.on("data", listen);
      child.on("exit", () => reject(new Error(`the server ended:\n${said}`)));
    });
    const stop = async () => {
      child.removeAllListeners("exit");
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await new Promise((resolve) => child.on("exit", resolve));
    };
    return { served, stop };
  };
  await (await begin()).stop();
  execFileSync(BINARY, ["user", "add", "admin", "--role", "SUPER_ADMIN", "--password-stdin", "--data", folder], { input: `${password}\n` });
  const { served, stop } = await begin();
  const before = await front(served);
  return {
    address: before.address,
    accounts: { admin: password },
    stop,
    async end() {
      before.end();
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function browser() {
  const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return chromium.launch({ executablePath: CHROMIUM, args: quiet });
}

/** Has pages hear of events at once, and not after they were gathered for a while. */
export const quickNews = (context) =>
  context.addInitScript(() => {
    const later = window.setTimeout;
    window.setTimeout = (work, ms, ...rest) => later(work, ms === 1_500 ? 50 : ms, ...rest);
  });

/** A page of a person who signed in; what goes wrong in it is kept in `faults`. */
export async function person(browser, depot, name, settings = {}) {
  const { theme = "light", language = "en", viewport = { width: 1280, height: 800 }, touch = false } = settings;
  const context = await browser.newContext({ viewport, hasTouch: touch, reducedMotion: "reduce", ...(settings.serviceWorkers ? { serviceWorkers: settings.serviceWorkers } : {}) });
  await settings.before?.(context);
  await context.addInitScript(([theme, language]) => {
    localStorage.setItem("railfleet.theme", theme);
    localStorage.setItem("railfleet.language", language);
  }, [theme, language]);
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // The browser itself reports each refused request; those are checked by what the page then shows.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (["http:", "https:", "ws:", "wss:"].includes(url.protocol) && url.origin !== depot.address) faults.push(`outside: ${request.url()}`);
  });
  await page.goto(`${depot.address}/app/`);
  await page.waitForSelector("input[name=username]");
  await page.fill("input[name=username]", name);
  await page.fill("input[name=password]", depot.accounts[name]);
  await page.click("button[type=submit]");
  await page.waitForSelector("header.top");
  return { context, page, faults, go: (path) => page.goto(`${depot.address}/app/${path}`) };
}

const AXE = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

/** What axe-core finds wrong with a page, a line each. */
export async function violations(page) {
  // The page's policy forbids foreign scripts, so the checker is run by the debugger and not by the page.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  return found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} (${node.failureSummary?.split("\n")[1]?.trim() ?? ""})`));
}

/** Waits until nothing is being asked for. */
export const settled = (page) => page.waitForFunction(() => document.querySelector("h1, .empty") !== null && document.querySelectorAll(".skeleton").length === 0);

/** The page on paper: how many sheets of A4. */
export async function paper(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  const pdf = await page.pdf({ format: "A4", path: join(PICTURES, `${name}.pdf`), preferCSSPageSize: true });
  return (pdf.toString("latin1").match(/\/Type\s*\/Page[^s]/g) ?? []).length;
}

export async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: false });
}
