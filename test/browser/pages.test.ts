/** Every page of the built site as a reader meets it on a desk, in light and dark (cover.ts: on other screens). */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { largestShift } from "../../loaders/bench/layout-shift.js";
import { full } from "../full.js";
import { caseOf, covered, pages } from "./cases.js";
import { charts, marks, move, overflow, screenshot, settled, type Visit, violations, visitCase } from "./visit.js";

/** The fragments that pages ask for of each address, and the ids that there are at those that were opened. */
const linked = new Map<string, Set<string>>();
const ids = new Map<string, Set<string>>();

describe.each(pages)("/%s", (path) => {
  const name = path.replaceAll("/", "-") || "home";
  const one = caseOf(path, 1440);
  const other = one.scheme === "light" ? "dark" : "light";
  let desk: Visit;
  beforeAll(async () => {
    desk = await visitCase(one);
  });
  afterAll(() => desk.close());

  test("holds still while it loads, and fits its window", async () => {
    expect(await largestShift(desk.page)).toBeLessThanOrEqual(0.05);
    expect(await overflow(desk.page)).toBe(0);
  });

  test("draws its charts and no message in their place", async () => {
    const figures = await desk.page.locator("main figure.figure").count();
    expect(await desk.page.locator(marks).count()).toBeGreaterThanOrEqual(Math.max(1, figures));
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

  test("axe finds no fault", async () => {
    await screenshot(desk.page, `${name}-1440-${one.scheme}`);
    expect(await violations(desk.page)).toEqual([]);
  });

  // Every day axe sees covered pages in the other theme on a phone; the first of them changes its theme for all.
  test.runIf(full || path === covered[0])("another theme draws its charts anew, and axe finds no fault", async () => {
    const before = await charts(desk.page);
    await desk.page.emulateMedia({ colorScheme: other });
    await expect.poll(() => charts(desk.page), { timeout: 30_000 }).not.toEqual(before);
    await settled(desk.page);
    await screenshot(desk.page, `${name}-1440-${other}`);
    // A theme changes colours alone.
    expect(await violations(desk.page, full ? undefined : ["color-contrast"])).toEqual([]);
  });

  test("controls change charts", async () => {
    const controls = await desk.page.locator("main .control").all();
    for (const control of full ? controls : controls.slice(0, 3)) {
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

  test("its links stay within the site, and every id is the only one of its name", async () => {
    const site = desk.page.url().slice(0, desk.page.url().length - path.length);
    const links = await desk.page
      .locator("a[href]:not(.citation a)") // papers lie elsewhere
      .evaluateAll((nodes) => nodes.map((node) => (node as HTMLAnchorElement).href));
    for (const link of links.filter((href) => href.startsWith("http"))) {
      expect(link.startsWith(site), link).toBe(true);
      const { pathname, hash } = new URL(`./${link.slice(site.length)}`, "http://site/");
      linked.set(pathname, (linked.get(pathname) ?? new Set()).add(hash));
    }
    const named = await desk.page.locator("[id]").evaluateAll((nodes) => nodes.map(({ id }) => id));
    expect(named.filter((id, i) => named.indexOf(id) !== i)).toEqual([]);
    ids.set(`/${path}`, new Set(named));
  });

  test("nothing failed, complained or left this machine", () => {
    expect(desk.troubles).toEqual([]);
  });
});

test("every internal link leads to a page, and every fragment to an element of it", async () => {
  expect(linked.size).toBeGreaterThan(119); // the papers, at least
  for (const [path, fragments] of linked) {
    const response = await fetch(`${inject("root")}${path.slice(1)}`);
    expect(response.status, path).toBe(200);
    const html = await response.text();
    const there = ids.get(path) ?? new Set([...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id));
    for (const fragment of fragments)
      if (fragment) expect([...there], path).toContain(decodeURIComponent(fragment.slice(1)));
  }
});
