/**
 * Pages of a preview and their modules, made before they are opened: the home page while its address is read, those that
 * it leads to while no reader waits for an answer. Framework makes each anew for the first who asks, for seconds.
 */
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** How long after its last question a reader's page is taken to have all that it needs. */
const rest = 1000; // ms

/** As browsers say that nobody looks at what they ask for: https://www.w3.org/TR/resource-hints/ */
const ahead = { headers: { purpose: "prefetch" } };

export class Readiness {
  #asked = -rest;

  /** Takes note of a reader's request. */
  note({ headers }: IncomingMessage): void {
    if (headers.purpose !== ahead.headers.purpose) this.#asked = performance.now();
  }

  /** Makes what there is at the site's address; rejects where it cannot, or when it is told to stop. */
  async make(address: string, signal: AbortSignal): Promise<void> {
    const known = new Set<string>();
    const home = await this.#page(address, known, signal);
    for (const page of addressesIn(home, address, /<a\b[^>]* href="(\.\/[^"#?]+)/g)) {
      while (performance.now() - this.#asked < rest) await sleep(rest, undefined, { signal });
      await this.#page(page, known, signal);
    }
  }

  /** Its text, when it and its modules are there. */
  async #page(address: string, known: Set<string>, signal: AbortSignal): Promise<string> {
    const page = await (await fetch(address, { ...ahead, signal })).text();
    for (const module of addressesIn(page, address, /<link rel="modulepreload" href="([^"]+)"/g)) {
      if (known.has(module)) continue;
      known.add(module);
      await (await fetch(module, { ...ahead, signal })).arrayBuffer();
    }
    return page;
  }
}

function addressesIn(page: string, base: string, link: RegExp): Set<string> {
  return new Set(Array.from(page.matchAll(link), ([, href]) => new URL(href, base).href));
}
