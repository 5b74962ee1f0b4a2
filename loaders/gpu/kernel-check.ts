/**
 * Every statistic of the GPU kernels, under everything that changes scores, against float64: what the tests hold
 * software adapters to, and `observatory selfcheck gpu` the GPU at hand.
 */
import { AttentionLayer, type Output } from "../../engine/kernels/attention.js";
import { sumBands } from "../../engine/kernels/distances.js";
import type { Gpu } from "../../engine/kernels/gpu.js";
import { attentionOf } from "../../engine/kernels/reference.js";
import type { FloatType, Scoring, Shape } from "../../engine/kernels/scoring.js";
import type { TileSet } from "../../engine/kernels/tiles.js";
import { mass, octaveOf } from "../../engine/metrics/mass.js";
import { entropy, maximum, meanDistance } from "../../engine/metrics/rows.js";
import { Random } from "../../engine/random.js";
import { fromHalf, toHalf } from "./half.js";

export interface KernelCase {
  readonly name: string;
  readonly shape?: Partial<Shape>;
  readonly scoring?: Partial<Scoring>;
  readonly type?: FloatType;
  /** Standard deviation of queries and keys: large ones make sharp rows. */
  readonly deviation?: number;
  readonly tiles?: TileSet;
  /** How many weighted sets of keys the mass on them is taken of; six where all passes run, otherwise none. */
  readonly segments?: number;
  /** All passes; otherwise those that own queries, own keys, and mix. Compiling is what takes a software driver's time. */
  readonly all?: boolean;
}

const random = new Random(7);
const normals = (count: number, deviation = 1) =>
  Float32Array.from({ length: count }, () => deviation * random.normal());
const tokens = 150; // ragged at every tile size
const base: Shape = { heads: 2, keyValueHeads: 2, headSize: 32, queries: tokens, keys: tokens };
const pieces = (of: (token: number) => number) => Int32Array.from({ length: tokens }, (_, t) => of(t));

export const kernelCases: readonly KernelCase[] = [
  { name: "causal", all: true },
  { name: "bidirectional", scoring: { causal: false }, all: true },
  { name: "window", scoring: { window: 40 } },
  { name: "window of one", scoring: { window: 1 } },
  { name: "bidirectional window", scoring: { causal: false, window: 33 } },
  { name: "soft cap", scoring: { softcap: 3 }, deviation: 2 },
  { name: "ALiBi", scoring: { slopes: Float32Array.of(0.5, 0.03) } },
  { name: "bidirectional ALiBi", scoring: { causal: false, slopes: Float32Array.of(0.5, 0.03) } },
  { name: "learned sinks", scoring: { sinks: Float32Array.of(1.5, -2) } },
  { name: "a sink above all scores", scoring: { sinks: Float32Array.of(40, 0) } },
  { name: "temperature", scoring: { temperature: Float32Array.of(0.3, 4) } },
  { name: "temperature and soft cap", scoring: { temperature: Float32Array.of(0.3, 4), softcap: 2 } },
  { name: "one key bias", scoring: { keyBias: normals(tokens, 2) } },
  { name: "key bias per head", scoring: { keyBias: normals(2 * tokens, 2) } },
  {
    name: "keys hidden by −∞",
    scoring: { keyBias: normals(tokens).map((x, k) => (k % 3 === 0 || k < 70 ? Number.NEGATIVE_INFINITY : x)) },
  },
  { name: "pieces", scoring: { pieces: pieces((t) => (t < 5 ? 0 : t < 70 ? 1 : t < 130 ? 2 : -1)) } },
  { name: "scattered pieces", scoring: { pieces: pieces(() => random.int(5) - 1) } },
  { name: "grouped queries", shape: { heads: 6, keyValueHeads: 2 } },
  { name: "one key head", shape: { heads: 3, keyValueHeads: 1 } },
  { name: "a batch of two", shape: { heads: 4, keyValueHeads: 2 } },
  { name: "head size 20", shape: { headSize: 20 } },
  { name: "head size 64", shape: { headSize: 64 } },
  { name: "head size 80", shape: { headSize: 80 } },
  { name: "head size 128", shape: { headSize: 128, heads: 1, keyValueHeads: 1 } },
  { name: "head size 256", shape: { headSize: 256, heads: 1, keyValueHeads: 1 } },
  { name: "one token", shape: { queries: 1, keys: 1 } },
  { name: "three tokens", shape: { queries: 3, keys: 3 } },
  { name: "a whole number of tiles", shape: { queries: 256, keys: 256, heads: 1, keyValueHeads: 1 } },
  { name: "64 key segments", segments: 64 },
  { name: "70 key segments", segments: 70 },
  { name: "sharp rows", deviation: 6 },
  { name: "float16", type: "f16", all: true },
  {
    name: "float16, sharp, grouped, window",
    type: "f16",
    deviation: 3,
    shape: { heads: 4, keyValueHeads: 2 },
    scoring: { window: 50 },
  },
  {
    name: "all together",
    all: true,
    shape: { heads: 4, keyValueHeads: 2, headSize: 36 },
    scoring: {
      softcap: 5,
      window: 90,
      slopes: Float32Array.of(0.5, 0.25, 0.1, 0),
      sinks: normals(4),
      temperature: Float32Array.of(0.5, 1, 2, 3),
      keyBias: normals(4 * tokens),
      pieces: pieces((t) => (t < 5 ? 0 : t < 70 ? 1 : t < 130 ? 2 : -1)),
    },
  },
];

