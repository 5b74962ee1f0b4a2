/** The site while it is written: Framework's preview server behind a guard, on a cache that only holds fresh results. */
import { Server } from "node:http";
import type { Duplex } from "node:stream";
import { messages } from "../messages.js";
import { root, siteConfig, siteSource } from "../project.js";
import { isOwnRequest, listen } from "./server.js";

export interface PreviewOptions {
  readonly host: string;
  readonly port: number;
}

/** Starts the preview and returns its address and the port that it listens on. */
export async function startPreview({ host, port }: PreviewOptions): Promise<{ address: string; port: number }> {
  process.env.OBSERVABLE_TELEMETRY_DISABLE = "1";
  process.chdir(root); // Framework resolves its own client files against the working directory
  const { PreviewServer } = await import("@observablehq/framework/dist/preview.js");

  // Framework's handlers listen on a server that never does; the guarded one hands requests on.
  const framework = new Server();
  new PreviewServer({ config: siteConfig, root: siteSource, server: framework, verbose: false });

  const listening = await listen((request, response) => {
    if (isOwnRequest(request, host)) framework.emit("request", request, response);
    else response.writeHead(403, { "content-type": "text/plain; charset=utf-8" }).end(messages.foreignRequest);
  }, host, port);
  listening.server.on("upgrade", (request, socket: Duplex, head) => {
    if (isOwnRequest(request, host)) framework.emit("upgrade", request, socket, head);
    else socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  return listening;
}
