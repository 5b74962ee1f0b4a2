/** Statistics of attention, reduced inside the graph: nothing of size tokens² leaves it unless asked for by name. */
import type { Architecture } from "./architecture.js";
import type { Prompt, Request } from "./forward.js";
import type { Graph, Value } from "./graph.js";

/** What is in a graph. Two requests with the same plan share a session. */
export interface Plan {
  readonly rows: boolean;
  /** Weighted key sets, one column each; for the rows' mean distance two more. */
  readonly mass: boolean;
  readonly received: boolean;
  readonly pattern: boolean;
  readonly distances: boolean;
  readonly norms: boolean;
  readonly logits: false | "loss" | "last" | "all";
  readonly attention: boolean;
  readonly scores: boolean;
  readonly keyBias: boolean;
}

export function planOf(prompt: Prompt, request: Request): Plan {
  const { keyBias } = prompt;
  return {
    rows: request.rows ?? false,
    mass: (request.rows ?? false) || (request.keySegments?.length ?? 0) > 0,
    received: (request.queryGroups?.length ?? 0) > 0,
    pattern: (request.targets?.length ?? 0) > 0,
    distances: request.distances ?? false,
    norms: request.norms ?? false,
    logits: request.logits ?? false,
    attention: request.attention ?? false,
    scores: request.scores ?? false,
    // One bias for all layers and heads is part of the mask and needs no graph of its own.
    keyBias: keyBias !== undefined && keyBias.dims[0] * keyBias.dims[1] > 1,
  };
}

/** Adds the statistics to a graph layer by layer, and stacks the layers of each into one output. */
export class Statistics {
  readonly #stacks = new Map<string, Value[]>();

  constructor(
    readonly graph: Graph,
    readonly architecture: Architecture,
    readonly plan: Plan,
  ) {}

  #stack(name: string, value: Value): void {
    const values = this.#stacks.get(name);
    if (values) values.push(value);
    else this.#stacks.set(name, [value]);
  }

  #reduce(op: string, value: Value, axis: number): Value {
    return this.graph.node(op, [value, this.graph.integers(axis)], { keepdims: 0 });
  }

  residual(x: Value): void {
    if (this.plan.norms) this.#stack("residual norm", this.#reduce("ReduceL2", x, -1)); // [queries]
  }

  /** @param key and @param value [queries, keyValueHeads, headSize] */
  newKeysAndValues(key: Value, value: Value): void {
    this.#stack("keys", key);
    this.#stack("values", value);
    if (!this.plan.norms) return;
    this.#stack("key norm", this.#reduce("ReduceL2", key, -1)); // [queries, keyValueHeads]
    this.#stack("value norm", this.#reduce("ReduceL2", value, -1));
  }

  /**
   * The softmax of the scores. Where entropy is asked for, the scores are centred on their largest first: with
   * p = softmax(s) and LSE the log-sum-exp of s − max s, which is −ln max p, H = LSE − Σ p · (s − max s) is a sum of
   * small terms, where LSE − Σ p · s would be a small difference of large ones.
   * @param scores [heads, queries, keys]
   */
  softmax(scores: Value): Value {
    const { graph, plan } = this;
    const softmax = (x: Value) => graph.node("Softmax", [x], { axis: -1 });
    if (!plan.rows) return softmax(scores);
    const op = (name: string, ...inputs: Value[]) => graph.node(name, inputs);
    const largest = graph.node("ReduceMax", [scores, graph.integers(-1)], { keepdims: 1 }); // [heads, queries, 1]
    const centred = op("Sub", scores, largest);
    const attention = softmax(centred);
    const maximum = this.#reduce("ReduceMax", attention, -1); // [heads, queries]
    const expected = this.#reduce("ReduceSum", op("Mul", attention, centred), -1);
    this.#stack("entropy", op("Sub", graph.scalar(0), op("Add", op("Log", maximum), expected))); // Neg would give −0
    this.#stack("maximum", maximum);
    return attention;
  }

  /**
   * @param raw the scores before masking, [heads, queries, keys]
   * @param attention their softmax after it, [heads, queries, keys]
   */
  attention(raw: Value, attention: Value): void {
    const { graph, plan } = this;
    const op = (name: string, ...inputs: Value[]) => graph.node(name, inputs);
    if (plan.mass) {
      const weights = graph.input("key weights", "float32", ["keys", "segments"]);
      this.#stack("mass", op("MatMul", attention, weights)); // [heads, queries, segments]
    }
    if (plan.received) {
      const weights = graph.input("query weights", "float32", ["groups", "queries"]);
      this.#stack("received", op("MatMul", weights, attention)); // [heads, groups, keys]
    }
    if (plan.pattern) {
      const targets = graph.input("targets", "int32", [this.architecture.heads, "queries", "patterns"]);
      this.#stack("pattern", graph.node("GatherElements", [attention, targets], { axis: 2 })); // [heads, queries, patterns]
    }
    if (plan.distances) this.#stack("distances", this.#byDistance(attention));
    if (plan.attention) this.#stack("attention", attention);
    if (plan.scores) this.#stack("scores", this.#reduce("ReduceMean", raw, 0)); // [queries, keys]
  }

  /**
   * Sums along the diagonals without an index: rows of `keys` values, read again as rows of keys + 1, are shifted by
   * one more place each. Column c then holds key − query = c within the chunk; negative ones wrap to the end.
   */
  #byDistance(attention: Value): Value {
    const {
      graph,
      architecture: { heads },
    } = this;
    const flat = graph.node("Reshape", [attention, graph.integers(heads, -1)]); // [heads, queries · keys]
    const padding = graph.input("padding", "float32", [heads, "queries"]); // zeros
    const shape = graph.input("skewed shape", "int64", [3]); // heads, queries, keys + 1
    const skewed = graph.node("Reshape", [graph.node("Concat", [flat, padding], { axis: 1 }), shape]);
    return this.#reduce("ReduceSum", skewed, 1); // [heads, keys + 1]
  }

  /** @param logits [queries, vocabulary] */
  logits(logits: Value): void {
    const { graph } = this;
    const next = graph.input("next ids", "int32", ["queries", 1]);
    const logProbabilities = graph.node("LogSoftmax", [logits], { axis: -1 });
    this.#stack("log-probability", graph.node("GatherElements", [logProbabilities, next], { axis: 1 })); // [queries, 1]
    this.#stack("best log-probability", this.#reduce("ReduceMax", logProbabilities, -1)); // [queries]
    if (this.plan.logits === "all") this.#stack("logits", logits);
    if (this.plan.logits === "last") {
      const last = graph.integers(-1);
      this.#stack("logits", graph.node("Gather", [logits, last], { axis: 0 })); // [1, vocabulary]
    }
  }

  finish(): void {
    for (const [name, values] of this.#stacks) {
      const stacked = values.length === 1 ? values[0] : this.graph.node("Concat", values, { axis: 0 });
      this.graph.output(name, stacked);
    }
  }
}
