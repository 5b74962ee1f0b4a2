/**
 * What the papers on positional bias say, and the rule that decides each claim. Rules were written before any result was
 * seen, unless a claim says that it was revised.
 */
import { bootstrap, bootstrapGroups, type Interval, mean } from "../../../engine/interval.js";
import { allOf, expectPositive } from "../../analysis/expectation.js";
import type { Claim, Judgement, Outcome } from "../../experiment.js";
import { DEPTHS, type Task } from "./contexts.js";

/** One layer of the simulation. */
export interface MaskReading {
  readonly mask: "causal" | "full";
  readonly rope: boolean;
  readonly alpha: number;
  readonly layer: number;
  /** Slope of the mean score over the key's index, per token. */
  readonly slope: Interval;
  readonly nonRelativity: Interval;
}

/** Answers of one context. */
export interface ContextAnswers {
  readonly task: Task;
  readonly length: number;
  readonly logProbability: readonly number[]; // [depths]
  readonly correct: readonly number[]; // [depths], share
}

/** Loss on the last tokens of one text, by length of the context. */
export type TailLoss = ReadonlyMap<number, number>;

export interface Evidence {
  readonly rotary: boolean;
  /** The longest context on which the model was trained. */
  readonly trainedLength: number;
  readonly mask: readonly MaskReading[];
  /** Var(N)/Var(S) by layer, the first token left out. */
  readonly nonRelativity: readonly Interval[];
  /** Recency slopes by document and layer, the first token left out. */
  readonly slopes: {
    readonly trained: readonly (readonly number[])[];
    readonly control: readonly (readonly number[])[];
  };
  readonly answers: readonly ContextAnswers[];
  readonly tails: readonly TailLoss[];
}

/** What should be flat may reach this share of the slope beside it. */
const FLAT = 0.1;
/** Share of the variance of the scores that absolute position must explain to count. */
const RESIDUAL_MARGIN = 0.05;
const NATS_MARGIN = 0.1;
const LOSS_MARGIN = 0.02;
const SLOPE_MARGIN = 0.1;
/** Below this share of right answers at the shortest context there is no retrieval to speak of. */
const ANSWERED = 0.25;

const MASK = "causal-mask-positional-information";
const SORTING = "attention-sorting";

const untestable: Judgement = {
  outcome: "not testable at this scale",
  estimate: Number.NaN,
  low: Number.NaN,
  high: Number.NaN,
  n: 0,
};

const worst = (intervals: readonly Interval[]): Interval => intervals.reduce((a, b) => (b.low < a.low ? b : a));

function of({ answers }: Evidence, task: Task, length: number): readonly ContextAnswers[] {
  return answers.filter((context) => context.task === task && context.length === length);
}

function tasksOf({ answers }: Evidence): Task[] {
  return [...new Set(answers.map(({ task }) => task))];
}

const lengthsOf = ({ answers }: Evidence): number[] =>
  [...new Set(answers.map(({ length }) => length))].sort((a, b) => a - b);

const trainedLengths = (evidence: Evidence) => lengthsOf(evidence).filter((length) => length <= evidence.trainedLength);
const beyond = (evidence: Evidence) => lengthsOf(evidence).filter((length) => length > evidence.trainedLength);

function answersAtAll(evidence: Evidence): boolean {
  const [shortest] = lengthsOf(evidence);
  return tasksOf(evidence).some(
    (task) => mean(of(evidence, task, shortest).flatMap(({ correct }) => correct)) >= ANSWERED,
  );
}

const UNANSWERED = `Not testable where fewer than ${ANSWERED * 100} % of the questions are answered at the shortest length.`;

/** Last three depths minus the first three. */
export function lateMinusEarly(values: readonly number[]): number {
  return mean(values.slice(DEPTHS - 3)) - mean(values.slice(0, 3));
}

