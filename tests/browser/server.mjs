// Serves folders on a free port of this machine: what the pages under test are loaded from.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, resolve, sep } from "node:path";

/** What a browser has to be told of a file, or it will not run it. */
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".ts": "text/plain; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/** With these a page is isolated from other origins, and may share memory between its threads. */
const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * Starts a server.
 *
 * @param {Record<string, string>} roots  a folder for each beginning of a path: `{ "/": "web", "/package/": "target/npm" }`;
 *   the longest that fits is taken
 * @param {{ isolated?: boolean, headers?: Record<string, string>, port?: number }} [options]  `isolated` sends COOP and
 *   COEP; `headers` are sent with everything; `port` is a free one unless it is given
 * @returns {Promise<{ origin: string, requests: string[], close(): Promise<void> }>}
 */
export async function serve(roots, { isolated = false, headers = {}, port = 0 } = {}) {
  const mounted = Object.entries(roots).sort(([a], [b]) => b.length - a.length);
  const requests = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://here").pathname);
    requests.push(path);
    const always = { "cache-control": "no-store", ...(isolated ? ISOLATED : {}), ...headers };
    const refuse = (status) => response.writeHead(status, always).end();
    if (path === "/favicon.ico") return refuse(204);
    const [begin, folder] = mounted.find(([begin]) => path.startsWith(begin)) ?? [];
    if (folder === undefined) return refuse(404);
    const root = resolve(folder);
    let file = normalize(join(root, path.slice(begin.length)));
    if (file !== root && !file.startsWith(root + sep)) return refuse(403);
    if (path.endsWith("/")) file = join(file, "index.html");
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) return refuse(404);
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { ...always, "content-type": type, "content-length": found.size });
    createReadStream(file).once("error", (error) => response.destroy(error)).pipe(response);
  });
  await new Promise((listens, fails) => server.once("error", fails).listen(port, "127.0.0.1", listens));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    requests,
    close: () =>
      new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
      }),
  };
}
