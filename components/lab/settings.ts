/** What the reader changes in the model, and the prompt that makes the change. */
import type { Architecture } from "../../engine/architecture.js";
import type { Broadcast, Prompt } from "../../engine/forward.js";
import type { HeadPlace } from "../../engine/metrics/columns.js";

export interface Settings {
  /** Heads that add nothing to the residual stream, by layer · heads + head. */
  readonly silenced: readonly number[];
  /** Divides the scores of the heads in scope. */
  readonly temperature: number;
  /** Hides the first token from all later queries, in the heads in scope. */
  readonly withoutFirst: boolean;
  readonly scope: "all heads" | "this layer" | "this head";
  /** The head that the scope speaks of. */
  readonly place: HeadPlace;
  /** Keys that the cache keeps, the newest ones; all of them where absent. */
  readonly keep?: number;
  /** Whether the first token stays in the cache for good. */
  readonly keepFirst: boolean;
}

export const plain: Settings = {
  silenced: [],
  temperature: 1,
  withoutFirst: false,
  scope: "all heads",
  place: { layer: 0, head: 0 },
  keepFirst: false,
};

export const isPlain = ({ silenced, temperature, withoutFirst, keep }: Settings): boolean =>
  silenced.length === 0 && temperature === 1 && !withoutFirst && keep === undefined;

export function promptOf(ids: Int32Array, settings: Settings, { layers, heads }: Architecture): Prompt {
  const { silenced, temperature, withoutFirst, scope, place, keep, keepFirst } = settings;
  const tokens = ids.length;
  const inScope = (layer: number, head: number) =>
    scope === "all heads" || (layer === place.layer && (scope === "this layer" || head === place.head));
  const perHead = (value: (layer: number, head: number) => number): Broadcast => ({
    data: Float32Array.from({ length: layers * heads }, (_, i) => value(Math.floor(i / heads), i % heads)),
    dims: [layers, heads],
  });
  return {
    ids,
    headGate: silenced.length ? perHead((layer, head) => (silenced.includes(layer * heads + head) ? 0 : 1)) : undefined,
    temperature: temperature === 1 ? undefined : perHead((layer, head) => (inScope(layer, head) ? temperature : 1)),
    keyBias: withoutFirst ? hiddenFirst(tokens, scope === "all heads" ? undefined : perHead(scopeValue)) : undefined,
    eviction:
      keep === undefined
        ? undefined
        : {
            data: Int32Array.from(ids, (_, key) => (key === 0 && keepFirst ? tokens : key + keep)),
            dims: [1, 1, tokens],
          },
  };

  function scopeValue(layer: number, head: number): number {
    return inScope(layer, head) ? 1 : 0;
  }
}

/** −∞ on the first key, for all heads or for those with a 1. */
function hiddenFirst(tokens: number, heads?: Broadcast): Broadcast {
  const rows = heads?.data ?? Float32Array.of(1);
  const data = new Float32Array(rows.length * tokens);
  rows.forEach((row, i) => {
    if (row === 1) data[i * tokens] = Number.NEGATIVE_INFINITY;
  });
  return { data, dims: [...(heads?.dims ?? [1, 1]), tokens] };
}
