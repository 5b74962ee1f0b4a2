/** `observatory selfcheck gpu`: whether the GPU at hand computes what the kernels are meant to, tensor cores included. */
import { join } from "node:path";
import { Gpu } from "../../engine/kernels/gpu.js";
import type { FloatType } from "../../engine/kernels/scoring.js";
import { tilesFor } from "../../engine/kernels/tiles.js";
import { dataFolder, projectPath } from "../project.js";
import { checkout } from "../runner/provenance.js";
import { writeFlushed } from "../store/system.js";
import { say } from "../terminal.js";
import { openDawn } from "./dawn.js";
import { type KernelCase, kernelCases, kernelErrors, toleranceOf } from "./kernel-check.js";

/** Cases at a time: compiling their shaders takes longest, and goes on side by side. */
const together = 8;

interface Check {
  readonly name: string;
  readonly dtype: FloatType;
  readonly tensorCores: boolean;
  /** The largest error of each statistic, in parts of the value where that is larger than 1. */
  readonly errors: Readonly<Record<string, number>>;
  readonly tolerance: number;
  readonly passed: boolean;
}

export interface GpuSelfCheck {
  readonly date: string;
  readonly device: string;
  readonly tensorCores: boolean;
  readonly commit?: string;
  readonly clean?: boolean;
  readonly checks: readonly Check[];
}

/** Head sizes that tensor cores take, and everything that changes scores; ragged at every tile size. */
const tensorCoreCases: readonly KernelCase[] = kernelCases
  .filter(({ shape, type }) => type !== "f16" && (shape?.headSize ?? 32) % 16 === 0 && (shape?.headSize ?? 32) <= 128)
  .map((one) => ({ ...one, name: `${one.name}, float16`, type: "f16" }));

/** @returns whether everything is within its tolerance */
export async function selfCheckGpu(file = join(dataFolder, "benchmarks/selfcheck-gpu.json")): Promise<boolean> {
  const { device } = await openDawn();
  const gpu = await Gpu.open(device);
  const cases = gpu.hasTensorCores ? [...kernelCases, ...tensorCoreCases] : kernelCases;
  const checks: Check[] = [];
  for (let first = 0; first < cases.length; first += together) {
    const some = cases.slice(first, first + together);
    const found = await Promise.all(some.map((one) => kernelErrors(gpu, one)));
    some.forEach((one, i) => {
      checks.push(judge(gpu, one, found[i]));
    });
  }
  const report: GpuSelfCheck = {
    date: new Date().toISOString(),
    device: device.adapterInfo.description,
    tensorCores: gpu.hasTensorCores,
    ...(await checkout()),
    checks,
  };
  await writeFlushed(file, `${JSON.stringify(report, null, 1)}\n`);
  const failed = checks.filter(({ passed }) => !passed).length;
  say(`${checks.length - failed} of ${checks.length} checks passed. Written to ${projectPath(file)}.`);
  return failed === 0;
}

function judge(gpu: Gpu, one: KernelCase, errors: Readonly<Record<string, number>>): Check {
  const { name, type: dtype = "f32", shape } = one;
  const tolerance = toleranceOf(one);
  const traits = { ...plain, headSize: shape?.headSize ?? 32, type: dtype };
  const tensorCores = tilesFor(gpu, traits).sweep.unit === "matrix";
  const passed = Object.values(errors).every((error) => error < tolerance);
  const worst = Math.max(...Object.values(errors));
  const unit = tensorCores ? "tensor cores" : "multiply–add";
  console.log(`${passed ? "ok  " : "FAIL"} ${name.padEnd(44)} ${dtype} ${unit.padEnd(13)} ${worst.toExponential(1)}`);
  return { name, dtype, tensorCores, errors, tolerance, passed };
}

/** What decides the unit besides head size and type: nothing. */
const plain = {
  heads: 1,
  causal: true,
  softcap: false,
  window: false,
  alibi: false,
  sinks: false,
  bias: false,
  pieces: false,
};
