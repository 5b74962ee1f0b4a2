/**
 * Rotary position encoding (Su et al. 2021, https://arxiv.org/abs/2104.09864) and how checkpoints stretch it to longer
 * contexts. Pairs of a head's dimensions are turned by position · frequency; dimensions beyond the pairs stay.
 */
import type { Config } from "./config.js";
import { UserError } from "./errors.js";

export interface Rope {
  /**
   * Angular frequencies in radians per token.
   * @param length one more than the largest position: some encodings change with it
   * @returns [pairs]
   */
  frequencies(length: number): Float64Array;
  /** Factor on the rotated dimensions of queries and of keys. */
  readonly factor: number;
  /** Which dimensions form pair i: i and i + pairs, or 2i and 2i + 1. */
  readonly pairs: "halves" | "neighbours";
}

/**
 * `base ** (−2i / size)` for each pair of `size` rotated dimensions, rounded to float32 at every step: transformers
 * rounds so whatever the precision of the model, and a few hundred tokens on that is another angle.
 */
export const plainFrequencies = (base: number, size: number): Float64Array =>
  Float64Array.from({ length: size / 2 }, (_, i) => 1 / Math.fround(base ** Math.fround((2 * i) / size)));

/** By how many radians a pair is turned at a position, rounded likewise. */
export const angleAt = (position: number, frequency: number): number => Math.fround(position * Math.fround(frequency));

export interface RopeDefaults {
  readonly headSize: number;
  readonly contextLength: number;
  /** Default of rope_theta. */
  readonly base?: number;
  /** Default share of a head's dimensions that is rotated, in families that know such a share. */
  readonly partial?: number;
  /** Trained length before the encoding was stretched, in families that give it outside the table. */
  readonly original?: number;
}

/** The encoding that `rope_parameters`, or `rope_theta` and `rope_scaling` of older versions, describe. */
export function readRope(config: Config, defaults: RopeDefaults): Rope {
  const base = config.number("rope_theta", defaults.base ?? 10_000);
  const partial = defaults.partial === undefined ? undefined : config.number("partial_rotary_factor", defaults.partial);
  const older = config.table("rope_scaling");
  const newer = config.table("rope_parameters");
  // Where both are given, transformers takes the older spelling.
  const table = older ?? newer;
  const original = config.optionalCount("original_max_position_embeddings") ?? defaults.original;
  return ropeOf(table, config.where, { ...defaults, base, partial, original });
}

/** The encoding that one table describes. */
export function ropeOf(
  table: Config | undefined,
  where: string,
  { headSize, contextLength, base = 10_000, partial, original }: RopeDefaults,
): Rope {
  const share = table?.number("partial_rotary_factor", partial ?? 1) ?? partial ?? 1;
  const size = Math.floor(headSize * share);
  if (share > 1 || size % 2 !== 0 || size === 0) {
    throw new UserError(`${where}: ${size} of ${headSize} dimensions of a head cannot be rotated in pairs.`);
  }
  if (partial === undefined && share !== 1) {
    throw new UserError(`${where}: partial_rotary_factor is ${share}, but models of this type rotate whole heads.`);
  }
  const theta = table?.number("rope_theta", base) ?? base;
  const kinds = ["default", "linear", "dynamic", "llama3", "yarn", "longrope", "su"] as const;
  const kind = table?.oneOf(["rope_type", "type"], kinds, "default") ?? "default";
  const scaling = { theta, size, contextLength, original };
  const rope = table && kind !== "default" ? scaled(kind, table, scaling) : undefined;
  // Written for every model by one family, and read only where the encoding is stretched.
  table?.optionalCount("original_max_position_embeddings");
  table?.finish();
  const plain = plainFrequencies(theta, size);
  const read: Rope = { frequencies: () => plain, factor: 1, pairs: "halves", ...rope };
  if (![...read.frequencies(1), read.factor].every(Number.isFinite)) {
    throw new UserError(`${where}: the ${kind} rotary encoding with rope_theta = ${theta} has no finite frequencies.`);
  }
  return read;
}

interface Scaling {
  readonly theta: number;
  /** Rotated dimensions. */
  readonly size: number;
  readonly contextLength: number;
  /** Trained length as some families give it outside the table. */
  readonly original?: number;
}

