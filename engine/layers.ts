/**
 * The parts of a decoder around its attention, written into a graph. `beforeAttention` and `afterAttention` meet only in
 * the queries, keys and values of a block and in what attention mixes from them, so that a graph may end at the one and
 * another begin at the other. H heads, G key–value heads, d head size.
 */
import type { Activation, Architecture, Block, Experts, Linear, Norm } from "./architecture.js";
import type { Graph, Value } from "./graph.js";
import { partners } from "./rope.js";

export interface Projected {
  readonly query: Value; // [queries, H, d], after position encoding, before scaling
  readonly key: Value; // [queries, G, d], after position encoding
  readonly value: Value; // [queries, G, d]
}

export class Layers {
  constructor(
    readonly graph: Graph,
    readonly architecture: Architecture,
  ) {}

  /** Input `ids` [queries], and `positions` [queries] where they are learned → [queries, width] */
  embed(): Value {
    const { graph } = this;
    const { embedding, positions, vocabulary, width, contextLength } = this.architecture;
    const table = graph.weight(embedding.weight, [vocabulary, embedding.projection?.inputs ?? width]);
    let tokens = this.#op("Gather", table, graph.input("ids", "int32", ["queries"]));
    if (embedding.projection) tokens = this.linear(tokens, embedding.projection);
    tokens = this.#times(tokens, embedding.scale);
    if (embedding.norm) tokens = this.norm(tokens, embedding.norm);
    if (positions.kind !== "learned") return tokens;
    const vectors = graph.weight(positions.table, [contextLength + positions.offset, width]);
    return this.#op("Add", tokens, this.#op("Gather", vectors, graph.input("positions", "int32", ["queries"])));
  }

  /**
   * Inputs `cosine N` and `sine N` [queries, 1, d] where rotary encoding N turns the block's heads.
   * @param residual the stream before the block, [queries, width]
   */
  beforeAttention(residual: Value, { attention, attentionNorms }: Block): Projected {
    const { heads: H, keyValueHeads: G } = this.architecture;
    const { queryNorm, keyNorm, rope } = attention;
    const [query, key, value] = this.#project(this.norm(residual, attentionNorms.input), attention);
    return {
      query: this.#rotate(this.#normHeads(query, queryNorm, H), rope),
      key: this.#rotate(this.#normHeads(key, keyNorm, G), rope),
      value,
    };
  }

