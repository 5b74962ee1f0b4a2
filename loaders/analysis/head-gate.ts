import type { Architecture } from "../../engine/architecture.js";
import type { Broadcast } from "../../engine/forward.js";

/** The gate that removes some heads: their outputs times 0. @param removed layer · heads + head */
export function withoutHeads(
  { layers, heads }: Pick<Architecture, "layers" | "heads">,
  removed: readonly number[],
): Broadcast {
  const data = new Float32Array(layers * heads).fill(1); // [layers, heads]
  for (const head of removed) data[head] = 0;
  return { data, dims: [layers, heads] };
}
