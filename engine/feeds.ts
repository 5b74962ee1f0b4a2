/** Turns a prompt and a request into the inputs of the graph for one chunk of queries. */
import type { Architecture } from "./architecture.js";
import type { Backend, Tensor } from "./backend.js";
import type { Broadcast, Prompt, Request } from "./forward.js";
import { hidden, laterOf, maskOf } from "./mask.js";
import { rotations } from "./rope.js";
import type { Plan } from "./statistics.js";

export interface ChunkInput {
  readonly architecture: Architecture;
  readonly prompt: Prompt;
  readonly request: Request;
  readonly plan: Plan;
  /** First query of the chunk, and the one after its last. */
  readonly start: number;
  readonly end: number;
  readonly Tensor: Backend["Tensor"];
}

type Feeds = Record<string, Tensor>;

export function feedsOf(chunk: ChunkInput): Feeds {
  const { architecture, prompt, start, end, Tensor } = chunk;
  const { layers: L, heads: H } = architecture;
  const queries = end - start;
  const { temperature, headGate } = prompt;
  const scale = perHead(architecture, (layer, head) => architecture.blocks[layer].scale / at(temperature, layer, head));
  const gate = perHead(architecture, (layer, head) => at(headGate, layer, head));
  return {
    ids: new Tensor("int32", prompt.ids.slice(start, end), [queries]),
    mask: new Tensor("float32", maskOf(prompt, start, end), [queries, end]),
    scale: new Tensor("float32", scale, [L, H, 1, 1]),
    gate: new Tensor("float32", gate, [L, H, 1, 1]),
    ...positionFeeds(chunk),
    ...biasFeeds(chunk),
    ...statisticsFeeds(chunk),
  };
}

/** A value per layer and head, with dimensions of 1 broadcast; 1 where none is given. */
const at = (values: Broadcast | undefined, layer: number, head: number): number =>
  values ? values.data[Math.min(layer, values.dims[0] - 1) * values.dims[1] + Math.min(head, values.dims[1] - 1)] : 1;

const perHead = ({ layers, heads }: Architecture, value: (layer: number, head: number) => number) =>
  Float32Array.from({ length: layers * heads }, (_, i) => value(Math.floor(i / heads), i % heads));

function positionFeeds({ architecture, prompt, start, end, Tensor }: ChunkInput): Feeds {
  const positions =
    prompt.positions?.slice(start, end) ?? Int32Array.from({ length: end - start }, (_, i) => start + i);
  if (architecture.positions.kind === "learned") return { positions: new Tensor("int32", positions, [end - start]) };
  const { cosine, sine } = rotations(positions, architecture.positions.frequencies);
  const dims = [end - start, 1, architecture.headSize];
  return { cosine: new Tensor("float32", cosine, dims), sine: new Tensor("float32", sine, dims) };
}

function biasFeeds({ architecture, prompt, plan, start, end, Tensor }: ChunkInput): Feeds {
  if (!plan.keyBias || !prompt.keyBias) return {};
  const {
    data,
    dims: [layers, heads, tokens],
  } = prompt.keyBias;
  const feeds: Feeds = { later: new Tensor("float32", laterOf(start, end), [end - start, end]) };
  for (let layer = 0; layer < architecture.layers; layer++) {
    const bias = new Float32Array(heads * end); // [heads | 1, 1, keys]
    for (let head = 0; head < heads; head++) {
      const row = (Math.min(layer, layers - 1) * heads + head) * tokens;
      for (let key = 0; key < end; key++) bias[head * end + key] = Math.max(data[row + key], hidden);
    }
    feeds[`key bias ${layer}`] = new Tensor("float32", bias, [heads, 1, end]);
  }
  return feeds;
}

function statisticsFeeds({ architecture, prompt, request, plan, start, end, Tensor }: ChunkInput): Feeds {
  const { heads } = architecture;
  const queries = end - start;
  const feeds: Feeds = {};
  if (plan.mass) {
    const segments = request.keySegments ?? [];
    const columns = segments.length + (plan.rows ? 2 : 0);
    const weights = new Float32Array(end * columns); // [keys, segments, then distance from the first query, and 1]
    for (let key = 0; key < end; key++) {
      segments.forEach((segment, s) => {
        weights[key * columns + s] = segment[key];
      });
      if (plan.rows) weights.set([start - key, 1], key * columns + segments.length);
    }
    feeds["key weights"] = new Tensor("float32", weights, [end, columns]);
  }
  if (plan.received && request.queryGroups) {
    const groups = request.queryGroups;
    const weights = new Float32Array(groups.length * queries); // [groups, queries]
    groups.forEach((group, g) => {
      weights.set(group.subarray(start, end), g * queries);
    });
    feeds["query weights"] = new Tensor("float32", weights, [groups.length, queries]);
  }
  if (plan.pattern && request.targets) {
    const patterns = request.targets.length;
    const keys = new Int32Array(heads * queries * patterns); // [heads, queries, patterns]
    for (let i = 0; i < keys.length; i++) {
      keys[i] = Math.max(0, request.targets[i % patterns][start + (Math.floor(i / patterns) % queries)]);
    }
    feeds.targets = new Tensor("int32", keys, [heads, queries, patterns]);
  }
  if (plan.distances) {
    feeds.padding = new Tensor("float32", new Float32Array(heads * queries), [heads, queries]);
    feeds["skewed shape"] = new Tensor("int64", BigInt64Array.of(BigInt(heads), BigInt(queries), BigInt(end + 1)), [3]);
  }
  if (plan.logits) {
    const next = Int32Array.from({ length: queries }, (_, i) => prompt.ids[start + i + 1] ?? 0); // none after the last
    feeds["next ids"] = new Tensor("int32", next, [queries, 1]);
  }
  return feeds;
}
