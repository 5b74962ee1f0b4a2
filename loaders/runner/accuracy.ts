/** How far a run's device is from float64 on the run's model, on a small case that is always the same. */
import { type Architecture, tensorsOf } from "../../engine/architecture.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { replay } from "../../engine/replay.js";
import { selfCheck } from "../../engine/self-check.js";
import type { Accuracy } from "../store/passport.js";

/** Multiplications that the replay, plain loops in float64, may take: about two seconds. */
const budget = 2 ** 29;
const [fewest, most] = [4, 16]; // tokens

/** Of the model itself where a replay of a few tokens is affordable, otherwise of the device's self-check. */
export async function accuracyOf(model: Model): Promise<Accuracy> {
  const tokens = Math.min(most, Math.floor(budget / parametersOf(model.architecture)));
  try {
    if (tokens >= fewest) return await replayed(model, tokens);
    return { case: "attention and entropy of the self-check's model", largest: await selfCheck(model.backend) };
  } catch (error) {
    return { case: "none", largest: null, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function replayed(model: Model, tokens: number): Promise<Accuracy> {
  const { vocabulary } = model.architecture;
  const random = new Random(1);
  const ids = Int32Array.from({ length: tokens }, () => random.int(vocabulary));
  const reference = await replay(model.checkpoint, { ids });
  const { attention, logits } = await model.forward({ ids }, { attention: true, logits: "all" });
  if (!attention || !logits) throw new Error("the device gave no attention or no logits");
  let largest = 0;
  const compare = (ours: ArrayLike<number>, at: number, theirs: ArrayLike<number>) => {
    for (let i = 0; i < theirs.length; ++i) largest = Math.max(largest, Math.abs(ours[at + i] - theirs[i]));
  };
  reference.attention.flat(2).forEach((row, i) => {
    compare(attention.data, i * tokens, row); // [layers · heads · queries, keys]
  });
  reference.logits.forEach((row, i) => {
    compare(logits.data, i * vocabulary, row); // [tokens, vocabulary]
  });
  if (Number.isNaN(largest)) throw new Error("the device gave NaN");
  return { case: `attention and logits of ${tokens} tokens of this model`, largest };
}

function parametersOf(architecture: Architecture): number {
  return [...tensorsOf(architecture).values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
