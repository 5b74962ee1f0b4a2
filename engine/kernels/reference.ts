/** Attention of one layer in plain float64, from its definition in engine/kernels/scoring.ts, for the kernels to be held against. */
import type { Scoring, Shape } from "./scoring.js";

/** @returns heads × queries × [all keys], 0 where hidden */
export function attentionOf(
  { heads, keyValueHeads, headSize, queries, keys }: Shape,
  scoring: Scoring,
  query: ArrayLike<number>,
  key: ArrayLike<number>,
): Float64Array[][] {
  const {
    scale,
    causal,
    softcap,
    window = Number.POSITIVE_INFINITY,
    slopes,
    sinks,
    temperature,
    keyBias,
    pieces,
  } = scoring;
  const visible = (q: number, k: number): boolean =>
    (!causal || k <= q) &&
    Math.abs(q - k) < window &&
    (!pieces || pieces[k] === 0 || pieces[k] === pieces[q] || pieces[q] === -1);
  return Array.from({ length: heads }, (_, head) => {
    const group = Math.floor((head * keyValueHeads) / heads);
    return Array.from({ length: queries }, (_, q) => {
      const scores = Float64Array.from({ length: keys }, (_, k) => {
        if (!visible(q, k)) return Number.NEGATIVE_INFINITY;
        let s = 0;
        for (let d = 0; d < headSize; d++) {
          s += query[(head * queries + q) * headSize + d] * key[(group * keys + k) * headSize + d];
        }
        s *= scale;
        if (softcap) s = softcap * Math.tanh(s / softcap);
        s -= (slopes?.[head] ?? 0) * Math.abs(q - k);
        s /= temperature?.[head] ?? 1;
        if (keyBias && k < q) s += keyBias[(keyBias.length > keys ? head * keys : 0) + k];
        return s;
      });
      const sink = (sinks?.[head] ?? Number.NEGATIVE_INFINITY) / (temperature?.[head] ?? 1);
      const largest = Math.max(sink, ...scores);
      const powers = scores.map((s) => Math.exp(s - largest));
      const total = powers.reduce((a, b) => a + b) + Math.exp(sink - largest);
      return powers.map((power) => power / total);
    });
  });
}
