/** How one query spreads its attention. */
import { type Metric, type Row, sum } from "./metric.js";

type OfRow = Metric<(row: Row) => number>;

export const entropy: OfRow = {
  id: "entropy",
  version: 1,
  unit: "nats",
  formula: "H[q] = −Σ_k A[q,k] ln A[q,k]",
  edges:
    "0 ln 0 = 0. The first query sees one key: H = 0. The mean of H over heads is not the entropy of the mean head. Rows of models with learned sinks sum to less than 1 and are not renormalised.",
  source: "Shannon 1948; for attention: Zhai et al. 2023, https://arxiv.org/abs/2303.06296",
  reference: (row) => sum(row, (p) => (p > 0 ? -p * Math.log(p) : 0)),
};

export const normalisedEntropy: Metric<(row: Row, visible: number) => number> = {
  id: "normalised-entropy",
  version: 1,
  unit: "1",
  formula: "H[q] / ln n[q], n[q] = keys that query q may see",
  edges:
    "Undefined (NaN) where only one key is visible. Keys hidden by a mask, a window or pieces are not counted in n.",
  source: "Zhai et al. 2023, https://arxiv.org/abs/2303.06296",
  reference: (row, visible) => normaliseEntropy(entropy.reference(row), visible),
};

export const effectiveSupport: OfRow = {
  id: "effective-support",
  version: 1,
  unit: "keys",
  formula: "exp H[q]",
  edges: "Between 1 and the number of visible keys. Its mean is not the exponential of the mean entropy.",
  source: "Perplexity of a distribution: Jelinek et al. 1977",
  reference: (row) => Math.exp(entropy.reference(row)),
};

export const maximum: OfRow = {
  id: "maximum",
  version: 1,
  unit: "probability",
  formula: "max_k A[q,k]",
  edges: "1 for the first query.",
  source: "Voita et al. 2019 (confidence), https://arxiv.org/abs/1905.09418",
  reference: (row) => Math.max(...Array.from(row)),
};

export const meanDistance: Metric<(row: Row, query: number) => number> = {
  id: "mean-distance",
  version: 1,
  unit: "tokens",
  formula: "Σ_k A[q,k] · (q − k)",
  edges:
    "Counts tokens in the prompt, not positions handed to the position encoding. Attention on a sink counts in full.",
  source: "Dosovitskiy et al. 2020 (attention distance), https://arxiv.org/abs/2010.11929",
  reference: (row, query) => sum(row, (p, key) => p * (query - key)),
};

/** @returns 0 to 1; NaN where fewer than two keys are visible */
export const normaliseEntropy = (nats: number, visible: number): number =>
  visible > 1 ? nats / Math.log(visible) : Number.NaN;
