/**
 * Can it be told without far keys whether a head needs them? Method:
 * for a query, the first few keys and a window of the last ones are local, all between them are the bulk. With A the
 * sum of exp(score) over a set of keys, S = A_local ÷ (A_local + A_bulk) is the share of the attention that stays
 * local; a head needs the context for a query where S is below a threshold. The estimate takes the scores of the bulk
 * for Gaussian: log A_bulk ≈ log(number of keys) + q·μ/√d + qᵀΣq/2d, with μ and Σ the mean and covariance of keys.
 * These come from the bulk itself, from the local keys alone, or from the bulk of another text. Estimates are judged by
 * the area under the ROC curve (AUC) against the true label, over all heads and within each head, and texts are the
 * independent units.
 *
 * Then facts are asked from lists, and the bulk is hidden from some heads when the answer is read: from those with the
 * largest true S for this query (oracle), the largest estimated S (adaptive, moments of the bulk), from the heads with the
 * largest mean S on other lists (static), or from random heads. Rules are compared at equal shares of local heads, by the
 * rise of the loss of the answer's first token. Lists are the independent units.
 *
 * Departures: all heads decide by the intact model's queries and keys, although cutting one layer changes the next.
 * Only the query that reads the answer is cut. The area under the curve, and the comparison at equal shares, are ours;
 * what moments the paper takes is open in what was read, so that three kinds are shown.
 */

