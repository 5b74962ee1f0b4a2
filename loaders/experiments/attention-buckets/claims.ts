/** What the paper says about rotary bases, and the rule that decides each claim. Rules were written before any result was seen. */
import { bootstrap, mean, pearson, spearman } from "../../../engine/interval.js";
import { expectPositive, positiveRule } from "../../analysis/expectation.js";
import type { Claim, Judgement } from "../../experiment.js";
import type { Answer } from "./answers.js";
import { ripples } from "./bases.js";

/** One question about a list. */
export interface Found {
  readonly distance: number;
  /** Range of distances that it lies in, from 0. */
  readonly place: number;
  readonly bases: readonly Answer[]; // by multiple of the base
  readonly equal: Answer;
  readonly confidence: Answer;
}

export interface Evidence {
  /** Multiples of the model's base; the first is 1. */
  readonly multiples: readonly number[];
  /** Half the width of the range of distances whose mean is taken off, in tokens. */
  readonly nearby: number;
  readonly seed: number;
  readonly resamples: number;
  /** Waveform of each base by distance. // multiples × [distances] */
  readonly waves: readonly Float64Array[];
  /** Of one range of distances: the model's waveform, and its mean scores by text and layer, less the means nearby. */
  readonly scores: { readonly wave: Float64Array; readonly texts: readonly LayerCurves[] };
  readonly lists: readonly (readonly Found[])[];
}

export type LayerCurves = readonly Float64Array[]; // layers × [distances]

const paper = "attention-buckets";
const ANSWERED = 0.25;
const CEILING = 0.95;

const untestable: Judgement = {
  outcome: "not testable at this scale",
  estimate: Number.NaN,
  low: Number.NaN,
  high: Number.NaN,
  n: 0,
};

/** Correlation of each layer's mean curve with the waveform. // [layers] */
export const layerCorrelations = (texts: readonly LayerCurves[], wave: Float64Array): number[] =>
  texts[0].map((_, layer) =>
    pearson(
      wave.map((_, at) => mean(texts.map((layers) => layers[layer][at]))),
      wave,
    ),
  );

/** A question's waveform and log-probability, or what another base does to both, less the means nearby. */
export interface Ripple {
  readonly wave: number;
  readonly told: number;
}

/** @param base which multiple; @param from the multiple that it is compared with, if any */
export function ripplesOf(
  list: readonly Found[],
  { waves, nearby }: Pick<Evidence, "waves" | "nearby">,
  base: number,
  from?: number,
): Ripple[] {
  const distances = list.map(({ distance }) => distance);
  const wave = (of: number) => distances.map((distance) => waves[of][distance]);
  const told = (of: number) => list.map(({ bases }) => bases[of].logProbability);
  const change = (values: (of: number) => number[]) => {
    const before = from === undefined ? undefined : values(from);
    return ripples(
      distances,
      values(base).map((value, i) => value - (before?.[i] ?? 0)),
      nearby,
    );
  };
  const [waved, tolds] = [change(wave), change(told)];
  return list.map((_, i) => ({ wave: waved[i], told: tolds[i] }));
}

/** Rank correlation over the questions of several lists. */
export const alignment = (lists: readonly (readonly Ripple[])[]): number => {
  const all = lists.flat();
  return spearman(
    all.map(({ wave }) => wave),
    all.map(({ told }) => told),
  );
};

export interface Read {
  readonly place: number;
  readonly correct: boolean;
}

/** Share of right answers at the place that has fewest. */
export function worstPlace(found: readonly Read[]): number {
  const places = [...new Set(found.map(({ place }) => place))];
  return Math.min(
    ...places.map((place) => mean(found.filter((of) => of.place === place).map(({ correct }) => Number(correct)))),
  );
}

export type Reader = (found: Found, list: number) => Answer;
export const byBase =
  (base: number): Reader =>
  ({ bases }) =>
    bases[base];
const own = byBase(0);
const confidence: Reader = (found) => found.confidence;
const equal: Reader = (found) => found.equal;

export const readBy = (list: readonly Found[], index: number, reader: Reader): Read[] =>
  list.map((found) => ({ place: found.place, correct: reader(found, index).correct }));

const worstOf = (lists: Evidence["lists"], reader: Reader) =>
  worstPlace(lists.flatMap((list, index) => readBy(list, index, reader)));

/** The base that does best at its worst place in the other half of the lists: no base is judged where it was chosen. */
export function bestBase({ lists, multiples }: Pick<Evidence, "lists" | "multiples">): Reader {
  const chosen = [1, 0].map((other) => {
    const half = lists.filter((_, index) => index % 2 === other);
    const worst = multiples.map((_, base) => worstOf(half, byBase(base)));
    return worst.indexOf(Math.max(...worst));
  });
  return ({ bases }, list) => bases[chosen[list % 2]];
}

