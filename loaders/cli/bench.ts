import { exitCodes } from "../terminal.js";

/** @returns the code to exit with: that of a failure where something is beyond its limit */
export async function benchCpuCommand(): Promise<number> {
  const { benchCpu } = await import("../bench/cpu.js");
  return (await benchCpu()) ? exitCodes.ok : exitCodes.failed;
}

/** @returns the code to exit with: that of a failure where something is beyond its limit */
export async function benchStoreCommand(): Promise<number> {
  const { benchStore } = await import("../bench/store.js");
  return (await benchStore()) ? exitCodes.ok : exitCodes.failed;
}

export async function benchGpuCommand(): Promise<void> {
  const { benchGpu } = await import("../bench/gpu.js");
  await benchGpu();
}

/** @returns the code to exit with: that of a failure where a kernel is off by more than it may */
export async function selfCheckGpuCommand(): Promise<number> {
  const { selfCheckGpu } = await import("../gpu/self-check.js");
  return (await selfCheckGpu()) ? exitCodes.ok : exitCodes.failed;
}

/** @returns the code to exit with: that of a failure where something is beyond its limit */
export async function benchSiteCommand(): Promise<number> {
  const { benchSite } = await import("../bench/site.js");
  return (await benchSite()) ? exitCodes.ok : exitCodes.failed;
}
