/** Statistics of attention, reduced inside the graph: nothing of size tokens² leaves it unless asked for by name. */
import type { Architecture } from "./architecture.js";
import type { Prompt, Request } from "./forward.js";
import type { Graph, Value } from "./graph.js";
import type { Projected } from "./layers.js";
import { isShared } from "./mask.js";

/** What is in a graph. Two requests with the same plan share a session. */
export interface Plan {
  readonly rows: boolean;
  /** Weighted key sets, one column each; for the rows' mean distance two more. */
  readonly mass: boolean;
  readonly received: boolean;
  readonly pattern: boolean;
  readonly topMass: boolean;
  readonly distances: boolean;
  readonly norms: boolean;
  readonly vectors: boolean;
  readonly logits: false | "loss" | "last" | "all";
  readonly attention: boolean;
  readonly mixture: boolean;
  readonly scores: boolean;
  readonly keyBias: boolean;
  readonly eviction: boolean;
  readonly selection: boolean;
  /** Layers before whose block the residual stream is patched, rising. */
  readonly patches: readonly number[];
}

export function planOf(prompt: Prompt, request: Request): Plan {
  const { keyBias, eviction, selection, residualPatches = [] } = prompt;
  return {
    rows: request.rows ?? false,
    mass: (request.rows ?? false) || (request.keySegments?.length ?? 0) > 0,
    received: (request.queryGroups?.length ?? 0) > 0,
    pattern: (request.targets?.length ?? 0) > 0,
    topMass: (request.topMass?.length ?? 0) > 0,
    distances: request.distances ?? false,
    norms: request.norms ?? false,
    vectors: request.vectors ?? false,
    logits: request.logits ?? false,
    attention: request.attention ?? false,
    mixture: request.headWeights !== undefined,
    scores: request.scores ?? false,
    // What is the same for all layers and heads is part of the mask and needs no graph of its own.
    keyBias: keyBias !== undefined && !isShared(keyBias),
    eviction: eviction !== undefined && !isShared(eviction),
    selection: selection !== undefined,
    patches: [...new Set(residualPatches.map(({ layer }) => layer))].sort((a, b) => a - b),
  };
}

/** Adds the statistics to a graph layer by layer, and stacks the layers of each into one output. */
export class Statistics {
  readonly #stacks = new Map<string, Value[]>();
  readonly #mixtures: Value[] = []; // layers × [1, queries · keys]

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

