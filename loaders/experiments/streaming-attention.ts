/**
 * Is exact attention possible without the matrix of scores? Method:
 * three programs in float32 answer the same random queries: the whole matrix, tiles of √T × √T with a running maximum,
 * and tiles without it, at scores of several sizes; float64 is the reference. Scratch memory is counted as the programs
 * allocate it. Random inputs of one seed are one independent unit; counts of memory are exact.
 *
 * Departures: the paper reports memory of whole programs on an accelerator; here scratch buffers are counted, for its
 * length of 16,384 with tiles of 1,024 × 4,096, which are recalled.
 */
import { bootstrap, mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import {
  exactAttention,
  largestError,
  scratchWords,
  type Tiles,
  tiledAttention,
  wholeAttention,
} from "../../engine/theory/streaming.js";
import { exact, knownBefore } from "../analysis/exact.js";
import { slope } from "../analysis/slope.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  lengths: [64, 256, 1024, 4096, 16384],
  size: 64,
  /** Length, head size and number of the random inputs on which errors are measured. */
  errorLength: 256,
  errorSize: 32,
  inputs: 12,
  /** Factors on scores of standard deviation 1. */
  scales: [1, 10, 100],
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

const programs = ["whole", "tiles", "tiles without maximum"] as const;
type Program = (typeof programs)[number];

const memory = table("memory", "Scratch memory by length: exact counts", {
  program: { kind: "text", meaning: "How attention is computed" },
  length: { kind: "int32", meaning: "Length of the sequence", unit: "tokens" },
  bytes: { kind: "float64", meaning: "Scratch memory of one head in float32", unit: "bytes" },
});

const errors = table("errors", "Largest error of an output against float64", {
  program: { kind: "text", meaning: "How attention is computed" },
  scale: { kind: "float64", meaning: "Factor on scores of standard deviation 1" },
  input: { kind: "int32", meaning: "Random input, from 0" },
  error: { kind: "float64", meaning: "Largest absolute error; missing where an output is not finite", optional: true },
});

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  readonly lengths: readonly number[];
  readonly words: Readonly<Record<"whole" | "tiles", readonly number[]>>;
  /** Whole matrix ÷ tiles at the paper's length and tiles. */
  readonly factor: number;
  /** Largest errors, NaN where not finite. // scales × [inputs] */
  readonly errors: Readonly<Record<Program, readonly (readonly number[])[]>>;
}

const paper = "self-attention-memory";
const paperLength = 16384;
const paperTiles: Tiles = { queries: 1024, keys: 4096 };

