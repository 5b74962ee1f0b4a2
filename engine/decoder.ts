/**
 * Builds the graph of a decoder for one chunk of queries over a key–value cache, with the statistics that a plan asks
 * for reduced inside it. Shapes in comments: H heads, G key–value heads, d head size, keys = past + queries.
 *
 * Inputs: ids [queries]; the position encoding of the chunk; a mask for each width of window, [queries, keys], added to
 * the scores; scale and gate [layers, heads, 1, 1]; past keys and values per layer [past, G, d]; and what the plan needs.
 */
import type { Architecture, Attention } from "./architecture.js";
import { Graph, type Value } from "./graph.js";
import { Layers, type Projected } from "./layers.js";
import { hidden, maskName } from "./mask.js";
import { type Plan, Statistics } from "./statistics.js";

export function decoderGraph(architecture: Architecture, plan: Plan): Graph {
  return new Decoder(architecture, plan).build();
}

class Decoder {
  readonly #graph = new Graph();
  readonly #layers: Layers;
  readonly #statistics: Statistics;

  constructor(
    readonly architecture: Architecture,
    readonly plan: Plan,
  ) {
    this.#layers = new Layers(this.#graph, architecture);
    this.#statistics = new Statistics(this.#graph, architecture, plan);
  }

  build(): Graph {
    const { architecture, plan } = this;
    let residual = this.#layers.embed(); // [queries, width]
    architecture.blocks.forEach((block, layer) => {
      residual = this.#patched(residual, layer);
      this.#statistics.residual(residual);
      const projected = this.#layers.beforeAttention(residual, block);
      const mixed = this.#attention(projected, block.attention, layer); // [queries, H · d]
      residual = this.#layers.afterAttention(residual, mixed, block);
    });
    residual = this.#patched(residual, architecture.layers);
    this.#statistics.residual(residual);
    if (plan.logits) this.#statistics.logits(this.#layers.head(residual)); // [queries, vocabulary]
    this.#statistics.finish();
    return this.#graph;
  }

