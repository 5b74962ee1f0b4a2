import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Backend } from "../../../engine/backend.js";
import { Graph } from "../../../engine/graph.js";
import { entropy } from "../../../engine/metrics/rows.js";
import { replay } from "../../../engine/replay.js";
import { selfCheck, selfCheckModel, tolerated } from "../../../engine/self-check.js";
import { reference } from "../../../engine/self-check-reference.js";
import { chooseDevice, deviceNames, openBackend, tryDevice } from "../../../loaders/devices.js";
import { full } from "../../full.js";

test("what transformers computes with the self-check's model is what float64 arithmetic makes of it", async () => {
  const { checkpoint, ids } = selfCheckModel();
  const { attention } = await replay(checkpoint, { ids });
  const rows = attention.flat(2); // layers · heads · queries × [keys]
  expect(reference.entropy).toHaveLength(rows.length);
  rows.forEach((row, i) => {
    expect(entropy.reference(row)).toBeCloseTo(reference.entropy[i], 5);
  });
  attention.flat(1).forEach((head, i) => {
    const sums = Array.from(ids, (_, key) => head.reduce((sum, row) => sum + (row[key] ?? 0), 0));
    sums.forEach((sum, key) => {
      expect(sum).toBeCloseTo(reference.received[i * ids.length + key], 5);
    });
  });
});

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
    async createSession(graph, weights) {
      const bent = async (name: string) => (await weights.tensor(name)).map((x) => x * 1.01);
      return backend.createSession(graph, { tensor: bent });
    },
  };
  expect(await selfCheck(wrong)).toBeGreaterThan(tolerated);
});

describe("webgpu", () => {
  beforeAll(() => {
    vi.stubEnv("OBSERVATORY_SWIFTSHADER", "1");
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });

  test("on a software adapter lets kernels share its device, and passes its self-check", {
    timeout: 400_000,
  }, async () => {
    const backend = await openBackend("webgpu");
    if (full) expect(await selfCheck(backend)).toBeLessThan(tolerated); // software compiles its shaders for a minute
    const { gpu } = backend;
    if (!gpu) throw new Error("The webgpu backend has no device.");
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const buffer = gpu.createBuffer({ size: 2 * gpu.limits.minStorageBufferOffsetAlignment, usage });
    gpu.queue.writeBuffer(buffer, 0, sharedFloats(1, 2, 3, 4), 1, 2);
    const tensor = backend.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [2] });
    const session = await backend.createSession(doubling(), noWeights);
    const { y } = await session.run({ x: tensor });
    expect([...(await y.getData())]).toEqual([4, 6]);
    expect(gpu.limits.maxStorageBufferBindingSize).toBeGreaterThan(134_217_728); // the adapter's limit, not the default
  });

  test("is chosen by name, or refused with the names there are", async () => {
    expect((await openBackend("webgpu:Swift")).description.adapter).toMatch(/SwiftShader/);
    await expect(openBackend("webgpu:Riva")).rejects.toThrow(/no GPU called "Riva": Vulkan finds .*SwiftShader/);
  });

  test("without Vulkan says in one sentence what to install", async () => {
    vi.resetModules(); // it looks once
    const load = vi.spyOn(process, "dlopen").mockImplementation(() => {
      throw new Error("libvulkan.so.1: cannot open shared object file: No such file or directory");
    });
    try {
      const { openDawn } = await import("../../../loaders/gpu/dawn.js");
      await expect(openDawn()).rejects.toThrow(
        /^webgpu needs Vulkan, but libvulkan\.so\.1 cannot be loaded: install it and a driver \(Debian: libvulkan1,[^.]*\)\.$/,
      );
    } finally {
      load.mockRestore();
      vi.resetModules();
    }
  });

  test("in software is never what auto takes", async () => {
    expect((await tryDevice("webgpu")).trial.refused).toMatch(/SwiftShader.* is no GPU but software/);
  });
});

const doubling = () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", [2]);
  graph.output("y", graph.node("Add", [x, x]));
  return graph;
};

const noWeights = { tensor: () => Promise.reject(new Error("The graph has no weights.")) };

const sharedFloats = (...values: number[]) => {
  const floats = new Float32Array(new SharedArrayBuffer(4 * values.length));
  floats.set(values);
  return floats;
};

test("cuda says what it needs where it cannot be loaded", async () => {
  const { trial } = await tryDevice("cuda");
  expect(trial.refused ?? `error ${trial.error}`).toMatch(/^cuda needs CUDA 12|^error \d/);
});

test("auto takes the first device that passes its self-check, and says why not the others", async () => {
  const { backend, trials } = await chooseDevice();
  expect(trials.map(({ device }) => device)).toEqual(deviceNames.slice(0, trials.length));
  const { device, error, refused } = trials[trials.length - 1];
  expect([device, refused]).toEqual([backend.device, undefined]);
  expect(error).toBeLessThan(tolerated);
  for (const passedOver of trials.slice(0, -1)) expect(passedOver.refused).toMatch(/\w+ \w+/);
});

test("an unknown device is refused by name", async () => {
  await expect(openBackend("tpu")).rejects.toThrow(
    'There is no device "tpu": give cuda, webgpu, cpu, wasm, webgpu:NAME',
  );
  await expect(openBackend("cpu:0")).rejects.toThrow('There is no device "cpu:0"');
  await expect(openBackend("cpu", { threads: 0 })).rejects.toThrow("threads is 0");
});
