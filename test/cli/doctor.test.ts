import { afterAll, expect, test, vi } from "vitest";
import { Project } from "../project.js";

const project = new Project();
afterAll(() => project.remove());

test("doctor says which devices there are, and what auto takes and why", async () => {
  vi.stubEnv("OBSERVATORY_SWIFTSHADER", "1");
  const { code, stdout, stderr } = await project.run("doctor", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { versions, memory, adapters, devices, auto } = JSON.parse(stdout);
  expect(versions.node).toBe(process.versions.node);
  expect(memory.free).toBeLessThan(memory.total);
  expect(adapters.join()).toMatch(/SwiftShader/);
  expect(devices.map(({ device }: { device: string }) => device)).toEqual(["cuda", "webgpu", "cpu", "wasm"]);
  const [cuda, webgpu, cpu, wasm] = devices;
  for (const { error, refused } of [cpu, wasm]) {
    expect(error).toBeLessThan(1e-4);
    expect(refused).toBeUndefined();
  }
  const best = [cuda, webgpu, cpu].find(({ refused }) => refused === undefined);
  expect(auto).toBe(best.device);
  if (auto === "cpu") expect([cuda.refused, webgpu.refused].join()).toMatch(/CUDA.*no GPU but software/);
});

test("doctor without Vulkan says what to install, in lines for people", async () => {
  vi.stubEnv("OBSERVATORY_SWIFTSHADER", "");
  const { code, stdout } = await project.run("doctor");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^attention-observatory \d.*, node \d/);
  expect(stdout).toMatch(/^GPUs {5}(none: webgpu needs Vulkan, .*libvulkan1.*|Vulkan finds none|(?!none).+)$/m);
  expect(stdout).toMatch(/^cpu {6}passes its self-check, largest error \d\.\de-\d \(onnxruntime-node /m);
  expect(stdout).toMatch(/^auto {5}takes (cuda|webgpu|cpu), the first that passes/m);
});
