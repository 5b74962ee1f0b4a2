/**
 * How much of a query's attention stays local, exactly and by the Gaussian estimate of "Unveiling Simplicities of
 * Attention" (arXiv 2502.09647): the mean of exp(s) over scores s that are Gaussian with mean m and variance v is
 * exp(m + v/2), and with s = q·k/√d over keys of mean μ and covariance Σ, m = q·μ/√d and v = qᵀΣq/d.
 */

/** Keys `first` to `end` (exclusive). */
export interface Span {
  readonly first: number;
  readonly end: number;
}

/** The first keys and the last ones are local, the bulk is between them. */
export interface Split {
  readonly sinks: Span;
  readonly bulk: Span;
  readonly window: Span;
}

/** @param query sees keys 0 … query. The bulk is empty where the window reaches the sinks. */
export function splitOf(query: number, { sinks, window }: { readonly sinks: number; readonly window: number }): Split {
  const first = Math.min(sinks, query + 1);
  const recent = Math.max(first, query + 1 - window);
  return { sinks: { first: 0, end: first }, bulk: { first, end: recent }, window: { first: recent, end: query + 1 } };
}

/** S = A_local ÷ (A_local + A_bulk), A the sum of exp(score) over a set. */
export function exactShare(scores: ArrayLike<number>, { sinks, bulk, window }: Split): number {
  const far = logSum(scores, [bulk]);
  const local = logSum(scores, [sinks, window]);
  return 1 / (1 + Math.exp(far - local));
}

/**
 * The same with the sum over the bulk estimated from mean and variance of other scores of the same query.
 * @param sample scores of the query with the keys whose moments are taken
 */
export function gaussianShare(
  scores: ArrayLike<number>,
  { sinks, bulk, window }: Split,
  sample: ArrayLike<number>,
  of: readonly Span[],
): number {
  let [count, sum, squares] = [0, 0, 0];
  for (const { first, end } of of) {
    for (let key = first; key < end; ++key) {
      count += 1;
      sum += sample[key];
      squares += sample[key] ** 2;
    }
  }
  const centre = sum / count;
  const variance = Math.max(0, squares / count - centre ** 2);
  const far = Math.log(bulk.end - bulk.first) + centre + variance / 2;
  return 1 / (1 + Math.exp(far - logSum(scores, [sinks, window])));
}

function logSum(scores: ArrayLike<number>, spans: readonly Span[]): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const { first, end } of spans) {
    for (let key = first; key < end; ++key) largest = Math.max(largest, scores[key]);
  }
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  let sum = 0;
  for (const { first, end } of spans) {
    for (let key = first; key < end; ++key) sum += Math.exp(scores[key] - largest);
  }
  return largest + Math.log(sum);
}
