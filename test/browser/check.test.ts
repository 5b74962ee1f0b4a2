/** "Check this here" computes the stated case in the browser and says that it agrees (wide/check.test.ts: that it does not). */
import type { Browser } from "playwright-core";
import { beforeAll, expect, inject, test } from "vitest";
import { full } from "../full.js";
import { pages } from "./cases.js";
import { answer } from "./check.js";
import { openChromium } from "./chromium.js";
import { violations, visit } from "./visit.js";

const site = inject("site");

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium();
});

/**
 * Mathematics, texts one by one, whose agreement is what the tests below take away, and questions; the others take the
 * way of one of these, or give means over texts.
 */
const published: (readonly [page: string, numbers: number, subjects: string])[] = [
  ["sparse-reach", 4 * 13 * 2, "4 patterns"],
  ["sinks", 6, "3 texts"],
  ["positional-bias", 6 * (2 + 8), "6 questions"],
  ["flow-routes", 64, "60 windows"],
  ["entropy", 27, "3 texts"],
  ["basin", 4 * (2 + 10 * 8), "4 questions"],
  ["attention-buckets", 6, "3 questions"],
  ["associative-memory", 3 * 3, "1 repetition"],
  ["context-heads", 2 * 64, "10 texts"],
  ["distributed-memory", 2 * 23, "23 lines"],
  ["head-atlas", 4 * 64, "24 sequences"],
  ["head-functions", 1, "10 texts"],
  ["head-rank", 2 * 4, "2 cases"],
  ["head-removal", 4, "8 texts"],
  ["kv-policies", 2 * 64, "10 texts"],
  ["massive-values", 3 * 3 * 32, "16 texts"],
  ["query-key-directions", 64, "12 texts"],
  ["rank-collapse", 18, "32 stacks"],
  ["rotary-heads", 64, "12 texts"],
  ["streaming-attention", 24, "3 inputs"],
];

test.each(full ? published : published.slice(0, 1))(
  "/%s agrees with what was published",
  async (path, numbers, subjects) => {
    const { page, troubles, close } = await visit(browser, `${site}${path}`, "light", 1280);
    try {
      const said = await answer(page);
      expect(said).toMatch(
        new RegExp(`^Agrees: ${numbers} numbers? of ${subjects}; the largest difference is [\\d.]+(\\s×\\s10\\S+)? `),
      );
      await page.locator(".check summary").click();
      expect(await page.locator(".check tbody tr").count()).toBe(numbers);
      expect(await violations(page)).toEqual([]);
      expect(troubles).toEqual([]);
    } finally {
      await close();
    }
  },
);

test("every page of an experiment has a check, or says why it cannot have one", async () => {
  const apart = ["", "benchmarks", "papers"];
  for (const path of pages.filter((page) => !apart.includes(page) && !page.startsWith("papers/"))) {
    const html = await (await fetch(`${site}${path}`)).text();
    expect(html, path).toMatch(/<h2 id="check-this-here"/);
    if (!/check\(\{/.test(html)) expect(html, path).toMatch(/Cannot run in a browser: \w/);
  }
});
