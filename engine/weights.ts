/** Weights by name, on their way from a checkpoint to a device. */

/** Bytes `start` to `end` (exclusive) of a file on this machine: one weight as little-endian float32, row-major. */
export interface Place {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** What sessions take their weights from; every checkpoint is one. */
export interface Weights {
  /** A weight as float32, row-major. @throws {UserError} where it cannot be read or is not finite */
  readonly tensor: (name: string) => Promise<Float32Array>;
  /** What `tensor` would throw, without holding the weight in memory. */
  readonly check?: (name: string) => Promise<void>;
  /** Where a runtime can map the weight as it is; undefined where it has to be read. */
  readonly place?: (name: string) => Promise<Place | undefined>;
}

/** Weights that a device keeps ready for the sessions of one model. */
export interface KeptWeights extends Weights {
  readonly release: () => Promise<void>;
}

/** Memory that weights take as float32, from the number of values of each. */
export function weightBytes(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((sum, size) => sum + 4 * size, 0);
}
