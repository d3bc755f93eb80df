// Bundles the dashboard into dist/: the same source gives the same bytes, so that CI can hold the committed files
// against a build of its own. The page and the service worker keep their names; everything else is named by its content.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** What a page has to fetch before it can be used. */
const JS_GZIP_BYTES_MAX = 60 * 1024;
/** That, and what only some pages fetch: the library of the line charts. */
const ALL_JS_GZIP_BYTES_MAX = 72 * 1024;

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist", { recursive: true });

const shared = { bundle: true, minify: true, target: "es2022", legalComments: "none", charset: "utf8", logLevel: "warning" };
await build({
  ...shared,
  entryPoints: { app: "src/main.tsx", style: "src/style.css" },
  outdir: "dist",
  format: "esm",
  splitting: true,
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  assetNames: "texts-[name]-[hash]",
  loader: { ".json": "file" },
  jsx: "automatic",
  jsxImportSource: "preact",
});

const named = (start, end) => readdirSync("dist").find((name) => name.startsWith(start) && name.endsWith(end));
const assets = { script: named("app-", ".js"), style: named("style-", ".css") };
const page = readFileSync("src/index.html", "utf8").replace("{{script}}", assets.script).replace("{{style}}", assets.style);
writeFileSync("dist/index.html", page);
writeFileSync("dist/icon.svg", readFileSync("src/icon.svg"));
writeFileSync("dist/manifest.webmanifest", readFileSync("src/manifest.webmanifest"));

// The service worker's cache is named by what it holds: another build is another cache.
const more = readdirSync("dist").filter((name) => name.startsWith("chunk-") || name.startsWith("texts-")).sort();
const shell = [assets.script, assets.style, ...more, "icon.svg"];
const contents = ["index.html", ...shell].map((name) => readFileSync(`dist/${name}`));
const build_id = createHash("sha256").update(Buffer.concat(contents)).digest("hex").slice(0, 16);
await build({
  ...shared,
  entryPoints: ["src/sw.ts"],
  outfile: "dist/sw.js",
  define: { BUILD: JSON.stringify(build_id), SHELL: JSON.stringify(["./", ...shell]) },
});

const gzipped = (name) => gzipSync(readFileSync(`dist/${name}`), { level: 9 }).length;
/** A script and all that it imports without being asked to. */
function needed(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, other] of readFileSync(`dist/${name}`, "utf8").matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) needed(other, found);
  return found;
}
const sum = (names) => [...names].reduce((total, name) => total + gzipped(name), 0);
const first = sum(needed(assets.script));
const all = sum(readdirSync("dist").filter((name) => name.endsWith(".js")));
console.log(`to begin with: ${first} bytes of script gzipped, of at most ${JS_GZIP_BYTES_MAX}; all: ${all}, of at most ${ALL_JS_GZIP_BYTES_MAX}`);
if (first > JS_GZIP_BYTES_MAX || all > ALL_JS_GZIP_BYTES_MAX) {
  console.error("the script is too large for a three-year-old tablet on weak Wi-Fi");
  process.exit(1);
}
