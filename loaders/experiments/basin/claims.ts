/** What the basin papers say, and the rule that decides each claim. Rules were written before any result was seen. */
import { bootstrap, type Interval, mean, pearson, spearman } from "../../../engine/interval.js";
import { allOf, expectPositive } from "../../analysis/expectation.js";
import type { Format } from "../../analysis/records.js";
import type { Claim, Judgement, Outcome } from "../../experiment.js";
import {
  BASIN,
  basinLayer,
  basinRatio,
  goldShare,
  massOf,
  meanRow,
  shares,
  type Unit,
  type Where,
} from "./attention.js";

export const conditions = ["intact", "first token hidden", "no delimiters", "random weights"] as const;
export type Condition = (typeof conditions)[number];

/** All records of one condition. */
export interface Lists {
  readonly format: Format;
  readonly condition: Condition;
  readonly items: number;
  readonly units: readonly Unit[];
}

export const orders = [
  "as given",
  "random",
  "best first",
  "best last",
  "ends first",
  "attention rank",
  "measured use",
  "attention sorting",
] as const;
export type Order = (typeof orders)[number];

/** One question about one order of one list. */
export interface Answer {
  readonly record: string;
  readonly order: Order;
  /** Repetition of orders that are drawn or sorted again and again, from 1; 0 for the others. */
  readonly round: number;
  /** Position of the item that is asked for, from 0. */
  readonly position: number;
  readonly logProbability: number;
  readonly correct: boolean;
}

export interface Evidence {
  readonly lists: readonly Lists[];
  /** The format and number of items on which claims about one length are judged. */
  readonly main: { readonly format: Format; readonly items: number };
  readonly answers: readonly Answer[];
}

/** Below this rank correlation, position and use (or attention) have next to nothing to do with each other. */
const CORRELATION_MARGIN = 0.1;
/** Gains of log-probability below this many nats do not matter. */
const NATS_MARGIN = 0.02;
/** Profiles of different contents that agree less than this do not have one shape. */
const AGREEMENT = 0.8;
/** Below this share of right answers there is no use to speak of. */
const ANSWERED = 0.25;

const PAPER = "attention-basin";
const SORTING = "attention-sorting";

export function unitsOf({ lists, main }: Evidence, condition: Condition, items = main.items): readonly Unit[] {
  return lists.find((of) => of.format === main.format && of.condition === condition && of.items === items)?.units ?? [];
}

const half = <T>(units: readonly T[], parity: number) => units.filter((_, i) => i % 2 === parity);

/** Profile of the question's attention in each layer. */
function layerProfiles(units: readonly Unit[]): number[][] {
  return Array.from({ length: units[0].layers }, (_, layer) =>
    meanRow(units.map((unit) => shares(unit, { query: "question", layer }))),
  );
}

/** The layer is chosen on every other record; what is measured in it is measured on the rest. */
export const chosenLayer = (units: readonly Unit[], calibration = 0): number =>
  basinLayer(layerProfiles(half(units, calibration)));

function ratioInterval(units: readonly Unit[], layer: number): Interval {
  const profiles = units.map((unit) => shares(unit, { query: "question", layer }));
  return bootstrap(profiles, (sample) => basinRatio(meanRow(sample)));
}

function passes({ low, high }: Interval): Outcome {
  if (low > BASIN) return "replicated";
  return high < BASIN ? "not replicated" : "mixed";
}

/** Rank correlation over positions between what the asked items got and how well they were answered, in one record. */
export function useCorrelation(unit: Unit, where: Where): number {
  return spearman(
    unit.probes.map((probe) => goldShare(unit, probe, where)),
    unit.probes.map(({ logProbability }) => logProbability),
  );
}

/** Attention of the answer position on item j, mean over all layers and heads: when it is asked for, and when not. */
function documentAttention(unit: Unit): { gold: number[]; others: number[] } {
  const masses = unit.probes.map((probe) => ({ probe, mass: massOf(unit, probe, { query: "answer" }).slice(1) }));
  const at = (j: number, asked: boolean) => {
    const chosen = masses.filter(({ probe }) => (probe.position === j) === asked).map(({ mass }) => mass[j]);
    return chosen.length > 0 ? mean(chosen) : Number.NaN;
  };
  const positions = Array.from({ length: unit.items }, (_, j) => j);
  return { gold: positions.map((j) => at(j, true)), others: positions.map((j) => at(j, false)) };
}

const definedMean = (values: readonly number[]) => mean(values.filter((value) => !Number.isNaN(value)));

