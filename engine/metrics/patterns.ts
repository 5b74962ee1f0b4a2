/** Attention at one telling key per query. */
import type { Matrix, Metric } from "./metric.js";

type OfPattern = Metric<(attention: Matrix, ids: ArrayLike<number>) => number>;

const olsson = "Olsson et al. 2022, https://arxiv.org/abs/2209.11895";

export const previousToken: OfPattern = {
  id: "previous-token",
  version: 1,
  unit: "probability",
  formula: "mean over q ≥ 1 of A[q,q−1]",
  edges: "Undefined (NaN) for a single token.",
  source: olsson,
  reference: (attention, ids) => patternMean(attention, previousTargets(ids.length)),
};

export const duplicateToken: OfPattern = {
  id: "duplicate-token",
  version: 1,
  unit: "probability",
  formula: "mean of A[q,p], p = latest position before q with the same token",
  edges: "Queries whose token is new are left out; undefined (NaN) where all are.",
  source: "Wang et al. 2022, https://arxiv.org/abs/2211.00593",
  reference: (attention, ids) => patternMean(attention, duplicateTargets(ids)),
};

export const induction: OfPattern = {
  id: "induction",
  version: 1,
  unit: "probability",
  formula: "mean of A[q,p+1], p = latest position before q with the same token",
  edges:
    "Queries whose token is new, or directly repeats the one before (p + 1 = q), are left out; undefined (NaN) where all are.",
  source: olsson,
  reference: (attention, ids) => patternMean(attention, inductionTargets(ids)),
};

export const retrievalScore: Metric<
  (attention: Matrix, needles: ArrayLike<number>, correct: ArrayLike<number>) => number
> = {
  id: "retrieval-score",
  version: 1,
  unit: "share of answer tokens",
  formula: "|{q: argmax_k A[q,k] = needle(q) and the model predicts the needle's token at q}| / |{q: needle(q) given}|",
  edges:
    "Under the given answer and with one needle token per query; the source lets the model generate freely and takes any needle token of the same text. Ties of the maximum count as hits; undefined (NaN) where no query has a needle.",
  source: "Wu et al. 2024, https://arxiv.org/abs/2404.15574",
  reference: (attention, needles, correct) =>
    retrieved(
      attention.map((row, query) => (needles[query] < 0 ? Number.NaN : row[needles[query]])),
      attention.map((row) => Math.max(...Array.from(row))),
      correct,
    ),
};

/** For each query its previous token; −1 for the first. Feed to `Request.targets`, as the next two. */
export const previousTargets = (tokens: number): Int32Array =>
  Int32Array.from({ length: tokens }, (_, query) => query - 1);

/** For each query the latest earlier position with the same token; −1 where there is none. */
export function duplicateTargets(ids: ArrayLike<number>): Int32Array {
  const latest = new Map<number, number>();
  return Int32Array.from(ids, (id, query) => {
    const key = latest.get(id) ?? -1;
    latest.set(id, query);
    return key;
  });
}

/** For each query the token after the latest earlier position with the same token; −1 where there is none. */
export const inductionTargets = (ids: ArrayLike<number>): Int32Array =>
  duplicateTargets(ids).map((key, query) => (key < 0 || key + 1 === query ? -1 : key + 1));

/** The mean of the values that are numbers: a pattern's score from one row of a forward pass's `pattern`. */
export function meanDefined(values: ArrayLike<number>): number {
  let total = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    total += values[i];
    count++;
  }
  return total / count;
}

/**
 * @param atNeedle attention at each query's needle, NaN where it has none: one row of a forward pass's `pattern`
 * @param largest the largest attention of each query: one row of its `maximum`
 * @param correct 1 where the next token was predicted
 */
export function retrieved(atNeedle: ArrayLike<number>, largest: ArrayLike<number>, correct: ArrayLike<number>): number {
  return meanDefined(
    Array.from(atNeedle, (p, query) => (Number.isNaN(p) ? p : Number(p >= largest[query] && correct[query] === 1))),
  );
}

const patternMean = (attention: Matrix, targets: Int32Array): number =>
  meanDefined(attention.map((row, query) => (targets[query] < 0 ? Number.NaN : row[targets[query]])));
