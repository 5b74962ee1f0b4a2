/** A page that is watched while it is open, and what the tests ask of it. */
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContext, Locator, Page, Route } from "playwright-core";
import { inject } from "vitest";
import { watchShifts } from "../../loaders/bench/layout-shift.js";
import { full } from "../full.js";
import type { Case } from "./cases.js";
import { openChromium } from "./chromium.js";

export type Scheme = "light" | "dark";

export interface Visit {
  readonly page: Page;
  /** Everything that a page must not do: failed requests, messages of trouble, errors, requests to other hosts. */
  readonly troubles: string[];
  close(): Promise<void>;
}

const contexts = new WeakMap<Browser, BrowserContext>();

/** Its pages share a process, and with it what of the site is loaded and compiled; one stays, for it to live on. */
async function sharedContext(browser: Browser): Promise<BrowserContext> {
  const known = contexts.get(browser);
  if (known) return known;
  const context = await browser.newContext();
  contexts.set(browser, context);
  await (await context.newPage()).goto(`${inject("site")}404`);
  return context;
}

/** Opens an address and waits until it has drawn its charts and come to rest. */
export async function visit(browser: Browser, address: string, scheme: Scheme, width: number): Promise<Visit> {
  const context = await sharedContext(browser);
  const page = await context.newPage();
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height: width < 600 ? 740 : 900 });
  const troubles: string[] = [];
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol.startsWith("http") && hostname !== "127.0.0.1") troubles.push(`request to ${request.url()}`);
  });
  page.on("requestfailed", (request) => troubles.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => {
    if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
  });
  page.on("pageerror", (error) => troubles.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) troubles.push(`console ${message.type()}: ${message.text()}`);
  });
  await watchShifts(page);
  await page.goto(address);
  await settled(page);
  const close = async () => {
    await context.setOffline(false);
    await page.close();
  };
  return { page, troubles, close };
}

/** Opens a page as the case says. */
export async function visitCase({ page, width, scheme, place, gpu }: Case): Promise<Visit> {
  const site = place === "at the root" ? inject("root") : inject("site");
  const visited = await visit(await openChromium(gpu), `${site}${page}`, scheme, width);
  if (place === "offline once it is there") {
    await whole(visited.page);
    await visited.page.context().setOffline(true);
  }
  return visited;
}

/** Until a page that draws prepared answers has its database, too, and needs nothing more from the site. */
export async function whole(page: Page): Promise<void> {
  await page.mouse.move(1, 1); // a reader is there
  await page.waitForFunction(
    () => !document.querySelector("link[data-answers]") || performance.getEntriesByName("database").length > 0,
  );
}

/** How far the page is wider than its window, in pixels. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Texts of charts that reach over the edge of their chart, which cuts them off. */
export function cutTexts(page: Page): Promise<string[]> {
  return page.locator("main svg.marks").evaluateAll((charts) =>
    charts.flatMap((chart) => {
      const frame = (chart.closest(".chart") ?? chart).getBoundingClientRect();
      return [...chart.querySelectorAll("text:not([opacity='0'])")].flatMap((text) => {
        const { left, right, top, bottom, width } = text.getBoundingClientRect();
        const over = Math.max(frame.left - left, right - frame.right, frame.top - top, bottom - frame.bottom);
        return width > 0 && over > 2 ? [`${chart.closest(".figure")?.id}: ${text.textContent}`] : [];
      });
    }),
  );
}

export const marks = "main svg.marks, main canvas.marks";

/** Until every figure that the page's cells make is there and at rest, and the charts are the same in two looks. */
export async function settled(page: Page): Promise<void> {
  const scripts = await page.locator("script[type=module]:not([src])").allTextContents();
  const figures = scripts.join().match(/\bfigure\(\{/g)?.length ?? 0;
  const seen = await page.evaluateHandle((): { drawings?: string } => ({}));
  await page.waitForFunction(
    ({ figures, marks, seen }) => {
      const rested = document.querySelectorAll("main figure.figure:not([aria-busy=true])").length;
      if (rested < figures || document.querySelector("main [aria-busy=true]")) return false;
      const drawings = [...document.querySelectorAll(marks)]
        .map((node) => (node instanceof HTMLCanvasElement ? node.toDataURL() : node.outerHTML))
        .join();
      const same = drawings === seen.drawings;
      seen.drawings = drawings;
      return same;
    },
    { figures, marks, seen },
    { timeout: 60_000, polling: 100 },
  );
}

/** A hash of what each chart on the page looks like. */
export function charts(page: Page): Promise<string[]> {
  return page.locator(marks).evaluateAll((nodes) =>
    Promise.all(
      nodes.map(async (node) => {
        // Vega numbers gradients in the order in which charts happen to be drawn.
        const drawing =
          node instanceof HTMLCanvasElement ? node.toDataURL() : node.outerHTML.replace(/gradient_\d+/g, "gradient");
        return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(drawing))).join();
      }),
    ),
  );
}

/** Answers a request with what the site has for it, changed. */
export function tampered(change: (bytes: Buffer) => Buffer): (route: Route) => Promise<void> {
  return async (route) => {
    const response = await route.fetch({ maxRetries: 3 }); // the server may close a connection that is about to be used
    await route.fulfill({ response, body: change(await response.body()) });
  };
}

/** Moves a control to another of its values as a reader would. */
export async function move(control: Locator): Promise<void> {
  const range = control.locator("input[type=range]");
  if (await range.count()) {
    const atEnd = await range.evaluate((input: HTMLInputElement) => input.value === input.max);
    await range.press(atEnd ? "ArrowLeft" : "ArrowRight");
    return;
  }
  const select = control.locator("select");
  if (await select.count()) {
    const next = await select.evaluate((node: HTMLSelectElement) => (node.selectedIndex + 1) % node.options.length);
    await select.selectOption({ index: next });
    return;
  }
  await control.locator("input:not(:checked), input[type=checkbox]").first().click();
}

const axeSource = readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * What axe finds wrong, by these rules or all, one line each. Drawings are empty meanwhile, because it takes most of its
 * time there to find nothing: they are hidden from assistive technology, and it does not judge texts in SVG.
 */
export async function violations(page: Page, rules?: readonly string[]): Promise<string[]> {
  await page.evaluate(await axeSource);
  const options = JSON.stringify({ resultTypes: ["violations"], runOnly: rules });
  const results: AxeResults = await page.evaluate(`(async () => {
    const drawings = [...document.querySelectorAll("svg.marks")].map((svg) => [svg, [...svg.childNodes]]);
    for (const [svg] of drawings) svg.replaceChildren();
    try {
      return await axe.run(document, ${options});
    } finally {
      for (const [svg, nodes] of drawings) svg.replaceChildren(...nodes);
    }
  })()`);
  return results.violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .slice(0, 5)
        .map((node) => node.target.join(" "))
        .join(", ")}`,
  );
}

/** Kept by the full suite alone, because drawing all of a page takes as long as all that is asked of it. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (!full) return;
  const folder = fileURLToPath(new URL("artefacts/", import.meta.url));
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}${name}.png`, fullPage: true });
}