  /**
   * @param residual the stream before the block, [queries, width]
   * @param mixed values as attention mixes them, [queries, H · d]
   * @returns the stream after the block, [queries, width]
   */
  afterAttention(residual: Value, mixed: Value, block: Block): Value {
    const { attentionNorms, mlpNorms, normedResidual } = block;
    const { residualScale } = this.architecture;
    const attended = this.norm(this.linear(mixed, block.attention.output), attentionNorms.output);
    const from = normedResidual ? this.norm(residual, attentionNorms.input) : residual;
    const between = this.norm(this.#op("Add", from, this.#times(attended, residualScale)), attentionNorms.sum);
    const input = this.norm(block.parallel ? residual : between, mlpNorms.input);
    const output = this.norm(this.#mlp(input, block.mlp), mlpNorms.output);
    return this.norm(
      this.#op("Add", normedResidual ? input : between, this.#times(output, residualScale)),
      mlpNorms.sum,
    );
  }

  /** [queries, width] → logits, [queries, vocabulary] */
  head(residual: Value): Value {
    const { finalNorm, head } = this.architecture;
    let hidden = this.norm(residual, finalNorm);
    if (head.projection) hidden = this.linear(hidden, head.projection);
    const logits = this.#times(this.linear(hidden, head.linear), head.scale);
    return head.softcap ? this.softcap(logits, head.softcap) : logits;
  }

  /** cap · tanh(x / cap) */
  softcap(x: Value, cap: number): Value {
    return this.#times(this.#op("Tanh", this.#times(x, 1 / cap)), cap);
  }

  /** Over the last dimension, or over the last two where the norm has a scale per head. */
  norm(x: Value, norm: Norm | undefined): Value {
    if (!norm) return x;
    const { graph } = this;
    const { kind, size, epsilon, weight, bias, offset } = norm;
    const single = typeof weight === "string" ? graph.weight(weight, [size]) : undefined;
    const ones = () => graph.floats(...new Array<number>(size).fill(1));
    const scale = single && offset ? this.#op("Add", single, graph.scalar(offset)) : (single ?? ones());
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    const normed =
      kind === "rms"
        ? graph.node("SimplifiedLayerNormalization", [x, scale], attributes)
        : graph.node("LayerNormalization", [x, scale, ...(bias ? [graph.weight(bias, [size])] : [])], attributes);
    if (typeof weight !== "object") return normed;
    const perHead = weight.map((name) => this.#op("Reshape", graph.weight(name, [size]), graph.integers(1, size)));
    return this.#op("Mul", normed, graph.node("Concat", perHead, { axis: 0 })); // [heads, size]
  }

  /** [queries, inputs] → [queries, outputs] */
  linear(x: Value, { weight, bias, layout, inputs, outputs }: Linear): Value {
    const transposed = layout === "out-in";
    const matrix = this.graph.weight(weight, transposed ? [outputs, inputs] : [inputs, outputs]);
    const shift = bias ? [this.graph.weight(bias, [outputs])] : [];
    return this.graph.node("Gemm", [x, matrix, ...shift], { transB: transposed ? 1 : 0 });
  }

  #op(op: string, ...inputs: Value[]): Value {
    return this.graph.node(op, inputs);
  }

  #times(x: Value, factor = 1): Value {
    return factor === 1 ? x : this.#op("Mul", x, this.graph.scalar(factor));
  }

  /** Queries [queries, H, d], keys and values [queries, G, d] */
  #project(x: Value, { projection, clip }: Block["attention"]): Value[] {
    const { heads: H, keyValueHeads: G, headSize: d } = this.architecture;
    const { graph } = this;
    const clipped = (value: Value) => (clip ? this.#op("Clip", value, graph.scalar(-clip), graph.scalar(clip)) : value);
    const inHeads = (parts: Value[]) =>
      parts.map((part, i) => this.#op("Reshape", clipped(part), graph.integers(-1, i ? G : H, d)));
    if (!("fused" in projection)) {
      return inHeads([projection.query, projection.key, projection.value].map((part) => this.linear(x, part)));
    }
    const fused = this.linear(x, projection.fused);
    if (projection.order === "joined") {
      return inHeads(graph.nodes("Split", 3, [fused, graph.integers(H * d, G * d, G * d)], { axis: 1 }));
    }
    const groups = this.#op("Reshape", fused, graph.integers(-1, G, H / G + 2, d)); // queries of a group, key, value
    return inHeads(graph.nodes("Split", 3, [groups, graph.integers(H / G, 1, 1)], { axis: 2 }));
  }

  /** [queries, heads, d] → the same; the norm is over each head, or over all where it is that wide. */
  #normHeads(x: Value, norm: Norm | undefined, heads: number): Value {
    const { headSize: d } = this.architecture;
    if (!norm || norm.size === d) return this.norm(x, norm);
    const { graph } = this;
    const joined = this.#op("Reshape", x, graph.integers(-1, heads * d));
    return this.#op("Reshape", this.norm(joined, norm), graph.integers(-1, heads, d));
  }

  /** Each dimension is mixed with its partner; those that are not rotated have cosine 1 and sine 0. */
  #rotate(x: Value, rope: number | undefined): Value {
    const { positions, headSize: d } = this.architecture;
    if (positions.kind !== "rope" || rope === undefined) return x;
    const { graph } = this;
    const turn = (name: string) => graph.input(`${name} ${rope}`, "float32", ["queries", 1, d]);
    const swapped = graph.node("Gather", [x, graph.integers(...partners(positions.ropes[rope], d))], { axis: 2 });
    return this.#op("Add", this.#op("Mul", x, turn("cosine")), this.#op("Mul", swapped, turn("sine")));
  }

