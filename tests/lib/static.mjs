/** A plain file server on loopback: what any web host does, and nothing of the fleet's. */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
};

/**
 * Serves folders under prefixes (the longest prefix wins) and single texts under exact paths.
 *
 * @param {{ folders?: Record<string, string>, pages?: Record<string, string> }} content
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function serveStatic({ folders = {}, pages = {} }) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://loopback").pathname);
    response.setHeader("cache-control", "no-store");
    if (path in pages) {
      response.setHeader("content-type", TYPES[".html"]);
      response.end(pages[path]);
      return;
    }
    const prefix = prefixes.find((each) => path.startsWith(each));
    if (prefix === undefined || path.includes("\0")) {
      response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
      return;
    }
    // `normalize` of an absolute path cannot climb above its root.
    let file = join(folders[prefix], normalize(`/${path.slice(prefix.length)}`));
    let stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      file = join(file, "index.html");
      stat = statSync(file, { throwIfNoEntry: false });
    }
    if (!stat?.isFile()) {
      response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
      return;
    }
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve(undefined));
        server.closeAllConnections();
      }),
  };
}