import type { Prompt, Values } from "../../engine/forward.js";
import { bootstrap, mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { exactShare, gaussianShare, splitOf } from "../../engine/theory/local-share.js";
import { dot } from "../../engine/theory/matrix.js";
import { auc } from "../analysis/auc.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { groupOf } from "../analysis/head-weights.js";
import { requirePlainScores } from "../analysis/plain-scores.js";
import { questionedLists } from "../analysis/questioned-lists.js";
import { documentsOf } from "../analysis/texts.js";
import { row } from "../analysis/vectors.js";
import type { Claim, Experiment, Judgement } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  documents: 10,
  tokens: 512,
  /** Every so many queries of a text are measured. */
  every: 8,
  sinks: 16,
  window: 64,
  /** A head needs the context where S is below this. */
  threshold: 0.6,
  /** Lists of each format that rank heads for the static rule, others that are cut, their items, and their window. */
  ranking: 6,
  lists: 12,
  items: 16,
  listWindow: 32,
  /** Shares of the heads from which the bulk is hidden. */
  shares: [0.6, 0.8, 0.9],
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const moments = ["bulk", "local keys", "another text"] as const;
export type Moments = (typeof moments)[number];
export const rules = ["oracle", "adaptive", "static", "random"] as const;
export type CutRule = (typeof rules)[number];

const heads = table("heads", "How often each head needs the context", {
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0" },
  needs: { kind: "float32", meaning: "Share of queries with S below the threshold, mean over texts" },
  mean: { kind: "float32", meaning: "Mean of S" },
  auc: {
    kind: "float32",
    meaning: "AUC of the estimate within the head, moments of the bulk; missing where all queries are alike",
    optional: true,
  },
});

const estimates = table("estimates", "Estimated against true share, a sample of heads and queries", {
  moments: { kind: "text", meaning: "Keys that mean and covariance are taken from" },
  layer: { kind: "int32", meaning: "Layer, from 0" },
  exact: { kind: "float32", meaning: "S" },
  estimate: { kind: "float32", meaning: "Its estimate" },
});

const accuracies = table("accuracies", "How well estimates tell who needs the context", {
  moments: { kind: "text", meaning: "Keys that mean and covariance are taken from" },
  over: { kind: "text", meaning: "all: over heads and queries together; within: in each head, mean over heads" },
  estimate: { kind: "float32", meaning: "AUC, mean over texts" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts" },
});

const costs = table("costs", "What it costs to hide the bulk from heads when an answer is read", {
  rule: { kind: "text", meaning: "How heads are chosen" },
  share: { kind: "float32", meaning: "Share of the heads, over all lists" },
  estimate: { kind: "float32", meaning: "Rise of the loss of the answer's first token, mean over lists", unit: "nats" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over lists", unit: "nats" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over lists", unit: "nats" },
  accuracy: { kind: "float32", meaning: "Share of lists with the right first token" },
});

/** AUC of one text. */
interface Accuracy {
  readonly all: number;
  readonly within: number;
}

export interface Evidence extends Pick<Parameters, "seed" | "resamples" | "shares"> {
  /** Share of queries for which each head needs the context, by text. // texts × [layers · heads] */
  readonly needs: readonly (readonly number[])[];
  readonly accuracy: Readonly<Record<Moments, readonly Accuracy[]>>;
  /** Share of lists that the whole model answers. */
  readonly answered: number;
  /** Rise of the loss in nats. // shares × [lists] */
  readonly rises: Readonly<Record<CutRule, readonly (readonly number[])[]>>;
}

const paper = "adaptive-long-context-heads";

/** Share of the heads whose mean need is from `low` to `high`. */
const shareOfHeads = (texts: readonly (readonly number[])[], low: number, high: number): number =>
  mean(
    texts[0].map((_, head) => {
      const needs = mean(texts.map((of) => of[head]));
      return Number(needs >= low && needs <= high);
    }),
  );

const manyRule =
  "Replicated where the whole 95 % interval over texts is above 0.1, not replicated where all of it is below 0.05, mixed otherwise.";
const accuracyRule =
  "Replicated where the whole 95 % interval over texts is above 0.9, not replicated where all of it is below 0.75, mixed otherwise.";
const answeredRule = "Not testable where the whole model gives fewer than a quarter of the answers.";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "some-heads-are-always-local",
    paper,
    statement: "Some heads never need the context.",
    measure: "share of heads that need it for at most 2 % of queries",
    rule: manyRule,
    judge: (evidence) => many(evidence, 0, 0.02),
  },
  {
    id: "others-depend-on-the-query",
    paper,
    statement: "Others need it for some queries and not for others.",
    measure: "share of heads that need it for 10 to 90 % of queries",
    rule: manyRule,
    judge: (evidence) => many(evidence, 0.1, 0.9),
  },
  {
    id: "far-scores-are-gaussian",
    paper,
    statement: "Mean and covariance of the far keys say which heads need them for which queries.",
    measure: "AUC of the estimate with the moments of the bulk, over all heads and queries, mean over texts",
    rule: accuracyRule,
    judge: (evidence) => accurate(evidence, "bulk", "all"),
  },
  {
    id: "estimate-adapts-within-heads",
    paper,
    statement: "They tell the queries of one head apart, and not only heads.",
    measure: "the same within each head, mean over heads and texts",
    rule: accuracyRule,
    judge: (evidence) => accurate(evidence, "bulk", "within"),
  },
  {
    id: "no-far-key-is-needed",
    paper,
    statement: "The moments can be taken without any far key of the text.",
    measure: "AUC of the better of two estimates, from the local keys or from another text's bulk, mean over texts",
    rule: accuracyRule,
    judge: (evidence) => {
      const [local, other] = (["local keys", "another text"] as const).map((of) => accurate(evidence, of, "all"));
      return local.estimate > other.estimate ? local : other;
    },
  },
  {
    id: "most-heads-can-be-local",
    paper,
    statement: "With the adaptive rule nine tenths of the heads can be kept from far keys at no cost.",
    measure: "rise of the loss of an answer in nats, 90 % of heads local by the adaptive rule, mean over lists",
    rule: `Replicated where the whole 95 % interval over lists is below 0.1, not replicated where all of it is above 0.2, mixed otherwise. ${answeredRule}`,
    judge: ({ rises, shares, answered, seed, resamples }) => {
      const interval = bootstrap(rises.adaptive[shares.indexOf(0.9)], mean, { seed, resamples });
      const outcome = interval.high < 0.1 ? "replicated" : interval.low > 0.2 ? "not replicated" : "mixed";
      return whereAnswered({ ...interval, outcome }, answered);
    },
  },
  {
    id: "adaptive-beats-static",
    paper,
    statement: "With the same share of local heads, choosing them for each query costs less than once for all.",
    measure: "rise of the loss of an answer in nats, 90 % of heads local: static minus adaptive, mean over lists",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    judge: ({ rises, shares, answered, seed, resamples }) => {
      const at = shares.indexOf(0.9);
      const gains = rises.static[at].map((rise, list) => rise - rises.adaptive[at][list]);
      const interval = bootstrap(gains, mean, { seed, resamples });
      return whereAnswered({ ...interval, outcome: expectPositive(interval, 0.05) }, answered);
    },
  },
];