  #mlp(x: Value, mlp: Block["mlp"]): Value {
    if ("router" in mlp) return this.#experts(x, mlp);
    if ("gateUp" in mlp) {
      const half = mlp.gateUp.outputs / 2;
      const sizes = this.graph.integers(half, half);
      const [gate, up] = this.graph.nodes("Split", 2, [this.linear(x, mlp.gateUp), sizes], { axis: 1 });
      return this.linear(this.#op("Mul", this.#activation(gate), up), mlp.down);
    }
    const up = this.linear(x, mlp.up);
    if (!mlp.gate) return this.linear(this.#activation(up), mlp.down);
    return this.linear(this.#op("Mul", this.#activation(this.linear(x, mlp.gate)), up), mlp.down);
  }

  /** All experts see all tokens; weights of 0 leave out those that the router has not chosen. */
  #experts(x: Value, { router, count, chosen, inner, gateUp, down }: Experts): Value {
    const { graph } = this;
    const { width } = this.architecture;
    const weight = (name: string, ...dims: number[]) => graph.weight(name, dims);
    const scores = this.linear(x, router); // [queries, count]
    const [best, which] = graph.nodes("TopK", 2, [scores, graph.integers(chosen)], { axis: -1 });
    const share = graph.node("Softmax", [best], { axis: -1 }); // [queries, chosen]
    const none = this.#op("Mul", scores, graph.scalar(0));
    const shares = graph.node("ScatterElements", [none, which, share], { axis: 1 }); // [queries, count]

    const bias = (name: string, size: number) =>
      this.#op("Reshape", weight(name, count, size), graph.integers(count, 1, size));
    const both = this.#op(
      "Add",
      this.#op("MatMul", x, weight(gateUp.weight, count, width, 2 * inner)),
      bias(gateUp.bias, 2 * inner),
    );
    const paired = this.#op("Reshape", both, graph.integers(count, -1, inner, 2)); // [count, queries, inner, 2]
    const [gate, up] = [0, 1].map((i) =>
      this.#op("Squeeze", graph.node("Gather", [paired, graph.integers(i)], { axis: 3 }), graph.integers(3)),
    );
    const limited = this.#op("Min", gate, graph.scalar(7));
    const glu = this.#op("Mul", limited, this.#op("Sigmoid", this.#times(limited, 1.702)));
    const raised = this.#op("Add", this.#op("Clip", up, graph.scalar(-7), graph.scalar(7)), graph.scalar(1));
    const product = this.#op("MatMul", this.#op("Mul", raised, glu), weight(down.weight, count, inner, width));
    const outputs = this.#op("Add", product, bias(down.bias, width)); // [count, queries, width]

    const perExpert = this.#op("Unsqueeze", graph.node("Transpose", [shares], { perm: [1, 0] }), graph.integers(2));
    return graph.node("ReduceSum", [this.#op("Mul", outputs, perExpert), graph.integers(0)], { keepdims: 0 });
  }

  #activation(x: Value): Value {
    const kind: Activation = this.architecture.activation;
    switch (kind) {
      case "silu":
        return this.#op("Mul", x, this.#op("Sigmoid", x));
      case "gelu":
        return this.graph.node("Gelu", [x], { approximate: "none" });
      case "gelu_tanh":
        return this.graph.node("Gelu", [x], { approximate: "tanh" });
      case "gelu_sigmoid":
        return this.#op("Mul", x, this.#op("Sigmoid", this.#times(x, 1.702)));
      case "relu":
        return this.#op("Relu", x);
      case "relu_squared":
        return this.#op("Mul", this.#op("Relu", x), this.#op("Relu", x));
    }
  }
}
