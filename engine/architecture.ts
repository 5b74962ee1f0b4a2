/**
 * What the graph builder needs to know about a checkpoint: sizes, kinds of norm, position encoding and MLP, and the
 * names of its tensors. A family (engine/families) derives it from config.json; one builder turns it into a graph.
 */
import type { Config } from "./config.js";

/** `out-in` as in torch.nn.Linear, `in-out` as in GPT-2's Conv1D. */
export interface Linear {
  readonly weight: string;
  readonly bias?: string;
  readonly layout: "out-in" | "in-out";
  readonly inputs: number;
  readonly outputs: number;
}

export interface Norm {
  readonly weight: string;
  readonly bias?: string;
}

/** Separate projections, or one whose outputs are the queries, then the keys, then the values. */
export type Projection =
  | { readonly query: Linear; readonly key: Linear; readonly value: Linear }
  | { readonly fused: Linear };

export interface Block {
  readonly attentionNorm: Norm;
  readonly projection: Projection;
  readonly output: Linear;
  /** Factor on q·k. */
  readonly scale: number;
  readonly mlpNorm: Norm;
  /** With a gate: down(activation(gate(x)) · up(x)); without: down(activation(up(x))). */
  readonly mlp: { readonly gate?: Linear; readonly up: Linear; readonly down: Linear };
}

export type Activation = "silu" | "gelu" | "gelu_tanh" | "relu";

export type Positions =
  /** Rotary: pairs (i, i + headSize/2) are turned by position · frequencies[i]. */
  | { readonly kind: "rope"; readonly frequencies: Float64Array } // [headSize / 2]
  | { readonly kind: "learned"; readonly table: string }; // [contextLength, width]

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
  /** The token that stood before every training text, where there was one. */
  readonly startToken?: number;

  readonly embedding: string; // [vocabulary, width]
  readonly norm: { readonly kind: "rms" | "layer"; readonly epsilon: number };
  readonly activation: Activation;
  readonly blocks: readonly Block[];
  readonly finalNorm: Norm;
  readonly head: Linear;
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
  const { width, vocabulary, contextLength, positions } = architecture;
  const matrix = (name: string, ...shape: number[]) => tensors.set(name, { shape, role: "matrix" });
  const shift = (name: string | undefined, size: number) => name && tensors.set(name, { shape: [size], role: "shift" });
  const norm = ({ weight, bias }: Norm) => {
    tensors.set(weight, { shape: [width], role: "scale" });
    shift(bias, width);
  };
  const linear = ({ weight, bias, layout, inputs, outputs }: Linear) => {
    matrix(weight, ...(layout === "out-in" ? [outputs, inputs] : [inputs, outputs]));
    shift(bias, outputs);
  };
  matrix(architecture.embedding, vocabulary, width);
  if (positions.kind === "learned") matrix(positions.table, contextLength, width);
  for (const { attentionNorm, projection, output, mlpNorm, mlp } of architecture.blocks) {
    norm(attentionNorm);
    for (const part of Object.values<Linear>({ ...projection })) linear(part);
    linear(output);
    norm(mlpNorm);
    if (mlp.gate) linear(mlp.gate);
    linear(mlp.up);
    linear(mlp.down);
  }
  norm(architecture.finalNorm);
  linear(architecture.head);
  return tensors;
}
