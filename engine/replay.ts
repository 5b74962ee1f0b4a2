/**
 * A decoder in plain float64, written for reading: one loop per formula, the whole matrix in memory, interventions as
 * engine/forward.ts defines them. What the graphs on every device are held against.
 */
import { type Architecture, type Block, type Linear, type Norm, tensorsOf } from "./architecture.js";
import type { Checkpoint } from "./checkpoint.js";
import type { Broadcast, Prompt } from "./forward.js";

type Vector = Float64Array;

export interface Replay {
  readonly attention: Vector[][][]; // layers × heads × queries × [keys 0 … query]
  readonly scores: Vector[][]; // layers × queries × [all keys], mean over heads, before masking
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
const add = (a: Vector, b: Vector): Vector => a.map((x, i) => x + b[i]);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function softmax(scores: ArrayLike<number>): Vector {
  const values = Float64Array.from(scores);
  const largest = values.reduce((a, b) => Math.max(a, b));
  const powers = values.map((s) => Math.exp(s - largest));
  const total = powers.reduce((a, b) => a + b);
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

const activations: Record<Architecture["activation"], (x: number) => number> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(0, x),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** All that the model computes on the way, for short prompts: time and memory grow with tokens². */
export async function replay(checkpoint: Checkpoint, prompt: Prompt): Promise<Replay> {
  const { architecture } = checkpoint;
  const tensors = new Map<string, Float32Array>();
  for (const name of tensorsOf(architecture).keys()) tensors.set(name, await checkpoint.tensor(name));
  const tensor = (name: string): Float32Array => tensors.get(name) ?? new Float32Array();

  const { layers, heads, keyValueHeads, headSize, width, positions } = architecture;
  const tokens = prompt.ids.length;
  const position = (token: number) => prompt.positions?.[token] ?? token;
  const at = (values: Broadcast | undefined, layer: number, head: number, token = 0): number | undefined => {
    if (!values) return undefined;
    const [L, H, T = 1] = values.dims;
    return values.data[((L === 1 ? 0 : layer) * H + (H === 1 ? 0 : head)) * T + token];
  };
  const visible = (query: number, key: number): boolean => {
    const piece = prompt.pieces;
    return key <= query && (!piece || piece[key] === 0 || piece[key] === piece[query] || piece[query] === -1);
  };
  const norm = (x: Vector, { weight, bias }: Norm): Vector => {
    const scale = tensor(weight);
    const centre = architecture.norm.kind === "layer" ? x.reduce((a, b) => a + b) / width : 0;
    const centred = x.map((value) => value - centre);
    const factor = 1 / Math.sqrt(dot(centred, centred) / width + architecture.norm.epsilon);
    return centred.map((value, i) => value * factor * scale[i] + (bias ? tensor(bias)[i] : 0));
  };
  const linear = (x: Vector, { weight, bias, layout, inputs, outputs }: Linear): Vector => {
    const matrix = tensor(weight);
    return Float64Array.from({ length: outputs }, (_, o) => {
      let sum = bias ? tensor(bias)[o] : 0;
      for (let i = 0; i < inputs; i++) sum += x[i] * matrix[layout === "out-in" ? o * inputs + i : i * outputs + o];
      return sum;
    });
  };
  const rotate = (x: Vector, token: number): Vector => {
    if (positions.kind !== "rope") return x;
    const half = headSize / 2;
    return x.map((value, i) => {
      const angle = position(token) * positions.frequencies[i % half];
      return value * Math.cos(angle) + (i < half ? -x[i + half] : x[i - half]) * Math.sin(angle);
    });
  };
  const split = (x: Vector, count: number): Vector[] =>
    range(count).map((head) => x.slice(head * headSize, (head + 1) * headSize));
  const project = (x: Vector, { projection }: Block, token: number): [Vector[], Vector[], Vector[]] => {
    const joined =
      "fused" in projection
        ? linear(x, projection.fused)
        : Float64Array.from(
            [projection.query, projection.key, projection.value].flatMap((part) => [...linear(x, part)]),
          );
    const all = split(joined, heads + 2 * keyValueHeads);
    const turned = all.slice(0, heads + keyValueHeads).map((head) => rotate(head, token));
    return [turned.slice(0, heads), turned.slice(heads), all.slice(heads + keyValueHeads)];
  };

  const table = positions.kind === "learned" ? tensor(positions.table) : undefined;
  const row = (matrix: Float32Array, index: number): Vector =>
    Float64Array.from(matrix.subarray(index * width, (index + 1) * width));
  let stream = range(tokens).map((token) => {
    const embedded = row(tensor(architecture.embedding), prompt.ids[token]);
    return table ? add(embedded, row(table, position(token))) : embedded;
  });
  const result: Replay = { attention: [], scores: [], keys: [], values: [], residual: [stream], logits: [] };
  for (let layer = 0; layer < layers; layer++) {
    const block = architecture.blocks[layer];
    const projected = stream.map((x, token) => project(norm(x, block.attentionNorm), block, token));
    const group = (head: number) => Math.floor((head * keyValueHeads) / heads);
    const score = (head: number, query: number, key: number): number =>
      (dot(projected[query][0][head], projected[key][1][group(head)]) * block.scale) /
      (at(prompt.temperature, layer, head) ?? 1);
    const attention = range(heads).map((head) =>
      range(tokens).map((query) =>
        softmax(
          range(query + 1).map((key) => {
            if (!visible(query, key)) return Number.NEGATIVE_INFINITY;
            return score(head, query, key) + (key < query ? (at(prompt.keyBias, layer, head, key) ?? 0) : 0);
          }),
        ),
      ),
    );
    const mixed = range(tokens).map((query) =>
      Float64Array.from(
        range(heads).flatMap((head) =>
          range(headSize).map((i) => {
            const weights = attention[head][query];
            const sum = weights.reduce((total, p, key) => total + p * projected[key][2][group(head)][i], 0);
            return sum * (at(prompt.headGate, layer, head) ?? 1);
          }),
        ),
      ),
    );
    stream = stream.map((x, token) => add(x, linear(mixed[token], block.output)));
    stream = stream.map((x) => {
      const { gate, up, down } = block.mlp;
      const activate = activations[architecture.activation];
      const input = norm(x, block.mlpNorm);
      const raised = linear(input, up);
      const inner = gate ? linear(input, gate).map((value, i) => activate(value) * raised[i]) : raised.map(activate);
      return add(x, linear(inner, down));
    });
    result.attention.push(attention);
    result.scores.push(
      range(tokens).map((query) =>
        Float64Array.from(
          range(tokens),
          (key) => range(heads).reduce((sum, head) => sum + score(head, query, key), 0) / heads,
        ),
      ),
    );
    const byHead = (part: 1 | 2) => range(keyValueHeads).map((head) => projected.map((token) => token[part][head]));
    result.keys.push(byHead(1));
    result.values.push(byHead(2));
    result.residual.push(stream);
  }
  result.logits.push(...stream.map((x) => linear(norm(x, architecture.finalNorm), architecture.head)));
  return result;
}
