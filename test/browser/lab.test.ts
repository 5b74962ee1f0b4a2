/** The lab computes what the engine computes elsewhere, reacts to its controls, and keeps the reader's text to itself. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { meanDefined } from "../../engine/metrics/patterns.js";
import { Model } from "../../engine/model.js";
import { openTokenizer } from "../../engine/tokenizer.js";
import { openBackend } from "../../loaders/devices.js";
import { fileSource } from "../../loaders/files.js";
import { bundledModel } from "../../loaders/project.js";
import { openChromium } from "./chromium.js";
import { move, type Scheme, screenshot, type Visit, violations, visit } from "./visit.js";

const text = 'The daemon reads its file, and the file names <b>the</b> daemon & its "host".';
const address = `${inject("site")}lab?text=${encodeURIComponent(text)}`;

let browser: Browser;
let desk: Visit;
beforeAll(async () => {
  browser = await openChromium();
  desk = await visit(browser, address, "light", 1280);
  await result(desk.page);
});
afterAll(() => desk.close());

/** Until the lab rests with a result. */
async function result(page: Page): Promise<void> {
  await page.locator(".lab:not([aria-busy]) [data-entropy]").waitFor({ timeout: 60_000 });
}

const shown = async (name: "entropy" | "loss"): Promise<number> =>
  Number(await desk.page.locator(`[data-${name}]`).getAttribute(`data-${name}`));

/** The same text through the engine in Node. */
async function expected(
  settings: { readonly withoutFirst?: boolean } = {},
): Promise<{ entropy: number; loss: number }> {
  const source = fileSource(bundledModel);
  const model = await Model.load(await openCheckpoint(source), await openBackend("cpu"));
  const ids = (await openTokenizer(source)).prompt(text);
  const data = new Float32Array(ids.length);
  data[0] = Number.NEGATIVE_INFINITY;
  const keyBias = settings.withoutFirst ? { data, dims: [1, 1, ids.length] } : undefined;
  const { entropy, logProbability } = await model.forward({ ids, keyBias }, { rows: true, logits: "loss" });
  await model.release();
  return { entropy: meanDefined(entropy?.data ?? []), loss: -meanDefined(logProbability ?? []) };
}

test("numbers equal those of the engine in Node", async () => {
  const { entropy, loss } = await expected();
  expect(Math.abs((await shown("entropy")) - entropy)).toBeLessThan(1e-4);
  expect(Math.abs((await shown("loss")) - loss)).toBeLessThan(1e-4);
});

test("tokens are text, never markup", async () => {
  const tokens = desk.page.locator(".lab-tokens [role=option]");
  expect((await tokens.allTextContents()).join("")).toBe(`start${text}`);
  expect(await desk.page.locator(".lab-tokens b").count()).toBe(0);
});

test("every control of the colours and of the model changes what is shown", async () => {
  const { page } = desk;
  const picture = () =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>(".lab canvas");
      const shades = [...document.querySelectorAll<HTMLElement>(".lab-tokens [role=option]")].map(
        (it) => it.dataset.shade,
      );
      return `${canvas?.toDataURL()} ${shades} ${document.querySelector(".lab-summary")?.textContent}`;
    });
  for (const control of await page.locator(".lab .lab-row .control, .lab .lab-stack .slider").all()) {
    const before = await picture();
    const cache = control.getByLabel("Keys in the cache");
    if (await cache.count())
      await cache.press("Home"); // a text this short notices only a small cache
    else await move(control);
    await expect.poll(picture, { timeout: 20_000 }).not.toBe(before);
    await result(page);
  }
  await page.getByRole("button", { name: "As trained" }).click();
  await expect.poll(() => page.locator(".lab-summary").textContent(), { timeout: 20_000 }).not.toContain("against");
});

test("hiding the first token gives the numbers that the engine gives for it, beside those as trained", async () => {
  const { page } = desk;
  const hide = page.getByLabel("Hide the first token");
  await hide.check();
  await page.locator(".lab-summary", { hasText: "against" }).waitFor();
  const { entropy, loss } = await expected({ withoutFirst: true });
  expect(Math.abs((await shown("entropy")) - entropy)).toBeLessThan(1e-4);
  expect(Math.abs((await shown("loss")) - loss)).toBeLessThan(1e-4);
  await hide.uncheck();
  await page.locator(".lab-summary:not(:has-text('against'))").waitFor();
});

