/**
 * A decoder in plain float64, written for reading: one loop per formula, the whole matrix in memory, interventions as
 * engine/forward.ts defines them. What the graphs on every device are held against.
 */
import { bfloat16 } from "./alibi.js";
import { type Activation, type Attention, type Block, type Linear, type Norm, tensorsOf } from "./architecture.js";
import type { Checkpoint } from "./checkpoint.js";
import type { Prompt } from "./forward.js";
import { hidden } from "./mask.js";
import { lastPosition } from "./prompt.js";
import { angleAt, partners } from "./rope.js";

type Vector = Float64Array;

export interface Replay {
  readonly attention: Vector[][][]; // layers × heads × queries × [keys 0 … query]
  readonly scores: Vector[][]; // layers × queries × [all keys], mean over heads, before masking
  readonly queries: Vector[][][]; // layers × heads × tokens × [headSize]
  readonly keys: Vector[][][]; // layers × keyValueHeads × tokens × [headSize]
  readonly values: Vector[][][];
  readonly residual: Vector[][]; // (layers + 1) × tokens × [width]
  readonly logits: Vector[]; // tokens × [vocabulary]
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** @param sink a score that takes part without a key */
function softmax(scores: ArrayLike<number>, sink = Number.NEGATIVE_INFINITY): Vector {
  const values = Float64Array.from(scores);
  const largest = values.reduce((a, b) => Math.max(a, b), sink);
  const powers = values.map((s) => Math.exp(s - largest));
  const total = powers.reduce((a, b) => a + b, Math.exp(sink - largest));
  return powers.map((e) => e / total);
}

const erf = (x: number): number => {
  let sum = 0;
  let term = x;
  for (let n = 0; Math.abs(term) > 1e-18 && n < 200; n++) {
    sum += term / (2 * n + 1);
    term *= -(x * x) / (n + 1);
  }
  return Math.abs(x) > 5 ? Math.sign(x) : (2 / Math.sqrt(Math.PI)) * sum;
};

const activations: Record<Activation, (x: number) => number> = {
  silu: (x) => x * sigmoid(x),
  relu: (x) => Math.max(0, x),
  relu_squared: (x) => Math.max(0, x) ** 2,
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  gelu_sigmoid: (x) => x * sigmoid(1.702 * x),
};

/** All that the model computes on the way, for short prompts: time and memory grow with tokens². */
export async function replay(checkpoint: Checkpoint, prompt: Prompt): Promise<Replay> {
  const { architecture } = checkpoint;
  const tensors = new Map<string, Float32Array>();
  for (const name of tensorsOf(architecture).keys()) tensors.set(name, await checkpoint.tensor(name));
  const tensor = (name: string): Float32Array => tensors.get(name) ?? new Float32Array();

  const { layers, heads, keyValueHeads, headSize, width, positions, embedding, head: output } = architecture;
  const tokens = prompt.ids.length;
  const activate = activations[architecture.activation];
  const position = (token: number) => prompt.positions?.[token] ?? token;
  const at = (
    values: { readonly data: ArrayLike<number>; readonly dims: readonly number[] } | undefined,
    layer: number,
    head: number,
    token = 0,
  ): number | undefined => {
    if (!values) return undefined;
    const [L, H, T = 1] = values.dims;
    return values.data[((L === 1 ? 0 : layer) * H + (H === 1 ? 0 : head)) * T + token];
  };
  const visible = (layer: number, head: number, query: number, key: number): boolean => {
    const { window = Infinity } = architecture.blocks[layer].attention;
    const piece = prompt.pieces;
    const sees = !piece || piece[key] === 0 || piece[key] === piece[query] || piece[query] === -1;
    return key <= query && query - key < window && sees && query < (at(prompt.eviction, layer, head, key) ?? Infinity);
  };
  const norm = (x: Vector, of: Norm | undefined, head = 0): Vector => {
    if (!of) return x;
    const { kind, size, epsilon, weight, bias, offset = 0 } = of;
    const name = typeof weight === "object" ? weight[head] : weight;
    const centre = kind === "layer" ? x.reduce((a, b) => a + b) / size : 0;
    const centred = x.map((value) => value - centre);
    const factor = 1 / Math.sqrt(dot(centred, centred) / size + epsilon);
    return centred.map(
      (value, i) => value * factor * (name ? tensor(name)[i] + offset : 1) + (bias ? tensor(bias)[i] : 0),
    );
  };
  /** [inputs] → [outputs], by a matrix that starts at `from` among the values of a tensor. */
  const product = (x: Vector, matrix: Float32Array, outputs: number, layout: Linear["layout"], from = 0): Vector =>
    Float64Array.from({ length: outputs }, (_, o) => {
      let sum = 0;
      for (let i = 0; i < x.length; i++) {
        sum += x[i] * matrix[from + (layout === "out-in" ? o * x.length + i : i * outputs + o)];
      }
      return sum;
    });
  const linear = (x: Vector, { weight, bias, layout, outputs }: Linear): Vector =>
    product(x, tensor(weight), outputs, layout).map((sum, o) => sum + (bias ? tensor(bias)[o] : 0));
  const sum = (a: Vector, b: Vector, scale = 1): Vector => a.map((x, i) => x + scale * b[i]);

  const rotate = (x: Vector, token: number, rope: number | undefined): Vector => {
    if (positions.kind !== "rope" || rope === undefined) return x;
    const { factor, frequencies, pairs } = positions.ropes[rope];
    const speeds = frequencies(lastPosition(prompt) + 1);
    const partner = partners(positions.ropes[rope], headSize);
    return x.map((value, i) => {
      if (partner[i] === i) return value;
      const angle = angleAt(position(token), speeds[pairs === "halves" ? i % speeds.length : Math.floor(i / 2)]);
      const sign = i < partner[i] ? -1 : 1;
      return factor * (value * Math.cos(angle) + sign * x[partner[i]] * Math.sin(angle));
    });
  };
  const split = (x: Vector, count: number): Vector[] =>
    range(count).map((head) => x.slice(head * headSize, (head + 1) * headSize));
  /** Queries, keys and values of a token: heads × [headSize]. */
  const project = (x: Vector, { projection, clip = Infinity }: Attention): Vector[][] => {
    const clipped = (values: Vector) => values.map((value) => clamp(value, -clip, clip));
    if (!("fused" in projection)) {
      return [projection.query, projection.key, projection.value].map((part, i) =>
        split(clipped(linear(x, part)), i ? keyValueHeads : heads),
      );
    }
    const all = split(clipped(linear(x, projection.fused)), heads + 2 * keyValueHeads);
    if (projection.order === "joined") {
      return [all.slice(0, heads), all.slice(heads, heads + keyValueHeads), all.slice(heads + keyValueHeads)];
    }
    const group = heads / keyValueHeads + 2;
    const groups = range(keyValueHeads).map((g) => all.slice(g * group, (g + 1) * group));
    return [
      groups.flatMap((g) => g.slice(0, -2)),
      groups.flatMap((g) => g.slice(-2, -1)),
      groups.flatMap((g) => g.slice(-1)),
    ];
  };
  const normHeads = (of: Vector[], by: Norm | undefined): Vector[] =>
    by && by.size !== headSize
      ? split(norm(Float64Array.from(of.flatMap((x) => [...x])), by), of.length)
      : of.map((x, head) => norm(x, by, head));
  const mlp = (x: Vector, by: Block["mlp"]): Vector => {
    if ("router" in by) {
      const scores = linear(x, by.router);
      const chosen = range(by.count)
        .sort((a, b) => scores[b] - scores[a])
        .slice(0, by.chosen);
      const shares = softmax(chosen.map((expert) => scores[expert]));
      return chosen.reduce((total, expert, i) => {
        const { inner } = by;
        const both = product(x, tensor(by.gateUp.weight), 2 * inner, "in-out", expert * width * 2 * inner);
        const biased = both.map((value, c) => value + tensor(by.gateUp.bias)[expert * 2 * inner + c]);
        const inside = Float64Array.from({ length: inner }, (_, c) => {
          const gate = Math.min(biased[2 * c], 7);
          return (clamp(biased[2 * c + 1], -7, 7) + 1) * gate * sigmoid(1.702 * gate);
        });
        const outside = product(inside, tensor(by.down.weight), width, "in-out", expert * inner * width);
        return total.map((value, c) => value + shares[i] * (outside[c] + tensor(by.down.bias)[expert * width + c]));
      }, new Float64Array(width));
    }
    if ("gateUp" in by) {
      const both = linear(x, by.gateUp);
      const half = both.length / 2;
      return linear(
        both.slice(0, half).map((gate, i) => activate(gate) * both[half + i]),
        by.down,
      );
    }
    const { gate } = by;
    const raised = linear(x, by.up);
    return linear(
      gate ? linear(x, gate).map((value, i) => activate(value) * raised[i]) : raised.map(activate),
      by.down,
    );
  };
  const alibi = (head: number, query: number, key: number): number => {
    if (positions.kind !== "alibi") return 0;
    const { slopes, factor, rounded } = positions;
    if (!rounded) return factor * slopes[head] * (position(key) - position(query));
    const bias = (token: number) => bfloat16(bfloat16(slopes[head]) * position(token));
    return factor * (bias(key) - bias(query));
  };
  const row = (name: string, index: number, size: number): Vector =>
    Float64Array.from(tensor(name).subarray(index * size, (index + 1) * size));
  const embed = (token: number): Vector => {
    const { weight, projection, scale = 1 } = embedding;
    const vector = row(weight, prompt.ids[token], projection?.inputs ?? width);
    const embedded = norm(
      (projection ? linear(vector, projection) : vector).map((x) => x * scale),
      embedding.norm,
    );
    if (positions.kind !== "learned") return embedded;
    return sum(embedded, row(positions.table, position(token) + positions.offset, width));
  };
  const patched = (stream: Vector[], layer: number): Vector[] => {
    const result = [...stream];
    for (const patch of prompt.residualPatches ?? []) {
      if (patch.layer !== layer) continue;
      patch.tokens.forEach((token, i) => {
        const vector = Float64Array.from(patch.values.subarray(i * width, (i + 1) * width));
        result[token] = patch.mode === "replace" ? vector : sum(result[token], vector);
      });
    }
    return result;
  };

  let stream = patched(range(tokens).map(embed), 0);
  const result: Replay = {
    attention: [],
    scores: [],
    queries: [],
    keys: [],
    values: [],
    residual: [stream],
    logits: [],
  };
  for (let layer = 0; layer < layers; layer++) {
    const block = architecture.blocks[layer];
    const { scale, softcap, sinks, rope, queryNorm, keyNorm } = block.attention;
    const projected = stream.map((x, token) => {
      const [query, key, value] = project(norm(x, block.attentionNorms.input), block.attention);
      const turned = (of: Vector[], by: Norm | undefined) => normHeads(of, by).map((head) => rotate(head, token, rope));
      return [turned(query, queryNorm), turned(key, keyNorm), value];
    });
    const group = (head: number) => Math.floor((head * keyValueHeads) / heads);
    const score = (head: number, query: number, key: number): number => {
      const raw = dot(projected[query][0][head], projected[key][1][group(head)]) * scale;
      const capped = softcap ? softcap * Math.tanh(raw / softcap) : raw;
      return (capped + alibi(head, query, key)) / (at(prompt.temperature, layer, head) ?? 1);
    };
    const biasOf = (head: number, key: number) => at(prompt.keyBias, layer, head, key) ?? 0;
    /** The keys that a query sees without a selection, less those of low score in its directions. */
    const seenBy = (head: number, query: number): Set<number> => {
      const all = range(query + 1).filter((key) => visible(layer, head, query, key));
      const { selection } = prompt;
      if (!selection || query < selection.from) return new Set(all);
      const { directions, rank, keep, keys } = selection;
      const first = (layer * keyValueHeads + group(head)) * headSize * rank;
      const along = (x: Vector) => product(x, directions, rank, "in-out", first); // [rank]
      const aligned = new Map(
        all
          .filter((key) => key < keys && biasOf(head, key) > hidden / 2)
          .map((key) => [key, dot(along(projected[query][0][head]), along(projected[key][1][group(head)]))]),
      );
      const lowest = [...aligned.values()].sort((a, b) => b - a)[keep - 1] ?? Number.NEGATIVE_INFINITY;
      return new Set(all.filter((key) => (aligned.get(key) ?? Infinity) >= lowest));
    };
    const attention = range(heads).map((head) =>
      range(tokens).map((query) => {
        const seen = seenBy(head, query);
        return softmax(
          range(query + 1).map((key) => {
            if (!seen.has(key)) return Number.NEGATIVE_INFINITY;
            return score(head, query, key) + (key < query ? biasOf(head, key) : 0);
          }),
          sinks ? tensor(sinks)[head] / (at(prompt.temperature, layer, head) ?? 1) : undefined,
        );
      }),
    );
    const mixed = range(tokens).map((query) =>
      Float64Array.from(
        range(heads).flatMap((head) =>
          range(headSize).map((i) => {
            const weights = attention[head][query];
            const total = weights.reduce((all, p, key) => all + p * projected[key][2][group(head)][i], 0);
            return total * (at(prompt.headGate, layer, head) ?? 1);
          }),
        ),
      ),
    );
    stream = stream.map((x, token) => {
      const { attentionNorms, mlpNorms, parallel, normedResidual } = block;
      const attended = norm(linear(mixed[token], block.attention.output), attentionNorms.output);
      const from = normedResidual ? norm(x, attentionNorms.input) : x;
      const between = norm(sum(from, attended, architecture.residualScale), attentionNorms.sum);
      const input = norm(parallel ? x : between, mlpNorms.input);
      const moved = norm(mlp(input, block.mlp), mlpNorms.output);
      return norm(sum(normedResidual ? input : between, moved, architecture.residualScale), mlpNorms.sum);
    });
    stream = patched(stream, layer + 1);
    result.attention.push(attention);
    result.scores.push(
      range(tokens).map((query) =>
        Float64Array.from(
          range(tokens),
          (key) => range(heads).reduce((total, head) => total + score(head, query, key), 0) / heads,
        ),
      ),
    );
    const byHead = (part: 0 | 1 | 2) =>
      range(part ? keyValueHeads : heads).map((head) => projected.map((token) => token[part][head]));
    result.queries.push(byHead(0));
    result.keys.push(byHead(1));
    result.values.push(byHead(2));
    result.residual.push(stream);
  }
  for (const x of stream) {
    const hidden = norm(x, architecture.finalNorm);
    const raw = linear(output.projection ? linear(hidden, output.projection) : hidden, output.linear);
    const { scale = 1, softcap } = output;
    result.logits.push(raw.map((value) => (softcap ? softcap * Math.tanh((value * scale) / softcap) : value * scale)));
  }
  return result;
}
