/**
 * Kanerva's sparse distributed memory with binary addresses: a pattern is written to, and a query read from, every
 * address within Hamming radius r, so that a pattern counts by the number of addresses in both balls.
 *
 * |I(v, r)| = Σ C(n − v, j) C(v, b) over j + b ≤ r and j + v − b ≤ r, for two n-bit addresses that differ in v bits: j
 * of the bits that agree and b of those that differ are flipped. Its logarithm is nearly linear in the cosine
 * 1 − 2v/n, which makes reading nearly softmax attention; the slope is the inverse temperature β.
 * Source: "Attention Approximates Sparse Distributed Memory" and https://github.com/TrentBrick/attention-approximates-sdm
 */

/** Number of addresses of `bits` bits within `radius` of both ends of a pair at `distance`. */
export function intersection(bits: number, radius: number, distance: number): number {
  let sum = 0;
  for (let b = 0; b <= Math.min(distance, radius); ++b) {
    const most = Math.min(radius - b, radius - distance + b, bits - distance);
    for (let j = 0; j <= most; ++j) sum += binomial(bits - distance, j) * binomial(distance, b);
  }
  return sum;
}

function binomial(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; ++i) product = (product * (n - k + i)) / i;
  return product;
}

export const cosine = (bits: number, distance: number): number => 1 - (2 * distance) / bits;

export interface Line {
  /** Slope: the softmax's inverse temperature. */
  readonly beta: number;
  readonly intercept: number;
  /** Share of the variance that the line explains. */
  readonly r2: number;
}

/** Least-squares line through ln |I| against the cosine, at distances 0 … radius − 1. */
export function softmaxLine(bits: number, radius: number): Line {
  const x = Array.from({ length: radius }, (_, distance) => cosine(bits, distance));
  const y = Array.from({ length: radius }, (_, distance) => Math.log(intersection(bits, radius, distance)));
  const [mx, my] = [x, y].map((values) => values.reduce((sum, value) => sum + value) / radius);
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < radius; ++i) {
    xx += (x[i] - mx) ** 2;
    xy += (x[i] - mx) * (y[i] - my);
    yy += (y[i] - my) ** 2;
  }
  const beta = xy / xx;
  return { beta, intercept: my - beta * mx, r2: xy ** 2 / (xx * yy) };
}

/** What a memory gives each stored pattern, from its distance to the query: shares that sum to 1. */
export function memoryWeights(bits: number, radius: number, distances: readonly number[]): number[] {
  return shares(distances.map((distance) => intersection(bits, radius, distance)));
}

/** What softmax attention gives them. */
export function softmaxWeights(bits: number, beta: number, distances: readonly number[]): number[] {
  return shares(distances.map((distance) => Math.exp(beta * (cosine(bits, distance) - 1))));
}

function shares(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