/** Share of right answers over all questions, read with the model's own base. */
const answered = ({ lists }: Evidence) => mean(lists.flat().map(({ bases: [{ correct }] }) => Number(correct)));

const answeredRule = `Not testable where the model, with its own base, answers fewer than ${ANSWERED * 100} % of the questions.`;
const ceilingRule = `${answeredRule} Not testable either where it answers more than ${CEILING * 100} % at its worst place: nothing is missed there.`;

/** What the mixture by confidence gains at the worst place over another reader. */
function gain(evidence: Evidence, other: Reader): Judgement {
  const { lists, seed, resamples } = evidence;
  if (answered(evidence) < ANSWERED || worstOf(lists, own) > CEILING) return untestable;
  const pairs = lists.map((list, index) => [readBy(list, index, confidence), readBy(list, index, other)] as const);
  const interval = bootstrap(
    pairs,
    (drawn) => worstPlace(drawn.flatMap(([mixture]) => mixture)) - worstPlace(drawn.flatMap(([, of]) => of)),
    { seed, resamples },
  );
  return { ...interval, outcome: expectPositive(interval, 0.02) };
}

const worstShare = "share of right answers at the range of distances that has fewest, runs mixed by confidence minus";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "scores-follow-the-waveform",
    paper,
    statement: "Attention scores rise and fall with the distance as the sum of the rotary cosines does.",
    measure:
      "correlation of a layer's mean score before the softmax with the waveform, over distances, both less their means nearby; mean over layers",
    rule: "Replicated where the whole 95 % interval over texts is above 0.3, not replicated where all of it is below 0.1, mixed otherwise.",
    judge: ({ scores: { texts, wave }, seed, resamples }) => {
      const interval = bootstrap(texts, (drawn) => mean(layerCorrelations(drawn, wave)), { seed, resamples });
      const outcome = interval.low > 0.3 ? "replicated" : interval.high < 0.1 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
  {
    id: "dips-lie-in-troughs",
    paper,
    statement: "Facts at distances where the waveform has a trough are found less well than those at its peaks.",
    measure:
      "rank correlation of an answer's log-probability with the waveform at its distance, both less their means nearby, over the questions of all lists",
    rule: `${positiveRule("0.1")} ${answeredRule}`,
    judge: (evidence) => {
      const { lists, seed, resamples } = evidence;
      if (answered(evidence) < ANSWERED) return untestable;
      const interval = bootstrap(
        lists.map((list) => ripplesOf(list, evidence, 0)),
        alignment,
        { seed, resamples },
      );
      return { ...interval, outcome: expectPositive(interval, 0.1) };
    },
  },
  {
    id: "dips-move-with-the-base",
    paper,
    statement: "Another base moves the dips to where its own troughs are.",
    measure:
      "rank correlation of what another base does to an answer's log-probability with what it does to the waveform at its distance, both less their means nearby; mean over bases",
    rule: `${positiveRule("0.1")} ${answeredRule}`,
    judge: (evidence) => {
      const { lists, multiples, seed, resamples } = evidence;
      if (answered(evidence) < ANSWERED) return untestable;
      const others = multiples.map((_, base) => base).slice(1);
      const interval = bootstrap(
        lists.map((list) => others.map((base) => ripplesOf(list, evidence, base, 0))),
        (drawn) => mean(others.map((_, i) => alignment(drawn.map((list) => list[i])))),
        { seed, resamples },
      );
      return { ...interval, outcome: expectPositive(interval, 0.1) };
    },
  },
  {
    id: "mixture-lifts-the-worst-place",
    paper,
    statement: "Runs with several bases, mixed, find more at the distances where the model finds least.",
    measure: `${worstShare} the model's own base`,
    rule: `${positiveRule("0.02")} ${ceilingRule}`,
    judge: (evidence) => gain(evidence, own),
  },
  {
    id: "mixture-beats-one-base",
    paper,
    statement: "No single base does as well there as the mixture.",
    measure: `${worstShare} the single base that is best on the other half of the lists`,
    rule: `${positiveRule("0.02")} ${ceilingRule}`,
    judge: (evidence) => gain(evidence, bestBase(evidence)),
  },
  {
    id: "confidence-beats-equal-weights",
    paper,
    statement: "It is better to weigh the runs by their confidence than equally.",
    measure: `${worstShare} runs mixed equally`,
    rule: `${positiveRule("0.02")} ${ceilingRule}`,
    judge: (evidence) => gain(evidence, equal),
  },
];
