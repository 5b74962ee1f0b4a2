/**
 * Builds the graph of a decoder for one chunk of queries over a key–value cache, with the statistics that a plan asks
 * for reduced inside it. Shapes in comments: H heads, G key–value heads, d head size, keys = past + queries.
 *
 * Inputs: ids [queries]; the position encoding of the chunk; mask [queries, keys], added to the scores; scale [layers,
 * heads, 1, 1]; gate [layers, heads, 1, 1]; past keys and values per layer [past, G, d]; and what the plan needs.
 */
import type { Architecture, Block, Linear, Norm } from "./architecture.js";
import { Graph, type Value } from "./graph.js";
import { type Plan, Statistics } from "./statistics.js";

/** The model as ONNX, its weights as external data under their own names. */
export function decoderGraph(architecture: Architecture, plan: Plan): Uint8Array {
  return new Decoder(architecture, plan).build();
}

class Decoder {
  readonly #graph = new Graph();
  readonly #statistics: Statistics;

  constructor(
    readonly architecture: Architecture,
    readonly plan: Plan,
  ) {
    this.#statistics = new Statistics(this.#graph, architecture, plan);
  }

  build(): Uint8Array {
    const { architecture, plan } = this;
    let residual = this.#embed(); // [queries, width]
    architecture.blocks.forEach((block, layer) => {
      this.#statistics.residual(residual);
      residual = this.#op("Add", residual, this.#attention(this.#norm(residual, block.attentionNorm), block, layer));
      residual = this.#op("Add", residual, this.#mlp(this.#norm(residual, block.mlpNorm), block));
    });
    this.#statistics.residual(residual);
    if (plan.logits) {
      const hidden = this.#norm(residual, architecture.finalNorm);
      this.#statistics.logits(this.#linear(hidden, architecture.head)); // [queries, vocabulary]
    }
    this.#statistics.finish();
    return this.#graph.encode();
  }

