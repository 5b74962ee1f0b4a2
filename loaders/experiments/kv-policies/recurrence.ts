/**
 * Tokens that are attended again after they have fallen silent. A key is active for a query that gives it at least a
 * threshold of attention; its own query counts as its first activity.
 * Source: LazyEviction (https://arxiv.org/abs/2506.15969), scores as the catalogue gives them.
 */
import type { Random } from "../../../engine/random.js";

export interface Activity {
  /** The last query for which each key was active. // [keys] */
  readonly last: Int32Array;
  /** The largest number of queries between two activities (MRI); 0 if there was none after the first. // [keys] */
  readonly gap: Int32Array;
}

/** @param attention of queries on keys, [queries, keys] in rows of `stride`; as many queries as keys @param order shuffles each key's activities in time */
export function activityOf(
  attention: Float32Array,
  { keys, stride, threshold }: { readonly keys: number; readonly stride: number; readonly threshold: number },
  order?: Random,
): Activity {
  const last = Int32Array.from({ length: keys }, (_, key) => key);
  const gap = new Int32Array(keys);
  for (let key = 0; key < keys; ++key) {
    const silent: boolean[] = [];
    for (let query = key + 1; query < keys; ++query) silent.push(attention[query * stride + key] < threshold);
    (order?.shuffle(silent) ?? silent).forEach((isSilent, i) => {
      if (isSilent) return;
      const query = key + 1 + i;
      gap[key] = Math.max(gap[key], query - last[key]);
      last[key] = query;
    });
  }
  return { last, gap };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** What a key is worth keeping at query `now`: 2σ(−(now − last)/gap) + 2σ(1 − gap), 0 for one that was never active again. */
export function worth({ last, gap }: Activity, now: number): Float64Array {
  return Float64Array.from(gap, (interval, key) =>
    interval === 0 ? 0 : 2 * sigmoid(-(now - last[key]) / interval) + 2 * sigmoid(1 - interval),
  );
}

/** Share of keys whose largest gap exceeds a number of queries, among keys that at least so many queries follow. */
export function recurring({ gap }: Activity, beyond: number): number {
  const followed = gap.subarray(0, gap.length - beyond - 1);
  return followed.filter((interval) => interval > beyond).length / followed.length;
}
