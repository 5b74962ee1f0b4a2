/**
 * 95 % intervals by Student's t, for means of few units: the percentile bootstrap of three or four units is too narrow,
 * because it takes their own spread for that of all there could be.
 */
import { type Interval, mean } from "./interval.js";

/** The mean of units. Needs two or more. */
export function studentMean(values: readonly number[]): Interval {
  const estimate = mean(values);
  const error = standardError(values);
  return around(estimate, error, values.length - 1, values.length);
}

/**
 * The difference of the means of two independent groups whose spreads may differ. `n` is the smaller group's size.
 * Source: B. L. Welch, Biometrika 34 (1947), 28–35.
 */
export function studentDifference(one: readonly number[], other: readonly number[]): Interval {
  const parts = [one, other].map((values) => ({ square: standardError(values) ** 2, freedom: values.length - 1 }));
  const square = parts.reduce((sum, part) => sum + part.square, 0);
  const freedom = square ** 2 / parts.reduce((sum, part) => sum + part.square ** 2 / part.freedom, 0);
  return around(mean(one) - mean(other), Math.sqrt(square), freedom, Math.min(one.length, other.length));
}

function standardError(values: readonly number[]): number {
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

function around(estimate: number, error: number, freedom: number, n: number): Interval {
  const half = error === 0 ? 0 : error * twoSided95(freedom);
  return { estimate, low: estimate - half, high: estimate + half, n };
}

/** The t beyond which, on both sides together, 5 % lie; for one degree of freedom or more. */
export function twoSided95(freedom: number): number {
  let [low, high] = [1, 1e3]; // 12.7 for one degree of freedom, 1.96 for very many
  for (let step = 0; step < 50; ++step) {
    const t = (low + high) / 2;
    if (beyond(t, freedom) > 0.05) low = t;
    else high = t;
  }
  return (low + high) / 2;
}

/** P(|T| > t) = I_x(ν/2, 1/2) at x = ν/(ν + t²), as an integral over the angle: T = √ν tan θ has the density cos^(ν−1) θ. */
function beyond(t: number, freedom: number): number {
  const from = Math.atan(t / Math.sqrt(freedom));
  return angles(from, freedom) / angles(0, freedom);
}

/** ∫ cos^(ν−1) θ dθ from an angle to π/2, by Simpson's rule in u with θ = π/2 − u², which is smooth for ν from 1 on. */
function angles(from: number, freedom: number): number {
  const end = Math.sqrt(Math.PI / 2 - from);
  const steps = 200;
  const at = (u: number) => 2 * u * Math.sin(u * u) ** (freedom - 1);
  let sum = at(0) + at(end);
  for (let i = 1; i < steps; ++i) sum += (i % 2 === 0 ? 2 : 4) * at((i * end) / steps);
  return (sum * end) / (3 * steps);
}