test("keys choose a head and a query, and the sentence follows", async () => {
  const { page } = desk;
  const sentence = page.locator(".lab .claim");
  const before = (await sentence.textContent()) ?? "";
  await page.locator(".lab-grid [aria-selected=true]").press("ArrowRight");
  await expect.poll(() => sentence.textContent(), { timeout: 20_000 }).not.toBe(before);
  await page.locator(".lab-tokens").press("Home");
  await expect.poll(() => sentence.textContent()).toMatch(/the start \(token 0\) puts 100\s% on itself/);
  expect(await page.locator(".lab-candidates li").count()).toBe(8);
});

test("each metric colours the grid, or says why it has no value", async () => {
  const { page } = desk;
  const notes = new Set<string>();
  const metrics = page.getByLabel("Coloured by");
  const count = await metrics.locator("option").count();
  for (let index = 0; index < count; index++) {
    await metrics.selectOption({ index });
    notes.add((await page.locator(".lab-heads .note").textContent()) ?? "");
  }
  expect(notes.size).toBe(count);
  expect([...notes].join()).not.toMatch(/NaN|undefined|Infinity/);
});

test.each<Scheme>(["light", "dark"])("axe finds no fault in %s, and it fits a phone", async (scheme) => {
  const { page } = desk;
  await page.emulateMedia({ colorScheme: scheme });
  await screenshot(page, `lab-1280-${scheme}`);
  expect(await violations(page)).toEqual([]);
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = () =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await screenshot(page, `lab-360-${scheme}`);
  expect(await overflow()).toBe(0);
  expect(await violations(page)).toEqual([]);
  await page.setViewportSize({ width: 1280, height: 900 });
});

test("nothing failed, complained or left this machine", () => {
  expect(desk.troubles).toEqual([]);
});

test("WebGPU that is not there, or is software, is a reason, and the model stays where it is", async () => {
  const { page } = desk;
  const said = page.locator(".lab-input [role=status]", { hasText: /^WebGPU is not used: (this browser|it is)/ });
  await said.waitFor();
  await page.getByText("Another device or model").click();
  await page.getByRole("button", { name: "Try WebGPU" }).click();
  await said.waitFor();
  await result(page);
  expect(Math.abs((await shown("entropy")) - (await expected()).entropy)).toBeLessThan(1e-4);
});

test("a folder of the reader's own takes the model's place, and one that is no model does not", async () => {
  const { page } = desk;
  const golden = fileURLToPath(new URL("../golden/checkpoints/", import.meta.url));
  const folder = page.getByLabel("A folder of a Hugging Face decoder");
  await folder.setInputFiles(join(golden, "gpt2"));
  await page.locator(".lab [role=alert]", { hasText: /^gpt2 has no tokenizer\.json/ }).waitFor();
  await folder.setInputFiles(bundledModel);
  await page.locator(".lab [role=alert]").waitFor({ state: "hidden" });
  await result(page);
  const { entropy } = await expected();
  expect(Math.abs((await shown("entropy")) - entropy)).toBeLessThan(1e-4);
});

test("the menu of examples says whether the text is one, and an empty text what to do", async () => {
  const { page } = desk;
  const chosen = () => page.getByLabel("Or an example").evaluate((it: HTMLSelectElement) => it.selectedOptions[0].text);
  expect(await chosen()).toBe("Your own text");
  await page.getByLabel("Or an example").selectOption("A sentence twice");
  await expect.poll(() => page.locator(".lab-tokens").textContent(), { timeout: 20_000 }).toContain("configuration");
  await result(page);
  expect(await chosen()).toBe("A sentence twice");
  await page.getByLabel("Your text").fill("");
  expect(await chosen()).toBe("Your own text");
  await page.locator(".lab-summary", { hasText: "type some text, or choose an example." }).waitFor();
  expect(await page.locator(".lab-summary").textContent()).not.toContain("– nats");
  await page.getByLabel("Your text").fill(text);
  await page.locator(".lab-summary:not(:has-text('type some text'))").waitFor();
  await result(page);
});

test("a part of the weights that is not what was published is refused", async () => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const part = await readFile(fileURLToPath(new URL("../../package.json", import.meta.url)));
    await page.route(/\/lab\/weights\/3\.\w+\.bin$/, (route) => route.fulfill({ body: part }));
    await page.goto(`${inject("site")}lab`);
    await page
      .locator(".lab [role=alert]", { hasText: "Part 3 of the weights did not arrive" })
      .waitFor({ timeout: 30_000 });
  } finally {
    await context.close();
  }
});
