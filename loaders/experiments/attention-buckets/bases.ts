/** A rotary model read with another base, and the waveform that a base gives to scores. */
import type { Architecture } from "../../../engine/architecture.js";
import type { Checkpoint } from "../../../engine/checkpoint.js";
import { UserError } from "../../../engine/errors.js";
import type { Model } from "../../../engine/model.js";
import type { Rope } from "../../../engine/rope.js";

type Rotary = Pick<Architecture, "positions" | "family">;

/** @throws UserError where queries and keys are not turned */
function ropesOf({ positions, family }: Rotary): readonly Rope[] {
  if (positions.kind === "rope") return positions.ropes;
  throw new UserError(
    `attention-buckets changes the rotary base, but this ${family} model has none: take a model with rotary position encoding.`,
  );
}

/**
 * The same weights with the rotary base multiplied. Pair i of p turns by base^(−i/p) per token, so that a multiple of
 * the base slows it by multiple^(−i/p), whatever else a checkpoint does to its frequencies.
 * @throws UserError where queries and keys are not turned
 */
export function withBase({ checkpoint, weights }: Model, multiple: number): Checkpoint {
  const { architecture } = checkpoint;
  const ropes = ropesOf(architecture).map(
    (rope): Rope => ({
      ...rope,
      frequencies: (length) => rope.frequencies(length).map((turn, i, { length: p }) => turn * multiple ** (-i / p)),
    }),
  );
  const control = `${multiple} times the rotary base`;
  return {
    ...checkpoint,
    name: `${checkpoint.name} (${control})`,
    control,
    architecture: { ...architecture, positions: { kind: "rope", ropes } },
    tensor: weights.tensor,
    place: weights.place,
  };
}

/**
 * W(m) = 2/√d · Σ_j cos(m f_j) over the d/2 rotary frequencies f: the score of a query and a key of ones, m tokens apart.
 * Source: basic.py of the authors' code (AlibabaResearch/DAMO-ConvAI, attention-buckets).
 * @returns [distances], from 0
 */
export function waveform(architecture: Rotary, distances: number): Float64Array {
  const frequencies = ropesOf(architecture)[0].frequencies(distances);
  const scale = 2 / Math.sqrt(2 * frequencies.length);
  return Float64Array.from({ length: distances }, (_, m) =>
    frequencies.reduce((sum, turn) => sum + scale * Math.cos(m * turn), 0),
  );
}

/** Each value less the mean of those at most `within` tokens nearer or further: what is left of peaks and dips. */
export function ripples(distances: ArrayLike<number>, values: ArrayLike<number>, within: number): Float64Array {
  return Float64Array.from(values, (value, i) => {
    let [sum, count] = [0, 0];
    for (let k = 0; k < values.length; ++k) {
      if (Math.abs(distances[k] - distances[i]) > within) continue;
      sum += values[k];
      ++count;
    }
    return value - sum / count;
  });
}
