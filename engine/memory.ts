/** How much memory a model takes on the processor, to be known before it is tried. */
import { type Architecture, tensorsOf } from "./architecture.js";
import { weightBytes } from "./weights.js";

/** Queries in a chunk: enough for matrix products at full speed, few enough that memory grows with length, not its square. */
const largestChunk = 128;
const smallestChunk = 16;
const chunkScores = 2 ** 23; // a chunk's [heads, queries, keys], as far as it has more queries than the smallest one

/** How many queries of a prompt of this length go through the model at a time. */
export function chunkFor({ heads }: Architecture, tokens: number): number {
  const fitting = Math.floor(chunkScores / (heads * tokens));
  return Math.max(smallestChunk, Math.min(largestChunk, fitting));
}

/** Number of values of each weight, by name. */
export function weightSizes(architecture: Architecture): ReadonlyMap<string, number> {
  const sizes = [...tensorsOf(architecture)].map(
    ([name, { shape }]) => [name, shape.reduce((product, size) => product * size, 1)] as const,
  );
  return new Map(sizes);
}

/** Of Node and the runtime, in bytes. */
const fixed = 1.2e8;
/** What ONNX Runtime has of a chunk's scores at a time, with its memory pool's spare room; as `bench cpu` measures it. */
const scoreCopies = 18;

/**
 * Bytes that a pass over a prompt takes at its peak with all row metrics, as an estimate: the weights as float32, the
 * key–value cache and its copy inside the runtime, and a chunk's scores.
 */
export function memoryNeeded(architecture: Architecture, tokens: number): number {
  const { layers, heads, keyValueHeads, headSize } = architecture;
  const cache = 2 * layers * keyValueHeads * headSize * tokens;
  const scores = heads * chunkFor(architecture, tokens) * tokens;
  return fixed + weightBytes(weightSizes(architecture)) + 4 * (2 * cache + scoreCopies * scores);
}
