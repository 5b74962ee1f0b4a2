/**
 * What the graph builder needs to know about a checkpoint: sizes, kinds of norm, position encoding, attention and MLP,
 * and the names of its tensors. A family (engine/families) derives it from config.json; one builder turns it into a graph.
 */
import type { Config } from "./config.js";
import type { Rope } from "./rope.js";

/** `out-in` as in torch.nn.Linear, `in-out` as in GPT-2's Conv1D. */
export interface Linear {
  readonly weight: string;
  readonly bias?: string;
  readonly layout: "out-in" | "in-out";
  readonly inputs: number;
  readonly outputs: number;
}

export interface Norm {
  readonly kind: "rms" | "layer";
  readonly epsilon: number;
  /** Values that are normalised together. */
  readonly size: number;
  /** Scale of each value; none: 1. Several names: one scale per head (StableLM). */
  readonly weight?: string | readonly string[];
  readonly bias?: string;
  /** Added to the weight: Gemma stores its scales less 1. */
  readonly offset?: number;
}

/**
 * How queries, keys and values come from the block's input: by a projection each, or by one for all, whose outputs are
 * the queries, then the keys, then the values (`joined`), or for each key–value head its queries, its key and its value
 * in turn (`grouped`).
 */
export type Projection =
  | { readonly query: Linear; readonly key: Linear; readonly value: Linear }
  | { readonly fused: Linear; readonly order: "joined" | "grouped" };

export interface Attention {
  readonly projection: Projection;
  /** Outputs of the projection are kept between −clip and clip. */
  readonly clip?: number;
  /** Before the rotation; of each head, or of all heads together where the norm's size says so. */
  readonly queryNorm?: Norm;
  readonly keyNorm?: Norm;
  /** Which of the rotary encodings of `positions` turns queries and keys; none: none does. */
  readonly rope?: number;
  /** Factor on q·k. */
  readonly scale: number;
  /** Scores become softcap · tanh(score / softcap). */
  readonly softcap?: number;
  /** A query sees itself and window − 1 tokens before it. */
  readonly window?: number;
  /** [heads]: a score per head that takes part in the softmax and has no key. */
  readonly sinks?: string;
  readonly output: Linear;
}

/** down(activation(gate) · up), or without a gate down(activation(up)); gate and up may be the halves of one product. */
export type DenseMlp =
  | { readonly gate?: Linear; readonly up: Linear; readonly down: Linear }
  | { readonly gateUp: Linear; readonly down: Linear };

/**
 * The mixture of experts of gpt-oss: for each token the `chosen` best of `count` experts, weighted by the softmax of
 * their router scores. An expert is down((up + 1) · gate · σ(1.702 gate)) with gate ≤ 7 and −7 ≤ up ≤ 7, where gate and
 * up take turns in the columns of one product.
 */
export interface Experts {
  readonly router: Linear;
  readonly count: number;
  readonly chosen: number;
  readonly inner: number;
  readonly gateUp: { readonly weight: string; readonly bias: string }; // [count, width, 2 inner], [count, 2 inner]
  readonly down: { readonly weight: string; readonly bias: string }; // [count, inner, width], [count, width]
}

/** Of a sublayer's input, of its output before it is added to the residual stream, and of the stream after that. */
export interface SublayerNorms {
  readonly input?: Norm;
  readonly output?: Norm;
  readonly sum?: Norm;
}

export interface Block {
  readonly attention: Attention;
  readonly attentionNorms: SublayerNorms;
  readonly mlp: DenseMlp | Experts;
  readonly mlpNorms: SublayerNorms;
  /** The MLP reads the stream as it was before attention. */
  readonly parallel?: boolean;
  /** What a sublayer computes is added to its normed input instead of the stream. */
  readonly normedResidual?: boolean;
}

export type Activation = "silu" | "gelu" | "gelu_tanh" | "gelu_sigmoid" | "relu" | "relu_squared";

export type Positions =
  /** Queries and keys are rotated; blocks say by which of these. */
  | { readonly kind: "rope"; readonly ropes: readonly Rope[] }
  /** A vector per position is added to the embedding; position p has row p + offset. */
  | { readonly kind: "learned"; readonly table: string; readonly offset: number } // [contextLength + offset, width]
  /**
   * Scores fall with the distance: slopes[head] · factor · (k − q) is added. Where `rounded`, slope and slope · position
   * are rounded to bfloat16 before the difference is taken.
   */
  | { readonly kind: "alibi"; readonly slopes: readonly number[]; readonly factor: number; readonly rounded: boolean } // [heads]
  | { readonly kind: "none" };

