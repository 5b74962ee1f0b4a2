/**
 * Does attention read like a sparse distributed memory? Method:
 * the overlap of two Hamming balls is counted exactly for every radius, and a line is fitted to its logarithm against
 * the cosine: how straight it is, and its slope, the inverse temperature of the softmax that it resembles. Then both
 * read the same stored patterns. Sets of random patterns are the independent units; counts are exact.
 *
 * Departures: only the exact part. Inverse temperatures of trained heads are not compared. Slopes are plain least
 * squares; the published ones divide a sample covariance by a population variance and are larger by r/(r − 1).
 */
import { bootstrap, mean, pearson } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { memoryWeights, softmaxLine, softmaxWeights } from "../../engine/theory/distributed-memory.js";
import { exact, knownBefore } from "../analysis/exact.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  bits: 64,
  /** The radius of best signal to noise for 64 bits. */
  radius: 11,
  leastRadius: 5,
  mostRadius: 27,
  sets: 40,
  patterns: 64,
  /** Largest share of bits in which a pattern differs from its query. */
  spread: 0.35,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

const lines = table("lines", "Fit of a softmax to the overlap of two Hamming balls, by radius: exact counts", {
  radius: { kind: "int32", meaning: "Radius of the balls", unit: "bits" },
  beta: { kind: "float64", meaning: "Inverse temperature: slope of ln |I| against the cosine" },
  published_beta: { kind: "float64", meaning: "The same, divided as in the released code" },
  r2: { kind: "float64", meaning: "Share of the variance of ln |I| that the line explains" },
});

const readings = table("readings", "Agreement of both readings of random patterns", {
  set: { kind: "int32", meaning: "Set of patterns, from 0" },
  correlation: { kind: "float64", meaning: "Correlation of the weights of stored patterns" },
  uniform: { kind: "float64", meaning: "The same against a softmax of a tenth of the inverse temperature" },
});

export interface Evidence extends Pick<Parameters, "radius" | "seed" | "resamples"> {
  readonly lines: readonly { readonly radius: number; readonly beta: number; readonly r2: number }[];
  readonly correlations: readonly number[];
}

const paper = "attention-approximates-sdm";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "nearly-exponential",
    paper,
    statement: "The weight of a stored pattern falls almost exponentially with its distance.",
    measure: "least share of variance that a line through ln |I| explains, radii from that of the readings up",
    rule: "Replicated where it is above 0.95, not replicated where it is below 0.9, mixed otherwise. A count: there is no sampling error.",
    revised: knownBefore,
    judge: ({ lines: fits, radius: from }) => {
      const wide = fits.filter(({ radius }) => radius >= from).map(({ r2 }) => r2);
      const least = Math.min(...wide);
      const outcome = least > 0.95 ? "replicated" : least < 0.9 ? "not replicated" : "mixed";
      return { ...exact(least, wide.length), outcome };
    },
  },
  {
    id: "nearly-exponential-at-capacity",
    paper,
    statement: "It does so for the radius of largest capacity, too.",
    measure: "share of variance that a line through ln |I| explains at the smallest radius",
    rule: "Replicated where it is above 0.95, not replicated where it is below 0.9, mixed otherwise. A count: there is no sampling error.",
    revised: knownBefore,
    judge: ({ lines: fits }) => {
      const { r2 } = fits.reduce((smallest, fit) => (fit.radius < smallest.radius ? fit : smallest));
      return { ...exact(r2, 1), outcome: r2 > 0.95 ? "replicated" : r2 < 0.9 ? "not replicated" : "mixed" };
    },
  },
  {
    id: "reads-like-softmax",
    paper,
    statement: "Reading the memory is nearly softmax attention over the stored patterns.",
    measure: "correlation of both weights over stored patterns, mean over sets",
    rule: "Replicated where the whole 95 % interval over sets is above 0.95, not replicated where all of it is below 0.8, mixed otherwise.",
    judge: ({ correlations, seed, resamples }) => {
      const interval = bootstrap(correlations, mean, { seed, resamples });
      const outcome = interval.low > 0.95 ? "replicated" : interval.high < 0.8 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
];

export const distributedMemory: Experiment<Parameters, Evidence> = {
  id: "distributed-memory",
  title: "Sparse distributed memory",
  question: "Does softmax attention weigh stored patterns as Kanerva's memory does?",
  papers: [paper],
  scope: "exact part",
  subject: "records",
  parameters,
  inputs: {},
  tables: [lines, readings],
  claims,
  async *run({ parameters: given, progress }) {
    const { bits, radius, leastRadius, mostRadius, sets, patterns, spread, seed, resamples } = given;
    progress(0, 2, "overlaps");
    const fits = Array.from({ length: mostRadius - leastRadius + 1 }, (_, i) => {
      const at = leastRadius + i;
      const { beta, r2 } = softmaxLine(bits, at);
      return { radius: at, beta, r2 };
    });
    yield batch(
      lines,
      fits.map((fit) => ({ ...fit, published_beta: (fit.beta * fit.radius) / (fit.radius - 1) })),
    );
    progress(1, 2, "readings");
    const { beta } = softmaxLine(bits, radius);
    const random = new Random(seed);
    const read = Array.from({ length: sets }, (_, set) => {
      const distances = Array.from({ length: patterns }, () => random.int(Math.floor(spread * bits)));
      const weights = memoryWeights(bits, radius, distances);
      const like = (inverse: number) => pearson(weights, softmaxWeights(bits, inverse, distances));
      return { set, correlation: like(beta), uniform: like(beta / 10) };
    });
    yield batch(readings, read);
    return { radius, seed, resamples, lines: fits, correlations: read.map(({ correlation }) => correlation) };
  },
};