function many({ needs, seed, resamples }: Evidence, low: number, high: number): Judgement {
  const interval = bootstrap(needs, (texts) => shareOfHeads(texts, low, high), { seed, resamples });
  return {
    ...interval,
    outcome: interval.low > 0.1 ? "replicated" : interval.high < 0.05 ? "not replicated" : "mixed",
  };
}

function accurate({ accuracy, seed, resamples }: Evidence, from: Moments, over: keyof Accuracy): Judgement {
  const values = accuracy[from].map((text) => text[over]).filter((value) => !Number.isNaN(value));
  if (values.length === 0) {
    return { estimate: Number.NaN, low: Number.NaN, high: Number.NaN, n: 0, outcome: "not testable at this scale" };
  }
  const interval = bootstrap(values, mean, { seed, resamples });
  return {
    ...interval,
    outcome: interval.low > 0.9 ? "replicated" : interval.high < 0.75 ? "not replicated" : "mixed",
  };
}

const whereAnswered = (judgement: Judgement, answered: number): Judgement =>
  answered < 0.25 ? { ...judgement, outcome: "not testable at this scale" } : judgement;

export const contextHeads: Experiment<Parameters, Evidence> = {
  id: "context-heads",
  title: "Heads that need the context",
  question: "Can it be told without far keys whether a head needs them?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl", records: "prompts/records.jsonl" },
  tables: [heads, estimates, accuracies, costs],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { documents, ranking, lists, shares, threshold, seed, resamples } = given;
    const model = await context.model();
    const { architecture } = model;
    requirePlainScores(architecture, contextHeads.id);
    const tokenizer = await context.tokenizer();
    const texts = documentsOf(inputs.texts, tokenizer, model, given);
    const asked = questionedLists(inputs.records, tokenizer, { ...given, lists: ranking + lists, questions: 1 });
    const prompts = asked.map(({ prompt, questions: [{ answer }] }) => ({ ids: prompt.ids.slice(0, answer + 1) }));
    const isRanking = prompts.map((_, i) => i % (ranking + lists) < ranking); // lists of one format after the other
    const held = prompts.filter((_, i) => !isRanking[i]);
    const random = new Random(seed);
    const work = documents + prompts.length + rules.length * shares.length * held.length;
    let done = 0;
    const advance = (message: string) => {
      signal.throwIfAborted();
      progress(done++, work, message);
    };

    const found: Shares[] = [];
    let other = await keysOf(model, texts[texts.length - 1].ids);
    for (const { ids } of texts) {
      advance("shares in text");
      const { shares: ofText, keys } = await sharesOf(model, ids, other, given);
      found.push(ofText);
      other = keys;
    }
    const needs = found.map(({ exact }) => exact.map((of) => mean(of.map((share) => Number(share < threshold)))));
    const accuracy = Object.fromEntries(
      moments.map((from) => [from, found.map((text) => accuracyOf(text, from, threshold))]),
    ) as Record<Moments, Accuracy[]>;
    yield batch(heads, headRows(found, needs, given, architecture.heads));
    yield batch(estimates, estimateRows(found, architecture.heads, random));
    yield batch(
      accuracies,
      moments.flatMap((from) =>
        (["all", "within"] as const).flatMap((over) => {
          const values = accuracy[from].map((text) => text[over]).filter((value) => !Number.isNaN(value));
          if (values.length === 0) return [];
          const { estimate, low, high } = bootstrap(values, mean, { seed, resamples });
          return [{ moments: from, over, estimate, low, high }];
        }),
      ),
    );

    const readings: Answer[] = [];
    for (const { ids } of prompts) {
      advance("answers");
      readings.push(await answerOf(model, ids, given));
    }
    const known = readings.filter((_, i) => isRanking[i]);
    const whole = readings.filter((_, i) => !isRanking[i]);
    const usual = known[0].exact.map((_, head) => mean(known.map(({ exact }) => exact[head])));
    const scores: Record<CutRule, readonly (readonly number[])[]> = {
      oracle: whole.map(({ exact }) => exact),
      adaptive: whole.map(({ estimate }) => estimate),
      static: whole.map(() => usual),
      random: whole.map(({ exact }) => exact.map(() => random.next())),
    };
    const rises: Record<CutRule, number[][]> = { oracle: [], adaptive: [], static: [], random: [] };
    for (const rule of rules) {
      for (const share of shares) {
        const local = mostLocal(scores[rule], share);
        const losses: number[] = [];
        let correct = 0;
        for (const [i, { ids }] of held.entries()) {
          advance(`${rule}, ${Math.round(100 * share)} % local`);
          const cut = await readAnswer(model, ids, evictionOf(model, ids.length, local[i], given));
          losses.push(cut.loss - whole[i].loss);
          correct += Number(cut.correct) / held.length;
        }
        rises[rule].push(losses);
        const { estimate, low, high } = bootstrap(losses, mean, { seed, resamples });
        yield batch(costs, [{ rule, share, estimate, low, high, accuracy: correct }]);
      }
    }
    const answered = mean(whole.map(({ correct }) => Number(correct)));
    return { seed, resamples, shares, needs, accuracy, answered, rises };
  },
};

