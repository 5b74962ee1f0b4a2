/** Which dimensions of a head are turned together, numbered from the fastest. */
import type { Architecture } from "../../engine/architecture.js";
import { UserError } from "../../engine/errors.js";
import { partners, type Rope } from "../../engine/rope.js";

export interface RotaryPairs {
  /** Dimensions of each pair, from the fastest to the slowest. */
  readonly dimensions: readonly (readonly [first: number, second: number])[];
  /** The pair of each dimension of a head; none for those that are not turned. */
  readonly of: readonly (number | undefined)[];
}

/**
 * The pairs of each layer.
 * @throws UserError where queries and keys of a layer are not turned. @param experiment who asks
 */
export function rotaryPairs({ blocks, positions, headSize, family }: Architecture, experiment: string): RotaryPairs[] {
  return blocks.map(({ attention: { rope } }, layer) => {
    if (positions.kind !== "rope" || rope === undefined) {
      throw new UserError(
        `${experiment} asks for rotary frequencies, but layer ${layer} of this ${family} model has none: take a model with rotary position encoding.`,
      );
    }
    return pairsOf(positions.ropes[rope], headSize);
  });
}

/** The pairs that one rotary encoding turns. */
export function pairsOf(rope: Rope, headSize: number): RotaryPairs {
  const turnedWith = partners(rope, headSize);
  const dimensions = turnedWith.flatMap((partner, c) => (partner > c ? [[c, partner] as const] : []));
  return {
    dimensions,
    of: turnedWith.map((partner, c) => {
      return partner === c ? undefined : dimensions.findIndex(([first]) => first === Math.min(partner, c));
    }),
  };
}
