/** A checkpoint as it would be if its weights were stored in float16 (IEEE 754 binary16). */
import type { Checkpoint } from "./checkpoint.js";
import { UserError } from "./errors.js";

const largest = 65504;
const smallestNormal = 2 ** -14;
const roundingStep = 0.75; // float32 numbers near it are 2⁻²⁴ apart, as float16's subnormal numbers are

/**
 * The same checkpoint with every weight rounded to the nearest float16, ties to even. Arithmetic is not its business.
 * @throws {UserError} from `tensor`, where a weight is beyond what float16 can hold
 */
export function inHalfPrecision(checkpoint: Checkpoint): Checkpoint {
  return {
    ...checkpoint,
    place: undefined,
    tensor: async (name) => {
      const values = Float32Array.from(await checkpoint.tensor(name)); // the caller's may be shared
      roundToHalf(values, `${checkpoint.name}: ${name}`);
      return values;
    },
  };
}

function roundToHalf(values: Float32Array, where: string): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; ++i) {
    const original = values[i];
    if (Math.abs(original) < smallestNormal) {
      values[i] = Math.fround(original + roundingStep) - roundingStep;
      continue;
    }
    bits[i] = (bits[i] + 0xfff + ((bits[i] >> 13) & 1)) & ~0x1fff; // 10 of 23 bits of the fraction stay
    if (Math.abs(values[i]) > largest) {
      throw new UserError(`${where} holds the value ${original}, but float16 ends at ±${largest}: keep it in float32.`);
    }
  }
}