/** S and its estimates for the measured queries of one text. // [layers · heads] × [queries] */
interface Shares {
  readonly exact: readonly (readonly number[])[];
  readonly estimates: Readonly<Record<Moments, readonly (readonly number[])[]>>;
}

async function vectors(model: Model, ids: Int32Array): Promise<{ readonly queries: Values; readonly keys: Values }> {
  const { queries, keys } = await model.forward({ ids }, { vectors: true });
  if (!queries || !keys) throw new Error("the model reported no vectors");
  return { queries, keys };
}

const keysOf = async (model: Model, ids: Int32Array): Promise<Values> => (await vectors(model, ids)).keys;

/** Scores of one query of a head with the keys up to it. // [query + 1] */
function scoresOf({ architecture }: Model, queries: Values, keys: Values, at: number, query: number): Float64Array {
  const [layer, head] = [Math.floor(at / architecture.heads), at % architecture.heads];
  const { scale } = architecture.blocks[layer].attention;
  const q = row(queries, layer, head, query);
  const group = groupOf(architecture, head);
  const size = q.length;
  const from = (layer * keys.dims[1] + group) * keys.dims[2] * size;
  return Float64Array.from({ length: query + 1 }, (_, key) => scale * dot(q, 0, keys.data, from + key * size, size));
}

/** @param other keys of another text */
async function sharesOf(model: Model, ids: Int32Array, other: Values, { sinks, window, every }: Parameters) {
  const { queries, keys } = await vectors(model, ids);
  const { layers, heads: width } = model.architecture;
  const exact: number[][] = [];
  const estimated: Record<Moments, number[][]> = { bulk: [], "local keys": [], "another text": [] };
  for (let at = 0; at < layers * width; ++at) {
    const of = {
      exact: [] as number[],
      bulk: [] as number[],
      "local keys": [] as number[],
      "another text": [] as number[],
    };
    for (let query = sinks + 2 * window; query < ids.length; query += every) {
      const split = splitOf(query, { sinks, window });
      const scores = scoresOf(model, queries, keys, at, query);
      const elsewhere = scoresOf(model, queries, other, at, query);
      of.exact.push(exactShare(scores, split));
      of.bulk.push(gaussianShare(scores, split, scores, [split.bulk]));
      of["local keys"].push(gaussianShare(scores, split, scores, [split.sinks, split.window]));
      of["another text"].push(gaussianShare(scores, split, elsewhere, [split.bulk]));
    }
    exact.push(of.exact);
    for (const from of moments) estimated[from].push(of[from]);
  }
  return { shares: { exact, estimates: estimated }, keys };
}

/** Fewer queries of a class than this say nothing about a head. */
const leastQueries = 3;

