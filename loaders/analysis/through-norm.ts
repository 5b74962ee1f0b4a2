/** A norm as a linear map of what is written to the stream, with the scale that the whole stream gives it. */
import type { Norm } from "../../engine/architecture.js";
import type { Checkpoint } from "../../engine/checkpoint.js";
import { mean } from "../../engine/interval.js";

/** What a part of the stream is after the norm of the whole, biases left out: parts of a sum add up to its norm. */
export type ThroughNorm = (part: ArrayLike<number>, stream: ArrayLike<number>) => Float64Array;

export async function throughNorm(
  { tensor }: Pick<Checkpoint, "tensor">,
  norm: Norm | undefined,
): Promise<ThroughNorm> {
  if (!norm) return (part) => Float64Array.from(part);
  const { kind, epsilon, weight, offset = 0 } = norm;
  const scale = typeof weight === "string" ? await tensor(weight) : undefined;
  const centred = (x: ArrayLike<number>) => {
    const centre = kind === "layer" ? mean(x) : 0;
    return Float64Array.from(x, (value) => value - centre);
  };
  return (part, stream) => {
    const deviation = Math.sqrt(mean(centred(stream).map((value) => value * value)) + epsilon);
    return centred(part).map((value, i) => (value / deviation) * (scale ? scale[i] + offset : 1));
  };
}
