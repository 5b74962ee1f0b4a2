/**
 * The device of the kernel tests: Dawn on whatever Vulkan driver there is, and where there is none, on the software
 * driver that Chromium brings along.
 */
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { create, globals } from "webgpu";
import { Gpu } from "../../engine/kernels/gpu.js";

const chromium = "/usr/lib/chromium";
const neverUnload = 0x1000; // RTLD_NODELETE

function provideVulkan(): void {
  if (process.env.VK_ICD_FILENAMES || !existsSync(`${chromium}/vk_swiftshader_icd.json`)) return;
  process.env.VK_ICD_FILENAMES = `${chromium}/vk_swiftshader_icd.json`;
  try {
    process.dlopen(
      { exports: {} },
      `${chromium}/libvulkan.so.1`,
      constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | neverUnload,
    );
  } catch (error) {
    // It is no Node module, which is what Node says; but now it is loaded, and Dawn finds it.
    if (!(error instanceof Error && error.message.includes("self-register"))) throw error;
  }
}

let opened: Promise<Gpu> | undefined;
let keptAlive: GPU | undefined; // a collected GPU takes the process down

export function testGpu(): Promise<Gpu> {
  opened ??= open();
  return opened;
}

async function open(limits: Record<string, number> = {}): Promise<Gpu> {
  provideVulkan();
  Object.assign(globalThis, globals);
  keptAlive ??= create(["enable-dawn-features=allow_unsafe_apis"]);
  const adapter = await keptAlive.requestAdapter();
  if (!adapter) throw new Error("There is no Vulkan driver; install Chromium, which brings one in software.");
  const { maxComputeWorkgroupStorageSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxComputeWorkgroupStorageSize, ...limits } });
  return new Gpu(device);
}
