/**
 * What a device cannot bind at once is bound in parts, what does not go at all is said; what is held is given back.
 * @module-tag wide
 */
import { expect, test, vi } from "vitest";
import { AttentionLayer } from "../../engine/kernels/attention.js";
import { Gpu, type Pass } from "../../engine/kernels/gpu.js";
import { Model } from "../../engine/model.js";
import { selfCheckModel } from "../../engine/self-check.js";
import { openBackend } from "../../loaders/devices.js";
import { openDawn } from "../../loaders/gpu/dawn.js";
import { kernelErrors, toleranceOf } from "../../loaders/gpu/kernel-check.js";
import { full } from "../full.js";
import { testGpu } from "./device.js";

/** Of the object behind, besides some properties; methods stay those of the object. */
function changed<T extends object>(target: T, properties: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (name in properties) return properties[name as keyof T];
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A device that binds no more than so many bytes of a buffer, as default browsers bind 128 MiB. */
function binding(gpu: Gpu, bytes: number) {
  const bound: number[] = [];
  const sizeOf = ({ buffer, offset = 0, size = buffer.size - offset }: GPUBufferBinding) => size;
  const limits = changed(gpu.device.limits, { maxStorageBufferBindingSize: bytes });
  const limited = changed(gpu, {
    device: changed(gpu.device, { limits }),
    run: (passes: readonly Pass[], ...rest: []) => {
      for (const { bindings } of passes) for (const one of bindings) bound.push(sizeOf(one as GPUBufferBinding));
      return gpu.run(passes, ...rest);
    },
  });
  return { limited, bound };
}

const shape = { heads: 6, keyValueHeads: 2, headSize: 32, queries: 150, keys: 150 };

test("heads go in parts where a device cannot bind all of them, of what is written too", async () => {
  const whole = 4 * shape.heads * shape.queries * shape.headSize;
  const { limited, bound } = binding(await testGpu(), whole / 2.5);
  const one = { name: "grouped queries", shape, all: true };
  for (const [what, error] of Object.entries(await kernelErrors(limited, one))) {
    expect(error, what).toBeLessThan(toleranceOf(one));
  }
  expect(Math.max(...bound)).toBeLessThanOrEqual(whole / 2.5);
});

test("a head that does not fit is refused in one sentence", async () => {
  const { limited } = binding(await testGpu(), 10_000);
  const operand = { buffer: limited.buffer(4), type: "f32" } as const;
  const scoring = { scale: 1, causal: true };
  expect(() => new AttentionLayer(limited, { shape, scoring, queries: operand, keys: operand })).toThrow(
    "One head takes 19200 bytes, but this GPU binds at most 10000; take a shorter prompt.",
  );
});

test("a device that was lost says so, and what to do", async () => {
  const { device } = await openDawn();
  const gpu = await Gpu.open(device);
  const buffer = gpu.buffer(16);
  device.destroy();
  await expect(gpu.read(buffer, 16)).rejects.toThrow(
    /^The GPU was lost \(destroyed.*\); run again, or choose the device cpu\.$/s,
  );
  await expect(gpu.run([])).rejects.toThrow(/^The GPU was lost/);
});

test.runIf(full)("a pass that is stopped gives back what it held, as one that ends does", async () => {
  const { checkpoint, ids } = selfCheckModel();
  const model = await Model.load(checkpoint, await openBackend("webgpu"));
  const [taken, given] = [vi.spyOn(Gpu.prototype, "buffer"), vi.spyOn(Gpu.prototype, "recycle")];
  const held = async (signal?: AbortSignal, progress?: () => void) => {
    taken.mockClear();
    given.mockClear();
    await model.forward({ ids }, { rows: true, logits: "loss" }, { signal, progress }).catch(() => undefined);
    return [taken.mock.calls.length > 0, taken.mock.calls.length - given.mock.calls.length];
  };
  expect(await held()).toEqual([true, 0]);
  const controller = new AbortController();
  expect(await held(controller.signal, () => controller.abort())).toEqual([true, 0]);
  await model.release();
});
