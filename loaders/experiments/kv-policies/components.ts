/** Directions in which keys are looked at: their principal components, with position encoding and without, and random ones. */
import type { Architecture } from "../../../engine/architecture.js";
import type { Values } from "../../../engine/forward.js";
import type { Random } from "../../../engine/random.js";
import { partners, rotations } from "../../../engine/rope.js";
import { dot, normals } from "../../../engine/theory/matrix.js";
import { type Components, principalComponents } from "../../analysis/principal-components.js";

/** Keys of one key–value head. // [tokens, headSize] */
export function vectorsOf({ data, dims }: Values, head: number): Float32Array {
  const size = dims[2] * dims[3];
  return data.subarray(head * size, (head + 1) * size);
}

/** Keys as they were before rotary encoding; the same where there is none. @param keys [tokens, headSize] of one head at positions 0, 1, … */
export function unrotated(
  keys: Float32Array,
  layer: number,
  { positions, blocks, headSize }: Architecture,
): Float32Array {
  const { rope: index } = blocks[layer].attention;
  if (positions.kind !== "rope" || index === undefined) return keys;
  const rope = positions.ropes[index];
  const tokens = keys.length / headSize;
  const places = Int32Array.from({ length: tokens }, (_, at) => at);
  const { cosine, sine } = rotations(places, rope, headSize, tokens);
  const partner = partners(rope, headSize);
  return keys.map((value, at) => {
    const other = at - (at % headSize) + partner[at % headSize];
    const scale = cosine[at] ** 2 + sine[at] ** 2; // 1 unless the encoding stretches
    return (value * cosine[at] - keys[other] * sine[at]) / scale;
  });
}

/** Components of the keys of each key–value head over all texts. @param texts texts × heads × [tokens, headSize] */
export function componentsOf(texts: readonly (readonly Float32Array[])[], headSize: number): Components[] {
  return texts[0].map((_, head) => {
    const joined = texts.flatMap((heads) => [...heads[head]]);
    return principalComponents(joined, headSize);
  });
}

/** Orthogonal directions that know nothing of the keys: components of noise. */
export function randomDirections(headSize: number, random: Random): Float64Array {
  return principalComponents(normals(random, 4 * headSize * headSize), headSize).basis;
}

/** Vectors in the first `rank` directions of a basis. @param vectors [n, size] @returns [n, rank] */
export function projected(vectors: Float32Array, basis: Float64Array, size: number, rank: number): Float64Array {
  const n = vectors.length / size;
  const coordinates = new Float64Array(n * rank);
  for (let row = 0; row < n; ++row) {
    for (let c = 0; c < rank; ++c) coordinates[row * rank + c] = dot(vectors, row * size, basis, c * size, size);
  }
  return coordinates;
}
