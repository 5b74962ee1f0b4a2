import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Backend } from "../../../engine/backend.js";
import { selfCheck, tolerated } from "../../../engine/self-check.js";
import { openBackend } from "../../../loaders/devices.js";

test.each([
  ["cpu", 1],
  ["cpu", 2],
  ["wasm", 1],
] as const)("%s passes its self-check with %d threads", async (device, threads) => {
  expect(await selfCheck(await openBackend(device, { threads }))).toBeLessThan(tolerated);
});

test.each([
  ["cpu", 1],
  ["wasm", 1],
  ["wasm", 2],
] as const)("%s with %d threads prints nothing", (device, threads) => {
  const script = fileURLToPath(new URL("self-check-process.ts", import.meta.url));
  const options = ["--import", "tsx", script, device, String(threads)];
  const { status, stdout, stderr } = spawnSync(process.execPath, options, { encoding: "utf8" });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("a device that computes something else fails it", async () => {
  const backend = await openBackend("cpu");
  const wrong: Backend = {
    ...backend,
    async createSession(model, weights) {
      const bent = new Map([...weights].map(([name, values]) => [name, values.map((x) => x * 1.01)]));
      return backend.createSession(model, bent);
    },
  };
  expect(await selfCheck(wrong)).toBeGreaterThan(tolerated);
});

test("auto takes cpu where that is right", async () => {
  expect((await openBackend("auto")).device).toBe("cpu");
});

test("an unknown device is refused by name", async () => {
  await expect(openBackend("tpu")).rejects.toThrow('There is no device "tpu" here; cpu, wasm and auto can be had.');
  await expect(openBackend("cpu", { threads: 0 })).rejects.toThrow("threads is 0");
});
