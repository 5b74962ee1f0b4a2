/** Serves a built site as any static host would: under a sub-path, without special headers, with its own 404 page. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

export interface StaticServer {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * `base` begins and ends with a slash; what lies outside of it is not found. Requests wait until the site is built, and
 * are told where it could not be.
 */
export async function serveStatic(folder: string, base: string, built: Promise<void>): Promise<StaticServer> {
  const failure = built.then(
    () => undefined,
    (error: Error) => error.message,
  );
  const server = createServer(async (request, response) => {
    const reason = await failure;
    if (reason !== undefined) return void response.writeHead(503).end(reason);
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://127.0.0.1").pathname);
    const file = path.startsWith(base) ? await find(join(folder, normalize(`/${path.slice(base.length)}`))) : undefined;
    const shown = file ?? join(folder, "404.html");
    response.writeHead(file ? 200 : 404, {
      "content-type": types[extname(shown)] ?? "application/octet-stream",
      "cache-control": "no-cache",
    });
    createReadStream(shown).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}${base}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The file of an address: itself, with .html, or the index of its folder. */
async function find(path: string): Promise<string | undefined> {
  for (const candidate of [path, `${path}.html`, join(path, "index.html")]) {
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isFile()) return candidate;
  }
  return undefined;
}