function accuracyOf({ exact, estimates: of }: Shares, from: Moments, threshold: number): Accuracy {
  const needs = exact.map((shares) => shares.map((share) => share < threshold));
  const far = of[from].map((shares) => shares.map((share) => 1 - share));
  const within = far.map((shares, head) => auc(shares, needs[head], leastQueries)).filter((of) => !Number.isNaN(of));
  return { all: auc(far.flat(), needs.flat()), within: within.length > 0 ? mean(within) : Number.NaN };
}

function headRows(
  texts: readonly Shares[],
  needs: readonly (readonly number[])[],
  { threshold }: Parameters,
  width: number,
) {
  return texts[0].exact.map((_, at) => {
    const exact = texts.flatMap((text) => text.exact[at]);
    const estimate = texts.flatMap((text) => text.estimates.bulk[at]);
    return {
      layer: Math.floor(at / width),
      head: at % width,
      needs: mean(needs.map((of) => of[at])),
      mean: mean(exact),
      auc: auc(
        estimate.map((share) => 1 - share),
        exact.map((share) => share < threshold),
        leastQueries,
      ),
    };
  });
}

/** Points of a scatter plot are drawn at random: this many of each text. */
const drawnPoints = 60;

function estimateRows(texts: readonly Shares[], width: number, random: Random) {
  return texts.flatMap((text) =>
    Array.from({ length: drawnPoints }, () => {
      const at = random.int(text.exact.length);
      const i = random.int(text.exact[at].length);
      return moments.map((from) => {
        const layer = Math.floor(at / width);
        return { moments: from, layer, exact: text.exact[at][i], estimate: text.estimates[from][at][i] };
      });
    }).flat(),
  );
}

interface Read {
  /** Of the answer's first token, in nats. */
  readonly loss: number;
  readonly correct: boolean;
}

/** How the answer is read, and S of every head for the query that reads it. // [layers · heads] */
interface Answer extends Read {
  readonly exact: readonly number[];
  readonly estimate: readonly number[];
}

/** The last token is the answer's first, the one before it reads it. */
const readerOf = (tokens: number): number => tokens - 2;

async function readAnswer(model: Model, ids: Int32Array, eviction?: Prompt["eviction"]): Promise<Read> {
  const { logProbability, correct } = await model.forward({ ids, eviction }, { logits: "loss" });
  if (!logProbability || !correct) throw new Error("the model reported no loss");
  const reader = readerOf(ids.length);
  return { loss: -logProbability[reader], correct: correct[reader] === 1 };
}

async function answerOf(model: Model, ids: Int32Array, { sinks, listWindow }: Parameters): Promise<Answer> {
  const { queries, keys } = await vectors(model, ids);
  const { layers, heads: width } = model.architecture;
  const reader = readerOf(ids.length);
  const split = splitOf(reader, { sinks, window: listWindow });
  const scores = Array.from({ length: layers * width }, (_, at) => scoresOf(model, queries, keys, at, reader));
  return {
    ...(await readAnswer(model, ids)),
    exact: scores.map((of) => exactShare(of, split)),
    estimate: scores.map((of) => gaussianShare(of, split, of, [split.bulk])),
  };
}

/** Of all heads of all lists together, those with the largest scores. // lists × [layers · heads] */
function mostLocal(scores: readonly (readonly number[])[], share: number): boolean[][] {
  const width = scores[0].length;
  const all = scores.flat();
  const order = all.map((_, i) => i).sort((a, b) => all[b] - all[a]);
  const local = scores.map((of) => of.map(() => false));
  for (const i of order.slice(0, Math.round(share * order.length))) local[Math.floor(i / width)][i % width] = true;
  return local;
}

/** Hides the bulk from the reader in local heads. */
function evictionOf(
  { architecture }: Model,
  tokens: number,
  local: readonly boolean[],
  { sinks, listWindow }: Parameters,
) {
  const { layers, heads: width } = architecture;
  const reader = readerOf(tokens);
  const { bulk } = splitOf(reader, { sinks, window: listWindow });
  const data = new Int32Array(layers * width * tokens).fill(tokens); // [layers, heads, tokens]
  for (const [at, is] of local.entries()) {
    if (is) data.fill(reader, at * tokens + bulk.first, at * tokens + bulk.end);
  }
  return { data, dims: [layers, width, tokens] };
}
