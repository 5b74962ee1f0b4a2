/** Whether two samples could come from one distribution, by the largest gap between their distribution functions. */

export function largestGap(x: readonly number[], y: readonly number[]): number {
  const below = (sample: readonly number[], at: number) => sample.filter((value) => value <= at).length / sample.length;
  return Math.max(...[...x, ...y].map((at) => Math.abs(below(x, at) - below(y, at))));
}

/**
 * The two-sample test by its limit for large samples, D √(nm ÷ (n + m)) > √(−½ ln(α ÷ 2)).
 * Source: N. Smirnov, Annals of Mathematical Statistics 19 (1948), 279–281.
 */
export function toldApart(x: readonly number[], y: readonly number[], alpha: number): boolean {
  const scaled = largestGap(x, y) * Math.sqrt((x.length * y.length) / (x.length + y.length));
  return scaled > Math.sqrt(-0.5 * Math.log(alpha / 2));
}
