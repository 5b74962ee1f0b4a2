/**
 * What does a vector of fixed length lose of a text? Method:
 * documents are bags of words drawn from Zipf's law, queries a few words of one of them. Documents and queries are
 * projected on k random Gaussian directions, and it is counted how often the projection orders a pair of documents
 * otherwise than the exact product of word counts; the margin of a pair is ε = ⟨q, d₁ − d₂⟩ / (‖q‖ ‖d₁ − d₂‖). Then a
 * document is split into parts with a vector each, and scored by its best part. Collections with their own documents,
 * queries and projections are the independent units.
 *
 * Departures: words and queries are synthetic, and projections random where trained encoders could do better. The
 * bound on the error is recalled and is not judged.
 */
import { bootstrap, mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { slope } from "../analysis/slope.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  vocabulary: 1000,
  lengths: [16, 64, 256, 1024],
  sizes: [16, 64, 256],
  /** Words of a query, drawn from one passage of as many words as the shortest document. */
  queryWords: 4,
  documents: 12,
  queries: 12,
  collections: 12,
  /** Vectors of a split document. */
  parts: 8,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

const orders = table("orders", "Pairs of documents that a projection orders otherwise than the exact product", {
  length: { kind: "int32", meaning: "Words of a document" },
  size: { kind: "int32", meaning: "Dimensions of the projection" },
  estimate: { kind: "float64", meaning: "Share of pairs in the wrong order, mean over collections" },
  low: { kind: "float64", meaning: "Lower end of the 95 % interval over collections" },
  high: { kind: "float64", meaning: "Upper end of the 95 % interval over collections" },
  margin: { kind: "float64", meaning: "Mean margin ε of the pairs" },
});

const margins = table("margins", "The same by margin and dimensions together", {
  strength: { kind: "float64", meaning: "Middle of the bin of k ε²" },
  errors: { kind: "float64", meaning: "Share of pairs in the wrong order" },
  pairs: { kind: "int32", meaning: "Pairs in the bin" },
});

const found = table("found", "Queries whose document comes first", {
  vectors: { kind: "text", meaning: "one: a vector per document; several: a vector per part, the best part counts" },
  length: { kind: "int32", meaning: "Words of a document" },
  estimate: { kind: "float64", meaning: "Share of queries, mean over collections" },
  low: { kind: "float64", meaning: "Lower end of the 95 % interval over collections" },
  high: { kind: "float64", meaning: "Upper end of the 95 % interval over collections" },
});

/** A pair in a projection. */
interface Pair {
  /** k ε². */
  readonly strength: number;
  readonly wrong: boolean;
}

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** Share of pairs in the wrong order at the middle number of dimensions. // lengths × [collections] */
  readonly wrong: readonly (readonly number[])[];
  /** Pairs of each collection. */
  readonly pairs: readonly (readonly Pair[])[];
  /** Share of queries found at the largest length, by collection. */
  readonly one: readonly number[];
  readonly several: readonly number[];
}

const paper = "sparse-dense-attentional-retrieval";

/** Edges of the bins of k ε²; errors are too rare beyond the last. */
const edges = [0, 0.5, 1, 2, 3, 4, 6];

function byStrength(pairs: readonly Pair[]) {
  return edges.slice(1).map((high, i) => {
    const within = pairs.filter(({ strength }) => strength >= edges[i] && strength < high);
    const errors = mean(within.map(({ wrong }) => Number(wrong)));
    return { strength: (edges[i] + high) / 2, errors, pairs: within.length };
  });
}

