/** Turns a prompt and a request into the inputs of the graph for one chunk of queries. */
import { alibi } from "./alibi.js";
import type { Architecture, Block } from "./architecture.js";
import type { Backend, Tensor } from "./backend.js";
import type { Broadcast, Prompt, Request } from "./forward.js";
import { hidden, laterOf, maskName, maskOf } from "./mask.js";
import { lastPosition } from "./prompt.js";
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
  const { blocks, positions } = architecture;
  const { temperature, headGate } = prompt;
  const perHead = (value: (block: Block, temperature: number, layer: number, head: number) => number) =>
    perLayerAndHead(chunk, (layer, head) => value(blocks[layer], at(temperature, layer, head), layer, head));
  const feeds: Feeds = {
    ids: new Tensor("int32", prompt.ids.slice(start, end), [end - start]),
    scale: perHead(({ attention: { scale, softcap } }, divisor) => (softcap ? scale / softcap : scale / divisor)),
    gate: perHead((_block, _divisor, layer, head) => at(headGate, layer, head)),
  };
  for (const window of new Set(blocks.map(({ attention }) => attention.window))) {
    feeds[maskName(window)] = new Tensor("float32", maskOf(prompt, start, end, window), [end - start, end]);
  }
  if (blocks.some(({ attention }) => attention.softcap)) {
    feeds.cap = perHead(({ attention: { softcap = 1 } }, divisor) => softcap / divisor);
  }
  if (positions.kind === "alibi" || blocks.some(({ attention }) => attention.sinks)) {
    feeds.sharpness = perHead((_block, divisor) => 1 / divisor);
  }
  return {
    ...feeds,
    ...positionFeeds(chunk),
    ...biasFeeds(chunk),
    ...evictionFeeds(chunk),
    ...selectionFeeds(chunk),
    ...patchFeeds(chunk),
    ...statisticsFeeds(chunk),
  };
}

/** A value per layer and head, with dimensions of 1 broadcast; 1 where none is given. */
export const at = (values: Broadcast | undefined, layer: number, head: number): number =>
  values ? values.data[Math.min(layer, values.dims[0] - 1) * values.dims[1] + Math.min(head, values.dims[1] - 1)] : 1;

function perLayerAndHead({ architecture, Tensor }: ChunkInput, value: (layer: number, head: number) => number): Tensor {
  const { layers, heads } = architecture;
  const values = Float32Array.from({ length: layers * heads }, (_, i) => value(Math.floor(i / heads), i % heads));
  return new Tensor("float32", values, [layers, heads, 1, 1]);
}

/** The positions of tokens `start` to `end`. */
const positionsOf = ({ positions }: Prompt, start: number, end: number): Int32Array =>
  positions?.slice(start, end) ?? Int32Array.from({ length: end - start }, (_, i) => start + i);