/** How the family draws its weights before training. */
export interface Initializer {
  readonly deviation: number;
  /** Standard deviations that differ from it, by tensor name. */
  readonly exceptions: ReadonlyMap<string, number>;
}

export interface Architecture {
  readonly family: string;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly width: number;
  readonly vocabulary: number;
  /** Tokens that the model was trained on at most; with learned positions also the most it can take. */
  readonly contextLength: number;
  readonly positions: Positions;
  /** The token that stood before every training text, where there was one; the vocabulary may be too small for it. */
  readonly startToken?: number;

  readonly embedding: {
    readonly weight: string; // [vocabulary, width], or [vocabulary, projection.inputs]
    readonly projection?: Linear;
    readonly scale?: number;
    readonly norm?: Norm;
  };
  readonly activation: Activation;
  readonly blocks: readonly Block[];
  /** Factor on what a block adds to the residual stream. */
  readonly residualScale?: number;
  readonly finalNorm?: Norm;
  readonly head: {
    readonly projection?: Linear;
    readonly linear: Linear;
    readonly scale?: number;
    readonly softcap?: number;
  };
  readonly initializer: Initializer;
}

/** One family of checkpoints, by the `model_type` of their config. */
export interface Family {
  readonly modelType: string;
  describe(config: Config): Architecture;
  /** Tensors that may be in the file and change nothing: buffers of older library versions, tied copies. */
  ignores(tensor: string, architecture: Architecture): boolean;
  /** A prefix that some exports leave out of every tensor name. */
  readonly optionalPrefix?: string;
}

export interface TensorSpec {
  readonly shape: readonly number[];
  /** `scale` and `shift` of a norm or projection start at 1 and 0; a `matrix` is drawn at random. */
  readonly role: "matrix" | "scale" | "shift";
}

/** Every tensor that the architecture reads, by name. */
export function tensorsOf(architecture: Architecture): ReadonlyMap<string, TensorSpec> {
  const tensors = new Map<string, TensorSpec>();
  const { width, heads, vocabulary, contextLength, positions, embedding, head } = architecture;
  const matrix = (name: string, ...shape: number[]) => tensors.set(name, { shape, role: "matrix" });
  const shift = (name: string | undefined, ...shape: number[]) => name && tensors.set(name, { shape, role: "shift" });
  const norm = (of: Norm | undefined) => {
    if (!of) return;
    const role = of.offset === 1 ? "shift" : "scale"; // a stored scale of w − 1 starts at 0
    for (const name of [of.weight ?? []].flat()) tensors.set(name, { shape: [of.size], role });
    shift(of.bias, of.size);
  };
  const norms = ({ input, output, sum }: SublayerNorms) => [input, output, sum].forEach(norm);
  const linear = (of: Linear | undefined) => {
    if (!of) return;
    const { weight, bias, layout, inputs, outputs } = of;
    matrix(weight, ...(layout === "out-in" ? [outputs, inputs] : [inputs, outputs]));
    shift(bias, outputs);
  };
  const mlp = (of: Block["mlp"]) => {
    if ("router" in of) {
      const { count, inner } = of;
      linear(of.router);
      matrix(of.gateUp.weight, count, width, 2 * inner);
      shift(of.gateUp.bias, count, 2 * inner);
      matrix(of.down.weight, count, inner, width);
      shift(of.down.bias, count, width);
    } else {
      if ("gateUp" in of) linear(of.gateUp);
      else [of.gate, of.up].forEach(linear);
      linear(of.down);
    }
  };
  matrix(embedding.weight, vocabulary, embedding.projection?.inputs ?? width);
  linear(embedding.projection);
  norm(embedding.norm);
  if (positions.kind === "learned") matrix(positions.table, contextLength + positions.offset, width);
  for (const block of architecture.blocks) {
    const { projection, queryNorm, keyNorm, sinks, output } = block.attention;
    norms(block.attentionNorms);
    if ("fused" in projection) linear(projection.fused);
    else [projection.query, projection.key, projection.value].forEach(linear);
    norm(queryNorm);
    norm(keyNorm);
    if (sinks) matrix(sinks, heads);
    linear(output);
    norms(block.mlpNorms);
    mlp(block.mlp);
  }
  norm(architecture.finalNorm);
  linear(head.projection);
  linear(head.linear);
  return tensors;
}