/** Smallest excess, over the positions, of the asked item's attention over that of others at the same position. */
function smallestGap(sample: readonly { gold: number[]; others: number[] }[]): number {
  const gaps = sample[0].gold.map((_, j) => definedMean(sample.map(({ gold, others }) => gold[j] - others[j])));
  return Math.min(...gaps.filter((gap) => !Number.isNaN(gap)));
}

/** One value per record: the mean over rounds from `from`. */
export function perRecord(
  answers: readonly Answer[],
  order: Order,
  value: (answer: Answer) => number,
  from = 0,
): Map<string, number> {
  const values = new Map<string, number[]>();
  for (const answer of answers) {
    if (answer.order !== order || answer.round < from) continue;
    values.set(answer.record, [...(values.get(answer.record) ?? []), value(answer)]);
  }
  return new Map([...values].map(([record, list]) => [record, mean(list)]));
}

/** Paired by record: order minus the random orders. */
function gain(answers: readonly Answer[], order: Order, value: (answer: Answer) => number, from = 0): Interval {
  const random = perRecord(answers, "random", value, from);
  const differences = [...perRecord(answers, order, value, from)].map(
    ([record, own]) => own - (random.get(record) ?? Number.NaN),
  );
  return bootstrap(differences, mean);
}

/** A judgement about use needs a model that answers. */
function ifAnswered(evidence: Evidence, judgement: Judgement): Judgement {
  const right = unitsOf(evidence, "intact").flatMap(({ probes }) => probes.map(({ correct }) => Number(correct)));
  return mean(right) < ANSWERED ? { ...judgement, outcome: "not testable at this scale" } : judgement;
}

