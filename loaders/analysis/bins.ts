/** Values from `low` to `high`, both included. */
export interface Bin {
  readonly low: number;
  readonly high: number;
}

/**
 * Half-octave bins 0, 1, 2, 3, 4–5, 6–7, 8–11, 12–15, … cut to `first` … `last`: a profile over positions has as much
 * detail at 4 as at 400.
 */
export function halfOctaves(first: number, last: number): Bin[] {
  const edges = [0, 1];
  for (let octave = 2; octave <= last; octave *= 2) edges.push(octave, octave * 1.5);
  return edges
    .map((edge, i) => ({
      low: Math.max(edge, first),
      high: Math.min((edges[i + 1] ?? Number.POSITIVE_INFINITY) - 1, last),
    }))
    .filter(({ low, high }) => low <= high);
}
