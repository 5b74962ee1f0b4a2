/**
 * The single definition of every number that experiments report. A metric's `reference` computes it in float64 from
 * full attention rows; devices are tested against it. Functions beside a metric derive it from statistics that a
 * forward pass returns, so that nothing of size tokens² is needed.
 */
export interface Metric<Reference> {
  readonly id: string;
  /** Rises when a change of the definition changes numbers. */
  readonly version: number;
  readonly unit: string;
  /** The definition, with A[q,k] the attention of query q on key k, both from 0, and T tokens. */
  readonly formula: string;
  /** What holds where the formula is undefined or says less than it seems to. */
  readonly edges: string;
  readonly source: string;
  readonly reference: Reference;
}

/** Attention of one query over the keys from 0 on. */
export type Row = ArrayLike<number>; // [keys]

/** Attention of one head. */
export type Matrix = readonly Row[]; // queries × [keys]

export function sum(values: ArrayLike<number>): number;
export function sum<T>(values: ArrayLike<T>, of: (value: T, index: number) => number): number;
export function sum<T>(values: ArrayLike<T>, of: (value: T, index: number) => number = Number): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += of(values[i], i);
  return total;
}
