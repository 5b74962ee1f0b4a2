/** Attention by distance on running text, and its recency slope. */
import type { Forward } from "../../../engine/forward.js";
import { slope } from "../../analysis/slope.js";

/** Distances 0, 1, 2–3, 4–7, … */
export interface Octave {
  readonly low: number;
  readonly high: number;
}

export function octaves(tokens: number): Octave[] {
  const result: Octave[] = [{ low: 0, high: 0 }];
  for (let low = 1; low < tokens; low *= 2) result.push({ low, high: Math.min(2 * low, tokens) - 1 });
  return result;
}

export interface DistanceProfile {
  readonly layers: number;
  readonly heads: number;
  /** Mean attention of a query on one key at that distance. */
  readonly attention: Float64Array; // [layers, heads, octaves]
}

/**
 * Mean over the pairs of a query and a key.
 * @param forward asked for distances, and for the mass on the first token as its first key segment
 * @param counted whether pairs with the first token count
 */
export function distanceProfile(
  { distances, mass }: Forward,
  bins: readonly Octave[],
  counted: boolean,
): DistanceProfile {
  if (!distances || !mass) throw new Error("A profile over distances needs distances and one key segment.");
  const [layers, heads, tokens] = distances.dims;
  const segments = mass.dims[2];
  const attention = new Float64Array(layers * heads * bins.length);
  for (let head = 0; head < layers * heads; ++head) {
    bins.forEach(({ low, high }, bin) => {
      let sum = 0;
      let pairs = 0;
      for (let distance = low; distance <= high; ++distance) {
        sum += distances.data[head * tokens + distance];
        pairs += tokens - distance;
        if (counted) continue;
        sum -= mass.data[head * segments * tokens + distance]; // query `distance` sees the first token at that distance
        --pairs;
      }
      attention[head * bins.length + bin] = pairs > 0 ? sum / pairs : Number.NaN;
    });
  }
  return { layers, heads, attention };
}

/** What rows that spread evenly over the keys they see would give: 1/(q + 1), averaged over the same pairs. */
export function uniformProfile(tokens: number, bins: readonly Octave[], counted: boolean): number[] {
  return bins.map(({ low, high }) => {
    let sum = 0;
    let pairs = 0;
    for (let distance = low; distance <= high; ++distance) {
      for (let query = counted ? distance : distance + 1; query < tokens; ++query, ++pairs) sum += 1 / (query + 1);
    }
    return sum / pairs;
  });
}

/**
 * Exponent of attention over distance, from distance 1 on, against rows that spread evenly: 0 has no preference for
 * near keys, −1 halves the weight with every doubling.
 */
export function recencySlope(
  attention: ArrayLike<number>,
  uniform: readonly number[],
  bins: readonly Octave[],
): number {
  const used = bins.map((bin, i) => ({ ...bin, i })).filter(({ low, i }) => low > 0 && attention[i] > 0);
  return slope(
    used.map(({ low, high }) => Math.log(Math.sqrt(low * (high + 1)))),
    used.map(({ i }) => Math.log(attention[i] / uniform[i])),
  );
}