/** Slope of ln(share of errors) against k ε², over bins with errors. */
function decay(pairs: readonly Pair[]): number {
  const bins = byStrength(pairs).filter(({ errors }) => errors > 0);
  return slope(
    bins.map(({ strength }) => strength),
    bins.map(({ errors }) => Math.log(errors)),
  );
}

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "errors-grow-with-length",
    paper,
    statement: "At equal dimensions, longer documents are put in the wrong order more often.",
    measure:
      "share of pairs in the wrong order, longest minus shortest documents, at the middle number of dimensions, mean over collections",
    rule: positiveRule("0.02"),
    judge: ({ wrong, seed, resamples }) => {
      const differences = wrong[wrong.length - 1].map((share, i) => share - wrong[0][i]);
      const interval = bootstrap(differences, mean, { seed, resamples });
      return { ...interval, outcome: expectPositive(interval, 0.02) };
    },
  },
  {
    id: "errors-fall-exponentially",
    paper,
    statement: "Errors fall exponentially with the dimensions times the squared margin.",
    measure: "slope of the logarithm of the share of wrong pairs against k ε², from 0 to 6",
    rule: "Replicated where the whole 95 % interval over collections lies from −1 to −0.25 (−½ is that of a Gaussian tail), not replicated where all of it is above −0.1, mixed otherwise.",
    judge: ({ pairs, seed, resamples }) => {
      const interval = bootstrap(pairs, (drawn) => decay(drawn.flat()), { seed, resamples: Math.min(resamples, 300) });
      const { low, high } = interval;
      return {
        ...interval,
        outcome: low >= -1 && high <= -0.25 ? "replicated" : low > -0.1 ? "not replicated" : "mixed",
      };
    },
  },
  {
    id: "several-vectors-find-more",
    paper,
    statement: "Several vectors per document, each of that size, find what one vector loses.",
    measure:
      "share of queries whose document comes first, longest documents: several vectors minus one, mean over collections",
    rule: positiveRule("0.05"),
    judge: ({ one, several, seed, resamples }) => {
      const gains = several.map((share, i) => share - one[i]);
      const interval = bootstrap(gains, mean, { seed, resamples });
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
];

export const projectedRetrieval: Experiment<Parameters, Evidence> = {
  id: "projected-retrieval",
  title: "Retrieval by projections",
  question: "What does a vector of fixed length lose of a longer and longer text?",
  papers: [paper],
  scope: "synthetic texts",
  subject: "records",
  parameters,
  inputs: {},
  tables: [orders, margins, found],
  claims,
  async *run({ parameters: given, progress, signal }) {
    const { lengths, sizes, collections, seed, resamples } = given;
    const read: Reading[][][] = []; // lengths × sizes × [collections]
    for (const [done, length] of lengths.entries()) {
      progress(done, lengths.length, `${length} words`);
      const ofLength: Reading[][] = [];
      for (const size of sizes) {
        const readings: Reading[] = [];
        for (let collection = 0; collection < collections; ++collection) {
          signal.throwIfAborted();
          readings.push(readCollection(given, length, size, new Random(seed * 1000 + collection)));
        }
        ofLength.push(readings);
        const wrong = readings.map(({ pairs }) => mean(pairs.map((pair) => Number(pair.wrong))));
        const { estimate, low, high } = bootstrap(wrong, mean, { seed, resamples });
        const margin = mean(readings.flatMap(({ pairs }) => pairs.map(({ strength }) => Math.sqrt(strength / size))));
        yield batch(orders, [{ length, size, estimate, low, high, margin }]);
      }
      read.push(ofLength);
    }
    const middle = Math.floor(sizes.length / 2);
    const pairs = Array.from({ length: collections }, (_, collection) =>
      read.flatMap((ofLength) => ofLength.flatMap((readings) => readings[collection].pairs)),
    );
    yield batch(
      margins,
      byStrength(pairs.flat()).map(({ errors, ...bin }) => ({ ...bin, errors: Number.isNaN(errors) ? 0 : errors })),
    );
    for (const vectors of ["one", "several"] as const) {
      yield batch(
        found,
        lengths.map((length, i) => {
          const shares = read[i][middle].map((reading) => reading[vectors]);
          const { estimate, low, high } = bootstrap(shares, mean, { seed, resamples });
          return { vectors, length, estimate, low, high };
        }),
      );
    }
    const last = read[lengths.length - 1][middle];
    return {
      seed,
      resamples,
      wrong: read.map((ofLength) =>
        ofLength[middle].map((reading) => mean(reading.pairs.map((pair) => Number(pair.wrong)))),
      ),
      pairs,
      one: last.map(({ one }) => one),
      several: last.map(({ several }) => several),
    };
  },
};

interface Reading {
  readonly pairs: readonly Pair[];
  readonly one: number;
  readonly several: number;
}

type Words = Int32Array;

function readCollection(given: Parameters, length: number, size: number, random: Random): Reading {
  const { vocabulary, documents, queries, queryWords, parts } = given;
  const zipf = zipfLaw(vocabulary);
  const texts = Array.from({ length: documents }, () => Int32Array.from({ length }, () => zipf(random)));
  const directions = Float64Array.from({ length: vocabulary * size }, () => random.normal() / Math.sqrt(size));
  const project = (words: Words) => projected(words, directions, size);
  const whole = texts.map(project);
  const split = texts.map((words) =>
    Array.from({ length: parts }, (_, part) =>
      project(words.subarray(Math.floor((part * length) / parts), Math.floor(((part + 1) * length) / parts))),
    ),
  );
  const pairs: Pair[] = [];
  let [one, several] = [0, 0];
  for (let query = 0; query < queries; ++query) {
    const gold = query % documents;
    const passage = Math.min(length, given.lengths[0]);
    const start = random.int(length - passage + 1);
    const asked = Int32Array.from({ length: queryWords }, () => texts[gold][start + random.int(passage)]);
    const vector = project(asked);
    const scores = whole.map((of) => product(vector, of));
    const best = split.map((of) => Math.max(...of.map((part) => product(vector, part))));
    if (isFirst(scores, gold)) one += 1 / queries;
    if (isFirst(best, gold)) several += 1 / queries;
    for (let other = 0; other < documents; ++other) {
      if (other === gold) continue;
      const { strength, exact } = marginOf(asked, texts[gold], texts[other], vocabulary, size);
      if (exact !== 0) pairs.push({ strength, wrong: Math.sign(scores[gold] - scores[other]) !== Math.sign(exact) });
    }
  }
  return { pairs, one, several };
}

const isFirst = (scores: readonly number[], at: number) => scores.every((score, i) => i === at || score < scores[at]);

/** Word ranks with probability ∝ 1/rank. */
function zipfLaw(vocabulary: number): (random: Random) => number {
  const cumulative = new Float64Array(vocabulary);
  let sum = 0;
  for (let rank = 0; rank < vocabulary; ++rank) {
    sum += 1 / (rank + 1);
    cumulative[rank] = sum;
  }
  return (random) => {
    const at = random.next() * sum;
    let [low, high] = [0, vocabulary - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** The counts of words, projected: the sum of the words' directions. // [size] */
function projected(words: Words, directions: Float64Array, size: number): Float64Array {
  const vector = new Float64Array(size);
  for (const word of words) for (let c = 0; c < size; ++c) vector[c] += directions[word * size + c];
  return vector;
}

function product(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let c = 0; c < x.length; ++c) sum += x[c] * y[c];
  return sum;
}

/** k ε² of a pair, and the exact difference of both products with the query. */
export function marginOf(query: Words, first: Words, second: Words, vocabulary: number, size: number) {
  const difference = new Float64Array(vocabulary);
  for (const word of first) ++difference[word];
  for (const word of second) --difference[word];
  const asked = new Float64Array(vocabulary);
  for (const word of query) ++asked[word];
  const exact = product(asked, difference);
  const squares = product(asked, asked) * product(difference, difference);
  return { exact, strength: squares === 0 ? 0 : (size * exact ** 2) / squares };
}
