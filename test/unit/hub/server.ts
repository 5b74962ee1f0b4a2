/** A hub on loopback that serves models from memory, large files from another origin, and misbehaves where it is told to. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type HubFiles = Readonly<Record<string, Uint8Array>>;

export interface Seen {
  readonly origin: "hub" | "storage";
  readonly path: string;
  readonly range?: string;
  readonly authorization?: string;
}

/** Answers a request in place of the server; where it returns false, the server does. */
export type Misbehaviour = (request: Seen, response: ServerResponse, content: Uint8Array | undefined) => boolean;

export const commit = "0123456789abcdef0123456789abcdef01234567";

const hashOf = (algorithm: string, ...parts: (string | Uint8Array)[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest("hex");

export const gitHash = (content: Uint8Array): string => hashOf("sha1", `blob ${content.length}\0`, content);
export const sha256 = (content: Uint8Array): string => hashOf("sha256", content);

const isLarge = (path: string): boolean => /\.(safetensors|bin)$/.test(path);

export class HubServer {
  address = "";
  readonly seen: Seen[] = [];
  misbehave: Misbehaviour = () => false;
  /** Changes what the listing says. */
  list: (entries: ListEntry[]) => unknown = (entries) => entries;
  readonly #hub: Server;
  readonly #storage: Server;

  private constructor(
    private readonly model: string,
    private readonly files: HubFiles,
  ) {
    this.#hub = createServer((request, response) => this.#answer("hub", request, response));
    this.#storage = createServer((request, response) => this.#answer("storage", request, response));
  }

  /** One model with the branch `main` and the tag `v1`, both at `commit`. */
  static async start(model: string, files: HubFiles): Promise<HubServer> {
    const server = new HubServer(model, files);
    for (const listener of [server.#hub, server.#storage]) await once(listener.listen(0, "127.0.0.1"), "listening");
    server.address = addressOf(server.#hub);
    return server;
  }

  async close(): Promise<void> {
    for (const listener of [this.#hub, this.#storage]) {
      listener.close();
      listener.closeAllConnections();
    }
  }

  /** The requests for the content of a file, at the origin that has it. */
  fetched(path: string): Seen[] {
    return this.seen.filter(
      (seen) => seen.path.endsWith(`/${path}`) && seen.origin === (isLarge(path) ? "storage" : "hub"),
    );
  }

  #answer(origin: Seen["origin"], { url = "", headers }: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(url, "http://host");
    const path = decodeURIComponent(pathname);
    const { range, authorization } = headers;
    const seen = { origin, path, ...(range ? { range } : {}), ...(authorization ? { authorization } : {}) };
    this.seen.push(seen);
    const content = this.#contentOf(path);
    if (this.misbehave(seen, response, content)) return;
    const revision = new RegExp(`^/api/models/${this.model}/(revision|tree)/(.*)$`).exec(path);
    if (revision) this.#api(revision[1], revision[2], response);
    else if (!content) response.writeHead(404, { "x-error-code": "RepoNotFound" }).end();
    else if (origin === "hub" && isLarge(path)) {
      response.writeHead(302, { location: `${addressOf(this.#storage)}${pathname}` }).end();
    } else sendContent(response, content, range);
  }

  #contentOf(path: string): Uint8Array | undefined {
    const prefix = `/${this.model}/resolve/${commit}/`;
    return path.startsWith(prefix) ? this.files[path.slice(prefix.length)] : undefined;
  }

  #api(kind: string, revision: string, response: ServerResponse): void {
    if (!["main", "HEAD", "v1", commit].includes(revision)) {
      response.writeHead(404, { "x-error-code": "RevisionNotFound" }).end();
      return;
    }
    const about = { _id: "1", id: this.model, sha: commit, private: false, gated: false, lastModified: "2026-01-01" };
    sendJson(response, kind === "revision" ? about : this.list(Object.entries(this.files).map(entryOf)));
  }
}

export interface ListEntry {
  type: string;
  path: string;
  size: number;
  oid: string;
  lfs?: { oid: string; size: number; pointerSize: number };
}

function entryOf([path, content]: [string, Uint8Array]): ListEntry {
  const entry = { type: "file", path, size: content.length, oid: gitHash(content) };
  return isLarge(path) ? { ...entry, lfs: { oid: sha256(content), size: content.length, pointerSize: 130 } } : entry;
}

const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** The content, or the part of it that the range asks for. */
export function sendContent(response: ServerResponse, content: Uint8Array, range?: string): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  if (start > 0 && start >= content.length) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    return;
  }
  const place = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(range ? 206 : 200, { "content-length": content.length - start, ...(range ? place : {}) });
  response.end(content.subarray(start));
}

/** Sends the content from the range's start, but breaks the connection after so many bytes. */
export function sendCut(response: ServerResponse, content: Uint8Array, bytes: number, range?: string): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const place = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(range ? 206 : 200, { "content-length": content.length - start, ...(range ? place : {}) });
  response.write(content.subarray(start, start + bytes), () => response.destroy());
}
