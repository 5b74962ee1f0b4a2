/** The causal mask with no weights at all, for the inputs and masks on which its claims are judged. */
import { CausalMaskSimulation } from "../../../engine/causal-mask.js";
import { rising } from "../../../engine/relativity.js";
import type { MaskReading } from "./claims.js";
import { type FieldReading, meanField, readField } from "./score-field.js";

const LAYERS = 4;
const TOKENS = 50;
const WIDTH = 64;
const ROPE_BASE = 10000;
/** Independent batches of sequences: the units of the intervals. */
const BATCHES = 20;

/** Expected cosines between inputs, without and with rotation: those of the paper's figures. */
const INPUTS = [
  { rope: false, alphas: [0, 0.4, 0.8] },
  { rope: true, alphas: [0, 0.5] },
] as const;

export interface MaskRow extends MaskReading, FieldReading {
  readonly rising: number;
}

export const settings = INPUTS.flatMap(({ rope, alphas }) =>
  alphas.flatMap((alpha) => (["causal", "full"] as const).map((mask) => ({ rope, alpha, mask }))),
);

export function simulate(setting: (typeof settings)[number], sequences: number, seed: number): MaskRow[] {
  const { rope, alpha, mask } = setting;
  const options = { layers: LAYERS, tokens: TOKENS, width: WIDTH, alpha, mask, norm: "unit" } as const;
  const batches = Array.from({ length: BATCHES }, (_, batch) => {
    const simulation = new CausalMaskSimulation({ ...options, ropeBase: rope ? ROPE_BASE : 0 }, seed * BATCHES + batch);
    simulation.run(Math.ceil(sequences / BATCHES));
    return simulation;
  });
  return Array.from({ length: LAYERS }, (_, layer) => {
    const units = batches.map((batch) => batch.scores(layer));
    return { ...setting, layer, ...readField(units, TOKENS, 0, 500), rising: rising(meanField(units), TOKENS) };
  });
}
