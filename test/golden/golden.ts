/** The golden checkpoints and what the tests need from them. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Backend } from "../../engine/backend.js";
import { type Checkpoint, openCheckpoint } from "../../engine/checkpoint.js";
import type { Forward, Values } from "../../engine/forward.js";
import { Safetensors } from "../../engine/safetensors.js";
import { openBackend } from "../../loaders/devices.js";
import { fileSource } from "../../loaders/files.js";

const folder = (name: string): string => fileURLToPath(new URL(`checkpoints/${name}`, import.meta.url));

/** Every folder of checkpoints/, by name. */
export const architectures = readdirSync(folder("."), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();
export const devices = ["cpu", "wasm"] as const;

export const goldenCheckpoint = (name: string): Promise<Checkpoint> => openCheckpoint(fileSource(folder(name)));

const backends = new Map<string, Promise<Backend>>();

export function backend(device: string): Promise<Backend> {
  const opened = backends.get(device) ?? openBackend(device, { threads: 1 });
  backends.set(device, opened);
  return opened;
}

/** Outputs of transformers in float32 for two sequences. */
export interface Reference {
  readonly sequences: Int32Array[];
  readonly tokens: number;
  /** One sequence's part of a tensor of [2, …]. */
  read(name: string, sequence: number): Promise<Float32Array>;
}

export async function goldenReference(name: string): Promise<Reference> {
  const source = fileSource(folder(name));
  const tensors = await Safetensors.open({
    ...source,
    size: (file) => source.size(renamed(file)),
    read: (file, start, end) => source.read(renamed(file), start, end),
  });
  const entry = tensors.entries.get("input_ids");
  if (!entry) throw new Error(`${name} has no input_ids.`);
  const [count, tokens] = entry.shape;
  const bytes = await source.read("reference.safetensors", entry.start, entry.end);
  const ids = new Int32Array(bytes.slice().buffer);
  return {
    sequences: Array.from({ length: count }, (_, i) => ids.slice(i * tokens, (i + 1) * tokens)),
    tokens,
    async read(tensor, sequence) {
      const values = await tensors.read(tensor);
      const size = values.length / count;
      return values.subarray(sequence * size, (sequence + 1) * size);
    },
  };
}

const renamed = (file: string): string => (file === "model.safetensors" ? "reference.safetensors" : file);

/**
 * The largest difference; NaN beside a number counts as infinitely large.
 * @param relative in parts of b where that is larger than 1
 */
export function largestError(a: ArrayLike<number>, b: ArrayLike<number>, relative = false): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    if (Number.isNaN(a[i]) && Number.isNaN(b[i])) continue;
    const error = Math.abs(a[i] - b[i]) / (relative ? Math.max(1, Math.abs(b[i])) : 1);
    largest = Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return largest;
}

type Report = { [K in keyof Forward]-?: Exclude<Forward[K], undefined> };

/** A field of a result that was asked for. */
export function field<K extends keyof Forward>(forward: Forward, name: K): Report[K] {
  const value = forward[name];
  if (value === undefined) throw new Error(`The forward pass reports no ${name}.`);
  return value as Report[K];
}

/** The last dimension of a dense array at the given leading indices. */
export function rowOf({ data, dims }: Values, ...indices: number[]): Float32Array {
  const size = dims[dims.length - 1];
  const row = indices.reduce((flat, index, axis) => flat * dims[axis] + index, 0);
  return data.subarray(row * size, (row + 1) * size);
}

/** Errors as a row of a printed table. */
export const shown = (errors: Readonly<Record<string, number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(errors).map(([name, error]) => [name, error.toExponential(1)]));
