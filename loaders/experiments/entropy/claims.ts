/** What is claimed about entropy, and the rule that decides each claim. */
import { bootstrap, type Interval, mean, spearman } from "../../../engine/interval.js";
import { allOf, expectNegative, expectPositive, negativeRule, positiveRule } from "../../analysis/expectation.js";
import type { Claim, Judgement } from "../../experiment.js";

/**
 * plain: pieces share one range of positions. shared prefix: and see the prefix. best pieces: the block looks into the
 * best ones only. both fixes: the last two together. Controls: own positions: plain, but each piece stays where it is in
 * the text. cooled: plain, with the temperatures that bring its entropy to the unsplit level. heated: unsplit, with the
 * temperatures that bring its entropy to that of the most pieces.
 */
export type Arm = "plain" | "shared prefix" | "best pieces" | "both fixes" | "own positions" | "cooled" | "heated";

/** One document under one condition of parallel encoding. */
export interface Condition {
  readonly arm: Arm;
  readonly pieces: number;
  /** Mean over layers, heads and scored queries, nats. */
  readonly entropy: number;
  /** Mean over scored tokens, nats. */
  readonly loss: number;
}

/** One record of key–value lines under one condition. */
export interface Recalled {
  readonly arm: Arm;
  readonly pieces: number;
  /** Share of the answers that are found. */
  readonly accuracy: number;
  /** Mean over answers, nats. */
  readonly loss: number;
}

/** How wide attention is on one document, unsplit. */
export interface Width {
  /** Entropy ÷ ln(visible keys), mean over heads and over queries that see at least 32 keys. */
  readonly breadth: readonly number[]; // [layers]
  /** Exponent of the largest weight over visible keys, mean over heads. */
  readonly dilution: number;
}

export interface Evidence {
  /** One per document. */
  readonly widths: readonly Width[];
  /** Parallel encoding: conditions per document. */
  readonly splits: readonly (readonly Condition[])[];
  /** Recall: conditions per record. */
  readonly recalls: readonly (readonly Recalled[])[];
  /** Pieces that the block may look into in the selective arms: with fewer pieces nothing is selected. */
  readonly best: number;
}

/** Smallest differences that matter. */
const ENTROPY_MARGIN = 0.05;
const LOSS_MARGIN = 0.01;
const RECALL_MARGIN = 0.05;
/** A model that finds fewer answers than this in the unsplit context cannot lose them. */
const LEAST_RECALL = 0.2;

type Measure = "entropy" | "loss";

function at(conditions: readonly Condition[], arm: Arm, pieces: number, measure: Measure): number {
  const found = conditions.find((condition) => condition.arm === arm && condition.pieces === pieces);
  return found ? found[measure] : Number.NaN;
}

const counts = ({ splits }: Evidence) => [...new Set(splits[0].map(({ pieces }) => pieces))];

/** Most pieces against none, per document. */
function rise(evidence: Evidence, measure: Measure, arm: Arm = "plain"): Interval {
  const most = Math.max(...counts(evidence));
  const differences = evidence.splits.map((of) => at(of, arm, most, measure) - at(of, "plain", 1, measure));
  return bootstrap(differences, mean);
}

/** Accuracy, by record. */
function found({ recalls }: Evidence, arm: Arm, pieces: number): number[] {
  return recalls.map((of) => of.find((one) => one.arm === arm && one.pieces === pieces)?.accuracy ?? Number.NaN);
}

/** Not testable where there is little to lose. */
function ifRecalled(evidence: Evidence, judgement: Judgement): Judgement {
  const able = mean(found(evidence, "plain", 1)) >= LEAST_RECALL;
  return able ? judgement : { ...judgement, outcome: "not testable at this scale" };
}

/** What an arm takes off plain parallel encoding, per document, mean over the splits where every fix can act. */
function recovered(evidence: Evidence, arm: Arm, measure: Measure): Interval {
  const several = counts(evidence).filter((pieces) => pieces > evidence.best);
  const differences = evidence.splits.map((of) =>
    mean(several.map((pieces) => at(of, "plain", pieces, measure) - at(of, arm, pieces, measure))),
  );
  return bootstrap(differences, mean);
}

