// Bundles the dashboard into dist/: the same source gives the same bytes, so that CI can hold the committed files
// against a build of its own. The page and the service worker keep their names; everything else is named by its content.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const JS_GZIP_BYTES_MAX = 60 * 1024;

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist", { recursive: true });

const shared = { bundle: true, minify: true, target: "es2022", legalComments: "none", charset: "utf8", logLevel: "warning" };
await build({
  ...shared,
  entryPoints: { app: "src/main.tsx", style: "src/style.css" },
  outdir: "dist",
  entryNames: "[name]-[hash]",
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
const contents = ["index.html", assets.script, assets.style, "icon.svg"].map((name) => readFileSync(`dist/${name}`));
const build_id = createHash("sha256").update(Buffer.concat(contents)).digest("hex").slice(0, 16);
await build({
  ...shared,
  entryPoints: ["src/sw.ts"],
  outfile: "dist/sw.js",
  define: { BUILD: JSON.stringify(build_id), SHELL: JSON.stringify(["./", assets.script, assets.style, "icon.svg"]) },
});

const bytes = gzipSync(readFileSync(`dist/${assets.script}`), { level: 9 }).length;
console.log(`${assets.script}: ${bytes} bytes gzipped, of at most ${JS_GZIP_BYTES_MAX}`);
if (bytes > JS_GZIP_BYTES_MAX) {
  console.error("the script is too large for a three-year-old tablet on weak Wi-Fi");
  process.exit(1);
}
