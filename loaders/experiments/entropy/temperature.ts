/** One temperature per layer at which the entropies meet their targets: the control that changes entropy and nothing else. */

const PROBE = Math.log(0.95);
/** Temperatures stay between one half and two. */
const LIMIT = Math.log(2);
/** Entropy rises with ln temperature by the variance of the scores; a smaller slope than this is taken for noise. */
const SMALLEST_SLOPE = 0.5;

/**
 * The temperatures after `passes` passes: the first tells how much the entropy of each layer answers to a temperature,
 * the others correct by that slope. The slope is kept, because later on a layer's entropy also answers to the
 * temperatures of the layers below. // [layers]
 * @param measure entropy of each layer at these temperatures, one pass over the calibration documents
 * @param plain entropy of each layer at temperature 1
 */
export async function matchEntropy(
  measure: (temperature: Float32Array) => Promise<Float64Array>,
  plain: Float64Array,
  target: Float64Array,
  passes: number,
): Promise<Float32Array> {
  let log = new Float64Array(plain.length).fill(PROBE);
  let slopes: Float64Array | undefined;
  for (let pass = 0; pass < passes; ++pass) {
    const entropy = await measure(Float32Array.from(log, Math.exp));
    slopes ??= entropy.map((nats, layer) => Math.max((nats - plain[layer]) / PROBE, SMALLEST_SLOPE));
    const [from, slope] = [log, slopes];
    log = from.map((at, layer) => {
      const next = at + (target[layer] - entropy[layer]) / slope[layer];
      return Math.min(LIMIT, Math.max(-LIMIT, next));
    });
  }
  return Float32Array.from(log, Math.exp);
}
