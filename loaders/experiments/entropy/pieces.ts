/**
 * Parallel context encoding: a context is split into pieces that cannot see each other, and a block of queries after
 * them sees them all.
 * Source: the method of "Attention Entropy is a Key Factor" (catalogue: entropy-parallel-context), as its released code
 * has it: pieces share one range of positions, as long as the longest piece; shorter ones are spread evenly over it.
 */

import { UserError } from "../../../engine/errors.js";
import type { Prompt } from "../../../engine/forward.js";

export interface Split {
  /** Tokens before the context: the start token, or what stands for it. */
  readonly prefix: number;
  /** Tokens of each piece of the context. What follows the context is the unsplit block. */
  readonly lengths: readonly number[];
  /** Whether every piece sees the prefix. Otherwise it is the beginning of the first piece. */
  readonly shared?: boolean;
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

const total = (lengths: readonly number[]) => lengths.reduce((a, b) => a + b, 0);

/**
 * Lengths of pieces that are as equal as can be.
 * @throws UserError where there are more pieces than units to split.
 */
export function equalPieces(units: number, pieces: number): number[] {
  if (pieces > units) throw new UserError(`A context of ${units} cannot be split in ${pieces} pieces: lower "pieces".`);
  const edge = (piece: number) => Math.floor((piece * units) / pieces);
  return Array.from({ length: pieces }, (_, piece) => edge(piece + 1) - edge(piece));
}

/**
 * The prompt of one condition. Pieces that are not kept are left out of it: nothing else could see them, so that this
 * is exactly what hiding them from the block would give, for less work.
 */
export function layout(ids: Int32Array, { prefix, lengths, shared, ownPositions, keep }: Split): Layout {
  const context = total(lengths);
  const span = ownPositions ? context : Math.max(...lengths); // positions that the pieces take up together
  const tokens: number[] = [];
  const positions: number[] = [];
  const pieces: number[] = [];
  const add = (index: number, position: number, piece: number) => {
    tokens.push(ids[index]);
    positions.push(position);
    pieces.push(piece);
  };
  for (let i = 0; i < prefix; ++i) add(i, i, shared ? 0 : 1);
  const ranges: { first: number; end: number }[] = [];
  let from = 0;
  for (const [piece, length] of lengths.entries()) {
    const stretch = length > 1 ? (span - 1) / (length - 1) : 0;
    if (!keep || keep.includes(piece)) {
      const first = tokens.length;
      for (let i = 0; i < length; ++i) {
        add(prefix + from + i, prefix + (ownPositions ? from + i : Math.round(i * stretch)), piece + 1);
      }
      ranges.push({ first, end: tokens.length });
    }
    from += length;
  }
  const block = tokens.length;
  for (let i = prefix + context; i < ids.length; ++i) add(i, span + i - context, -1);
  return {
    prompt: { ids: Int32Array.from(tokens), positions: Int32Array.from(positions), pieces: Int32Array.from(pieces) },
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
