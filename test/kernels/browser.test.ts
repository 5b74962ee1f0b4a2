/**
 * The same kernels in a browser, on the same software adapter: the numbers are those of Node, and of a whole model.
 * @module-tag wide
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testGpu } from "./device.js";
import { statisticsOn } from "./in-browser.js";

const flags = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
];
const largestDifference = 1e-5;

/** Pages refuse adapters in software, so it is called none the first time that it is asked. */
const script = `
import { openWebgpu } from "../../components/devices/webgpu.js";
import { selfCheck } from "../../engine/self-check.js";
import { statisticsOn } from "./in-browser.js";
globalThis.statistics = async () => {
  const adapter = await navigator.gpu.requestAdapter();
  return statisticsOn(await adapter.requestDevice());
};
globalThis.check = async () => {
  let asked = 0;
  Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => asked++ > 0 });
  return selfCheck(await openWebgpu());
};`;

const runtime = "ort-wasm-simd-threaded.jspi.wasm";
const runtimeFolder = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const imports = JSON.stringify({ imports: { [`onnxruntime-web/${runtime}`]: `/${runtime}` } });
const html = `<!doctype html><script type="importmap">${imports}</script><script type="module" src="/script.js"></script>`;

const server = createServer(async (request, response) => {
  const reply = (type: string, body: string | Buffer) => response.setHeader("content-type", type).end(body);
  if (request.url === `/${runtime}`) reply("application/wasm", await readFile(join(runtimeFolder, runtime)));
  else if (request.url === "/script.js") reply("text/javascript", await bundled);
  else reply("text/html", html);
});
const resolveDir = fileURLToPath(new URL(".", import.meta.url));
const bundled = build({ stdin: { contents: script, resolveDir }, bundle: true, format: "esm", write: false }).then(
  ({ outputFiles: [{ text }] }) => text,
);
let browser: Browser;
let page: Page;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: flags });
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction("globalThis.check !== undefined");
}, 60_000);
afterAll(async () => {
  await browser.close();
  server.close();
});

test("Chromium gives the numbers of Node", async () => {
  const theirs = await page.evaluate<number[]>("globalThis.statistics()");
  const ours = await statisticsOn((await testGpu()).device);
  expect(theirs.length).toBe(ours.length);
  expect(ours.some((value) => value !== 0)).toBe(true);
  ours.forEach((value, i) => {
    expect(Math.abs(value - theirs[i]), `value ${i}`).toBeLessThan(largestDifference * Math.max(1, Math.abs(value)));
  });
});

test("a page's GPU runs a whole model, by ONNX Runtime alone and with kernels between", async () => {
  expect(await page.evaluate<number>("globalThis.check()")).toBeLessThan(largestDifference);
});