/** Entropy against loss over the conditions of the four arms that differ from each other, averaged over documents. */
function link({ splits, best }: Evidence): Interval {
  const differ: Partial<Record<Arm, number>> = {
    plain: 0,
    "shared prefix": 1,
    "best pieces": best,
    "both fixes": best,
  };
  const distinct = splits[0].filter(({ arm, pieces }) => pieces > (differ[arm] ?? Number.POSITIVE_INFINITY));
  return bootstrap(splits, (sample) => {
    const means = (measure: Measure) =>
      distinct.map(({ arm, pieces }) => mean(sample.map((of) => at(of, arm, pieces, measure))));
    return spearman(means("entropy"), means("loss"));
  });
}

function fix(arm: Arm, id: string, name: string): Claim<Evidence> {
  return {
    id,
    paper: "entropy-parallel-context",
    statement: `${name} lowers both the entropy and the loss of parallel encoding.`,
    measure: "Loss taken off plain parallel encoding, paired by document, mean over the splits (nats per token)",
    rule: `Entropy (margin ${ENTROPY_MARGIN} nats) and loss (margin ${LOSS_MARGIN} nats) of plain minus ${arm} are each judged: ${positiveRule("the margin")} The outcome is that of both, or mixed where they differ. The estimate is the loss.`,
    judge(evidence) {
      const loss = recovered(evidence, arm, "loss");
      const entropy = recovered(evidence, arm, "entropy");
      return { outcome: allOf(expectPositive(entropy, ENTROPY_MARGIN), expectPositive(loss, LOSS_MARGIN)), ...loss };
    },
  };
}