/** Difference of the means of two independent groups. */
const between = (one: readonly number[], other: readonly number[]): Interval =>
  bootstrapGroups([one, other], ([a, b]) => mean(a) - mean(b));

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "mask-alone-favours-near-keys",
    paper: MASK,
    statement:
      "Without any weight, the causal mask makes mean scores rise towards nearer keys from the second layer on, not in the first.",
    measure:
      "Slope of the mean score over the key's index, smallest over the later layers and inputs (simulation without rotation, score per token)",
    rule: `For every α: the causal slope's 95 % interval is above 0 in each later layer, and the slopes of layer 0 and of the full mask are at most ${FLAT * 100} % of the smallest of those (estimates, in absolute value). Replicated where all of it holds, not replicated where no causal slope is above 0, otherwise mixed.`,
    revised:
      "A trial of the simulation with few sequences showed that noise biases rank correlations and their intervals, which the rule judged before.",
    judge({ mask }) {
      const plain = mask.filter(({ rope }) => !rope);
      const later = plain.filter((reading) => reading.mask === "causal" && reading.layer > 0);
      const flat = plain.every(({ alpha, layer, slope, ...reading }) => {
        if (reading.mask === "causal" && layer > 0) return true;
        const beside = later.filter((other) => other.alpha === alpha).map((other) => other.slope.estimate);
        return Math.abs(slope.estimate) <= FLAT * Math.min(...beside);
      });
      const rising = later.filter(({ slope }) => slope.low > 0).length;
      const outcome = flat && rising === later.length ? "replicated" : rising === 0 ? "not replicated" : "mixed";
      return { outcome, ...worst(later.map(({ slope }) => slope)) };
    },
  },
  {
    id: "mask-bends-rotary-scores",
    paper: MASK,
    statement: "The causal mask makes rotary scores depend on absolute position, which rotation alone does not.",
    measure:
      "Var(N)/Var(S) after the first layer, causal minus full mask, smallest over layers (simulation with rotation)",
    rule: "Over the inputs with α > 0 and the layers after the first: replicated where every causal interval lies above the full mask's, not replicated where none does, otherwise mixed.",
    judge({ mask }) {
      const rotated = mask.filter(({ rope, layer, alpha }) => rope && layer > 0 && alpha > 0);
      const pairs = rotated
        .filter((reading) => reading.mask === "causal")
        .map((causal) => {
          const full = rotated.find((r) => r.mask === "full" && r.layer === causal.layer && r.alpha === causal.alpha);
          if (!full) throw new Error("The simulation lacks a full mask to compare with.");
          return { causal: causal.nonRelativity, full: full.nonRelativity };
        });
      const apart = pairs.map(({ causal, full }) => causal.low > full.high);
      const differences = pairs.map(({ causal, full }) => ({
        estimate: causal.estimate - full.estimate,
        low: causal.low - full.high,
        high: causal.high - full.low,
        n: Math.min(causal.n, full.n),
      }));
      const outcome: Outcome = apart.every(Boolean) ? "replicated" : apart.some(Boolean) ? "mixed" : "not replicated";
      return { outcome, ...worst(differences) };
    },
  },
  {
    id: "model-scores-are-not-relative",
    paper: MASK,
    statement:
      "In a trained rotary model, mean scores before the softmax depend on absolute position, not on distance alone.",
    measure:
      "Var(N)/Var(S) of scores averaged over texts, sampling noise taken out, first token left out: median over layers",
    rule: `Replicated where the 95 % interval is above ${RESIDUAL_MARGIN} in at least half of the layers, not replicated where it is below in at least half, otherwise mixed; not testable where the model has no rotary positions.`,
    judge({ rotary, nonRelativity }) {
      if (!rotary) return untestable;
      const sorted = [...nonRelativity].sort((a, b) => a.estimate - b.estimate);
      const above = nonRelativity.filter(({ low }) => low > RESIDUAL_MARGIN).length;
      const below = nonRelativity.filter(({ high }) => high < RESIDUAL_MARGIN).length;
      const needed = nonRelativity.length / 2;
      const outcome = above >= needed ? "replicated" : below >= needed ? "not replicated" : "mixed";
      return { outcome, ...sorted[Math.floor(sorted.length / 2)] };
    },
  },
  {
    id: "near-keys-are-favoured",
    paper: MASK,
    statement: "A trained decoder attends to near keys more than an untrained one of the same architecture.",
    measure: "Recency slope with the first token left out, untrained minus trained, mean over layers",
    rule: `Over texts: replicated where the 95 % interval is above 0, not replicated where all of it is below ${SLOPE_MARGIN}, otherwise mixed.`,
    judge({ slopes: { trained, control } }) {
      const interval = between(control.map(mean), trained.map(mean));
      return { outcome: expectPositive(interval, SLOPE_MARGIN), ...interval };
    },
  },
  {
    id: "late-facts-are-found-better",
    paper: SORTING,
    statement: "In a long context, facts near its end are used better than facts near its start.",
    measure:
      "Log-probability of the answer, last three depths minus first three, at the longest trained length, smaller of the tasks (nats)",
    rule: `Judged for each task, paired by context: replicated where the 95 % interval is above 0, not replicated where all of it is below ${NATS_MARGIN} nats, otherwise mixed; the claim has the outcome that both tasks share, or else is mixed. ${UNANSWERED}`,
    judge(evidence) {
      const length = trainedLengths(evidence).at(-1);
      if (length === undefined || !answersAtAll(evidence)) return untestable;
      const intervals = tasksOf(evidence).map((task) =>
        bootstrap(
          of(evidence, task, length).map(({ logProbability }) => lateMinusEarly(logProbability)),
          mean,
        ),
      );
      return { outcome: allOf(...intervals.map((i) => expectPositive(i, NATS_MARGIN))), ...worst(intervals) };
    },
  },
  {
    id: "longer-contexts-answer-worse",
    paper: SORTING,
    statement: "Facts are found less well in longer contexts, within the trained length.",
    measure: "Share of right answers, shortest minus longest trained length, mean over depths, smaller of the tasks",
    rule: `Judged for each task: replicated where the 95 % interval is above 0, not replicated where all of it is below 0.02, otherwise mixed; the claim has the outcome that both tasks share, or else is mixed. ${UNANSWERED}`,
    judge(evidence) {
      const within = trainedLengths(evidence);
      if (within.length < 2 || !answersAtAll(evidence)) return untestable;
      const intervals = tasksOf(evidence).map((task) => {
        const at = (length: number) => of(evidence, task, length).map(({ correct }) => mean(correct));
        return between(at(within[0]), at(within[within.length - 1]));
      });
      return { outcome: allOf(...intervals.map((i) => expectPositive(i, 0.02))), ...worst(intervals) };
    },
  },
  {
    id: "retrieval-ends-with-the-trained-length",
    paper: "bayesian-attention-mechanism",
    statement: "Rotary positions break retrieval past the trained length.",
    measure:
      "Share of right answers, longest trained length minus the longest beyond, mean over depths, smaller of the tasks",
    rule: `Judged for each task: replicated where the 95 % interval is above 0, not replicated where all of it is below 0.02, otherwise mixed; the claim has the outcome that both tasks share, or else is mixed. Not testable without rotary positions or contexts beyond the trained length. ${UNANSWERED}`,
    judge(evidence) {
      const within = trainedLengths(evidence).at(-1);
      const past = beyond(evidence).at(-1);
      if (!evidence.rotary || within === undefined || past === undefined || !answersAtAll(evidence)) return untestable;
      const intervals = tasksOf(evidence).map((task) => {
        const at = (length: number) => of(evidence, task, length).map(({ correct }) => mean(correct));
        return between(at(within), at(past));
      });
      return { outcome: allOf(...intervals.map((i) => expectPositive(i, 0.02))), ...worst(intervals) };
    },
  },
  {
    id: "loss-rises-past-the-trained-length",
    paper: "token-aware-phase-attention",
    statement: "Past the trained length, more context makes a rotary model's predictions worse.",
    measure:
      "Loss on the same last tokens, longest context beyond minus longest trained context, paired by text (nats per token)",
    rule: `Replicated where the 95 % interval is above 0, not replicated where all of it is below ${LOSS_MARGIN} nats, otherwise mixed. Not testable without rotary positions or contexts beyond the trained length.`,
    judge(evidence) {
      const within = trainedLengths(evidence).at(-1);
      const past = beyond(evidence).at(-1);
      if (!evidence.rotary || within === undefined || past === undefined) return untestable;
      const differences = evidence.tails.flatMap((tail) => {
        const [before, after] = [tail.get(within), tail.get(past)];
        return before === undefined || after === undefined ? [] : [after - before];
      });
      if (differences.length < 2) return untestable;
      const interval = bootstrap(differences, mean);
      return { outcome: expectPositive(interval, LOSS_MARGIN), ...interval };
    },
  },
];
