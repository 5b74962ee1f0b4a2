/**
 * Which earlier tokens can reach a query through layers of static sparse attention. A pattern names the keys of each
 * query; after l layers a query has been reached by what its keys had been reached by after l − 1.
 * Source: "PowerAttention: Exponentially Scaling of Receptive Fields for Effective Sparse Attention", section 3.
 */

/** The keys that a query attends to, itself included. */
export type Pattern = (query: number) => readonly number[];

const keysAt = (query: number, distances: readonly number[]) =>
  distances.filter((distance) => distance <= query).map((distance) => query - distance);

const times = (count: number, distance: (i: number) => number) => Array.from({ length: count }, (_, i) => distance(i));

/** Patterns with `keys` keys per query, for queries far enough from the start; all are causal. */
export const patterns: Readonly<Record<string, (keys: number) => Pattern>> = {
  /** Distances 0, 1, 2, 4, 8, … */
  power: (keys) => (query) => keysAt(query, [0, ...times(keys - 1, (i) => 2 ** i)]),
  /** The nearest tokens. */
  window: (keys) => (query) =>
    keysAt(
      query,
      times(keys, (i) => i),
    ),
  /** Every second token. */
  dilated: (keys) => (query) =>
    keysAt(
      query,
      times(keys, (i) => 2 * i),
    ),
  /** Half of the keys near, half at equal strides: distances 0 … w − 1 and w, 2w, 3w, … */
  "stride slash": (keys) => {
    const near = Math.ceil(keys / 2);
    return (query) => keysAt(query, [...times(near, (i) => i), ...times(keys - near, (i) => (i + 1) * near)]);
  },
};

/** Positions that have reached the last of `length` tokens after 0, 1, … `layers` layers. // layers + 1 × [length] */
export function reached(pattern: Pattern, length: number, layers: number): Uint8Array[] {
  const states = [new Uint8Array(length)];
  states[0][length - 1] = 1;
  for (let layer = 0; layer < layers; ++layer) {
    const next = new Uint8Array(length);
    states[layer].forEach((is, query) => {
      if (is) for (const key of pattern(query)) next[key] = 1;
    });
    states.push(next);
  }
  return states;
}

export const countOf = (positions: Uint8Array): number => positions.reduce((sum, is) => sum + is, 0);

/** Distance of the nearest token that has not reached the last one; the length where all have. */
export function firstGap(positions: Uint8Array): number {
  const last = positions.length - 1;
  for (let distance = 0; distance <= last; ++distance) if (!positions[last - distance]) return distance;
  return positions.length;
}

/** Number of 1 bits: the hops that pure powers of two need for a distance. */
export function bitsSet(distance: number): number {
  let bits = 0;
  for (let rest = distance; rest > 0; rest >>= 1) bits += rest & 1;
  return bits;
}
