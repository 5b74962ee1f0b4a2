/** What is claimed about sinks, and the rule that decides each claim. */
import { bootstrap, mean } from "../../../engine/interval.js";
import { expectNegative, expectPositive, negativeRule, positiveRule } from "../../analysis/expectation.js";
import type { Claim } from "../../experiment.js";

/** What one document, one independent unit, says. Losses are means over its tokens, in nats. */
export interface DocumentEvidence {
  /** α of the first token, mean over layers and heads. */
  readonly first: number;
  /** Layers that have reference tokens, and those of them where the first token is the only one. */
  readonly framed: number;
  readonly centralised: number;
  /** Star-likeness, mean over layers. */
  readonly star: number;
  /** Later sinks over layers and heads, and those of them on punctuation and newlines. */
  readonly sinks: number;
  readonly lowContentSinks: number;
  /** Share of punctuation and newlines among the tokens that can be later sinks. */
  readonly lowContent: number;
  /** Spearman correlation of key norm with α over keys after the first, mean over layers and heads. */
  readonly normCorrelation: number;
  readonly loss: Readonly<Partial<Record<Intervention, number>>>;
}

/** Documents of the second half alone have the last two: their heads were chosen on the first half. */
export const interventions = [
  "none",
  "no start token",
  "first token hidden",
  "first token damped",
  "random token hidden",
  "later sinks damped",
  "random keys damped",
  "later sinks damped, chosen heads",
  "later sinks damped, random heads",
] as const;
export type Intervention = (typeof interventions)[number];

export interface Evidence {
  readonly documents: readonly DocumentEvidence[];
  /** The same under uniform attention with a causal mask. */
  readonly uniform: { readonly first: number; readonly star: number };
}

/** Loss under one intervention minus loss under another, in the documents that have both. */
function difference({ documents }: Evidence, of: Intervention, against: Intervention) {
  const differences = documents.flatMap(({ loss }) => {
    const [a, b] = [loss[of], loss[against]];
    return a === undefined || b === undefined ? [] : [a - b];
  });
  return bootstrap(differences, mean);
}

const LOSS_MARGIN = 0.005;
const lossRule = positiveRule(`${LOSS_MARGIN} nats`);

/** Fewer later sinks than this in all say nothing about where they are. */
const LEAST_SINKS = 30;

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "first-token-sink",
    paper: "what-are-you-sinking",
    statement: "The first token receives more attention than the causal mask alone would give it.",
    measure:
      "Attention received by the first token, mean over layers and heads, minus the same under uniform causal attention",
    rule: positiveRule("0.02"),
    judge({ documents, uniform }) {
      const interval = bootstrap(
        documents.map(({ first }) => first - uniform.first),
        mean,
      );
      return { outcome: expectPositive(interval, 0.02), ...interval };
    },
  },
  {
    id: "one-origin",
    paper: "what-are-you-sinking",
    statement: "Attention has one origin: where a layer has reference tokens, the first token is the only one.",
    measure:
      "Share of the layers with reference tokens (mean attention over 0.1, heads averaged) in which the first token is the only one",
    rule: "Not testable where no layer of any document has a reference token. Replicated where the 95 % interval is above one half, not replicated where it is below, otherwise mixed.",
    judge({ documents }) {
      const interval = bootstrap(
        documents.filter(({ framed }) => framed > 0),
        (sample) => mean(sample.map(({ centralised }) => centralised)) / mean(sample.map(({ framed }) => framed)),
      );
      if (interval.n === 0) return { outcome: "not testable at this scale", ...interval };
      const { low, high } = interval;
      return { outcome: low > 0.5 ? "replicated" : high < 0.5 ? "not replicated" : "mixed", ...interval };
    },
  },
  {
    id: "star-graph",
    paper: "what-are-you-sinking",
    statement: "The graph of attention is more of a star than the causal mask alone makes it.",
    measure:
      "Largest in-degree ÷ (n − 1), edges over 0.1, mean over layers, minus the same under uniform causal attention",
    rule: positiveRule("0.05"),
    judge({ documents, uniform }) {
      const interval = bootstrap(
        documents.map(({ star }) => star - uniform.star),
        mean,
      );
      return { outcome: expectPositive(interval, 0.05), ...interval };
    },
  },
  {
    id: "later-sinks-low-content",
    paper: "hidden-attention-sinks-act",
    statement: "Later tokens are sinks too, and they are the ones with little content.",
    measure:
      "Share of later sinks that are punctuation or newlines minus the share of these among all tokens that could be one",
    rule: `Not testable with fewer than ${LEAST_SINKS} later sinks in all. ${positiveRule("0.05")}`,
    judge({ documents }) {
      const interval = bootstrap(documents, (sample) => {
        const total = (of: (document: DocumentEvidence) => number) =>
          sample.reduce((sum, document) => sum + of(document), 0);
        const sinks = total((document) => document.sinks);
        return (
          total((document) => document.lowContentSinks) / sinks -
          total((document) => document.lowContent * document.sinks) / sinks
        );
      });
      const found = documents.reduce((sum, { sinks }) => sum + sinks, 0);
      return {
        outcome: found < LEAST_SINKS ? "not testable at this scale" : expectPositive(interval, 0.05),
        ...interval,
      };
    },
  },
  {
    id: "first-sink-useful",
    paper: "hidden-attention-sinks-act",
    statement: "The sink at the first token is useful.",
    measure:
      "Loss with the first token hidden minus loss with a random early token hidden, paired by document (nats per token)",
    rule: lossRule,
    judge(evidence) {
      const interval = difference(evidence, "first token hidden", "random token hidden");
      return { outcome: expectPositive(interval, LOSS_MARGIN), ...interval };
    },
  },
  {
    id: "later-sinks-harmful",
    paper: "hidden-attention-sinks-act",
    statement: "Later sinks do harm: damping them in every head lowers the loss.",
    measure: "Loss as it is minus loss with later sinks damped, paired by document (nats per token)",
    rule: lossRule,
    judge(evidence) {
      const interval = difference(evidence, "none", "later sinks damped");
      return { outcome: expectPositive(interval, LOSS_MARGIN), ...interval };
    },
  },
  {
    id: "chosen-heads",
    paper: "hidden-attention-sinks-act",
    statement: "Damping later sinks in the heads where that helps on other texts lowers the loss.",
    measure:
      "Loss as it is minus loss with later sinks damped in heads chosen on the first half, on the second half of the documents (nats per token)",
    rule: `Not testable where no head is chosen. ${lossRule}`,
    judge(evidence) {
      const interval = difference(evidence, "none", "later sinks damped, chosen heads");
      if (interval.n === 0) return { outcome: "not testable at this scale", ...interval };
      return { outcome: expectPositive(interval, LOSS_MARGIN), ...interval };
    },
  },
  {
    id: "short-keys-attract",
    paper: "l2-norm-kv-compression",
    statement: "Keys with a small norm are the ones that receive attention, the first token apart.",
    measure:
      "Spearman correlation of key norm with attention received over keys after the first, mean over layers and heads",
    rule: negativeRule("0.1"),
    judge({ documents }) {
      const interval = bootstrap(
        documents.map(({ normCorrelation }) => normCorrelation),
        mean,
      );
      return { outcome: expectNegative(interval, 0.1), ...interval };
    },
  },
];
