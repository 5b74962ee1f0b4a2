/**
 * How far a matrix of mean scores S(i,j) is a function of the distance i − j alone.
 * All readings look at the earlier keys j < i of each query i: a token's score with itself measures its own length.
 * Source: the causal-mask paper (arXiv 2509.21042) subtracts the mean of every diagonal; the summaries are ours.
 */
import { spearman } from "./interval.js";

/** Calls `visit` for every pair of a query and an earlier key; keys before `first` are left out. */
function eachPair(tokens: number, first: number, visit: (query: number, key: number) => void): void {
  for (let query = first + 1; query < tokens; ++query) for (let key = first; key < query; ++key) visit(query, key);
}

/** N(i,j) = S(i,j) − mean of S along the diagonal i − j; zero where j ≥ i. */
export function nonRelative(scores: ArrayLike<number>, tokens: number, first = 0): Float64Array {
  const diagonal = new Float64Array(tokens); // [distance]
  eachPair(tokens, first, (query, key) => {
    diagonal[query - key] += scores[query * tokens + key] / (tokens - first - (query - key));
  });
  const result = new Float64Array(tokens * tokens); // [queries, keys]
  eachPair(tokens, first, (query, key) => {
    result[query * tokens + key] = scores[query * tokens + key] - diagonal[query - key];
  });
  return result;
}

/** S minus its mean over all pairs; zero where j ≥ i. */
export function centred(scores: ArrayLike<number>, tokens: number, first = 0): Float64Array {
  let sum = 0;
  let pairs = 0;
  eachPair(tokens, first, (query, key) => {
    sum += scores[query * tokens + key];
    ++pairs;
  });
  const result = new Float64Array(tokens * tokens); // [queries, keys]
  eachPair(tokens, first, (query, key) => {
    result[query * tokens + key] = scores[query * tokens + key] - sum / pairs;
  });
  return result;
}

/** Var(N)/Var(S): 0 where the distance says everything, 1 where it says nothing. */
export function nonRelativity(scores: ArrayLike<number>, tokens: number, first = 0): number {
  const power = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
  return power(nonRelative(scores, tokens, first)) / power(centred(scores, tokens, first));
}

/**
 * Slope of the score over the key's index, within queries: one least-squares slope for all rows, each around its own
 * mean. Linear in the scores, so that noise does not bias it. In score per token.
 */
export function keySlope(scores: ArrayLike<number>, tokens: number, first = 0): number {
  let product = 0;
  let square = 0;
  eachPair(tokens, first, (query, key) => {
    const offset = key - (first + query - 1) / 2;
    product += offset * scores[query * tokens + key];
    square += offset * offset;
  });
  return product / square;
}

/**
 * Mean over queries (with three earlier keys or more) of Spearman's correlation between a key's index and its score.
 * Noise in the scores pulls it towards 0.
 */
export function keyCorrelation(scores: ArrayLike<number>, tokens: number, first = 0): number {
  let sum = 0;
  let rows = 0;
  for (let query = first + 3; query < tokens; ++query) {
    const row = Array.from({ length: query - first }, (_, k) => scores[query * tokens + first + k]);
    const correlation = spearman([...row.keys()], row);
    if (Number.isNaN(correlation)) continue; // a constant row prefers no key
    sum += correlation;
    ++rows;
  }
  return rows > 0 ? sum / rows : Number.NaN;
}

/** Share of the steps from one earlier key to the next on which the score rises. */
export function rising(scores: ArrayLike<number>, tokens: number, first = 0): number {
  let up = 0;
  let steps = 0;
  eachPair(tokens, first, (query, key) => {
    if (key + 1 >= query) return;
    ++steps;
    if (scores[query * tokens + key + 1] > scores[query * tokens + key]) ++up;
  });
  return up / steps;
}