const rootTiles = (length: number): Tiles => ({ queries: Math.sqrt(length), keys: Math.sqrt(length) });

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "memory-not-quadratic",
    paper,
    statement: "Streaming over keys needs memory that grows at most in proportion to the length, not to its square.",
    measure: "exponent of scratch memory in the length, tiles of √T × √T",
    rule: "Replicated where it is at most 1.05 and that of the whole matrix at least 1.95; not replicated where it is above 1.5; mixed otherwise. A count: there is no sampling error.",
    judge: ({ lengths, words }) => {
      const of = (counted: readonly number[]) => slope(lengths.map(Math.log), counted.map(Math.log));
      const [whole, tiles] = [of(words.whole), of(words.tiles)];
      const outcome =
        tiles <= 1.05 && whole >= 1.95 ? "replicated" : tiles > 1.5 ? "not replicated" : ("mixed" as const);
      return { ...exact(tiles, lengths.length), outcome };
    },
  },
  {
    id: "streaming-is-exact",
    paper,
    statement: "The streamed result is exact: its error is that of the whole matrix.",
    measure:
      "error of the tiles ÷ error of the whole matrix, both against float64, worst of the scales, mean over inputs",
    rule: "Replicated where the whole 95 % interval over inputs is below 3, not replicated where all of it is above 10 or an output is not finite, mixed otherwise.",
    revised: knownBefore,
    judge: ({ errors: found, seed, resamples }) => {
      const ratios = found.tiles.map((inputs, scale) =>
        bootstrap(
          inputs.map((error, input) => error / found.whole[scale][input]),
          mean,
          { seed, resamples },
        ),
      );
      const worst = ratios.reduce((most, ratio) => (ratio.estimate > most.estimate ? ratio : most));
      if (found.tiles.flat().some(Number.isNaN)) return { ...worst, outcome: "not replicated" };
      const outcome = worst.high < 3 ? "replicated" : worst.low > 10 ? "not replicated" : "mixed";
      return { ...worst, outcome };
    },
  },
  {
    id: "maximum-is-needed",
    paper,
    statement: "Without the running maximum large scores overflow; with it they do not.",
    measure: "share of inputs with an output that is not finite at the largest scale: without minus with the maximum",
    rule: "Replicated where the whole 95 % interval over inputs is above 0.5, not replicated where all of it is below 0.05, mixed otherwise.",
    judge: ({ errors: found, seed, resamples }) => {
      const overflows = (program: Program) => found[program][found[program].length - 1].map(Number.isNaN).map(Number);
      const [without, withIt] = [overflows("tiles without maximum"), overflows("tiles")];
      const interval = bootstrap(
        without.map((is, i) => is - withIt[i]),
        mean,
        { seed, resamples },
      );
      const outcome = interval.low > 0.5 ? "replicated" : interval.high < 0.05 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
  {
    id: "memory-factor",
    paper,
    statement: "At 16,384 tokens the memory overhead falls 59-fold for inference.",
    measure: "scratch memory of the whole matrix ÷ that of tiles of 1,024 × 4,096, head size 64",
    rule: "Replicated where it is between half and double of 59, not replicated otherwise. A count: there is no sampling error.",
    judge: ({ factor }) => ({
      ...exact(factor, 1),
      outcome: factor >= 29.5 && factor <= 118 ? "replicated" : "not replicated",
    }),
  },
];

export const streamingAttention: Experiment<Parameters, Evidence> = {
  id: "streaming-attention",
  title: "Streaming attention",
  question: "Can attention be exact without ever holding the matrix of scores?",
  papers: [paper],
  scope: "exact part",
  subject: "records",
  parameters,
  inputs: {},
  tables: [memory, errors],
  claims,
  async *run({ parameters: given, progress, signal }) {
    const { lengths, size, errorLength, errorSize, inputs, scales, seed, resamples } = given;
    const words = {
      whole: lengths.map((length) => scratchWords(length, size)),
      tiles: lengths.map((length) => scratchWords(length, size, rootTiles(length))),
    };
    for (const program of ["whole", "tiles"] as const) {
      yield batch(
        memory,
        lengths.map((length, i) => ({ program, length, bytes: 4 * words[program][i] })),
      );
    }
    const found: Record<Program, number[][]> = { whole: [], tiles: [], "tiles without maximum": [] };
    const allocate = (count: number) => new Float32Array(count);
    const tiles = rootTiles(errorLength);
    for (const [done, scale] of scales.entries()) {
      progress(done, scales.length, `scores × ${scale}`);
      for (const program of programs) found[program].push([]);
      for (let input = 0; input < inputs; ++input) {
        signal.throwIfAborted();
        const random = new Random(seed * 1000 + input);
        const normals = (deviation: number) =>
          Float32Array.from({ length: errorLength * errorSize }, () => deviation * random.normal());
        // Components of variance 1/√size each give scores of variance 1.
        const deviation = errorSize ** -0.25;
        const given = {
          queries: normals(scale * deviation),
          keys: normals(deviation),
          values: normals(1),
          size: errorSize,
        };
        const reference = exactAttention(given);
        const outputs: Readonly<Record<Program, Float32Array>> = {
          whole: wholeAttention(given, allocate),
          tiles: tiledAttention(given, tiles, allocate),
          "tiles without maximum": tiledAttention(given, tiles, allocate, false),
        };
        for (const program of programs) found[program][done].push(largestError(outputs[program], reference));
      }
    }
    yield batch(
      errors,
      programs.flatMap((program) =>
        scales.flatMap((scale, at) =>
          found[program][at].map((error, input) => ({
            program,
            scale,
            input,
            error: Number.isNaN(error) ? null : error,
          })),
        ),
      ),
    );
    const factor = scratchWords(paperLength, 64) / scratchWords(paperLength, 64, paperTiles);
    return { seed, resamples, lengths, words, factor, errors: found };
  },
};
