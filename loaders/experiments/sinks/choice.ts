import type { Random } from "../../../engine/random.js";

export interface Screening {
  /** Heads that have something to damp. */
  readonly tried: readonly number[];
  readonly documents: number;
  /** Pairs of complementary sets of heads drawn per document. */
  readonly pairs: number;
  /** Change of a document's loss when these heads are damped. */
  changeOf(document: number, damped: readonly number[]): Promise<number>;
  readonly random: Random;
}

export interface Choice {
  /** Estimated change of loss by damping in each head, nats per token. */
  readonly effects: Float64Array; // [tried]
  readonly chosen: readonly number[];
}

/**
 * The heads in which damping lowers the loss, by a screening design: each head is damped or not by a coin, then the
 * other way round. With x = 1 for a damped head and −1 otherwise, and y the change of loss, a head's main effect is
 * 2 · mean(x · y): every run tells about every head, where one head at a time would take a run for each.
 * Source: main effects of two-level designs, G. Box, W. Hunter and J. Hunter, "Statistics for Experimenters", chapter 5.
 */
export async function chooseHeads({ tried, documents, pairs, changeOf, random }: Screening): Promise<Choice> {
  const effects = new Float64Array(tried.length);
  for (let document = 0; document < documents; ++document) {
    for (let pair = 0; pair < pairs; ++pair) {
      const heads = tried.map(() => random.next() < 0.5);
      const these = await changeOf(
        document,
        tried.filter((_, i) => heads[i]),
      );
      const others = await changeOf(
        document,
        tried.filter((_, i) => !heads[i]),
      );
      for (const [i, side] of heads.entries())
        effects[i] += (side ? these - others : others - these) / (documents * pairs);
    }
  }
  return { effects, chosen: tried.filter((_, i) => effects[i] < 0) };
}
