/** `observatory selfcheck gpu`: whether the GPU at hand computes what the kernels are meant to, tensor cores included. */
import { join } from "node:path";
import type { Backend } from "../../engine/backend.js";
import { Gpu } from "../../engine/kernels/gpu.js";
import type { FloatType } from "../../engine/kernels/scoring.js";
import { tilesFor } from "../../engine/kernels/tiles.js";
import { Model } from "../../engine/model.js";
import { openBackend } from "../devices.js";
import { dataFolder, projectPath } from "../project.js";
import { checkout } from "../runner/provenance.js";
import { writeFlushed } from "../store/system.js";
import { say } from "../terminal.js";
import { type KernelCase, kernelCases, kernelErrors, largestError, toleranceOf } from "./kernel-check.js";
import { randomModel } from "./random-model.js";

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
  const backend = await openBackend("webgpu");
  if (!backend.gpu) throw new Error("The webgpu backend has no GPU.");
  const gpu = await Gpu.open(backend.gpu);
  const cases = gpu.hasTensorCores ? [...kernelCases, ...tensorCoreCases] : kernelCases;
  const checks: Check[] = [];
  for (let first = 0; first < cases.length; first += together) {
    const some = cases.slice(first, first + together);
    const found = await Promise.all(some.map((one) => kernelErrors(gpu, one)));
    some.forEach((one, i) => {
      checks.push(judge(gpu, one, found[i]));
    });
  }
  for (const tokens of modelLengths) checks.push(await checkModel(backend, tokens));
  const report: GpuSelfCheck = {
    date: new Date().toISOString(),
    device: backend.description.adapter,
    tensorCores: gpu.hasTensorCores,
    ...(await checkout()),
    checks,
  };
  await writeFlushed(file, `${JSON.stringify(report, null, 1)}\n`);
  const failed = checks.filter(({ passed }) => !passed).length;
  say(`${checks.length - failed} of ${checks.length} checks passed. Written to ${projectPath(file)}.`);
  return failed === 0;
}

/** Whole models at these lengths; the longer one goes through the kernels in stretches. */
const modelLengths = [2048, 16_384];

/** The kernels' way through a model of two layers against the plain graph of the same device. */
async function checkModel(backend: Backend, tokens: number): Promise<Check> {
  const checkpoint = randomModel(2);
  const ids = Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % checkpoint.architecture.vocabulary);
  const request = { rows: true, queryGroups: [new Float32Array(tokens).fill(1)], logits: "loss" } as const;
  const run = async (on: Backend) => {
    const model = await Model.load(checkpoint, on);
    const forward = await model.forward({ ids }, request);
    await model.release();
    return forward;
  };
  const [fused, plain] = [await run(backend), await run({ ...backend, fused: undefined })];
  const pairs = {
    entropy: [fused.entropy?.data, plain.entropy?.data],
    maximum: [fused.maximum?.data, plain.maximum?.data],
    "mean distance": [fused.meanDistance?.data, plain.meanDistance?.data],
    received: [fused.received?.data, plain.received?.data],
    "log-probability": [fused.logProbability, plain.logProbability],
  };
  const errors = Object.fromEntries(
    Object.entries(pairs).map(([name, [ours = [], theirs = [Number.NaN]]]) => [name, largestError(ours, theirs)]),
  );
  return told(
    { name: `a model, ${tokens} tokens, against the plain graph`, dtype: "f32", tensorCores: false, errors },
    1e-4,
  );
}

function judge(gpu: Gpu, one: KernelCase, errors: Readonly<Record<string, number>>): Check {
  const { name, type: dtype = "f32", shape } = one;
  const tolerance = toleranceOf(one);
  const traits = { ...plain, headSize: shape?.headSize ?? 32, type: dtype };
  const tensorCores = tilesFor(gpu, traits).sweep.unit === "matrix";
  return told({ name, dtype, tensorCores, errors }, tolerance);
}

function told(check: Omit<Check, "tolerance" | "passed">, tolerance: number): Check {
  const { name, dtype, tensorCores, errors } = check;
  const passed = Object.values(errors).every((error) => error < tolerance);
  const worst = Math.max(...Object.values(errors));
  const unit = tensorCores ? "tensor cores" : "multiply–add";
  console.log(`${passed ? "ok  " : "FAIL"} ${name.padEnd(44)} ${dtype} ${unit.padEnd(13)} ${worst.toExponential(1)}`);
  return { ...check, tolerance, passed };
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