interface Computed {
  readonly shape: Shape;
  readonly attention: Float64Array[][]; // heads × queries × [keys]
  readonly values: Float32Array; // [keyValueHeads, keys, headSize]
  readonly layer: AttentionLayer;
  readonly valueBuffer: GPUBuffer;
}

function prepare(
  gpu: Gpu,
  { shape: changes, scoring: more, type = "f32", deviation = 1, tiles }: KernelCase,
): Computed {
  const shape = { ...base, ...changes };
  const scoring: Scoring = { scale: shape.headSize ** -0.5, causal: true, ...more };
  const { heads, keyValueHeads, headSize, queries, keys } = shape;
  const rounded = (data: Float32Array) => (type === "f16" ? data.map((x) => fromHalf(toHalf(x))) : data);
  const upload = (data: Float32Array) => gpu.upload(type === "f16" ? Uint16Array.from(data, toHalf) : data);
  const query = rounded(normals(heads * queries * headSize, deviation));
  const key = rounded(normals(keyValueHeads * keys * headSize, deviation));
  const values = rounded(normals(keyValueHeads * keys * headSize));
  const layer = new AttentionLayer(gpu, {
    shape,
    scoring,
    tiles,
    queries: { buffer: upload(query), type },
    keys: { buffer: upload(key), type },
  });
  return { shape, values, layer, valueBuffer: upload(values), attention: attentionOf(shape, scoring, query, key) };
}

const read = async (gpu: Gpu, { buffer, dims }: Output) =>
  new Float32Array(await gpu.read(buffer, 4 * dims.reduce((a, b) => a * b, 1)));

/** The largest difference, in parts of the value where that is larger than 1; NaN counts as infinitely large. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
    largest = Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return largest;
}

/** What a kernel's results may be off by. */
export const toleranceOf = ({ type }: KernelCase): number => (type === "f16" ? 2e-3 : 1e-4);

