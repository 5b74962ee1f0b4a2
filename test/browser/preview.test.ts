/** The preview server shows the same pages as the built site, and finds them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { full } from "../full.js";
import { openChromium } from "./chromium.js";
import { marks, visit } from "./visit.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

let browser: Browser;
let preview: ChildProcess;
let address: string;

beforeAll(async () => {
  browser = await openChromium();
  preview = spawn(process.execPath, ["loaders/observatory.mjs", "preview", "--port", "4300"], { cwd: root });
  address = await new Promise<string>((resolve, reject) => {
    let said = "";
    const listen = (chunk: Buffer) => {
      said += chunk;
      const found = said.match(/http:\/\/127\.0\.0\.1:\d+\//);
      if (found) resolve(found[0]);
    };
    preview.stdout?.on("data", listen);
    preview.stderr?.on("data", listen);
    preview.once("exit", (code) => reject(new Error(`The preview ended with code ${code}: ${said}`)));
  });
});

afterAll(async () => {
  if (preview.exitCode !== null) return;
  const ended = once(preview, "exit");
  preview.kill("SIGINT");
  await ended;
});

test.each(full ? ["", "entropy"] : ["entropy"])("/%s draws its charts without trouble", async (path) => {
  const { page, troubles, close } = await visit(browser, `${address}${path}`, "light", 1280);
  try {
    expect(await page.locator(marks).count()).toBeGreaterThanOrEqual(3);
    expect(await page.locator("main .figure-message:visible").allTextContents()).toEqual([]);
    expect(troubles).toEqual([]);
  } finally {
    await close();
  }
});

test("its search finds sections", async () => {
  const { page, troubles, close } = await visit(browser, `${address}search?q=entropy`, "light", 1280);
  try {
    await page.locator(".search-results li").first().waitFor();
    expect(troubles).toEqual([]);
  } finally {
    await close();
  }
});
