/** The measurements of `observatory bench gpu` as an Arrow table for the page of benchmarks. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dataFolder } from "../project.js";
import { Encoder } from "../runner/encoder.js";
import { sha256 } from "../store/code.js";
import { batch, table } from "../table.js";
import type { GpuBenchmark } from "./gpu.js";

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
  error: { kind: "float64", meaning: "Largest difference of an entropy from float64", unit: "nats", optional: true },
});

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
  }));
  encoder.append(batch(measurements, rows).rows);
  const { device, measurements: _, ...others } = benchmark;
  const title = `Benchmarks on one ${device}`;
  const passport = { key: sha256(text), experiment: "benchmarks", title, ...others, device: { name: device } };
  return encoder.finish(new Map([["passport", JSON.stringify(passport)]]));
}
