/**
 * Can attention to all tokens cost only a linear number of operations? Method:
 * the exponential is replaced by its Taylor polynomial of order two, f(s) = 1 + s + s²/2, of the product of standardised
 * queries and keys. Since f factorises over features of degree up to two, the answer follows from sums over keys that
 * all queries share. It is computed both ways on random inputs, multiplications are counted as they are made, and the
 * rows are compared with those of softmax. Random inputs of one seed are one independent unit, counts are exact.
 *
 * Departures: only the exact part: no model is trained with it, so that its loss and recall stay open. The polynomial and
 * the standardisation are recalled.
 */
import { bootstrap, mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { softmax } from "../../engine/theory/matrix.js";
import { exact } from "../analysis/exact.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { slope } from "../analysis/slope.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  lengths: [64, 128, 256, 512],
  sizes: [4, 8, 16],
  /** Head size at which rows are compared and errors measured. */
  size: 8,
  inputs: 10,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

const costs = table("costs", "Multiplications of both forms: exact counts", {
  size: { kind: "int32", meaning: "Head size" },
  length: { kind: "int32", meaning: "Length of the sequence", unit: "tokens" },
  explicit: { kind: "float64", meaning: "Multiplications with the matrix of weights" },
  factorised: { kind: "float64", meaning: "Multiplications with shared sums" },
});

const rows = table("rows", "Both forms on random inputs, and their rows against softmax", {
  length: { kind: "int32", meaning: "Length of the sequence", unit: "tokens" },
  input: { kind: "int32", meaning: "Random input, from 0" },
  difference: { kind: "float64", meaning: "Largest difference between both forms ÷ largest answer" },
  least_weight: { kind: "float64", meaning: "Smallest weight × length" },
  entropy: { kind: "float64", meaning: "Mean row entropy", unit: "nats" },
  softmax_entropy: { kind: "float64", meaning: "The same with softmax", unit: "nats" },
});

export interface Evidence extends Pick<Parameters, "seed" | "resamples" | "lengths" | "sizes"> {
  /** Multiplications by size and length. // sizes × [lengths] */
  readonly explicit: readonly (readonly number[])[];
  readonly factorised: readonly (readonly number[])[];
  readonly differences: readonly number[];
  /** Smallest weights × length of each input. */
  readonly least: readonly number[];
  /** Entropy with the polynomial minus entropy with softmax, by input. */
  readonly flatter: readonly number[];
}

const paper = "fast-factorizable-attention";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "factorised-is-the-same",
    paper,
    statement: "The factorised form gives the same answers as the matrix of weights.",
    measure: "largest difference ÷ largest answer, float64, mean over inputs",
    rule: "Replicated where the whole 95 % interval over inputs is below 1e-9, not replicated where all of it is above 1e-3, mixed otherwise.",
    judge: ({ differences, seed, resamples }) => {
      const interval = bootstrap(differences, mean, { seed, resamples });
      return {
        ...interval,
        outcome: interval.high < 1e-9 ? "replicated" : interval.low > 1e-3 ? "not replicated" : "mixed",
      };
    },
  },
  {
    id: "cost-is-linear",
    paper,
    statement: "Its cost grows in proportion to the length, not to its square.",
    measure: "exponent of the multiplications in the length, mean over head sizes",
    rule: "Replicated where it is at most 1.05, not replicated where it is above 1.5, mixed otherwise. A count: there is no sampling error.",
    judge: ({ factorised, lengths }) => {
      const exponent = mean(factorised.map((of) => slope(lengths.map(Math.log), of.map(Math.log))));
      const outcome = exponent <= 1.05 ? "replicated" : exponent > 1.5 ? "not replicated" : "mixed";
      return { ...exact(exponent, factorised.length * lengths.length), outcome };
    },
  },
  {
    id: "crossover-grows-with-size",
    paper,
    statement: "It pays from a length on that grows as the square of the head size.",
    measure: "exponent of the length at which both forms cost the same, in the head size",
    rule: "Replicated where it is from 1.7 to 2.3, not replicated where it is below 1 or above 3, mixed otherwise. A count: there is no sampling error.",
    judge: ({ explicit, factorised, lengths, sizes }) => {
      const longest = lengths.length - 1;
      // Costs are a·N² and b·N, so that they are equal at N = b/a.
      const crossovers = sizes.map((_, i) => (factorised[i][longest] * lengths[longest]) / explicit[i][longest]);
      const exponent = slope(sizes.map(Math.log), crossovers.map(Math.log));
      const outcome =
        exponent >= 1.7 && exponent <= 2.3 ? "replicated" : exponent < 1 || exponent > 3 ? "not replicated" : "mixed";
      return { ...exact(exponent, sizes.length), outcome };
    },
  },
  {
    id: "attends-to-all",
    paper,
    statement: "Every token keeps attending to every other: nothing is made sparse.",
    measure: "smallest weight × length, mean over inputs",
    rule: "Replicated where the whole 95 % interval over inputs is above 0.01 (a hundredth of a uniform weight), not replicated where all of it is below 0.0001, mixed otherwise.",
    judge: ({ least, seed, resamples }) => {
      const interval = bootstrap(least, mean, { seed, resamples });
      return {
        ...interval,
        outcome: interval.low > 0.01 ? "replicated" : interval.high < 1e-4 ? "not replicated" : "mixed",
      };
    },
  },
  {
    id: "rows-are-flatter",
    paper,
    statement: "Its rows are flatter than those of softmax.",
    measure: "mean row entropy with the polynomial minus that with softmax, in nats, mean over inputs",
    rule: positiveRule("0.05 nats"),
    judge: ({ flatter, seed, resamples }) => {
      const interval = bootstrap(flatter, mean, { seed, resamples });
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
];

export const factorisedAttention: Experiment<Parameters, Evidence> = {
  id: "factorised-attention",
  title: "Factorised attention",
  question: "Can every token attend to every other at a cost that is linear in the length?",
  papers: [paper],
  scope: "exact part",
  subject: "records",
  parameters,
  inputs: {},
  tables: [costs, rows],
  claims,
  async *run({ parameters: given, progress, signal }) {
    const { lengths, sizes, size, inputs, seed, resamples } = given;
    const explicit: number[][] = [];
    const factorised: number[][] = [];
    for (const [done, of] of sizes.entries()) {
      progress(done, sizes.length + 1, `head size ${of}`);
      const counted = lengths.map((length) => {
        signal.throwIfAborted();
        const random = new Random(seed);
        const head = randomHead(random, length, of);
        return { length, explicit: answered(head).multiplications, factorised: fromSums(head).multiplications };
      });
      explicit.push(counted.map((count) => count.explicit));
      factorised.push(counted.map((count) => count.factorised));
      yield batch(
        costs,
        counted.map((count) => ({ size: of, ...count })),
      );
    }
    progress(sizes.length, sizes.length + 1, "rows");
    const length = lengths[1];
    const found = Array.from({ length: inputs }, (_, input) => {
      const head = randomHead(new Random(seed * 1000 + input), length, size);
      const [direct, shared] = [answered(head), fromSums(head)];
      const most = direct.output.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      const apart = direct.output.reduce(
        (largest, value, i) => Math.max(largest, Math.abs(value - shared.output[i])),
        0,
      );
      return {
        length,
        input,
        difference: apart / most,
        least_weight: direct.least * length,
        entropy: direct.entropy,
        softmax_entropy: softmaxEntropy(head),
      };
    });
    yield batch(rows, found);
    return {
      seed,
      resamples,
      lengths,
      sizes,
      explicit,
      factorised,
      differences: found.map(({ difference }) => difference),
      least: found.map(({ least_weight }) => least_weight),
      flatter: found.map(({ entropy, softmax_entropy }) => entropy - softmax_entropy),
    };
  },
};

export interface Head {
  readonly queries: Float64Array; // [length, size], mean 0 and variance 1 per token
  readonly keys: Float64Array; // [length, size], the same
  readonly values: Float64Array; // [length, size]
  readonly size: number;
}

export function randomHead(random: Random, length: number, size: number): Head {
  const normals = () => Float64Array.from({ length: length * size }, () => random.normal());
  return { queries: standardised(normals(), size), keys: standardised(normals(), size), values: normals(), size };
}

function standardised(x: Float64Array, size: number): Float64Array {
  for (let start = 0; start < x.length; start += size) {
    const token = x.subarray(start, start + size);
    const centre = mean(token);
    const deviation = Math.sqrt(mean(token.map((value) => (value - centre) ** 2)));
    for (let c = 0; c < size; ++c) token[c] = (token[c] - centre) / deviation;
  }
  return x;
}

/** Factor on the product of query and key before the polynomial, as in softmax attention. */
const scaleOf = (size: number) => 1 / Math.sqrt(size);

function product({ queries, keys, size }: Head, q: number, k: number): number {
  let sum = 0;
  for (let c = 0; c < size; ++c) sum += queries[q * size + c] * keys[k * size + c];
  return sum * scaleOf(size);
}

/** With the matrix of weights, row by row. */
export function answered(head: Head) {
  const { queries, values, size } = head;
  const length = queries.length / size;
  const output = new Float64Array(length * size);
  const weights = new Float64Array(length);
  let [least, entropy, multiplications] = [1, 0, 0];
  for (let q = 0; q < length; ++q) {
    let sum = 0;
    for (let k = 0; k < length; ++k) {
      const s = product(head, q, k);
      weights[k] = 1 + s + (s * s) / 2;
      sum += weights[k];
      multiplications += size + 3;
    }
    for (let k = 0; k < length; ++k) {
      const weight = weights[k] / sum;
      least = Math.min(least, weight);
      entropy -= (weight * Math.log(weight)) / length;
      for (let c = 0; c < size; ++c) output[q * size + c] += weight * values[k * size + c];
      multiplications += size + 1;
    }
  }
  return { output, least, entropy, multiplications };
}

/** From sums over keys that all queries share: features 1, s and s²/2 of every product of components. */
export function fromSums({ queries, keys, values, size }: Head) {
  const length = queries.length / size;
  const features = 1 + size + size * size;
  const feature = (x: Float64Array, token: number, scale: number): Float64Array => {
    const of = new Float64Array(features);
    of[0] = 1;
    for (let a = 0; a < size; ++a) {
      of[1 + a] = scale * x[token * size + a];
      for (let b = 0; b < size; ++b)
        of[1 + size + a * size + b] = (scale * scale * x[token * size + a] * x[token * size + b]) / Math.SQRT2;
    }
    return of;
  };
  const root = Math.sqrt(scaleOf(size)); // on each side, so that features multiply to the scaled product
  const sums = new Float64Array(features * (size + 1)); // [features, value components and 1]
  let multiplications = 0;
  for (let k = 0; k < length; ++k) {
    const of = feature(keys, k, root);
    for (let f = 0; f < features; ++f) {
      for (let c = 0; c < size; ++c) sums[f * (size + 1) + c] += of[f] * values[k * size + c];
      sums[f * (size + 1) + size] += of[f];
    }
    multiplications += features * (size + 1);
  }
  const output = new Float64Array(length * size);
  const mixed = new Float64Array(size + 1);
  for (let q = 0; q < length; ++q) {
    const of = feature(queries, q, root);
    mixed.fill(0);
    for (let f = 0; f < features; ++f) for (let c = 0; c <= size; ++c) mixed[c] += of[f] * sums[f * (size + 1) + c];
    for (let c = 0; c < size; ++c) output[q * size + c] = mixed[c] / mixed[size];
    multiplications += features * (size + 2) + size;
  }
  return { output, multiplications };
}

function softmaxEntropy(head: Head): number {
  const length = head.queries.length / head.size;
  const row = new Float64Array(length);
  let entropy = 0;
  for (let q = 0; q < length; ++q) {
    for (let k = 0; k < length; ++k) row[k] = product(head, q, k);
    softmax(row);
    for (const weight of row) entropy -= (weight * Math.log(weight)) / length;
  }
  return entropy;
}
