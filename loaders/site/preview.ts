/** The site while it is written: Framework's preview server behind a guard, with data that are fresh. */
import { type IncomingMessage, Server, type ServerResponse } from "node:http";
import { resolve } from "node:path";
import type { Duplex } from "node:stream";
import { register } from "tsx/esm/api";
import { fillPages } from "../catalogue/pages.js";
import { modelFolder } from "../hub/cache.js";
import { messages } from "../messages.js";
import { siteConfig, siteSource, workFolder } from "../project.js";
import { Store } from "../store/store.js";
import { say, untilInterrupted } from "../terminal.js";
import { prepareFramework } from "./framework.js";
import { polish } from "./html.js";
import { cacheLibraries } from "./libraries.js";
import { PreviewResults } from "./results.js";
import { searchIndexOfSources } from "./search.js";
import { addIsolation, isOwnRequest, listen, serveUntil } from "./server.js";

export interface PreviewOptions {
  readonly host: string;
  readonly port: number;
  readonly model?: string;
  /** Give pages the headers under which browsers allow threads. */
  readonly isolate?: boolean;
}

/** Serves until interrupted. */
export async function preview({ host, port, model, isolate }: PreviewOptions, debug: boolean): Promise<void> {
  const signal = untilInterrupted();
  const folder = model && resolve(await modelFolder(model));
  register(); // Framework reads its configuration, which is TypeScript, again when it has changed
  await prepareFramework(debug);
  await cacheLibraries();
  const { PreviewServer } = await import("@observablehq/framework/dist/preview.js");
  const results = await PreviewResults.open(folder, signal);
  await fillPages();

  // Framework's handlers listen on a server that never does; the guarded one hands requests on.
  const framework = new Server();
  new PreviewServer({ config: siteConfig, root: siteSource, server: framework, verbose: false });

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (!isOwnRequest(request, host)) return plain(response, 403, messages.foreignRequest);
    const [, experiment, table] = /^\/_file\/data\/([^/]+)\/([^/]+)\.arrow(?:\?|$)/.exec(request.url ?? "") ?? [];
    const [, computed] = /^\/_observatory\/progress\/([^/?]+)$/.exec(request.url ?? "") ?? [];
    if (isolate) addIsolation(response);
    if (experiment) {
      const waits = request.headers.prefer !== "respond-async"; // https://www.rfc-editor.org/rfc/rfc7240#section-4.1
      return data(response, experiment, () => results.table(experiment, table, waits));
    }
    if (computed) return json(response, async () => results.progress(computed));
    if (/^\/search\.json(?:\?|$)/.test(request.url ?? "")) return json(response, searchIndexOfSources);
    if (/^\/_file\/data\/catalogue\.arrow(?:\?|$)/.test(request.url ?? "")) {
      return data(response, "catalogue", () => results.catalogue());
    }
    polishPages(response);
    framework.emit("request", request, response);
  };
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    void answer(request, response).catch((error: Error) => response.destroy(error));
  const listening = await listen(handle, host, port);
  listening.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isOwnRequest(request, host)) framework.emit("upgrade", request, socket, head);
    else socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  const stopWatching = results.watch();
  await new Store(workFolder, say).whileInUse(() => serveUntil(signal, listening, port));
  stopWatching();
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}

/** Of a result that is being computed a page is told where to ask how far it is; it shows the text of what failed. */
async function data(
  response: ServerResponse,
  experiment: string,
  table: () => Promise<Uint8Array | undefined>,
): Promise<void> {
  try {
    const bytes = await table();
    if (!bytes) return void response.writeHead(202, { location: `/_observatory/progress/${experiment}` }).end();
    const headers = { "content-type": "application/vnd.apache.arrow.stream", "cache-control": "no-cache" };
    response.writeHead(200, headers).end(bytes);
  } catch (error) {
    plain(response, 500, error instanceof Error ? error.message : String(error));
  }
}

async function json(response: ServerResponse, value: () => Promise<unknown>): Promise<void> {
  try {
    const text = JSON.stringify(await value());
    response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" }).end(text);
  } catch (error) {
    plain(response, 404, error instanceof Error ? error.message : String(error));
  }
}

/** Pages get in preview what they get in the built site. */
function polishPages(response: ServerResponse): void {
  const end = response.end.bind(response) as (content?: unknown) => ServerResponse;
  response.end = (content?: unknown) => {
    const isPage = typeof content === "string" && String(response.getHeader("content-type")).startsWith("text/html");
    return end(isPage ? polish(content) : content);
  };
}
