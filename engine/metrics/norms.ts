/** Lengths of the vectors that attention works on. */
import { type Metric, sum } from "./metric.js";

type OfVector = Metric<(vector: ArrayLike<number>) => number>;

const length = (vector: ArrayLike<number>): number => Math.sqrt(sum(vector, (x) => x * x));
const gu = "Gu et al. 2024, https://arxiv.org/abs/2410.10781";

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
