/** The measurements of `observatory bench gpu` as an Arrow table for the page of benchmarks. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dataFolder } from "../project.js";
import { Encoder } from "../runner/encoder.js";
import { sha256 } from "../store/hash.js";
import { batch, table } from "../table.js";
import type { GpuBenchmark, GpuMeasurement } from "./gpu.js";

type Ceilings = GpuBenchmark["ceilings"];

const measurements = table("gpu", "Time and memory of attention statistics on one GPU, and of the same in PyTorch", {
  name: {
    kind: "text",
    meaning: "rows, columns, both (one layer), or a whole model with the statistics of every layer",
  },
  dtype: { kind: "text", meaning: "Type of queries and keys: f32 or f16" },
  tokens: { kind: "int32", meaning: "Length of the sequence", unit: "tokens" },
  ours_ms: { kind: "float64", meaning: "Median time of the kernels or the model", unit: "ms" },
  peak_mb: { kind: "float64", meaning: "GPU memory in use, an upper bound", unit: "MB", optional: true },
  pytorch_ms: { kind: "float64", meaning: "PyTorch, eager attention and reductions", unit: "ms", optional: true },
  pytorch_mb: { kind: "float64", meaning: "Peak memory of PyTorch, eager", unit: "MB", optional: true },
  sdpa_ms: { kind: "float64", meaning: "PyTorch's fused attention, without statistics", unit: "ms", optional: true },
  error: {
    kind: "float64",
    meaning: "Largest difference from float64: of an entropy, in nats, or of what a key receives, in parts of it",
    optional: true,
  },
  tflops: {
    kind: "float64",
    meaning: "Multiplications and additions of query–key products that a causal layer needs, per second",
    unit: "TFLOP/s",
    optional: true,
  },
  of_matrix: {
    kind: "float64",
    meaning: "The same as a share of what the card reaches in products of large matrices of that type",
    optional: true,
  },
  of_copy: {
    kind: "float64",
    meaning: "What has to be read and written once, per second, as a share of what the card reaches in copies",
    optional: true,
  },
});

/**
 * How near a layer's kernels come to what the card does at best. A pass multiplies queries with keys of a causal half,
 * reads both, and writes or reads 20 bytes of each row.
 */
export function nearness({ name, dtype, T, heads, headSize, ours_ms }: GpuMeasurement, ceilings: Ceilings) {
  if (name === "model") return { tflops: null, of_matrix: null, of_copy: null };
  const passes = name === "rows+columns" ? 2 : 1;
  const tflops = (passes * T * T * heads * headSize) / ours_ms / 1e9;
  const bytes = passes * T * heads * (2 * headSize * (dtype === "f32" ? 4 : 2) + 20);
  const matrix = dtype === "f32" ? ceilings.float32_tflops : ceilings.bfloat16_tflops;
  const copy = ceilings.copy_gb_per_s ?? ceilings.webgpu_copy_gb_per_s;
  return { tflops, of_matrix: matrix === null ? null : tflops / matrix, of_copy: bytes / ours_ms / 1e6 / copy };
}

/** The stream, with a passport that says on what and when it was measured. */
export async function benchmarkTable(): Promise<Uint8Array> {
  const text = await readFile(join(dataFolder, "benchmarks/gpu.json"), "utf8");
  const benchmark: GpuBenchmark = JSON.parse(text);
  const encoder = new Encoder("benchmarks", measurements);
  const rows = benchmark.measurements.map((one) => ({
    name: one.name,
    dtype: one.dtype,
    tokens: one.T,
    ours_ms: one.ours_ms,
    peak_mb: one.peak_mb,
    pytorch_ms: one.pytorch_eager_ms,
    pytorch_mb: one.pytorch_peak_mb,
    sdpa_ms: one.sdpa_ms,
    error: one.error,
    ...nearness(one, benchmark.ceilings),
  }));
  encoder.append(batch(measurements, rows).rows);
  const { date, device: name, driver, versions, commit, clean, ceilings } = benchmark;
  const title = `Benchmarks on one ${name}`;
  const passport = {
    key: sha256(text),
    date,
    experiment: "benchmarks",
    title,
    device: { name, driver },
    commit,
    clean,
    versions,
    ceilings,
  };
  return encoder.finish(new Map([["passport", JSON.stringify(passport)]]));
}
