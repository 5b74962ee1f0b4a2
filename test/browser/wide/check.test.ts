/** What "Check this here" says where what it computes with is not what was published. */
import type { Browser } from "playwright-core";
import { beforeAll, expect, inject, test } from "vitest";
import { full } from "../../full.js";
import { answer } from "../check.js";
import { openChromium } from "../chromium.js";
import { tampered } from "../visit.js";

const site = inject("site");

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium();
});

/** Visits the page of sinks while one of its files is another one, in a browser that has kept none of them. */
async function withOther(file: RegExp, change: (body: Buffer) => Buffer): Promise<string> {
  const context = await browser.newContext();
  const page = await context.newPage();
  try {
    await page.route(file, tampered(change));
    await page.goto(`${site}sinks`);
    return await answer(page);
  } finally {
    await context.close();
  }
}

test("a published number that is not what is computed is named, with its place", async () => {
  const said = await withOther(/\/lab\/texts\.\w+\.json$/, (body) =>
    Buffer.from(body.toString("utf8").replace("The configuration directives", "The configured directives")),
  );
  expect(said).toMatch(/^Differs: 2 numbers of 6 do; the largest difference is [\d.]+ \(.*; apache2-doc-5\)/);
});

test("weights that do not arrive are a reason and not an answer", async () => {
  const weights = await withOther(/\/lab\/weights\/2\.\w+\.bin$/, (body) => body.subarray(1));
  expect(weights).toMatch(/^Cannot run here: Part 2 of the weights did not arrive/);
});

test.runIf(full)("so are other texts", async () => {
  const texts = await withOther(/\/lab\/texts\.\w+\.json$/, (body) =>
    Buffer.from(body.toString("utf8").replace(/"sha256":"\w/, '"sha256":"x')),
  );
  expect(texts).toMatch(/^Cannot run: the published result is of other texts/);
});
