/**
 * Pages of a preview and their modules, made before they are opened: the home page while its address is read, those that
 * it leads to while no reader waits for an answer. Framework makes each anew for the first who asks, for seconds.
 */
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** How long after its last question a reader's page is taken to have all that it needs. */
const rest = 1000; // ms

/** As browsers ask for what nobody looks at yet: https://fetch.spec.whatwg.org/#sec-purpose-header */
const headers = { "sec-purpose": "prefetch" } as const;

export class Readiness {
  #asked = -rest; // ms, when a reader last did
  readonly #modules = new Set<string>();

  /** Takes note of a reader's request. */
  note(request: IncomingMessage): void {
    if (request.headers["sec-purpose"] !== headers["sec-purpose"]) this.#asked = performance.now();
  }

  /** Makes what there is at the site's address; rejects where it cannot, or when it is told to stop. */
  async make(address: string, signal: AbortSignal): Promise<void> {
    const home = await this.#page(address, signal);
    for (const page of addressesIn(home, address, /<a\b[^>]* href="(\.\/[^"#?]+)/g)) {
      while (performance.now() - this.#asked < rest) await sleep(rest, undefined, { signal });
      await this.#page(page, signal);
    }
  }

  /** Its text, when it and its modules are there. */
  async #page(address: string, signal: AbortSignal): Promise<string> {
    const page = await (await fetch(address, { headers, signal })).text();
    for (const module of addressesIn(page, address, /<link rel="modulepreload" href="([^"]+)"/g)) {
      if (this.#modules.has(module)) continue;
      this.#modules.add(module);
      await (await fetch(module, { headers, signal })).arrayBuffer();
    }
    return page;
  }
}

function addressesIn(page: string, base: string, link: RegExp): Set<string> {
  return new Set(Array.from(page.matchAll(link), ([, href]) => new URL(href, base).href));
}
