// Serves dist/ beside a running server, for work on the page: node dev.mjs http://127.0.0.1:8000 [PORT]. Port 0 takes a free one.
import { createReadStream, existsSync } from "node:fs";
import { createServer, request } from "node:http";
import { extname } from "node:path";

const target = new URL(process.argv[2] ?? "http://127.0.0.1:8000");
const port = Number(process.argv[3] ?? 3000);
const types = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json", ".json": "application/json" };
/** The page's policy is the server's, so that what it forbids fails here too. */
const policy = (await fetch(new URL("/app/", target))).headers.get("content-security-policy");

createServer((ask, answer) => {
  const { pathname } = new URL(ask.url, "http://localhost");
  if (pathname.startsWith("/app")) {
    const name = pathname.slice("/app/".length);
    const file = name && !name.includes("..") && existsSync(`dist/${name}`) ? `dist/${name}` : "dist/index.html";
    answer.writeHead(200, { "Content-Type": types[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": policy ?? "" });
    createReadStream(file).pipe(answer);
    return;
  }
  const passed = request(new URL(ask.url, target), { method: ask.method, headers: ask.headers }, (reply) => {
    answer.writeHead(reply.statusCode, reply.headers);
    reply.pipe(answer);
  });
  passed.on("error", () => answer.writeHead(502).end());
  ask.pipe(passed);
}).listen(port, "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}/app/`);
});
