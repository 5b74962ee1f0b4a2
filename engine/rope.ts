/**
 * Frequencies of rotary position encoding (Su et al. 2021, https://arxiv.org/abs/2104.09864) and how checkpoints
 * stretch them to longer contexts.
 */
import type { Config } from "./config.js";

/**
 * Angular frequencies in radians per token.
 * @returns [headSize / 2]
 */
export function ropeFrequencies(config: Config, headSize: number): Float64Array {
  const parameters = config.table("rope_parameters");
  const older = config.table("rope_scaling");
  const scaling = parameters ?? older;
  const base =
    parameters?.number("rope_theta", config.number("rope_theta", 10_000)) ?? config.number("rope_theta", 10_000);
  const plain = Float64Array.from({ length: headSize / 2 }, (_, i) => base ** ((-2 * i) / headSize));
  const kind = scaling?.oneOf(["rope_type", "type"], ["default", "linear", "llama3"], "default") ?? "default";
  const frequencies = scaling === undefined || kind === "default" ? plain : scaled(plain, scaling, kind);
  parameters?.finish();
  if (!parameters) older?.finish();
  return frequencies;
}

function scaled(plain: Float64Array, scaling: Config, kind: "linear" | "llama3"): Float64Array {
  const factor = scaling.number("factor");
  if (kind === "linear") return plain.map((frequency) => frequency / factor);
  // Llama 3.1: long waves are stretched, short ones kept, with a ramp in between.
  const low = scaling.number("low_freq_factor");
  const high = scaling.number("high_freq_factor");
  const trained = scaling.count("original_max_position_embeddings");
  return plain.map((frequency) => {
    const turns = (trained * frequency) / (2 * Math.PI); // within the originally trained length
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return kept * frequency + ((1 - kept) * frequency) / factor;
  });
}

/**
 * Cosines and signed sines for a half-split rotation: x · cosine + swapHalves(x) · sine.
 * @returns two arrays of [positions, headSize]
 */
export function rotations(
  positions: Int32Array,
  frequencies: Float64Array,
): { cosine: Float32Array; sine: Float32Array } {
  const half = frequencies.length;
  const cosine = new Float32Array(positions.length * 2 * half);
  const sine = new Float32Array(positions.length * 2 * half);
  positions.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      const first = row * 2 * half + i;
      const angle = position * frequencies[i];
      cosine[first] = cosine[first + half] = Math.cos(angle);
      sine[first + half] = Math.sin(angle);
      sine[first] = -sine[first + half];
    }
  });
  return { cosine, sine };
}
