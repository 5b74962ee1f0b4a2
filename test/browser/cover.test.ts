/**
 * Every page at every size, with each theme and each place that a host may give it among them; the whole product with
 * `npm run test:full`. On all of them: no failed request, no message, nothing off the machine, nothing that jumps.
 */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { largestShift } from "../../loaders/bench/layout-shift.js";
import { full } from "../full.js";
import { launchChromium } from "./chromium.js";
import { type StaticServer, serveStatic } from "./static-server.js";
import { marks, pages, type Scheme, screenshot, visit } from "./visit.js";

const widths = [360, 768, 1440] as const;
const schemes = ["light", "dark"] as const;
const places = ["below a path", "at the root", "offline once it is there"] as const;

type Case = readonly [page: string, width: number, scheme: Scheme, place: (typeof places)[number]];

/** All pairs of page and width, so chosen that every pair of any two conditions is among them. */
const pairwise: Case[] = pages.flatMap((page, p) =>
  widths.map((width, w): Case => [page, width, schemes[(p + w) % 2], places[(p + 2 * w + Math.floor(p / 3)) % 3]]),
);

const all: Case[] = pages.flatMap((page) =>
  widths.flatMap((width) => schemes.flatMap((scheme) => places.map((place): Case => [page, width, scheme, place]))),
);

let browser: Browser;
let root: StaticServer;
beforeAll(async () => {
  [browser, root] = await Promise.all([launchChromium(), serveStatic(inject("folder"), "/")]);
});
afterAll(() => Promise.all([browser.close(), root.close()]));

test("the cases cover every pair of conditions", () => {
  for (const [i, j] of [
    [0, 1],
    [0, 3],
    [1, 2],
    [1, 3],
    [2, 3],
  ])
    expect(new Set(pairwise.map((of) => `${of[i]} ${of[j]}`)).size).toBe(
      new Set(all.map((of) => `${of[i]} ${of[j]}`)).size,
    );
});

test.each(full ? all : pairwise)("/%s at %s pixels, %s, %s", async (path, width, scheme, place) => {
  const site = place === "at the root" ? root.address : inject("site");
  const { page, troubles, close } = await visit(browser, `${site}${path}`, scheme, width);
  try {
    if (place === "offline once it is there") await page.context().setOffline(true);
    // A banner of a stale result comes unannounced, and so does the list of papers, which is as long as its filters say.
    const isSurprised = path === "papers" || (await page.locator("main .banner:visible").count()) > 0;
    if (!isSurprised) expect(await largestShift(page)).toBeLessThanOrEqual(0.05);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
    const range = page.locator("main .control input[type=range]").first();
    if (await range.count()) await range.press("ArrowLeft"); // answers without a network
    await page.waitForFunction(() => document.querySelectorAll("main [aria-busy=true]").length === 0);
    const figures = await page.locator("main figure.figure").count();
    expect(await page.locator(marks).count()).toBeGreaterThanOrEqual(figures);
    if (full) await screenshot(page, `${(path || "home").replaceAll("/", "-")}-${width}-${scheme}`);
    expect(troubles).toEqual([]);
  } finally {
    await close();
  }
});
