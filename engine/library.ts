/** The engine as a library: what `import … from "attention-observatory"` gives wherever there is no more than a browser. */

export type * from "./architecture.js";
export type { Backend, Device } from "./backend.js";
export { type Checkpoint, openCheckpoint } from "./checkpoint.js";
export { UserError } from "./errors.js";
export type * from "./forward.js";
export { Graph } from "./graph.js";
export { visibleKeys } from "./mask.js";
export * from "./metrics/columns.js";
export { metrics } from "./metrics/index.js";
export type { Metric } from "./metrics/metric.js";
export { Model } from "./model.js";
export { randomCheckpoint } from "./random-weights.js";
export { selfCheck, tolerated } from "./self-check.js";
export type { ByteSource } from "./source.js";
export { openTokenizer, type Tokenizer } from "./tokenizer.js";
export type { Weights } from "./weights.js";
