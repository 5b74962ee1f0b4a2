/**
 * A decoder cut at its attention, for kernels to do what lies between: graphs that end with the queries, keys and
 * values of a block and begin with what attention mixed from them. Queries, keys and values leave head-major, as
 * kernels read them. H heads, G key–value heads, d head size.
 */
import type { Architecture, Block, Linear } from "../architecture.js";
import { Graph, type Value } from "../graph.js";
import { Layers } from "../layers.js";

/** Outputs that stay on the GPU; the norms that a graph also gives do not. */
export const keptOnGpu = ["residual", "queries", "keys", "values", "logits"];

/** ids [tokens] → the stream and the first block's queries, keys and values; then one graph between each two blocks and one after the last. */
export function cutsOf(architecture: Architecture): Graph[] {
  const { blocks } = architecture;
  return Array.from({ length: blocks.length + 1 }, (_, i) => cut(architecture, blocks[i - 1], blocks[i]));
}

/** residual [tokens, width] → logits [tokens, vocabulary] */
export function headCut(architecture: Architecture): Graph {
  const graph = new Graph();
  const residual = graph.input("residual", "float32", ["tokens", architecture.width]);
  graph.output("logits", new CutLayers(graph, architecture).head(residual));
  return graph;
}

function cut(architecture: Architecture, before: Block | undefined, after: Block | undefined): Graph {
  const graph = new Graph();
  const layers = new CutLayers(graph, architecture);
  const { heads: H, headSize: d, width } = architecture;
  const norm = (x: Value) => graph.node("ReduceL2", [x, graph.integers(-1)], { keepdims: 0 });
  let residual: Value; // [tokens, width]
  if (before) {
    const mixed = graph.input("mixed", "float32", [H, "tokens", d]);
    const gated = graph.node("Mul", [mixed, graph.input("gate", "float32", [H, 1, 1])]);
    const joined = graph.node("Transpose", [gated], { perm: [1, 0, 2] }); // [tokens, H, d]
    const flat = graph.node("Reshape", [joined, graph.integers(-1, H * d)]);
    residual = layers.afterAttention(graph.input("previous residual", "float32", ["tokens", width]), flat, before);
  } else {
    residual = layers.embed();
  }
  graph.output("residual", residual);
  graph.output("residual norm", norm(residual)); // [tokens]
  graph.output("residual sum", graph.node("ReduceSum", [residual, graph.integers(0)], { keepdims: 0 })); // [width]
  if (after) {
    const { query, key, value } = layers.beforeAttention(residual, after);
    for (const [name, projected] of Object.entries({ queries: query, keys: key, values: value })) {
      const headMajor = graph.node("Transpose", [projected], { perm: [1, 0, 2] }); // [H | G, tokens, d]
      graph.output(name, headMajor);
      graph.output(`${name} norm`, norm(headMajor)); // [H | G, tokens]
    }
  }
  return graph;
}

/** Products with transposed weights run several times slower on GPUs, so weights are transposed once, when they are loaded. */
class CutLayers extends Layers {
  override linear(x: Value, linear: Linear): Value {
    if (linear.layout === "in-out") return super.linear(x, linear);
    const { graph } = this;
    const { weight, bias, inputs, outputs } = linear;
    const matrix = graph.node("Transpose", [graph.weight(weight, [outputs, inputs])], { perm: [1, 0] });
    return graph.node("Gemm", [x, matrix, ...(bias ? [graph.weight(bias, [outputs])] : [])]);
  }
}
