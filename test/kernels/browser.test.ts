/** The same kernels in a browser, on the same software adapter: the numbers are those of Node. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import { testGpu } from "./device.js";
import { statisticsOn } from "./in-browser.js";

const flags = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
];
const largestDifference = 1e-5;

const script = `
import { statisticsOn } from "./in-browser.js";
globalThis.statistics = async () => {
  const adapter = await navigator.gpu.requestAdapter();
  return statisticsOn(await adapter.requestDevice());
};`;

test("Chromium gives the numbers of Node", { timeout: 120_000 }, async () => {
  const resolveDir = fileURLToPath(new URL(".", import.meta.url));
  const bundle = await build({ stdin: { contents: script, resolveDir }, bundle: true, format: "esm", write: false });
  const page = `<!doctype html><script type="module">${bundle.outputFiles[0].text}</script>`;
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(page));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: flags,
  });
  try {
    const tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await tab.waitForFunction("globalThis.statistics !== undefined");
    const theirs = await tab.evaluate<number[]>("globalThis.statistics()");
    const ours = await statisticsOn((await testGpu()).device);
    expect(theirs.length).toBe(ours.length);
    expect(ours.some((value) => value !== 0)).toBe(true);
    ours.forEach((value, i) => {
      expect(Math.abs(value - theirs[i]), `value ${i}`).toBeLessThan(largestDifference * Math.max(1, Math.abs(value)));
    });
  } finally {
    await browser.close();
    server.close();
  }
});
