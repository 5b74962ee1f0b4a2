/**
 * Is attention exact where the sequence is spread over devices in a ring? Method:
 * every device holds the queries, keys and values of one block. Blocks of keys and values go round the ring; each device
 * answers its own queries for the block that it has, and merges the partial answers by their logarithms of sums. The
 * whole is compared with float64, in float32, on random inputs; what a device has to hold is counted. Random inputs of
 * one seed are one independent unit, counts are exact.
 *
 * Departures: devices are simulated one after the other, so that nothing is said about time; the ring's own condition on
 * block size, arithmetic and bandwidth is not tested.
 */
import { bootstrap, mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { exactAttention, type Inputs, largestError, wholeAttention } from "../../engine/theory/streaming.js";
import { exact } from "../analysis/exact.js";
import { slope } from "../analysis/slope.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  /** Tokens on each device. */
  block: 32,
  devices: [1, 2, 4, 8, 16],
  size: 32,
  /** Factor on scores of standard deviation 1. */
  scale: 10,
  inputs: 10,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

const rings = table("rings", "Error and memory of attention in a ring, by number of devices", {
  devices: { kind: "int32", meaning: "Devices in the ring" },
  length: { kind: "int32", meaning: "Length of the sequence", unit: "tokens" },
  words: { kind: "int32", meaning: "Numbers that one device holds, an exact count" },
  error: { kind: "float64", meaning: "Largest error against float64, mean over inputs" },
  whole: { kind: "float64", meaning: "The same for the whole matrix in float32" },
});

export interface Evidence extends Pick<Parameters, "seed" | "resamples" | "devices"> {
  readonly lengths: readonly number[];
  readonly words: readonly number[];
  /** Error in the ring ÷ error of the whole matrix, by number of devices. // devices × [inputs] */
  readonly ratios: readonly (readonly number[])[];
}

const paper = "ring-attention";
const logarithms = (values: readonly number[]) => values.map(Math.log);

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "ring-is-exact",
    paper,
    statement: "Attention in a ring is exact, whatever the number of devices.",
    measure:
      "error in the ring ÷ error of the whole matrix, both against float64, worst number of devices, mean over inputs",
    rule: "Replicated where the whole 95 % interval over inputs is below 3, not replicated where all of it is above 10, mixed otherwise.",
    judge: ({ ratios, seed, resamples }) => {
      const intervals = ratios.map((of) => bootstrap(of, mean, { seed, resamples }));
      const worst = intervals.reduce((most, interval) => (interval.estimate > most.estimate ? interval : most));
      return { ...worst, outcome: worst.high < 3 ? "replicated" : worst.low > 10 ? "not replicated" : "mixed" };
    },
  },
  {
    id: "memory-does-not-grow",
    paper,
    statement: "What a device holds depends on the block and not on the length of the whole sequence.",
    measure: "exponent of a device's memory in the length, at equal blocks",
    rule: "Replicated where it is below 0.05, not replicated where it is above 0.5, mixed otherwise. A count: there is no sampling error.",
    judge: ({ lengths, words }) => {
      const exponent = slope(logarithms(lengths), logarithms(words));
      const outcome = exponent < 0.05 ? "replicated" : exponent > 0.5 ? "not replicated" : "mixed";
      return { ...exact(exponent, lengths.length), outcome };
    },
  },
  {
    id: "context-grows-with-devices",
    paper,
    statement: "The longest context is in proportion to the number of devices.",
    measure: "exponent of the longest context in the number of devices, where each has the memory of the first",
    rule: "Replicated where it is from 0.95 to 1.05, not replicated where it is below 0.5, mixed otherwise. A count: there is no sampling error.",
    judge: ({ devices, lengths, words }) => {
      // With memory m ∝ length^a at equal devices, equal memory allows a length that is smaller by the excess.
      const longest = lengths.map((length, i) => length * (words[0] / words[i]));
      const exponent = slope(logarithms(devices), logarithms(longest));
      const outcome =
        exponent >= 0.95 && exponent <= 1.05 ? "replicated" : exponent < 0.5 ? "not replicated" : ("mixed" as const);
      return { ...exact(exponent, devices.length), outcome };
    },
  },
];

