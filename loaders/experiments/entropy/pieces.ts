/**
 * Parallel context encoding: a context is split into pieces that cannot see each other, and a block of queries after
 * them sees them all.
 * Source: the method of "Attention Entropy is a Key Factor" (catalogue: entropy-parallel-context), as its released code
 * has it: pieces share one range of positions, as long as the longest piece; shorter ones are spread evenly over it.
 */

import { UserError } from "../../../engine/errors.js";
import type { Prompt } from "../../../engine/forward.js";

export interface Split {
  readonly pieces: number;
  /** Tokens before the context: the start token, or the first tokens of the text where the model knows no start token. */
  readonly prefix: number;
  /** Tokens that are split. What follows them is the unsplit block. */
  readonly context: number;
  /** Whether every piece sees the prefix. Otherwise it is the beginning of the first piece. */
  readonly shared: boolean;
  /** Whether pieces keep the positions that they have in the text, instead of all starting where the first one does. */
  readonly ownPositions?: boolean;
  /** Pieces (from 0) that the block may look into; default all. The prefix stays visible. */
  readonly keep?: readonly number[];
}

export interface Layout {
  readonly prompt: Prompt;
  /** Index of the block's first token in the prompt. */
  readonly block: number;
  /** Tokens of each piece, by their place in the prompt. */
  readonly ranges: readonly { readonly first: number; readonly end: number }[];
}

/**
 * The prompt of one condition. Pieces that are not kept are left out of it: nothing else could see them, so that this
 * is exactly what hiding them from the block would give, for less work.
 * @throws UserError where there are more pieces than tokens to split.
 */
export function layout(
  ids: Int32Array,
  { pieces, prefix, context, shared, ownPositions = false, keep }: Split,
): Layout {
  if (pieces > context) {
    throw new UserError(`${context} tokens cannot be split in ${pieces} pieces: lower "pieces" or raise "context".`);
  }
  const kept = keep ?? Array.from({ length: pieces }, (_, p) => p);
  const span = ownPositions ? context : Math.ceil(context / pieces); // positions that the pieces take up together
  const tokens: number[] = [];
  const positions: number[] = [];
  const piece: number[] = [];
  const add = (index: number, position: number, of: number) => {
    tokens.push(ids[index]);
    positions.push(position);
    piece.push(of);
  };
  for (let i = 0; i < prefix; ++i) add(i, i, shared ? 0 : 1);
  const ranges = [...kept]
    .sort((a, b) => a - b)
    .map((p) => {
      const from = Math.floor((p * context) / pieces);
      const length = Math.floor(((p + 1) * context) / pieces) - from;
      const stretch = length > 1 ? (span - 1) / (length - 1) : 0;
      const first = tokens.length;
      for (let i = 0; i < length; ++i) {
        add(prefix + from + i, prefix + (ownPositions ? from + i : Math.round(i * stretch)), p + 1);
      }
      return { first, end: tokens.length };
    });
  const block = tokens.length;
  for (let i = prefix + context; i < ids.length; ++i) add(i, span + i - context, -1);
  return {
    prompt: { ids: Int32Array.from(tokens), positions: Int32Array.from(positions), pieces: Int32Array.from(piece) },
    block,
    ranges,
  };
}

/** A piece's score is the sum of this many of its largest weights. */
const LARGEST = 5;

/**
 * The `best` pieces by the attention that the block pays to their tokens.
 * @param received attention of the block per key, pooled over layers, heads and queries // [tokens]
 */
export function bestPieces(received: ArrayLike<number>, ranges: Layout["ranges"], best: number): number[] {
  const scores = ranges.map(({ first, end }) =>
    Array.from({ length: end - first }, (_, i) => received[first + i])
      .sort((a, b) => b - a)
      .slice(0, LARGEST)
      .reduce((sum, weight) => sum + weight, 0),
  );
  return scores
    .map((_, piece) => piece)
    .sort((a, b) => scores[b] - scores[a] || a - b)
    .slice(0, best);
}
