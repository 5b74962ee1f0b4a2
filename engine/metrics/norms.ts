/** Lengths of the vectors that attention works on, and what they have in common. */
import type { Values } from "../forward.js";
import { type Metric, sum } from "./metric.js";

type OfVector = Metric<(vector: ArrayLike<number>) => number>;

const length = (vector: ArrayLike<number>): number => Math.sqrt(sum(vector, (x) => x * x));
const gu = "Gu et al. 2024, https://arxiv.org/abs/2410.10781";

export const queryNorm: OfVector = {
  id: "query-norm",
  version: 1,
  unit: "1",
  formula: "‖q[q]‖₂ per head",
  edges: "After position encoding, before the scale of the scores.",
  source: gu,
  reference: length,
};

export const keyNorm: OfVector = {
  id: "key-norm",
  version: 1,
  unit: "1",
  formula: "‖k[k]‖₂ per key–value head",
  edges: "After position encoding; rotary encoding leaves it as it is. Query heads of a group share it.",
  source: gu,
  reference: length,
};

export const valueNorm: OfVector = {
  id: "value-norm",
  version: 1,
  unit: "1",
  formula: "‖v[k]‖₂ per key–value head",
  edges: "Before the output projection, whose scale it leaves out.",
  source: gu,
  reference: length,
};

export const residualNorm: OfVector = {
  id: "residual-norm",
  version: 1,
  unit: "1",
  formula: "‖x_l[t]‖₂ before block l, and after the last one",
  edges: "Before the norm that a block begins with.",
  source: "Sun et al. 2024 (massive activations), https://arxiv.org/abs/2402.17762",
  reference: length,
};

export const tokenUniformity: Metric<(stream: readonly ArrayLike<number>[]) => number> = {
  id: "token-uniformity",
  version: 1,
  unit: "1",
  formula:
    "‖X_l − 1 x̄ᵀ‖_F / ‖X_l‖_F, X_l the stream before block l (tokens as rows), and after the last; x̄ its mean row",
  edges:
    "0 where all tokens are alike, 1 where they have nothing in common. A token of massive norm dominates both norms. Computed from sums in float32: values below 0.001 are not told from 0.",
  source: "Dong et al. 2021, https://arxiv.org/abs/2103.03404, who take another norm of the same residual",
  reference: (stream) => {
    const total = Float64Array.from(stream[0], (_, i) => sum(stream, (x) => x[i]));
    return uniformityOf(
      total,
      stream.map((x) => length(x)),
    );
  },
};

/**
 * @param total the sum of all tokens' vectors, [width]
 * @param norms their lengths, [tokens]
 */
export function uniformityOf(total: ArrayLike<number>, norms: ArrayLike<number>): number {
  const squares = sum(norms, (norm) => norm * norm);
  return Math.sqrt(Math.max(0, squares - sum(total, (x) => x * x) / norms.length) / squares);
}

/** Adds up the streams of all layers, chunk by chunk. */
export class StreamSums {
  readonly #sums: Float64Array; // [layers + 1, width]

  constructor(
    readonly streams: number,
    readonly width: number,
  ) {
    this.#sums = new Float64Array(streams * width);
  }

  /** @param sums of a chunk's tokens, from the given stream on: [streams, width] */
  add(sums: Float32Array, stream = 0): void {
    for (let i = 0; i < sums.length; i++) this.#sums[stream * this.width + i] += sums[i];
  }

  /** @param norms [layers + 1, tokens] */
  uniformity({ data, dims: [streams, tokens] }: Values): Values {
    const of = (stream: number) =>
      uniformityOf(
        this.#sums.subarray(stream * this.width, (stream + 1) * this.width),
        data.subarray(stream * tokens, (stream + 1) * tokens),
      );
    return { data: Float32Array.from({ length: streams }, (_, stream) => of(stream)), dims: [streams] };
  }
}
