import { expect, test } from "vitest";
import type { Backend } from "../../../engine/backend.js";
import { selfCheck, tolerated } from "../../../engine/self-check.js";
import { openBackend } from "../../../loaders/devices.js";

test.each(["cpu", "wasm"])("%s passes its self-check", async (device) => {
  expect(await selfCheck(await openBackend(device))).toBeLessThan(tolerated);
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