const addedAfterTrial =
  "Added after a trial on earlier weights had shown the rise in entropy; these weights were trained afterwards.";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "entropy-rises",
    paper: "entropy-parallel-context",
    statement: "Encoding the context in independent pieces raises the attention entropy of what follows.",
    measure: "Entropy of the scored queries at the most pieces minus unsplit, paired by document (nats)",
    rule: positiveRule(`${ENTROPY_MARGIN} nats`),
    judge(evidence): Judgement {
      const interval = rise(evidence, "entropy");
      return { outcome: expectPositive(interval, ENTROPY_MARGIN), ...interval };
    },
  },
  {
    id: "separation-raises-entropy",
    paper: "entropy-parallel-context",
    statement:
      "It is the separation of the pieces that raises entropy: it rises as well where they keep their positions.",
    measure:
      "Entropy of the scored queries at the most pieces, each where it is in the text, minus unsplit, paired by document (nats)",
    rule: positiveRule(`${ENTROPY_MARGIN} nats`),
    revised: addedAfterTrial,
    judge(evidence) {
      const interval = rise(evidence, "entropy", "own positions");
      return { outcome: expectPositive(interval, ENTROPY_MARGIN), ...interval };
    },
  },
  {
    id: "loss-rises",
    paper: "entropy-parallel-context",
    statement: "Encoding the context in independent pieces raises the loss on what follows.",
    measure: "Loss of the scored tokens at the most pieces minus unsplit, paired by document (nats per token)",
    rule: positiveRule(`${LOSS_MARGIN} nats`),
    judge(evidence) {
      const interval = rise(evidence, "loss");
      return { outcome: expectPositive(interval, LOSS_MARGIN), ...interval };
    },
  },
  {
    id: "recall-falls",
    paper: "entropy-parallel-context",
    statement: "Encoding the context in independent pieces loses recall of what it holds.",
    measure: "Share of key–value answers found, unsplit minus the most pieces, paired by record",
    rule: `Not testable where fewer than ${LEAST_RECALL} of the answers are found unsplit. ${positiveRule(String(RECALL_MARGIN))}`,
    revised: addedAfterTrial,
    judge(evidence) {
      const most = Math.max(...evidence.recalls[0].map(({ pieces }) => pieces));
      const [whole, apart] = [found(evidence, "plain", 1), found(evidence, "plain", most)];
      const interval = bootstrap(
        whole.map((share, i) => share - apart[i]),
        mean,
      );
      return ifRecalled(evidence, { outcome: expectPositive(interval, RECALL_MARGIN), ...interval });
    },
  },
  {
    id: "loss-follows-entropy",
    paper: "entropy-parallel-context",
    statement: "Over splits and fixes, the loss follows the entropy.",
    measure:
      "Spearman correlation of mean entropy with mean loss over the conditions of the four arms that differ (documents resampled)",
    rule: positiveRule("0.3"),
    judge(evidence) {
      const interval = link(evidence);
      return { outcome: expectPositive(interval, 0.3), ...interval };
    },
  },
  fix("shared prefix", "shared-prefix-helps", "A prefix that every piece sees"),
  fix("best pieces", "selection-helps", "Looking only into the best pieces"),
  {
    id: "shared-prefix-recalls",
    paper: "entropy-parallel-context",
    statement: "A prefix that every piece sees brings recall back.",
    measure:
      "Share of key–value answers found, with the prefix shared minus plain, mean over the splits, paired by record",
    rule: `Not testable where fewer than ${LEAST_RECALL} of the answers are found unsplit. ${positiveRule(String(RECALL_MARGIN))}`,
    revised: addedAfterTrial,
    judge(evidence) {
      const several = [...new Set(evidence.recalls[0].map(({ pieces }) => pieces))].filter((pieces) => pieces > 1);
      const gains = several.map((pieces) => {
        const plain = found(evidence, "plain", pieces);
        return found(evidence, "shared prefix", pieces).map((share, i) => share - plain[i]);
      });
      const interval = bootstrap(
        evidence.recalls.map((_, i) => mean(gains.map((of) => of[i]))),
        mean,
      );
      return ifRecalled(evidence, { outcome: expectPositive(interval, RECALL_MARGIN), ...interval });
    },
  },
  {
    id: "entropy-is-the-cause",
    paper: "entropy-parallel-context",
    statement: "High entropy is what does the harm: cooling it to its unsplit level, and nothing else, recovers loss.",
    measure:
      "Loss taken off plain parallel encoding by cooling, paired by document, mean over the splits (nats per token)",
    rule: `Not testable unless entropy rises by the first claim. ${positiveRule(`${LOSS_MARGIN} nats`)}`,
    judge(evidence) {
      const interval = recovered(evidence, "cooled", "loss");
      const rises = expectPositive(rise(evidence, "entropy"), ENTROPY_MARGIN) === "replicated";
      return { outcome: rises ? expectPositive(interval, LOSS_MARGIN) : "not testable at this scale", ...interval };
    },
  },
  {
    id: "broad-heads-are-low",
    paper: "what-does-bert-look-at",
    statement: "The broadest heads sit in the lower layers.",
    measure: "Spearman correlation of layer with normalised entropy, mean over heads (documents resampled)",
    rule: negativeRule("0.3"),
    judge({ widths }) {
      const interval = bootstrap(widths, (sample) => {
        const layers = widths[0].breadth.map((_, layer) => layer);
        return spearman(
          layers,
          layers.map((layer) => mean(sample.map(({ breadth }) => breadth[layer]))),
        );
      });
      return { outcome: expectNegative(interval, 0.3), ...interval };
    },
  },
  {
    id: "largest-weight-dilutes",
    paper: "limits-of-normalization",
    statement: "The largest weight of a row shrinks in proportion to the number of keys.",
    measure: "Exponent of the largest weight over visible keys, from 32 keys up, mean over heads (−1: in proportion)",
    rule: "Replicated where the 95 % interval lies between −1.25 and −0.75; not replicated where it lies wholly outside; otherwise mixed.",
    judge({ widths }) {
      const interval = bootstrap(
        widths.map(({ dilution }) => dilution),
        mean,
      );
      const { low, high } = interval;
      const inside = low >= -1.25 && high <= -0.75;
      const outside = high < -1.25 || low > -0.75;
      return { outcome: inside ? "replicated" : outside ? "not replicated" : "mixed", ...interval };
    },
  },
];
