/** The device of the kernel tests: a GPU where Vulkan has one, else SwiftShader, which Chromium brings along. */
import { Gpu } from "../../engine/kernels/gpu.js";
import { openDawn } from "../../loaders/gpu/dawn.js";

process.env.OBSERVATORY_SWIFTSHADER ??= "1";

let opened: Promise<Gpu> | undefined;

export function testGpu(): Promise<Gpu> {
  opened ??= openDawn().then(({ device }) => Gpu.open(device));
  return opened;
}

/** With the limits that every WebGPU device has, as a browser gives them to who asks for no others. */
export async function plainGpu(): Promise<Gpu> {
  const { gpu } = await openDawn();
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("There is no adapter any more.");
  return Gpu.open(await adapter.requestDevice());
}
