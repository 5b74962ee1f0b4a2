/** What preview and serve share: a loopback server on the first free port that answers this machine's pages only. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { hostname } from "node:os";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { say } from "../terminal.js";

/** How many ports are tried after the one that was asked for. */
const attempts = 50;

export interface Listening {
  readonly server: Server;
  readonly port: number;
  readonly address: string;
}

/** Listens on `port`, or on the next free one after it; 0 lets the system choose. */
export async function listen(handler: RequestListener, host: string, port: number): Promise<Listening> {
  const server = createServer(handler);
  for (let candidate = port; candidate < port + attempts && candidate < 65536; ++candidate) {
    if (await bound(server, host, candidate)) {
      const actual = (server.address() as AddressInfo).port;
      const name = host.includes(":") ? `[${host}]` : host;
      return { server, port: actual, address: `http://${name}:${actual}/` };
    }
  }
  throw new UserError(messages.noFreePort(host, port, port + attempts - 1));
}

/** Says where the server is, and closes it when the signal comes: for a server, being interrupted is the way to end. */
export async function serveUntil(
  signal: AbortSignal,
  { server, port, address }: Listening,
  asked: number,
): Promise<void> {
  if (asked !== 0 && port !== asked) say(messages.portTaken(asked, port));
  say(messages.serving(address));
  if (!signal.aborted) await once(signal, "abort");
  server.close();
  server.closeAllConnections();
}

/** The headers under which browsers give a page threads that share memory. */
export function addIsolation(response: ServerResponse): void {
  response.setHeader("cross-origin-opener-policy", "same-origin");
  response.setHeader("cross-origin-embedder-policy", "require-corp");
}

function bound(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.off("listening", listening);
      if (error.code === "EADDRINUSE") resolve(false);
      else if (error.code === "EACCES") reject(new UserError(messages.portForbidden(port)));
      else if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND") {
        reject(new UserError(messages.hostUnknown(host)));
      } else reject(error);
    };
    const listening = () => {
      server.off("error", failed);
      resolve(true);
    };
    server.once("error", failed).once("listening", listening).listen(port, host);
  });
}

/**
 * Whether a request comes from a page that this server served. A foreign Host is DNS rebinding; a foreign Origin or
 * cross-site request is another site's script: neither may read results or start an experiment. Ports are not compared
 * with ours, because a tunnel may change them, only with each other.
 */
export function isOwnRequest({ headers }: Pick<IncomingMessage, "headers">, host: string): boolean {
  const asked = headers.host ?? "";
  const name = asked.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const foreignScript = headers["sec-fetch-site"] === "cross-site" && headers["sec-fetch-mode"] !== "navigate";
  return (
    isOwnName(name, host) && !foreignScript && (headers.origin === undefined || headers.origin === `http://${asked}`)
  );
}

const loopback = ["127.0.0.1", "::1", "localhost"];

function isOwnName(name: string, host: string): boolean {
  if (loopback.includes(name)) return loopback.includes(host) || isWildcard(host);
  return name === host || (isWildcard(host) && (isIP(name) !== 0 || name === hostname()));
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