function scaled(
  kind: "linear" | "dynamic" | "llama3" | "yarn" | "longrope" | "su",
  table: Config,
  scaling: Scaling,
): Partial<Rope> {
  const { theta, size, contextLength } = scaling;
  const plain = plainFrequencies(theta, size);
  const trained = () => scaling.original ?? table.count("original_max_position_embeddings", contextLength);
  switch (kind) {
    case "linear": {
      const factor = table.number("factor");
      const frequencies = plain.map((frequency) => frequency / factor);
      return { frequencies: () => frequencies };
    }
    case "dynamic": {
      const factor = table.number("factor");
      const stretched = (length: number) =>
        theta * ((factor * Math.max(length, contextLength)) / contextLength - (factor - 1)) ** (size / (size - 2));
      return { frequencies: (length) => plainFrequencies(stretched(length), size) };
    }
    case "llama3": {
      const frequencies = llama3(plain, table, trained());
      return { frequencies: () => frequencies };
    }
    case "yarn":
      return yarn(plain, table, { ...scaling, original: trained() });
    default:
      return longrope(plain, table, { ...scaling, original: trained() });
  }
}

/** Llama 3.1: long waves are stretched, short ones kept, with a ramp in between. */
function llama3(plain: Float64Array, table: Config, trained: number): Float64Array {
  const factor = table.number("factor");
  const low = table.number("low_freq_factor");
  const high = table.number("high_freq_factor");
  return plain.map((frequency) => {
    const turns = (trained * frequency) / (2 * Math.PI); // within the originally trained length
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return kept * frequency + ((1 - kept) * frequency) / factor;
  });
}

/** YaRN (Peng et al. 2023, https://arxiv.org/abs/2309.00071): the ramp runs over the index of the pair. */
function yarn(plain: Float64Array, table: Config, scaling: Scaling & { readonly original: number }): Partial<Rope> {
  const { theta, size, contextLength, original } = scaling;
  const factor = table.number("factor", contextLength / original);
  const sharpness = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const weight = table.optionalNumber("mscale");
  const weightOfAll = table.optionalNumber("mscale_all_dim");
  const given = table.optionalNumber("attention_factor");
  const truncate = table.flag("truncate", true);
  /** The pair that turns so many times within the trained length. */
  const pairAt = (turns: number) => (size * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const first = pairAt(table.number("beta_fast", 32));
  const last = pairAt(table.number("beta_slow", 1));
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const high = Math.min(truncate ? Math.ceil(last) : last, size - 1);
  const frequencies = plain.map((frequency, i) => {
    const stretched = Math.min(1, Math.max(0, (i - low) / (high === low ? 0.001 : high - low)));
    return (frequency / factor) * stretched + frequency * (1 - stretched);
  });
  const ratio = weight && weightOfAll ? sharpness(weight) / sharpness(weightOfAll) : sharpness(1);
  return { frequencies: () => frequencies, factor: given ?? ratio };
}

/** LongRoPE (Ding et al. 2024, https://arxiv.org/abs/2402.13753): a divisor per pair, others beyond the trained length. */
function longrope(plain: Float64Array, table: Config, scaling: Scaling & { readonly original: number }): Partial<Rope> {
  const { contextLength, original } = scaling;
  const factor = table.number("factor", contextLength / original);
  const ratio = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  const divided = (key: string) => {
    const divisors = table.numbers(key, plain.length);
    return plain.map((frequency, i) => frequency / divisors[i]);
  };
  const short = divided("short_factor");
  const long = divided("long_factor");
  return {
    frequencies: (length) => (length > original ? long : short),
    factor: table.optionalNumber("attention_factor") ?? ratio,
  };
}

/** For each dimension of a head the one that it is turned with; for the rest itself. */
export function partners({ pairs, frequencies }: Rope, headSize: number): number[] {
  const count = frequencies(1).length;
  return Array.from({ length: headSize }, (_, i) => {
    if (i >= 2 * count) return i;
    if (pairs === "neighbours") return i ^ 1;
    return i < count ? i + count : i - count;
  });
}

/**
 * Cosines and signed sines: a vector x becomes x · cosine + x[partners] · sine.
 * @param length one more than the largest position of the whole sequence
 * @returns two arrays of [positions, headSize]
 */
export function rotations(
  positions: Int32Array,
  rope: Rope,
  headSize: number,
  length: number,
): { cosine: Float32Array; sine: Float32Array } {
  const frequencies = rope.frequencies(length);
  const count = frequencies.length;
  const cosine = new Float32Array(positions.length * headSize).fill(1);
  const sine = new Float32Array(positions.length * headSize);
  positions.forEach((position, row) => {
    for (let i = 0; i < count; i++) {
      const first = row * headSize + (rope.pairs === "halves" ? i : 2 * i);
      const second = first + (rope.pairs === "halves" ? count : 1);
      const angle = angleAt(position, frequencies[i]);
      cosine[first] = cosine[second] = rope.factor * Math.cos(angle);
      sine[second] = rope.factor * Math.sin(angle);
      sine[first] = -sine[second];
    }
  });
  return { cosine, sine };
}
