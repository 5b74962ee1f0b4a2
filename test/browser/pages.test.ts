/** Every page of the built site, as a reader meets it: under a sub-path, on a desk and on a phone, in light and dark. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { full } from "../full.js";
import { launchChromium } from "./chromium.js";
import {
  charts,
  marks,
  move,
  pages,
  type Scheme,
  screenshot,
  settled,
  type Visit,
  violations,
  visit,
} from "./visit.js";

const site = inject("site");
const fewestCharts: Readonly<Record<(typeof pages)[number], number>> = {
  "": 4,
  entropy: 3,
  sinks: 3,
  basin: 3,
  "positional-bias": 3,
  model: 2,
  "rank-collapse": 2,
  papers: 1,
  benchmarks: 3,
  "papers/rank-collapse-pure-attention": 1,
  "papers/entropy-parallel-context": 1,
  "papers/what-are-you-sinking": 1,
};

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each(pages.map((path, i) => [path, i] as const))("/%s", (path, i) => {
  const name = path || "home";
  let desk: Visit;
  beforeAll(async () => {
    desk = await visit(browser, `${site}${path}`, "light", 1280);
  });
  afterAll(() => desk.close());

  test("draws its charts and no message in their place", async () => {
    expect(await desk.page.locator(marks).count()).toBeGreaterThanOrEqual(fewestCharts[path]);
    expect(await desk.page.locator("main .figure-message:visible").allTextContents()).toEqual([]);
    expect(await desk.page.locator("main .observablehq--error").allTextContents()).toEqual([]);
  });

  test("says in every caption what the chart shows, and where its data come from", async () => {
    const figures = await desk.page.locator("main figure.figure").all();
    for (const figure of figures) {
      expect(((await figure.locator(".claim").textContent()) ?? "").length).toBeGreaterThan(10);
      expect(await figure.locator("details.passport").count()).toBeGreaterThan(0);
      expect(await figure.locator(".chart").getAttribute("aria-label")).toMatch(/\w/);
    }
    const text = (await desk.page.locator("main").textContent()) ?? "";
    expect(text.match(/.{0,80}(\bNaN\b|∞|undefined|\[object|Invalid Date).{0,20}/g) ?? []).toEqual([]);
  });

  test("axe finds no fault in light or dark, on a desk", async () => {
    await screenshot(desk.page, `${name}-1280-light`);
    expect(await violations(desk.page)).toEqual([]);
    const before = await charts(desk.page);
    await desk.page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(() => charts(desk.page), { timeout: 30_000 }).not.toEqual(before);
    await settled(desk.page);
    await screenshot(desk.page, `${name}-1280-dark`);
    expect(await violations(desk.page)).toEqual([]);
    await desk.page.emulateMedia({ colorScheme: "light" });
    await settled(desk.page);
  });

  test("every control changes a chart", async () => {
    for (const control of await desk.page.locator("main .control").all()) {
      const label = (await control.locator("label, legend").first().textContent()) ?? "";
      const before = await charts(desk.page);
      await move(control);
      await settled(desk.page);
      expect(await charts(desk.page), label).not.toEqual(before);
    }
  });

  test("a selection in a chart changes another chart", async () => {
    for (const figure of await desk.page.locator("main figure.figure:has(.chart[tabindex])").all()) {
      const others = async () => {
        const first = figure.locator(".marks").first();
        const own = await first.evaluate((node, all) => [...document.querySelectorAll(all)].indexOf(node), marks);
        return (await charts(desk.page)).toSpliced(own, 1);
      };
      const before = await others();
      await figure.locator(".chart").press("ArrowRight");
      await figure.locator(".chart").press("ArrowUp");
      await settled(desk.page);
      expect(await others(), (await figure.getAttribute("id")) ?? "").not.toEqual(before);
    }
  });

  test("nothing failed, complained or left this machine", () => {
    expect(desk.troubles).toEqual([]);
  });

  const schemes: Scheme[] = ["light", "dark"];
  test.each(full ? schemes : [schemes[i % 2]])("fits a phone, in %s", async (scheme) => {
    const phone = await visit(browser, `${site}${path}`, scheme, 360);
    try {
      const overflow = await phone.page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      await screenshot(phone.page, `${name}-360-${scheme}`);
      expect(overflow).toBe(0);
      expect(await violations(phone.page)).toEqual([]);
      expect(phone.troubles).toEqual([]);
    } finally {
      await phone.close();
    }
  });
});

test("every internal link leads to a page, and every fragment to an element of it", async () => {
  const desk = await browser.newContext();
  const page = await desk.newPage();
  const targets = new Map<string, Set<string>>();
  for (const path of pages) {
    await page.goto(`${site}${path}`);
    const links = await page
      .locator("a[href]:not(.citation a)") // papers lie elsewhere
      .evaluateAll((nodes) => nodes.map((node) => (node as HTMLAnchorElement).href));
    for (const link of links.filter((href) => href.startsWith("http"))) {
      const url = new URL(link);
      expect(url.origin === new URL(site).origin ? url.pathname : link, `link on /${path}`).toContain(
        new URL(site).pathname,
      );
      const fragments = targets.get(url.pathname) ?? new Set();
      targets.set(url.pathname, fragments.add(url.hash));
    }
  }
  for (const [pathname, fragments] of targets) {
    const { href } = new URL(pathname, site);
    const inside = [...fragments].some(Boolean);
    const response = inside ? await page.goto(href) : await desk.request.get(href);
    expect(response?.status(), pathname).toBe(200);
    for (const fragment of fragments)
      if (fragment)
        expect(await page.locator(`[id="${decodeURIComponent(fragment.slice(1))}"]`).count(), pathname + fragment).toBe(
          1,
        );
  }
  await desk.close();
});
