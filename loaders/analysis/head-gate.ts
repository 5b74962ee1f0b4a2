import type { Architecture } from "../../engine/architecture.js";
import type { Broadcast } from "../../engine/forward.js";
import type { Random } from "../../engine/random.js";

/** The gate that removes some heads: their outputs times 0. @param removed layer · heads + head */
export function withoutHeads(
  { layers, heads }: Pick<Architecture, "layers" | "heads">,
  removed: readonly number[],
): Broadcast {
  const data = new Float32Array(layers * heads).fill(1); // [layers, heads]
  for (const head of removed) data[head] = 0;
  return { data, dims: [layers, heads] };
}

/** For every chosen head another of its layer, where there is one left. @param width heads of a layer */
export function sameLayers(
  chosen: readonly number[],
  others: readonly number[],
  width: number,
  random: Random,
): number[] {
  const layerOf = (head: number) => Math.floor(head / width);
  const left = random.shuffle(others);
  return chosen.flatMap((head) => {
    const at = left.findIndex((other) => layerOf(other) === layerOf(head));
    return at < 0 ? [] : left.splice(at, 1);
  });
}