/** What encodes the positions of a chunk. */
export function positionFeeds({
  architecture,
  prompt,
  start,
  end,
  Tensor,
}: Pick<ChunkInput, "architecture" | "prompt" | "start" | "end" | "Tensor">): Feeds {
  const { positions: encoding, headSize, heads } = architecture;
  const positions = positionsOf(prompt, start, end);
  const feeds: Feeds = {};
  switch (encoding.kind) {
    case "learned":
      feeds.positions = new Tensor(
        "int32",
        positions.map((position) => position + encoding.offset),
        [end - start],
      );
      break;
    case "rope":
      encoding.ropes.forEach((rope, i) => {
        if (!architecture.blocks.some(({ attention }) => attention.rope === i)) return; // the graph has no such input
        const { cosine, sine } = rotations(positions, rope, headSize, lastPosition(prompt) + 1);
        feeds[`cosine ${i}`] = new Tensor("float32", cosine, [end - start, 1, headSize]);
        feeds[`sine ${i}`] = new Tensor("float32", sine, [end - start, 1, headSize]);
      });
      break;
    case "alibi": {
      const ofKeys = alibi(encoding, positionsOf(prompt, 0, end), positions[0]);
      const ofQueries = alibi(encoding, positions, positions[0]);
      feeds["alibi of keys"] = new Tensor("float32", ofKeys, [heads, 1, end]);
      feeds["alibi of queries"] = new Tensor("float32", ofQueries, [heads, end - start, 1]);
    }
  }
  return feeds;
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

function evictionFeeds({ architecture, prompt, plan, start, end, Tensor }: ChunkInput): Feeds {
  if (!plan.eviction || !prompt.eviction) return {};
  const {
    data,
    dims: [layers, heads, tokens],
  } = prompt.eviction;
  const queries = Float32Array.from({ length: end - start }, (_, i) => start + i);
  const feeds: Feeds = { "query index": new Tensor("float32", queries, [end - start, 1]) };
  for (let layer = 0; layer < architecture.layers; layer++) {
    const since = new Float32Array(heads * end); // [heads | 1, 1, keys]
    for (let head = 0; head < heads; head++) {
      const row = (Math.min(layer, layers - 1) * heads + head) * tokens;
      since.set(data.subarray(row, row + end), head * end);
    }
    feeds[`evicted ${layer}`] = new Tensor("float32", since, [heads, 1, end]);
  }
  return feeds;
}

function selectionFeeds({ architecture, prompt: { selection }, start, end, Tensor }: ChunkInput): Feeds {
  if (!selection) return {};
  const { layers, keyValueHeads, headSize } = architecture;
  const { directions, rank, keep, from, keys } = selection;
  const barred = new Float32Array((end - start) * end).fill(hidden); // [queries, keys]
  for (let query = Math.max(start, from); query < end; query++) {
    const row = (query - start) * end;
    barred.fill(0, row, row + keys);
  }
  const feeds: Feeds = {
    "not to choose": new Tensor("float32", barred, [end - start, end]),
    "chosen count": new Tensor("int64", BigInt64Array.of(BigInt(Math.min(keep, end))), [1]),
  };
  const size = keyValueHeads * headSize * rank;
  for (let layer = 0; layer < layers; layer++) {
    const ofLayer = directions.subarray(layer * size, (layer + 1) * size);
    feeds[`directions ${layer}`] = new Tensor("float32", ofLayer, [keyValueHeads, headSize, rank]);
  }
  return feeds;
}

function patchFeeds({ architecture: { width }, prompt, plan, start, end, Tensor }: ChunkInput): Feeds {
  const feeds: Feeds = {};
  for (const layer of plan.patches) {
    const kept = new Float32Array(end - start).fill(1); // [queries, 1]
    const patch = new Float32Array((end - start) * width); // [queries, width]
    for (const { mode, tokens, values } of prompt.residualPatches?.filter((item) => item.layer === layer) ?? []) {
      tokens.forEach((token, i) => {
        if (token < start || token >= end) return;
        const row = patch.subarray((token - start) * width, (token - start + 1) * width);
        if (mode === "replace") kept[token - start] = 0;
        for (let c = 0; c < width; c++) row[c] = values[i * width + c] + (mode === "add" ? row[c] : 0);
      });
    }
    feeds[`kept ${layer}`] = new Tensor("float32", kept, [end - start, 1]);
    feeds[`patch ${layer}`] = new Tensor("float32", patch, [end - start, width]);
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
  if (plan.topMass && request.topMass) {
    const sizes = request.topMass;
    const count = Math.min(Math.max(...sizes), end);
    const weights = new Float32Array(count * sizes.length); // [top, sizes]: 1 where a rank is among the first so many
    weights.forEach((_, i) => {
      weights[i] = Math.floor(i / sizes.length) < sizes[i % sizes.length] ? 1 : 0;
    });
    feeds["top count"] = new Tensor("int64", BigInt64Array.of(BigInt(count)), [1]);
    feeds["top weights"] = new Tensor("float32", weights, [count, sizes.length]);
  }
  if (plan.mixture && request.headWeights) {
    feeds["head weights"] = new Tensor("float32", request.headWeights, [architecture.layers, heads]);
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
