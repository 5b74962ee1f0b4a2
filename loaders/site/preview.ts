/** The site while it is written: Framework's preview server behind a guard, with data that are fresh. */
import { type IncomingMessage, Server, type ServerResponse } from "node:http";
import { resolve } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { register } from "tsx/esm/api";
import { fillPages } from "../catalogue/pages.js";
import { modelFolder } from "../hub/cache.js";
import { messages } from "../messages.js";
import { siteConfig, siteSource, workFolder } from "../project.js";
import { sha256 } from "../store/hash.js";
import { Store } from "../store/store.js";
import { say, untilInterrupted } from "../terminal.js";
import { compressedDatabaseModule } from "./database-module.js";
import { prepareFramework } from "./framework.js";
import { polish } from "./html.js";
import { cacheLibraries } from "./libraries.js";
import { PreviewAnswers } from "./preview-answers.js";
import { Readiness } from "./readiness.js";
import { ResponseMemory } from "./response-memory.js";
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
  const database = compressedDatabaseModule();
  database.catch(() => undefined); // told to whoever asks for it
  const memory = new ResponseMemory();
  const answers = new PreviewAnswers();
  const readiness = new Readiness();

  // Framework's handlers listen on a server that never does; the guarded one hands requests on.
  const framework = new Server();
  new PreviewServer({ config: siteConfig, root: siteSource, server: framework, verbose: false });

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (!isOwnRequest(request, host)) return plain(response, 403, messages.foreignRequest);
    readiness.note(request);
    const { url = "" } = request;
    if (isolate) addIsolation(response);
    const table = tableAt(url, results);
    if (table) {
      const waits = request.headers.prefer !== "respond-async"; // https://www.rfc-editor.org/rfc/rfc7240#section-4.1
      return data(response, () => table.bytes(waits), table);
    }
    const [, computed] = /^\/_observatory\/progress\/([^/?]+)$/.exec(url) ?? [];
    if (computed) return json(response, async () => results.progress(computed));
    if (url === answersAddress) return data(response, async () => answerTo(await text(request), results, answers));
    if (/^\/search\.json(?:\?|$)/.test(url)) return json(response, searchIndexOfSources);
    if (/^\/_file\/data\/duckdb\.wasm\.gzip(?:\?|$)/.test(url))
      return data(response, () => database, { type: "application/gzip" });
    polishPages(response);
    await memory.answer(request, response, () => framework.emit("request", request, response));
  };
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    void answer(request, response).catch((error: Error) => response.destroy(error));
  const listening = await listen(handle, host, port);
  listening.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isOwnRequest(request, host)) framework.emit("upgrade", request, socket, head);
    else socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  const stopWatching = results.watch();
  answers.start();
  readiness.make(listening.address, signal).catch(() => undefined); // whoever opens the page will be told
  try {
    await new Store(workFolder, say).whileInUse(() => serveUntil(signal, listening, port));
  } finally {
    answers.close();
    stopWatching();
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}

/** A table of the pages, by its address. */
interface AddressedTable {
  /** Of which it is a result. */
  readonly experiment?: string;
  bytes(waits: boolean): Promise<Uint8Array | undefined>;
}

function tableAt(url: string, results: PreviewResults): AddressedTable | undefined {
  const [, experiment, name] = /^\/_file\/data\/([^/]+)\/([^/]+)\.arrow(?:\?|$)/.exec(url) ?? [];
  if (experiment) return { experiment, bytes: (waits) => results.table(experiment, name, waits) };
  const isCatalogue = /^\/_file\/data\/catalogue\.arrow(?:\?|$)/.test(url);
  return isCatalogue ? { bytes: () => results.catalogue() } : undefined;
}

/** Where pages send what components/answers.ts asks. */
const answersAddress = "/_observatory/answer";

interface PageQuestion {
  readonly sql: string;
  /** The page's address of each table that the query names, and the hash of what was there. */
  readonly files: Readonly<Record<string, { readonly href: string; readonly hash: string }>>;
}

/** Only of the very files that the page has. */
async function answerTo(
  question: string,
  results: PreviewResults,
  answers: PreviewAnswers,
): Promise<Uint8Array | undefined> {
  const { sql, files }: PageQuestion = JSON.parse(question);
  const tables = new Map<string, Uint8Array>();
  for (const [name, { href, hash }] of Object.entries(files)) {
    const { pathname } = new URL(href);
    const bytes = await tableAt(pathname, results)?.bytes(false);
    if (!bytes || sha256(bytes) !== hash) return undefined;
    tables.set(name, bytes);
  }
  return answers.answer(sql, tables);
}

/** What is not there yet is answered with where a page can ask how far it is; what failed, with a text that says why. */
async function data(
  response: ServerResponse,
  content: () => Promise<Uint8Array | undefined>,
  { experiment, type = "application/vnd.apache.arrow.stream" }: { experiment?: string; type?: string } = {},
): Promise<void> {
  try {
    const bytes = await content();
    if (bytes) {
      response.writeHead(200, { "content-type": type, "cache-control": "no-cache" }).end(bytes);
    } else if (experiment) response.writeHead(202, { location: `/_observatory/progress/${experiment}` }).end();
    else response.writeHead(204).end();
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
    return end(isPage ? polish(content, answersAddress) : content);
  };
}
