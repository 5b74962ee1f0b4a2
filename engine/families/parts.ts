/** Pieces that descriptions of families are put together from. */
import type { Architecture, Block, Linear, Norm, Positions } from "../architecture.js";
import { type Config, mostFew } from "../config.js";
import { UserError } from "../errors.js";

/** A torch.nn.Linear. */
export const linear = (name: string, inputs: number, outputs: number, bias = false): Linear => ({
  weight: `${name}.weight`,
  bias: bias ? `${name}.bias` : undefined,
  layout: "out-in",
  inputs,
  outputs,
});

export const layerNorm = (name: string, size: number, epsilon: number, bias = true): Norm => ({
  kind: "layer",
  epsilon,
  size,
  weight: `${name}.weight`,
  bias: bias ? `${name}.bias` : undefined,
});

export const rmsNorm = (name: string, size: number, epsilon: number, offset?: number): Norm => ({
  kind: "rms",
  epsilon,
  size,
  weight: `${name}.weight`,
  offset,
});

/** The output layer: a matrix of its own, or the embedding's. */
export const outputLayer = (
  tied: boolean,
  embedding: string,
  width: number,
  vocabulary: number,
  bias = false,
): Linear => ({
  ...linear(tied ? embedding : "lm_head", width, vocabulary),
  bias: bias ? "lm_head.bias" : undefined,
});

export const perLayer = <T>(layers: number, of: (layer: number) => T): T[] =>
  Array.from({ length: layers }, (_, layer) => of(layer));

/** The same architecture with something changed in each block. */
export const withBlocks = (base: Architecture, change: (block: Block, layer: number) => Block): Architecture => ({
  ...base,
  blocks: base.blocks.map(change),
});

/** `width / heads`, which must be whole. */
export function evenHeads(config: Config, width: number, heads: number): number {
  const size = width / heads;
  if (Number.isInteger(size) && size <= mostFew) return size;
  throw new UserError(
    `${config.where}: a width of ${width} cannot be shared out among ${heads} heads of at most ${mostFew} each.`,
  );
}

/** Refuses key–value heads that query heads cannot be shared out among. */
export function checkGroups(config: Config, heads: number, keyValueHeads: number): void {
  if (heads % keyValueHeads === 0) return;
  throw new UserError(
    `${config.where}: num_attention_heads = ${heads} is not a multiple of num_key_value_heads = ${keyValueHeads}.`,
  );
}

/**
 * The window of each layer: `layer_types` where the config lists them, else what the family says.
 * @param sliding whether a layer slides where the config does not say
 */
export function windows(
  config: Config,
  layers: number,
  size: number | undefined,
  sliding: (layer: number) => boolean,
): (number | undefined)[] {
  const types = config.perLayer("layer_types", layers, ["full_attention", "sliding_attention"]);
  return perLayer(layers, (layer) => {
    if (!(types ? types[layer] === "sliding_attention" : sliding(layer))) return undefined;
    if (size === undefined)
      throw new UserError(`${config.where}: layer ${layer} slides, but sliding_window is missing.`);
    return size;
  });
}

/** Buffers that older library versions saved: rotary frequencies and causal masks. */
const buffers = /(^|\.)(rotary_emb\.inv_freq|(attn|attention)\.(masked_)?bias)$/;

export const isOutputLayer = (tensor: string): boolean => /^(lm_head|embed_out)\.weight$/.test(tensor);

/** A saved buffer, or a copy of an embedding that is the output layer too. */
export const ignoresBuffers = (tensor: string, { head, embedding }: Architecture): boolean =>
  buffers.test(tensor) || (isOutputLayer(tensor) && head.linear.weight === embedding.weight);

/**
 * Slopes of ALiBi (Press et al. 2021, https://arxiv.org/abs/2108.12409) as BLOOM and Falcon take them: powers of
 * 2^(−8/n) for the largest power of two n, then every other one of the next finer series.
 */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const series = (count: number) => perLayer(count, (i) => 2 ** (-(8 / count) * (i + 1)));
  return [...series(whole), ...series(2 * whole).filter((_, i) => i % 2 === 0)].slice(0, heads);
}

export const learned = (table: string, offset = 0): Positions => ({
  kind: "learned",
  table: `${table}.weight`,
  offset,
});
