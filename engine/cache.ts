import type { Architecture } from "./architecture.js";
import type { Backend, Tensor } from "./backend.js";

/** Keys and values of all layers, so laid out that those of the past are the beginning of each array. */
export class KeyValueCache {
  readonly #keys: readonly Float32Array[]; // layers × [tokens, keyValueHeads, headSize]
  readonly #values: readonly Float32Array[];
  readonly #row: number;

  constructor(
    readonly architecture: Architecture,
    tokens: number,
  ) {
    const { layers, keyValueHeads, headSize } = architecture;
    this.#row = keyValueHeads * headSize;
    const arrays = () => Array.from({ length: layers }, () => new Float32Array(tokens * this.#row));
    this.#keys = arrays();
    this.#values = arrays();
  }

  /** The graph's inputs for the first `length` tokens: views, not copies. */
  past(length: number, { Tensor }: Backend): Record<string, Tensor> {
    const { keyValueHeads, headSize } = this.architecture;
    const feeds: Record<string, Tensor> = {};
    const add = (name: string, layers: readonly Float32Array[]) =>
      layers.forEach((values, layer) => {
        const prefix = values.subarray(0, length * this.#row);
        feeds[`${name} ${layer}`] = new Tensor("float32", prefix, [length, keyValueHeads, headSize]);
      });
    add("past keys", this.#keys);
    add("past values", this.#values);
    return feeds;
  }

  /** Takes what the graph computed for tokens `start` to `end`: [layers · queries, keyValueHeads, headSize] each. */
  append(start: number, end: number, keys: Float32Array, values: Float32Array): void {
    const size = (end - start) * this.#row;
    const copy = (layers: readonly Float32Array[], source: Float32Array) =>
      layers.forEach((target, layer) => {
        target.set(source.subarray(layer * size, (layer + 1) * size), start * this.#row);
      });
    copy(this.#keys, keys);
    copy(this.#values, values);
  }
}