export const ringAttention: Experiment<Parameters, Evidence> = {
  id: "ring-attention",
  title: "Ring attention",
  question: "Is attention exact where keys and values go round a ring of devices?",
  papers: [paper],
  scope: "exact part",
  subject: "records",
  parameters,
  inputs: {},
  tables: [rings],
  claims,
  async *run({ parameters: given, progress, signal }) {
    const { block, devices, size, scale, inputs, seed, resamples } = given;
    const lengths = devices.map((count) => count * block);
    const words: number[] = [];
    const ratios: number[][] = [];
    for (const [done, count] of devices.entries()) {
      progress(done, devices.length, `${count} devices`);
      const errors: { ring: number; whole: number }[] = [];
      let held = 0;
      for (let input = 0; input < inputs; ++input) {
        signal.throwIfAborted();
        const random = new Random(seed * 1000 + input);
        const normals = (deviation: number) =>
          Float32Array.from({ length: count * block * size }, () => deviation * random.normal());
        const deviation = size ** -0.25; // of components, for scores of variance 1
        const of = { queries: normals(scale * deviation), keys: normals(deviation), values: normals(1), size };
        const reference = exactAttention(of);
        const ring = inRing(of, count);
        held = ring.words;
        const whole = wholeAttention(of, (length) => new Float32Array(length));
        errors.push({ ring: largestError(ring.output, reference), whole: largestError(whole, reference) });
      }
      words.push(held);
      ratios.push(errors.map(({ ring, whole }) => ring / whole));
      const error = mean(errors.map(({ ring }) => ring));
      const whole = mean(errors.map((of) => of.whole));
      yield batch(rings, [{ devices: count, length: count * block, words: held, error, whole }]);
    }
    return { seed, resamples, devices, lengths, words, ratios };
  },
};

/** One device: its block of everything, the block that it was handed, and the answers so far. */
interface Device {
  readonly queries: Float32Array; // [block, size]
  keys: Float32Array; // [block, size], of another device after each step
  values: Float32Array; // [block, size]
  readonly scores: Float32Array; // [block]
  readonly most: Float32Array; // [block]: largest score so far
  readonly sum: Float32Array; // [block]: of exp(score − most)
  readonly mixed: Float32Array; // [block, size]: values weighted by it
}

/** Attention in a ring, and how many numbers each device held. @param count of devices, which divides the length */
export function inRing(
  { queries, keys, values, size }: Inputs,
  count: number,
): { output: Float32Array; words: number } {
  const block = queries.length / size / count;
  const part = (of: Float32Array, at: number) => of.slice(at * block * size, (at + 1) * block * size);
  const devices: Device[] = Array.from({ length: count }, (_, at) => ({
    queries: part(queries, at),
    keys: part(keys, at),
    values: part(values, at),
    scores: new Float32Array(block),
    most: new Float32Array(block).fill(Number.NEGATIVE_INFINITY),
    sum: new Float32Array(block),
    mixed: new Float32Array(block * size),
  }));
  for (let step = 0; step < count; ++step) {
    for (const device of devices) merge(device, size);
    const last = devices.map(({ keys: handed, values: with_ }) => [handed, with_] as const);
    for (const [at, device] of devices.entries()) [device.keys, device.values] = last[(at + count - 1) % count];
  }
  const output = new Float32Array(queries.length);
  for (const [at, { mixed, sum }] of devices.entries())
    for (let i = 0; i < mixed.length; ++i) output[at * block * size + i] = mixed[i] / sum[Math.floor(i / size)];
  const words = Object.values(devices[0]).reduce((total: number, of: Float32Array) => total + of.length, 0);
  return { output, words };
}

/** Adds what the block at hand says to the answers of a device's queries. */
function merge({ queries, keys, values, scores, most, sum, mixed }: Device, size: number): void {
  const block = scores.length;
  for (let q = 0; q < block; ++q) {
    let larger = most[q];
    for (let k = 0; k < block; ++k) {
      let score = 0;
      for (let c = 0; c < size; ++c) score += queries[q * size + c] * keys[k * size + c];
      scores[k] = score;
      larger = Math.max(larger, scores[k]);
    }
    const shrink = Math.exp(most[q] - larger);
    most[q] = larger;
    sum[q] *= shrink;
    for (let c = 0; c < size; ++c) mixed[q * size + c] *= shrink;
    for (let k = 0; k < block; ++k) {
      const weight = Math.exp(scores[k] - larger);
      sum[q] += weight;
      for (let c = 0; c < size; ++c) mixed[q * size + c] += weight * values[k * size + c];
    }
  }
}