const UNANSWERED = `Not testable where fewer than ${ANSWERED * 100} % of the questions are answered.`;
const logProbability = (answer: Answer) => answer.logProbability;
const lastRound = (answers: readonly Answer[]) => Math.max(...answers.map(({ round }) => round));

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "basin",
    paper: PAPER,
    statement: "Attention per item is U-shaped over position: both ends of a list get more than its middle.",
    measure:
      "min(A₁, Aₙ) ÷ mean of the items between, in the shallowest layer with a basin, smallest over the list lengths",
    rule: `For each list length the layer is chosen on every other record and judged on the rest, the first token left out. Replicated where the 95 % interval of the ratio is above ${BASIN} at every length, not replicated where it is below at every length, otherwise mixed.`,
    judge(evidence) {
      const lengths = evidence.lists.filter(
        ({ format, condition }) => format === evidence.main.format && condition === "intact",
      );
      const ratios = lengths.map(({ units }) => ratioInterval(half(units, 1), chosenLayer(units)));
      const smallest = ratios.reduce((a, b) => (b.estimate < a.estimate ? b : a));
      return { outcome: allOf(...ratios.map(passes)), ...smallest };
    },
  },
  {
    id: "basin-without-sink",
    paper: PAPER,
    statement: "The basin is not the work of the first token's sink: it stays when no later token can see that token.",
    measure: "The same ratio with the first token hidden from all later ones, in the layer chosen with it visible",
    rule: `On records that did not choose the layer: replicated where the 95 % interval is above ${BASIN}, not replicated where it is below, otherwise mixed.`,
    judge(evidence) {
      const layer = chosenLayer(unitsOf(evidence, "intact"));
      const interval = ratioInterval(half(unitsOf(evidence, "first token hidden"), 1), layer);
      return { outcome: passes(interval), ...interval };
    },
  },
  {
    id: "shape-survives-contents",
    paper: PAPER,
    statement: "The shape of the profile is the same whatever the items say.",
    measure: "Pearson correlation of the profiles of two sets of records that share no list, in the chosen layer",
    rule: `Replicated where the 95 % interval is above ${AGREEMENT}, not replicated where it is below, otherwise mixed.`,
    judge(evidence) {
      const units = unitsOf(evidence, "intact");
      const layer = chosenLayer(units);
      const pairs = half(units, 0)
        .slice(0, half(units, 1).length)
        .map((unit, i) => [unit, half(units, 1)[i]].map((of) => shares(of, { query: "question", layer })));
      const interval = bootstrap(pairs, (sample) =>
        pearson(meanRow(sample.map(([one]) => one)), meanRow(sample.map(([, other]) => other))),
      );
      const { low, high } = interval;
      return { outcome: low > AGREEMENT ? "replicated" : high < AGREEMENT ? "not replicated" : "mixed", ...interval };
    },
  },
  {
    id: "delimiters",
    paper: PAPER,
    statement: "Without the delimiters between items the basin is disturbed.",
    measure: "ln of the ratio with delimiters minus ln of it without, paired by record, in the layer chosen with them",
    rule: "Replicated where the 95 % interval is above 0, not replicated where all of it is below 0.1, otherwise mixed; not testable where the lists have no delimiter to take away.",
    judge(evidence) {
      const bare = unitsOf(evidence, "no delimiters");
      if (bare.length === 0) {
        return { outcome: "not testable at this scale", estimate: Number.NaN, low: Number.NaN, high: Number.NaN, n: 0 };
      }
      const units = unitsOf(evidence, "intact");
      const layer = chosenLayer(units);
      const profile = (unit: Unit) => shares(unit, { query: "question", layer });
      const pairs = half(units, 1).map((unit, i) => [profile(unit), profile(half(bare, 1)[i])]);
      const interval = bootstrap(pairs, (sample) => {
        const [intact, without] = [0, 1].map((k) => basinRatio(meanRow(sample.map((pair) => pair[k]))));
        return Math.log(intact / without);
      });
      return { outcome: expectPositive(interval, 0.1), ...interval };
    },
  },
  {
    id: "attention-predicts-use",
    paper: PAPER,
    statement: "The more attention the position of the relevant item gets, the better the item is used.",
    measure: "Spearman correlation over positions of A_gold with the answer's log-probability, mean over records",
    rule: `In the layer chosen on the other records: replicated where the 95 % interval is above 0, not replicated where all of it is below ${CORRELATION_MARGIN}, otherwise mixed. ${UNANSWERED}`,
    judge(evidence) {
      const units = unitsOf(evidence, "intact");
      const values = [0, 1].flatMap((calibration) => {
        const layer = chosenLayer(units, calibration);
        return half(units, 1 - calibration).map((unit) => useCorrelation(unit, { query: "question", layer }));
      });
      const interval = bootstrap(values, definedMean);
      return ifAnswered(evidence, { outcome: expectPositive(interval, CORRELATION_MARGIN), ...interval });
    },
  },
  {
    id: "attention-rank",
    paper: PAPER,
    statement: "Putting the relevant item where the model's own profile is highest helps, without training.",
    measure: "Log-probability of the answer, attention-rank order minus random orders, paired by record (nats)",
    rule: `The profile comes from the other half of the records. Replicated where the 95 % interval is above 0, not replicated where all of it is below ${NATS_MARGIN} nats, otherwise mixed. ${UNANSWERED}`,
    judge(evidence) {
      const interval = gain(evidence.answers, "attention rank", logProbability);
      return ifAnswered(evidence, { outcome: expectPositive(interval, NATS_MARGIN), ...interval });
    },
  },
  {
    id: "late-items-get-more",
    paper: SORTING,
    statement: "Irrelevant documents get more attention the later they stand.",
    measure:
      "Spearman correlation of position with the answer position's attention on items not asked for, mean over layers and heads, then over records",
    rule: `Replicated where the 95 % interval is above 0, not replicated where all of it is below ${CORRELATION_MARGIN}, otherwise mixed.`,
    judge(evidence) {
      const values = unitsOf(evidence, "intact").map((unit) => {
        const { others } = documentAttention(unit);
        return spearman([...others.keys()], others);
      });
      const interval = bootstrap(values, definedMean);
      return { outcome: expectPositive(interval, CORRELATION_MARGIN), ...interval };
    },
  },
  {
    id: "relevant-items-get-more",
    paper: SORTING,
    statement: "At every position a document gets more attention when it is the relevant one.",
    measure:
      "Smallest over positions of the answer position's attention on the asked item minus on others there (share of attention)",
    rule: "Replicated where the 95 % interval is above 0, not replicated where it is below 0, otherwise mixed.",
    judge(evidence) {
      const interval = bootstrap(unitsOf(evidence, "intact").map(documentAttention), smallestGap);
      return { outcome: expectPositive(interval, 0), ...interval };
    },
  },
  {
    id: "sorting-by-attention",
    paper: SORTING,
    statement: "Sorting documents by received attention, most attended last, and repeating it, improves answers.",
    measure: "Log-probability of the answer after the last round, sorted minus shuffled, paired by record (nats)",
    rule: `Two parts, judged alike: the relevant document ends up later in the list (margin half a position), and the answer's log-probability rises (margin ${NATS_MARGIN} nats). Replicated where both 95 % intervals are above 0, not replicated where both are below their margins, otherwise mixed. ${UNANSWERED}`,
    judge(evidence) {
      const last = lastRound(evidence.answers);
      const better = gain(evidence.answers, "attention sorting", logProbability, last);
      const later = gain(evidence.answers, "attention sorting", ({ position }) => position, last);
      return ifAnswered(evidence, {
        outcome: allOf(expectPositive(later, 0.5), expectPositive(better, NATS_MARGIN)),
        ...better,
      });
    },
  },
];