  #op(op: string, ...inputs: Value[]): Value {
    return this.#graph.node(op, inputs);
  }

  /** The stream, or where a patch is given for it: kept · stream + patch. */
  #patched(residual: Value, layer: number): Value {
    if (!this.plan.patches.includes(layer)) return residual;
    const kept = this.#graph.input(`kept ${layer}`, "float32", ["queries", 1]);
    const patch = this.#graph.input(`patch ${layer}`, "float32", ["queries", this.architecture.width]);
    return this.#op("Add", this.#op("Mul", residual, kept), patch);
  }

  #attention(projected: Projected, attention: Attention, layer: number): Value {
    const { query, key: newKey, value: newValue } = projected;
    const { heads: H, keyValueHeads: G, headSize: d } = this.architecture;
    const graph = this.#graph;
    this.#statistics.projected(projected);
    const past = (name: string) => graph.input(`${name} ${layer}`, "float32", ["past", G, d]);
    const key = graph.node("Concat", [past("past keys"), newKey], { axis: 0 }); // [keys, G, d]
    const value = graph.node("Concat", [past("past values"), newValue], { axis: 0 }); // [keys, G, d]

    const scale = this.#perHead("scale", layer); // [H, 1, 1]
    const q = this.#op("Mul", graph.node("Transpose", [query], { perm: [1, 0, 2] }), scale); // [H, queries, d]
    const k = graph.node("Transpose", [key], { perm: [1, 2, 0] }); // [G, d, keys]
    const v = graph.node("Transpose", [value], { perm: [1, 0, 2] }); // [G, keys, d]
    const grouped = this.#op("Reshape", q, graph.integers(G, -1, d)); // [G, H/G · queries, d]
    const products = this.#op("Reshape", this.#op("MatMul", grouped, k), graph.integers(H, -1, 0)); // [H, queries, keys]
    const raw = this.#positioned(this.#capped(products, attention, layer), layer);
    const mask = this.#selected(this.#mask(attention, layer), grouped, k, layer);
    const scores = this.#op("Add", raw, mask);
    const weights = this.#statistics.softmax(scores, this.#sinks(attention, layer)); // [H, queries, keys]
    this.#statistics.attention(raw, weights);

    const inGroups = this.#op("Reshape", weights, graph.integers(G, -1, 0)); // [G, H/G · queries, keys]
    const mixed = this.#op("Reshape", this.#op("MatMul", inGroups, v), graph.integers(H, -1, d)); // [H, queries, d]
    const gated = this.#op("Mul", mixed, this.#perHead("gate", layer));
    const joined = graph.node("Transpose", [gated], { perm: [1, 0, 2] }); // [queries, H, d]
    return this.#op("Reshape", joined, graph.integers(-1, H * d));
  }

  /** cap · tanh(score / cap) / temperature: the first division is part of the scale, the rest of an input of its own. */
  #capped(products: Value, { softcap }: Attention, layer: number): Value {
    if (!softcap) return products;
    return this.#op("Mul", this.#op("Tanh", products), this.#perHead("cap", layer));
  }

  /** ALiBi: a bias per head and key, less that of the query's own position. */
  #positioned(scores: Value, layer: number): Value {
    const { positions, heads } = this.architecture;
    if (positions.kind !== "alibi") return scores;
    const sharpness = this.#perHead("sharpness", layer);
    const [ofKeys, ofQueries] = [
      this.#graph.input("alibi of keys", "float32", [heads, 1, "keys"]),
      this.#graph.input("alibi of queries", "float32", [heads, "queries", 1]),
    ].map((bias) => this.#op("Mul", bias, sharpness));
    return this.#op("Add", scores, this.#op("Sub", ofKeys, ofQueries));
  }

  /** Scores without a key, divided by the temperature like the others: [H, 1, 1]. */
  #sinks({ sinks }: Attention, layer: number): Value | undefined {
    if (!sinks) return undefined;
    const { heads } = this.architecture;
    const scores = this.#op("Reshape", this.#graph.weight(sinks, [heads]), this.#graph.integers(heads, 1, 1));
    return this.#op("Mul", scores, this.#perHead("sharpness", layer));
  }

  /** One layer of an input with a value per head: [H, 1, 1]. */
  #perHead(name: string, layer: number): Value {
    const { layers, heads } = this.architecture;
    const values = this.#graph.input(name, "float32", [layers, heads, 1, 1]);
    return this.#op("Squeeze", this.#op("Gather", values, this.#graph.integers(layer)), this.#graph.integers(0));
  }

  /** What is added to the scores: [queries, keys], or [H | 1, queries, keys] where it differs by layer or head. */
  #mask({ window }: Attention, layer: number): Value {
    const graph = this.#graph;
    let mask = graph.input(maskName(window), "float32", ["queries", "keys"]);
    if (this.plan.keyBias) {
      const bias = graph.input(`key bias ${layer}`, "float32", ["bias heads", 1, "keys"]);
      const later = graph.input("later", "float32", ["queries", "keys"]); // 1 where k < q
      mask = this.#op("Add", mask, this.#op("Mul", later, bias));
    }
    if (this.plan.eviction) {
      const query = graph.input("query index", "float32", ["queries", 1]);
      const since = graph.input(`evicted ${layer}`, "float32", ["eviction heads", 1, "keys"]);
      const gone = this.#op("GreaterOrEqual", query, since);
      mask = this.#op("Add", mask, this.#op("Where", gone, graph.scalar(hidden), graph.scalar(0)));
    }
    return mask;
  }

  /**
   * The mask, or where queries choose their keys: hiding also those whose score in few directions is below the lowest
   * one chosen. Where fewer keys can be chosen than may be, the lowest is that of a hidden key, and all of them stay.
   * @param query scaled, which changes no order, [G, H/G · queries, d]
   * @param key [G, d, keys]
   */
  #selected(mask: Value, query: Value, key: Value, layer: number): Value {
    if (!this.plan.selection) return mask;
    const { heads: H, keyValueHeads: G, headSize: d } = this.architecture;
    const graph = this.#graph;
    const directions = graph.input(`directions ${layer}`, "float32", [G, d, "rank"]);
    const q = this.#op("MatMul", query, directions); // [G, H/G · queries, rank]
    const k = this.#op("MatMul", graph.node("Transpose", [directions], { perm: [0, 2, 1] }), key); // [G, rank, keys]
    const scores = this.#op("Reshape", this.#op("MatMul", q, k), graph.integers(H, -1, 0)); // [H, queries, keys]

    const barred = graph.input("not to choose", "float32", ["queries", "keys"]); // 0 where a query may choose a key
    const open = this.#op("Greater", this.#op("Add", mask, barred), graph.scalar(hidden / 2)); // [H | 1, queries, keys]
    const candidates = this.#op("Where", open, scores, graph.scalar(hidden)); // [H, queries, keys]
    const count = graph.input("chosen count", "int64", [1]);
    const [chosen] = graph.nodes("TopK", 2, [candidates, count], { axis: -1 }); // [H, queries, chosen], falling
    const lowest = graph.node("Gather", [chosen, graph.integers(-1)], { axis: 2 }); // [H, queries, 1]
    const left = this.#op("And", open, this.#op("Less", scores, lowest)); // [H, queries, keys]
    return this.#op("Add", mask, this.#op("Where", left, graph.scalar(hidden), graph.scalar(0)));
  }
}
