/** Serves a folder of files as a static host would. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { absent } from "../store/system.js";
import { untilInterrupted } from "../terminal.js";
import { addIsolation, isOwnRequest, listen, serveUntil } from "./server.js";

const types: Readonly<Record<string, string>> = {
  ".arrow": "application/vnd.apache.arrow.stream",
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Give pages the headers under which browsers allow threads. */
  readonly isolate?: boolean;
}

/** Serves until interrupted. @throws {UserError} where the folder holds no site, or no port is free */
export async function serve(folder: string, { host, port, isolate }: ServeOptions): Promise<void> {
  if (!(await fileAt(join(folder, "index.html")))) throw new UserError(messages.noSite(folder));
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    if (isolate) addIsolation(response);
    void answer(folder, host, request, response).catch((error: Error) => response.destroy(error));
  };
  const listening = await listen(handle, host, port);
  await serveUntil(untilInterrupted(), listening, port);
}

async function answer(folder: string, host: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!isOwnRequest(request, host)) return void response.writeHead(403).end(messages.foreignRequest);
  const path = pathOf(request.url ?? "/");
  const file = path === undefined ? undefined : await find(join(folder, path));
  const found = file ?? (await find(join(folder, "404.html")));
  if (!found) return void response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("Not found\n");
  response.writeHead(file ? 200 : 404, {
    "content-type": types[extname(found.path)] ?? "application/octet-stream",
    "content-length": found.size,
    "cache-control": "no-cache",
  });
  if (request.method === "HEAD") response.end();
  else
    createReadStream(found.path)
      .on("error", (error) => response.destroy(error))
      .pipe(response);
}

/** The path below the folder; undefined where the address is malformed or points out of it. */
function pathOf(url: string): string | undefined {
  try {
    const path = normalize(decodeURIComponent(new URL(url, "http://localhost").pathname));
    return path.startsWith("/") && !path.includes("\0") ? path : undefined;
  } catch (error) {
    if (error instanceof URIError || error instanceof TypeError) return undefined;
    throw error;
  }
}

interface FoundFile {
  readonly path: string;
  readonly size: number;
}

/** /entropy is entropy.html and / is index.html, as on every static host. */
async function find(path: string): Promise<FoundFile | undefined> {
  return (await fileAt(path)) ?? (await fileAt(join(path, "index.html"))) ?? (await fileAt(`${path}.html`));
}

async function fileAt(path: string): Promise<FoundFile | undefined> {
  const found = await stat(path).catch(missing);
  return found?.isFile() ? { path, size: found.size } : undefined;
}

const missing = (error: NodeJS.ErrnoException) => (error.code === "ENOTDIR" ? undefined : absent(error));
