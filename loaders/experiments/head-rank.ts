/**
 * Can many heads of low rank replace one of full rank? Method:
 * the task is to return the one of N random points on a sphere that is nearest to a query. One head of full rank is
 * measured on random lookups, for several N. Heads of rank 1 are judged in closed form for two points: random heads
 * with the best weights that there are for them, as many as give them the parameters of the full-rank head, and several
 * times as many. Sets of random heads, and batches of lookups, are the independent units.
 *
 * Departures: only the exact part, and no training. The heads' directions are drawn at random and only their weights are
 * the best, so that the losses are upper bounds of what heads of rank 1 can reach.
 */
import { bootstrap, bootstrapGroups, type Interval, mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { fullRankLoss, randomHeads, rankOneLoss } from "../../engine/theory/head-rank.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  widths: [2, 4, 8, 16],
  /** Heads of rank 1 ÷ width: parameters ÷ those of one head of full rank. */
  budgets: [1, 8, 32],
  sets: 6,
  points: [2, 4, 16, 64],
  betas: [10, 100, 1000, 10000],
  fullWidth: 16,
  lookups: 200,
  batches: 8,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

const lowRank = table("low_rank", "Least loss of random heads of rank 1 with hard attention, two points: closed form", {
  width: { kind: "int32", meaning: "Dimensions of the points" },
  budget: { kind: "int32", meaning: "Heads ÷ width: parameters ÷ those of one head of full rank" },
  heads: { kind: "int32", meaning: "Heads" },
  estimate: { kind: "float64", meaning: "Loss, mean over sets of heads; always answering zero has 1" },
  low: { kind: "float64", meaning: "Lower end of the 95 % interval over sets" },
  high: { kind: "float64", meaning: "Upper end of the 95 % interval over sets" },
});

const fullRank = table("full_rank", "Loss of one head of full rank on random lookups", {
  points: { kind: "int32", meaning: "Points to choose from" },
  beta: { kind: "float64", meaning: "Factor on the scores" },
  estimate: { kind: "float64", meaning: "Loss, mean over batches; always answering zero has 1" },
  low: { kind: "float64", meaning: "Lower end of the 95 % interval over batches" },
  high: { kind: "float64", meaning: "Upper end of the 95 % interval over batches" },
});

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  readonly widths: readonly number[];
  readonly budgets: readonly number[];
  /** Losses by width and budget. // widths × budgets × [sets] */
  readonly lowRank: readonly (readonly (readonly number[])[])[];
  /** Losses at the largest factor. // points × [batches] */
  readonly fullRank: readonly (readonly number[])[];
}

const paper = "benefits-of-rank";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "one-full-rank-head-suffices",
    paper,
    statement: "One head of full rank looks up the nearest neighbour among any number of points.",
    measure: "largest mean loss over numbers of points, at the largest factor on the scores",
    rule: "Replicated where its whole 95 % interval over batches of lookups is below 0.01, not replicated where all of it is above 0.1, mixed otherwise.",
    judge: ({ fullRank: losses, seed, resamples }) => {
      const intervals = losses.map((batches) => bootstrap(batches, mean, { seed, resamples }));
      const worst = intervals.reduce((most, interval) => (interval.estimate > most.estimate ? interval : most));
      return { ...worst, outcome: worst.high < 0.01 ? "replicated" : worst.low > 0.1 ? "not replicated" : "mixed" };
    },
  },
  {
    id: "low-rank-fails-at-equal-cost",
    paper,
    statement: "Heads of rank 1 with as many parameters do not come near it.",
    measure: "least loss of as many heads as dimensions, at the largest width, mean over sets",
    rule: "Replicated where the whole 95 % interval over sets is above 0.1, not replicated where all of it is below 0.01, mixed otherwise.",
    judge: ({ lowRank: losses, seed, resamples }) => {
      const interval = bootstrap(losses[losses.length - 1][0], mean, { seed, resamples });
      return { ...interval, outcome: judgeHigh(interval) };
    },
  },
  {
    id: "more-heads-do-not-make-up",
    paper,
    statement: "Nor do they with many times the parameters.",
    measure: "least loss with the most parameters, at the largest width, mean over sets",
    rule: "Replicated where the whole 95 % interval over sets is above 0.1, not replicated where all of it is below 0.01, mixed otherwise.",
    judge: ({ lowRank: losses, seed, resamples }) => {
      const budgets = losses[losses.length - 1];
      const interval = bootstrap(budgets[budgets.length - 1], mean, { seed, resamples });
      return { ...interval, outcome: judgeHigh(interval) };
    },
  },
  {
    id: "worse-with-dimension",
    paper,
    statement: "What low rank loses at equal cost grows with the dimension.",
    measure: "loss with the most parameters: largest width minus smallest, means over sets",
    rule: positiveRule("0.02"),
    revised: "Losses of single sets of heads had been seen when the rule was written.",
    judge: ({ lowRank: losses, seed, resamples }) => {
      const ends = [losses[losses.length - 1], losses[0]].map((budgets) => budgets[budgets.length - 1]);
      const interval = bootstrapGroups(ends, ([most, least]) => mean(most) - mean(least), { seed, resamples });
      return { ...interval, outcome: expectPositive(interval, 0.02) };
    },
  },
];

function judgeHigh({ low, high }: Interval) {
  return low > 0.1 ? "replicated" : high < 0.01 ? "not replicated" : "mixed";
}

export const headRank: Experiment<Parameters, Evidence> = {
  id: "head-rank",
  title: "Rank of heads",
  question: "Can many heads of low rank do what one of full rank does?",
  papers: [paper],
  scope: "exact part",
  subject: "records",
  parameters,
  inputs: {},
  tables: [lowRank, fullRank],
  claims,
  async *run({ parameters: given, progress, signal }) {
    const { widths, budgets, sets, points, betas, fullWidth, lookups, batches, seed, resamples } = given;
    const work = widths.length + points.length;
    const low: number[][][] = [];
    for (const [done, width] of widths.entries()) {
      progress(done, work, `rank 1, ${width} dimensions`);
      const losses: number[][] = [];
      for (const budget of budgets) {
        const of: number[] = [];
        for (let set = 0; set < sets; ++set) {
          signal.throwIfAborted();
          of.push(rankOneLoss(randomHeads(new Random(seed * 1000 + set), budget * width, width)));
        }
        losses.push(of);
      }
      low.push(losses);
      yield batch(
        lowRank,
        budgets.map((budget, i) => {
          const { estimate, low, high } = bootstrap(losses[i], mean, { seed, resamples });
          return { width, budget, heads: budget * width, estimate, low, high };
        }),
      );
    }
    const full: number[][] = [];
    for (const [done, count] of points.entries()) {
      progress(widths.length + done, work, `full rank, ${count} points`);
      for (const beta of betas) {
        signal.throwIfAborted();
        const losses = Array.from({ length: batches }, (_, at) =>
          fullRankLoss(count, fullWidth, beta, lookups, seed * 1000 + at),
        );
        const { estimate, low, high } = bootstrap(losses, mean, { seed, resamples });
        yield batch(fullRank, [{ points: count, beta, estimate, low, high }]);
        if (beta === betas[betas.length - 1]) full.push(losses);
      }
    }
    return { seed, resamples, widths, budgets, lowRank: low, fullRank: full };
  },
};