  #op(op: string, ...inputs: Value[]): Value {
    return this.#graph.node(op, inputs);
  }

  #embed(): Value {
    const { embedding, positions, vocabulary, width, contextLength } = this.architecture;
    const ids = this.#graph.input("ids", "int32", ["queries"]);
    const tokens = this.#op("Gather", this.#graph.weight(embedding, [vocabulary, width]), ids);
    if (positions.kind !== "learned") return tokens;
    const table = this.#graph.weight(positions.table, [contextLength, width]);
    return this.#op("Add", tokens, this.#op("Gather", table, this.#graph.input("positions", "int32", ["queries"])));
  }

  #norm(x: Value, { weight, bias }: Norm): Value {
    const { norm, width } = this.architecture;
    const scale = this.#graph.weight(weight, [width]);
    const attributes = { axis: -1, epsilon: { float: norm.epsilon } };
    if (norm.kind === "rms") return this.#graph.node("SimplifiedLayerNormalization", [x, scale], attributes);
    const shift = bias ? [this.#graph.weight(bias, [width])] : [];
    return this.#graph.node("LayerNormalization", [x, scale, ...shift], attributes);
  }

  /** [queries, inputs] → [queries, outputs] */
  #linear(x: Value, { weight, bias, layout, inputs, outputs }: Linear): Value {
    const transposed = layout === "out-in";
    const matrix = this.#graph.weight(weight, transposed ? [outputs, inputs] : [inputs, outputs]);
    const shift = bias ? [this.#graph.weight(bias, [outputs])] : [];
    return this.#graph.node("Gemm", [x, matrix, ...shift], { transB: transposed ? 1 : 0 });
  }

  #mlp(x: Value, { mlp }: Block): Value {
    const up = this.#linear(x, mlp.up);
    if (!mlp.gate) return this.#linear(this.#activation(up), mlp.down);
    return this.#linear(this.#op("Mul", this.#activation(this.#linear(x, mlp.gate)), up), mlp.down);
  }

  #activation(x: Value): Value {
    const { activation } = this.architecture;
    switch (activation) {
      case "silu":
        return this.#op("Mul", x, this.#op("Sigmoid", x));
      case "gelu":
        return this.#graph.node("Gelu", [x], { approximate: "none" });
      case "gelu_tanh":
        return this.#graph.node("Gelu", [x], { approximate: "tanh" });
      case "relu":
        return this.#op("Relu", x);
    }
  }

  #attention(x: Value, block: Block, layer: number): Value {
    const { heads: H, keyValueHeads: G, headSize: d } = this.architecture;
    const graph = this.#graph;
    const [query, newKey, newValue] = this.#project(x, block); // [queries, H | G, d]
    this.#statistics.newKeysAndValues(newKey, newValue);
    const past = (name: string) => graph.input(`${name} ${layer}`, "float32", ["past", G, d]);
    const key = graph.node("Concat", [past("past keys"), newKey], { axis: 0 }); // [keys, G, d]
    const value = graph.node("Concat", [past("past values"), newValue], { axis: 0 }); // [keys, G, d]

    const scale = this.#perHead("scale", layer); // [H, 1, 1]
    const q = this.#op("Mul", graph.node("Transpose", [query], { perm: [1, 0, 2] }), scale); // [H, queries, d]
    const k = graph.node("Transpose", [key], { perm: [1, 2, 0] }); // [G, d, keys]
    const v = graph.node("Transpose", [value], { perm: [1, 0, 2] }); // [G, keys, d]
    const grouped = this.#op("Reshape", q, graph.integers(G, -1, d)); // [G, H/G · queries, d]
    const raw = this.#op("Reshape", this.#op("MatMul", grouped, k), graph.integers(H, -1, 0)); // [H, queries, keys]
    const scores = this.#op("Add", raw, this.#mask(layer));
    const attention = this.#statistics.softmax(scores); // [H, queries, keys]
    this.#statistics.attention(raw, attention);

    const weights = this.#op("Reshape", attention, graph.integers(G, -1, 0)); // [G, H/G · queries, keys]
    const mixed = this.#op("Reshape", this.#op("MatMul", weights, v), graph.integers(H, -1, d)); // [H, queries, d]
    const gated = this.#op("Mul", mixed, this.#perHead("gate", layer));
    const joined = graph.node("Transpose", [gated], { perm: [1, 0, 2] }); // [queries, H, d]
    return this.#linear(this.#op("Reshape", joined, graph.integers(-1, H * d)), block.output);
  }

  /** Queries, keys after position encoding, and values: [queries, heads, d] each. */
  #project(x: Value, { projection }: Block): Value[] {
    const { heads: H, keyValueHeads: G, headSize: d, positions } = this.architecture;
    const parts =
      "fused" in projection
        ? this.#graph.nodes(
            "Split",
            3,
            [this.#linear(x, projection.fused), this.#graph.integers(H * d, G * d, G * d)],
            { axis: 1 },
          )
        : [projection.query, projection.key, projection.value].map((part) => this.#linear(x, part));
    const [query, key, value] = parts.map((part, i) =>
      this.#op("Reshape", part, this.#graph.integers(-1, i ? G : H, d)),
    );
    return positions.kind === "rope" ? [this.#rotate(query), this.#rotate(key), value] : [query, key, value];
  }

  /** Rotary position encoding in the half-split layout: x · cosine + swapHalves(x) · sine, the sign in the sine. */
  #rotate(x: Value): Value {
    const d = this.architecture.headSize;
    const turn = (name: string) => this.#graph.input(name, "float32", ["queries", 1, d]);
    const [first, second] = this.#graph.nodes("Split", 2, [x, this.#graph.integers(d / 2, d / 2)], { axis: 2 });
    const swapped = this.#graph.node("Concat", [second, first], { axis: 2 });
    return this.#op("Add", this.#op("Mul", x, turn("cosine")), this.#op("Mul", swapped, turn("sine")));
  }

  /** One layer of an input with a value per head: [H, 1, 1]. */
  #perHead(name: string, layer: number): Value {
    const { layers, heads } = this.architecture;
    const values = this.#graph.input(name, "float32", [layers, heads, 1, 1]);
    return this.#op("Squeeze", this.#op("Gather", values, this.#graph.integers(layer)), this.#graph.integers(0));
  }

  /** What is added to the scores: [queries, keys], or [H | 1, queries, keys] where keys are biased per layer or head. */
  #mask(layer: number): Value {
    const mask = this.#graph.input("mask", "float32", ["queries", "keys"]);
    if (!this.plan.keyBias) return mask;
    const bias = this.#graph.input(`key bias ${layer}`, "float32", ["bias heads", 1, "keys"]);
    const later = this.#graph.input("later", "float32", ["queries", "keys"]); // 1 where k < q
    return this.#op("Add", mask, this.#op("Mul", later, bias));
  }
}
