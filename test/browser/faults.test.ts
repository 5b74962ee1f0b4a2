/**
 * Data that does not arrive, or arrives broken, costs its own chart and a sentence, never the page.
 * @module-tag wide
 */
import type { Browser, BrowserContext, Route } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { full } from "../full.js";
import { openChromium } from "./chromium.js";
import { marks, settled, tampered } from "./visit.js";

let browser: Browser;
let context: BrowserContext;
beforeAll(async () => {
  browser = await openChromium();
  context = await browser.newContext();
});
afterAll(() => context.close());

type Fault = (route: Route) => Promise<void>;

/** What the figures of the home page say, while one of its data files has a fault. */
async function home(
  fault: Fault,
): Promise<{ messages: string[]; banners: string[]; charts: number; errors: string[] }> {
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.route(/\/entropy\/profiles\b.*\.arrow$/, fault);
  await page.goto(inject("site"));
  await settled(page);
  return {
    messages: await page.locator("main .figure-message:visible").allTextContents(),
    banners: await page.locator("main .banner:visible").allTextContents(),
    charts: await page.locator(marks).count(),
    errors,
  };
}

const faults: (readonly [what: string, fault: Fault, sentence: RegExp])[] = [
  [
    "a loader that failed says why",
    (route) => route.fulfill({ status: 500, contentType: "text/plain", body: "entropy needs 6 GB of memory" }),
    /entropy\/profiles\.arrow could not be used: entropy needs 6 GB of memory/,
  ],
  [
    "a file that was cut off",
    tampered((bytes) => bytes.subarray(0, bytes.length / 2)),
    /not a complete Arrow IPC stream/,
  ],
  [
    "noise between the right ends",
    tampered((bytes) => Buffer.concat([bytes.subarray(0, 16), Buffer.alloc(bytes.length, 0x5a), bytes.subarray(-8)])),
    /entropy\/profiles\.arrow could not be used: what it holds is not Arrow data; delete it/,
  ],
  [
    "a server that has lost the file",
    (route) => route.fulfill({ status: 404, contentType: "text/html", body: "<p>" }),
    /answered 404/,
  ],
  ["an empty file", tampered(() => Buffer.alloc(0)), /not a complete Arrow IPC stream/],
  [
    "a file of something else",
    tampered(() => Buffer.from(`<script>alert(1)</script>${"x".repeat(99)}`)),
    /not a complete Arrow IPC stream/,
  ],
];

/** The others take the way of one of the first three. */
test.each(full ? faults : faults.slice(0, 3))("%s", async (_, fault, sentence) => {
  const { messages, charts, errors } = await home(fault);
  expect(messages).toEqual([expect.stringMatching(sentence)]);
  expect(charts).toBe(3);
  expect(errors).toEqual([]);
});

test("a result of another model says so, loudly, and only there", async () => {
  const renamed = tampered((bytes) =>
    Buffer.from(bytes.toString("latin1").replaceAll("observatory-8m", "observatory-9m"), "latin1"),
  );
  const { banners, messages, charts } = await home(renamed);
  expect(banners).toEqual([expect.stringContaining("observatory-9m")]);
  expect({ messages, charts }).toEqual({ messages: [], charts: 4 });
});