/** The largest error of each statistic, in parts of the value where that is larger than 1. */
export async function kernelErrors(gpu: Gpu, one: KernelCase): Promise<Record<string, number>> {
  const { shape, attention, values, layer, valueBuffer } = prepare(gpu, one);
  const { heads, keyValueHeads, headSize, queries, keys } = shape;
  const causal = one.scoring?.causal ?? true;
  const flat = attention.flat(); // heads · queries × [keys]
  const segments = Array.from({ length: one.segments ?? (one.all ? 6 : 0) }, (_, s) =>
    s === 0 ? Float32Array.from({ length: keys }, (_, k) => Number(k < 4)) : normals(keys),
  );
  const groups = one.all
    ? [
        new Float32Array(queries).fill(1),
        Float32Array.from({ length: queries }, (_, q) => Number(q === queries - 1)),
        new Float32Array(queries),
        ...Array.from({ length: 3 }, () => normals(queries)),
      ]
    : [normals(queries)];
  const targets = [
    Int32Array.from({ length: queries }, (_, q) => q - 1),
    Int32Array.from({ length: queries }, (_, q) => random.int(q + 1)),
  ];

  const { rows, topKeys } = layer.rows();
  const received = layer.received(groups);
  const masses = segments.length > 0 ? layer.mass(segments) : undefined;
  const found = layer.pattern(targets);
  const octaves = one.all ? layer.octaves() : undefined;
  const bands = one.all && causal ? layer.distances() : undefined;
  const mixed = layer.mix({ buffer: valueBuffer, type: one.type ?? "f32" });
  await layer.run();

  const row = await read(gpu, rows);
  const column = (at: number) => flat.map((_, i) => row[4 * i + at]);
  const errors: Record<string, number> = {
    maximum: largestError(
      column(0),
      flat.map((p) => maximum.reference(p)),
    ),
    entropy: largestError(
      column(2),
      flat.map((p) => entropy.reference(p)),
    ),
    "mean distance": largestError(
      column(3),
      flat.map((p, i) => meanDistance.reference(p, i % queries)),
    ),
  };
  const top = new Uint32Array(await gpu.read(topKeys.buffer, 4 * heads * queries));
  errors["top key"] = largestError(
    flat.map((p, i) => p[top[i]]),
    flat.map((p) => maximum.reference(p)),
  );

  const outputs = await Promise.all(received.map((output) => read(gpu, output)));
  const byHead = attention.flatMap((_, h) =>
    received.flatMap(({ dims: [, count] }, i) => [...outputs[i].subarray(h * count * keys, (h + 1) * count * keys)]),
  );
  errors.received = largestError(
    byHead,
    attention.flatMap((of) =>
      groups.flatMap((weights) =>
        Array.from({ length: keys }, (_, k) => of.reduce((sum, p, q) => sum + weights[q] * p[k], 0)),
      ),
    ),
  );
  if (masses) {
    const massed = await read(gpu, masses);
    errors.mass = largestError(
      flat.flatMap((_, i) => [...massed.subarray(i * masses.dims[2], i * masses.dims[2] + segments.length)]),
      flat.flatMap((p) => segments.map((weights) => mass.reference(p, weights))),
    );
  }
  errors.pattern = largestError(
    await read(gpu, found),
    attention.flatMap((of) => targets.flatMap((target) => of.map((p, q) => (target[q] < 0 ? 0 : p[target[q]])))),
  );
  if (octaves) {
    errors.octaves = largestError(
      await read(gpu, octaves),
      attention.flatMap((of) =>
        Array.from({ length: octaves.dims[1] }, (_, o) => o).flatMap((o) =>
          of.map((p, q) => p.reduce((sum, x, k) => sum + (octaveOf(Math.abs(q - k)) === o ? x : 0), 0)),
        ),
      ),
    );
  }
  if (bands) {
    errors.distances = largestError(
      sumBands(await read(gpu, bands), heads, queries, bands.dims[3]),
      attention.flatMap((of) => of.map((_, d) => of.reduce((sum, p, q) => sum + (q >= d ? p[q - d] : 0), 0))),
    );
  }
  errors.output = largestError(
    await read(gpu, mixed),
    attention.flatMap((of, h) =>
      of.flatMap((p) =>
        Array.from({ length: headSize }, (_, d) => {
          const start = Math.floor((h * keyValueHeads) / heads) * keys * headSize;
          return p.reduce((sum, x, k) => sum + x * values[start + k * headSize + d], 0);
        }),
      ),
    ),
  );
  layer.release();
  return errors;
}
