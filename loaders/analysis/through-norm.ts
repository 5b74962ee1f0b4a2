/** A norm as a linear map of what is written to the stream, with the scale that the whole stream gives it. */
import type { Norm } from "../../engine/architecture.js";
import type { Checkpoint } from "../../engine/checkpoint.js";
import { mean } from "../../engine/interval.js";

/** Where a norm takes a vector, but for its length and bias: centred where the norm does so, times the norm's weights. */
export type NormDirection = (vector: ArrayLike<number>) => Float64Array;

/** What a part of the stream is after the norm of the whole, biases left out: parts of a sum add up to its norm. */
export type ThroughNorm = (part: ArrayLike<number>, stream: ArrayLike<number>) => Float64Array;

const centred = (x: ArrayLike<number>, norm: Norm): Float64Array => {
  const centre = norm.kind === "layer" ? mean(x) : 0;
  return Float64Array.from(x, (value) => value - centre);
};

export async function normDirection(
  { tensor }: Pick<Checkpoint, "tensor">,
  norm: Norm | undefined,
): Promise<NormDirection> {
  if (!norm) return (vector) => Float64Array.from(vector);
  const { weight, offset = 0 } = norm;
  const scale = typeof weight === "string" ? await tensor(weight) : undefined;
  return (vector) => centred(vector, norm).map((value, i) => value * (scale ? scale[i] + offset : 1));
}

export async function throughNorm(
  checkpoint: Pick<Checkpoint, "tensor">,
  norm: Norm | undefined,
): Promise<ThroughNorm> {
  const direction = await normDirection(checkpoint, norm);
  if (!norm) return direction;
  return (part, stream) => {
    const deviation = Math.sqrt(mean(centred(stream, norm).map((value) => value * value)) + norm.epsilon);
    return direction(part).map((value) => value / deviation);
  };
}
