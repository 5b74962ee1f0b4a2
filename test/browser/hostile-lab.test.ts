/**
 * Whatever is typed into the lab, or dropped on it, is text or is refused with a sentence, and the lab goes on.
 * @module-tag wide
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Random } from "../../engine/random.js";
import { spoiltConfigs } from "../fault/fuzz/config.js";
import { letters, spoiltTokenizers, tokenizerFile } from "../fault/fuzz/inputs.js";
import { spoiltWeights } from "../fault/fuzz/weights.js";
import { full } from "../full.js";
import { type Files, goldenFiles, json } from "../unit/engine/memory-source.js";
import { openChromium } from "./chromium.js";
import { damage, payloads, unharmed } from "./hostile.js";
import { type Visit, visit } from "./visit.js";

const work = mkdtempSync(join(tmpdir(), "observatory-lab-"));

let browser: Browser;
let desk: Visit;
beforeAll(async () => {
  browser = await openChromium();
  desk = await visit(browser, `${inject("site")}lab?text=${encodeURIComponent(payloads[0])}`, "light", 1280);
});
afterAll(async () => {
  await desk.close();
  rmSync(work, { recursive: true });
});

const rests = () => desk.page.locator(".lab:not([aria-busy]) [data-entropy]").waitFor({ timeout: 60_000 });

/** Writes it as a folder, and hands that to the lab. */
async function drop(name: string, files: Files): Promise<void> {
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  await desk.page.getByLabel("A folder of a Hugging Face decoder").setInputFiles(folder);
}

test("a prompt is text, whatever it holds", async () => {
  const { page } = desk;
  const box = page.getByLabel("Your text");
  for (const text of payloads.filter((text, i) => text.length <= 1500 && (full || i % 4 === 0))) {
    await box.fill(text);
    // The address follows when the text has been read.
    await page.waitForFunction(
      () => {
        const [asked, typed] = [new URLSearchParams(location.search), document.querySelector("textarea")?.value ?? ""];
        return asked.get("text") === new URLSearchParams(new URLSearchParams({ text: typed }).toString()).get("text");
      },
      undefined,
      { timeout: 30_000 },
    );
    await rests();
    expect(await damage(page), text).toEqual(unharmed);
  }
});

test("a folder that holds no sound model is refused with a sentence, and the model before it stays", async () => {
  const { page } = desk;
  const sound = { ...(await goldenFiles("llama")), [tokenizerFile]: json(letters()) };
  const problem = page.locator(".lab [role=alert]");
  const spoils = Object.entries({ ...spoiltWeights, ...spoiltConfigs, ...spoiltTokenizers });
  for (const [i, [what, spoil]] of spoils.entries()) {
    if (!full && i % 5 !== 0) continue;
    await drop(`${i}`, spoil(sound, new Random(i)));
    await problem.filter({ hasText: /\w+.*\.$/s }).waitFor({ timeout: 20_000 });
    expect(await problem.textContent(), what).not.toMatch(/^The laboratory failed/);
    expect(await page.locator(".lab-input [role=status]").first().textContent(), what).toMatch(/^observatory-8m /);
    await page.getByLabel("Your text").fill(`still there after ${i}`); // takes the sentence away
    await problem.waitFor({ state: "hidden" });
    await rests();
  }
});

test("names of a model and its tokens are text", async () => {
  const { page } = desk;
  const name = "<img src=x onerror=ran=1>";
  const tokenizer = letters() as { model: { vocab: Record<string, number> } };
  tokenizer.model.vocab = { ...tokenizer.model.vocab, [name]: 30 };
  await drop(name, { ...(await goldenFiles("llama")), [tokenizerFile]: json(tokenizer) });
  await page.locator(".lab-input [role=status]", { hasText: name }).waitFor();
  await page.getByLabel("Your text").fill("abcabc");
  await page.waitForURL(/text=abcabc/);
  await rests();
  expect(await damage(page)).toEqual(unharmed);
  expect(desk.troubles).toEqual([]);
});