  /** ln σ(x) = min(x, 0) − ln(1 + exp(−|x|)), finite where σ(x) itself is 0 in float32. */
  #logSigmoid(x: Value): Value {
    const op = (name: string, ...inputs: Value[]) => this.graph.node(name, inputs);
    const tail = op("Log", op("Add", this.graph.scalar(1), op("Exp", op("Neg", op("Abs", x)))));
    return op("Sub", op("Min", x, this.graph.scalar(0)), tail);
  }

  residual(x: Value): void {
    if (this.plan.vectors) this.#stack("residual vectors", x);
    if (!this.plan.norms) return;
    this.#stack("residual norm", this.#reduce("ReduceL2", x, -1)); // [queries]
    this.#stack("residual sum", this.graph.node("ReduceSum", [x, this.graph.integers(0)], { keepdims: 1 })); // [1, width]
  }

  projected({ query, key, value }: Projected): void {
    this.#stack("keys", key);
    this.#stack("values", value);
    if (this.plan.vectors) {
      this.#stack("query vectors", query);
      this.#stack("key vectors", key); // besides "keys" and "values", which feed the cache and are not fetched at the end
      this.#stack("value vectors", value);
    }
    if (!this.plan.norms) return;
    this.#stack("query norm", this.#reduce("ReduceL2", query, -1)); // [queries, heads]
    this.#stack("key norm", this.#reduce("ReduceL2", key, -1)); // [queries, keyValueHeads]
    this.#stack("value norm", this.#reduce("ReduceL2", value, -1));
  }

  /**
   * The softmax of the scores. Where entropy is asked for, the scores are centred on their largest first: with
   * p = softmax(s) and LSE the log-sum-exp of s − max s, which is −ln max p, H = LSE − Σ p · (s − max s) is a sum of
   * small terms, where LSE − Σ p · s would be a small difference of large ones.
   *
   * Sinks take a share of the softmax without having a key: with f = σ(LSE − sink) the share of the keys, A = f · p and
   * −Σ A ln A = f · (H − ln f).
   * @param scores [heads, queries, keys]
   * @param sinks [heads, 1, 1]
   */
  softmax(scores: Value, sinks?: Value): Value {
    const { graph, plan } = this;
    const softmax = (x: Value) => graph.node("Softmax", [x], { axis: -1 });
    if (!plan.rows && !sinks) return softmax(scores);
    const op = (name: string, ...inputs: Value[]) => graph.node(name, inputs);
    const last = graph.integers(-1);
    const largest = graph.node("ReduceMax", [scores, last], { keepdims: 1 }); // [heads, queries, 1]
    const centred = op("Sub", scores, largest);
    const ofKeys = softmax(centred);
    const best = graph.node("ReduceMax", [ofKeys, last], { keepdims: 1 }); // [heads, queries, 1]
    const logBest = op("Log", best); // −LSE of the centred scores
    const logShare = sinks && this.#logSigmoid(op("Sub", op("Sub", largest, logBest), sinks)); // [heads, queries, 1]
    const share = logShare && op("Exp", logShare);
    const attention = share ? op("Mul", ofKeys, share) : ofKeys;
    if (plan.rows) {
      const expected = graph.node("ReduceSum", [op("Mul", ofKeys, centred), last], { keepdims: 1 });
      const nats = op("Sub", graph.scalar(0), op("Add", logBest, expected)); // Neg would give −0
      const squeezed = (x: Value) => op("Squeeze", x, last); // [heads, queries]
      this.#stack("entropy", squeezed(share && logShare ? op("Mul", share, op("Sub", nats, logShare)) : nats));
      this.#stack("maximum", squeezed(share ? op("Mul", share, best) : best));
    }
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
    if (plan.topMass) this.#stack("top mass", this.#topMass(attention));
    if (plan.distances) this.#stack("distances", this.#byDistance(attention));
    if (plan.attention) this.#stack("attention", attention);
    if (plan.mixture) this.#mixtures.push(this.#mixed(attention, this.#mixtures.length));
    if (plan.scores) this.#stack("scores", this.#reduce("ReduceMean", raw, 0)); // [queries, keys]
  }

  /** The heads of a layer added up by weight: [1, queries · keys]. */
  #mixed(attention: Value, layer: number): Value {
    const { graph } = this;
    const { layers, heads } = this.architecture;
    const weights = graph.input("head weights", "float32", [layers, heads]);
    const ofLayer = graph.node("Gather", [weights, graph.integers(layer)], { axis: 0 }); // [1, heads]
    return graph.node("MatMul", [ofLayer, graph.node("Reshape", [attention, graph.integers(heads, -1)])]);
  }

  /** The largest probabilities in falling order, and for each asked number of them their sum. */
  #topMass(attention: Value): Value {
    const { graph } = this;
    const [largest] = graph.nodes("TopK", 2, [attention, graph.input("top count", "int64", [1])], { axis: -1 });
    const weights = graph.input("top weights", "float32", ["top", "sizes"]);
    return graph.node("MatMul", [largest, weights]); // [heads, queries, sizes]
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
    if (this.plan.mixture) this.#stack("mixture", this.graph.node("Sum", this.#mixtures));
    for (const [name, values] of this.#stacks) {
      const stacked = values.length === 1 ? values[0] : this.graph.node("Concat", values, { axis: 0 });
      this.graph.output(name, stacked);
    }
  }
}
