/** One temperature per layer at which the entropies meet their targets: the control that changes entropy and nothing else. */

const PROBE = Math.log(0.95);
/** Temperatures stay between one half and two. */
const LIMIT = Math.log(2);
/** Entropy rises with ln temperature by the variance of the scores; a slope that noise makes smaller is not used. */
const SMALLEST_SLOPE = 0.05;

/**
 * The temperatures after `passes` secant steps in ln temperature, all layers at once. // [layers]
 * @param measure entropy of each layer at these temperatures, one pass over the calibration documents
 * @param plain entropy of each layer at temperature 1
 */
export async function matchEntropy(
  measure: (temperature: Float32Array) => Promise<Float64Array>,
  plain: Float64Array,
  target: Float64Array,
  passes: number,
): Promise<Float32Array> {
  let before = { log: new Float64Array(plain.length), entropy: plain };
  let log = before.log.map(() => PROBE);
  for (let pass = 1; ; ++pass) {
    if (pass > passes) return Float32Array.from(log, Math.exp);
    const entropy = await measure(Float32Array.from(log, Math.exp));
    const last = before;
    before = { log, entropy };
    log = log.map((at, layer) => {
      const step = at - last.log[layer];
      const slope = step === 0 ? SMALLEST_SLOPE : (entropy[layer] - last.entropy[layer]) / step;
      const next = at + (target[layer] - entropy[layer]) / Math.max(slope, SMALLEST_SLOPE);
      return Math.min(LIMIT, Math.max(-LIMIT, next));
    });
  }
}
