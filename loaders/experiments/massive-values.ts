/**
 * Are a few dimensions of queries and keys massive, and is the context read with them? Method:
 * for every head, M is the Euclidean norm of each dimension over the tokens of a text, of queries and keys after rotary
 * encoding and of values; a dimension is massive where M is several times the mean of its head. It is asked where in
 * the order of rotary frequencies the largest dimension of each head lies, and whether heads of a layer agree on it.
 * Random weights are the control.
 *
 * Then, on texts other than those that chose it, the rotary pair with each head's largest dimension is removed from its
 * queries and likewise from its keys: its weights are set to 0, so that it adds nothing to any score. The same is done
 * to the pair next to it in frequency, to random ones, which are resampled too, and to the one with the smallest dimension, which is the paper's
 * control. Facts asked from a list test what is read from the context, next-token accuracy on running text what is known
 * without it. Texts, and lists, are the independent units.
 *
 * Departures: the authors' code overwrites the one largest dimension with its mean over positions while it reads the
 * prompt; here a whole rotary pair is set to 0, because positions turn its dimensions into each other. Removing it from
 * keys is the same for the softmax as a constant in their place. A model of this size knows no facts worth asking for,
 * and running text stands in for them, although it has a context too. Whether the mean runs over a head or a layer is
 * open in what was read; here it is the head.
 */
import type { Values } from "../../engine/forward.js";
import { bootstrap, bootstrapGroups, mean } from "../../engine/interval.js";
import { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { type Dimensions, withoutDimensions } from "../analysis/head-weights.js";
import { questionedLists } from "../analysis/questioned-lists.js";
import { extraLosses } from "../analysis/random-sets.js";
import {
  type Accuracies,
  accuracies,
  answeredRule,
  relativeLoss,
  type Task,
  tasks,
  type Unit,
  unitsOf,
  whereAnswered,
} from "../analysis/reading.js";
import { type RotaryPairs, rotaryPairs } from "../analysis/rotary-pairs.js";
import { documentsOf } from "../analysis/texts.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  /** Texts that choose what is removed, and others on which everything is measured. */
  ranking: 6,
  documents: 16,
  tokens: 192,
  /** Lists of each format, their items, and how many of these are asked for. */
  lists: 12,
  items: 16,
  questions: 6,
  /** A dimension is massive above this many times the mean of its head. */
  threshold: 5,
  /** Sets of random pairs. */
  draws: 15,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const kinds = ["queries", "keys", "values"] as const;
export type Kind = (typeof kinds)[number];
export const conditions = ["trained", "random weights"] as const;
export type Condition = (typeof conditions)[number];
export const removals = ["largest", "next in frequency", "random", "smallest"] as const;
export type Removal = (typeof removals)[number];

const dimensions = table("dimensions", "The norm of every dimension of every head of the trained model", {
  kind: { kind: "text", meaning: "queries, keys (both after rotary encoding) or values" },
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head (of keys and values: key–value head), from 0" },
  dimension: { kind: "int32", meaning: "Dimension, from 0" },
  pair: {
    kind: "int32",
    meaning: "Its rotary pair, from the fastest; missing where it is not rotated",
    optional: true,
  },
  size: { kind: "float32", meaning: "Its norm over the tokens ÷ mean over the head's dimensions, mean over texts" },
});

const ratios = table("ratios", "How far the largest dimension of a head stands out", {
  condition: { kind: "text", meaning: "trained, or the untrained model" },
  tokens: { kind: "text", meaning: "all, or those after the first, at which attention often rests" },
  kind: { kind: "text", meaning: "queries, keys (both after rotary encoding) or values" },
  estimate: { kind: "float32", meaning: "Norm of the largest dimension ÷ mean of its head, mean over heads and texts" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts" },
  massive: { kind: "float32", meaning: "Share of heads with a dimension above the threshold, mean over texts" },
});

const costs = table("costs", "What it costs to remove one rotary pair of each head's queries and of its keys", {
  removed: { kind: "text", meaning: "Which pair of each head" },
  task: { kind: "text", meaning: "context: facts asked from a list; text: the next token of running text" },
  accuracy: { kind: "float32", meaning: "Share that is right, mean over lists or texts" },
  estimate: { kind: "float32", meaning: "1 − accuracy ÷ accuracy of the whole model", optional: true },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over lists or texts", optional: true },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over lists or texts", optional: true },
});

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** Largest ÷ mean norm, mean over heads, by text. */
  readonly ratios: Readonly<Record<Condition, Readonly<Record<Kind, readonly number[]>>>>;
  /** Share of heads with a massive dimension in the trained model, by text. */
  readonly massive: Readonly<Record<Kind, readonly number[]>>;
  /** Place of the largest rotated dimension among the pairs, from 0 (fastest) to 1, mean over queries' and keys' heads, by text. */
  readonly slowness: readonly number[];
  /** Share of pairs of heads in a layer with their largest dimension in the same rotary pair, less the chance of it, by text. */
  readonly agreement: readonly number[];
  /** Accuracies without each set of pairs. There is one set, but of random ones. // sets */
  readonly costs: Readonly<Record<Removal, readonly Readonly<Record<Task, readonly Unit[]>>[]>>;
}

const paper = "massive-values-qk";

/** What the queries and keys have more than the values, by text. */
const excess = (of: Readonly<Record<Kind, readonly number[]>>): number[] =>
  of.values.map((value, text) => (of.queries[text] + of.keys[text]) / 2 - value);

const overTexts = (values: readonly number[], { seed, resamples }: Evidence) =>
  bootstrap(values, mean, { seed, resamples });

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "massive-in-queries-and-keys",
    paper,
    statement: "Heads have massive dimensions in queries and keys, and not in values.",
    measure: "share of heads with a massive dimension: mean of queries and keys, minus values",
    rule: positiveRule("0.05"),
    judge: (evidence) => {
      const interval = overTexts(excess(evidence.massive), evidence);
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
  {
    id: "queries-and-keys-are-concentrated",
    paper,
    statement: "The largest dimension stands out more in queries and keys than in values.",
    measure: "largest ÷ mean norm of a head's dimensions: mean of queries and keys, minus values",
    rule: positiveRule("0.2"),
    judge: (evidence) => {
      const interval = overTexts(excess(evidence.ratios.trained), evidence);
      return { ...interval, outcome: expectPositive(interval, 0.2) };
    },
  },
  {
    id: "concentration-is-learned",
    paper,
    statement: "Training makes this difference: with random weights it is smaller.",
    measure: "the same difference, the model minus random weights",
    rule: positiveRule("0.2"),
    judge: (evidence) => {
      const untrained = excess(evidence.ratios["random weights"]);
      const gains = excess(evidence.ratios.trained).map((of, text) => of - untrained[text]);
      const interval = overTexts(gains, evidence);
      return { ...interval, outcome: expectPositive(interval, 0.2) };
    },
  },
  {
    id: "massive-dimensions-turn-slowly",
    paper,
    statement: "The largest dimensions lie at low rotary frequencies.",
    measure: "place of a head's largest dimension among its rotary pairs from 0, the fastest, to 1; mean, minus ½",
    rule: positiveRule("0.1"),
    judge: (evidence) => {
      const interval = overTexts(
        evidence.slowness.map((place) => place - 0.5),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.1) };
    },
  },
  {
    id: "heads-agree-on-them",
    paper,
    statement: "They lie at the same place in the heads of a layer.",
    measure: "share of pairs of heads in a layer with their largest dimension in the same rotary pair, minus chance",
    rule: positiveRule("0.1"),
    judge: (evidence) => {
      const interval = overTexts(evidence.agreement, evidence);
      return { ...interval, outcome: expectPositive(interval, 0.1) };
    },
  },
  {
    id: "context-suffers-more",
    paper,
    statement: "Without them, reading from the context suffers more than what is known without it.",
    measure: "relative loss of accuracy without the largest pairs: facts from a list minus next tokens of running text",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    judge: ({ costs: of, seed, resamples }) => {
      const [largest] = of.largest;
      const gap = ([context, text]: readonly (readonly Unit[])[]) => relativeLoss(context) - relativeLoss(text);
      const interval = bootstrapGroups([largest.context, largest.text], gap, { seed, resamples });
      return whereAnswered({ ...interval, outcome: expectPositive(interval, 0.05) }, largest.context, largest.text);
    },
  },
  {
    id: "massive-matters-more-than-random",
    paper,
    statement: "It is these dimensions that matter, and not any.",
    measure: "relative loss of accuracy on facts from a list: without the largest pairs minus without random ones",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    revised:
      "With two random sets of pairs, and an interval over lists alone, this was −0.25 [−0.325, −0.171], not replicated, n = 24. In another experiment (rotary-heads) more sets gave values outside of such intervals; since then there are fifteen here too, and they are resampled with the lists.",
    judge: (evidence) => against(evidence, "random"),
  },
  {
    id: "massive-matters-more-than-its-frequency",
    paper,
    statement: "Nor is it their frequency alone.",
    measure: "the same, minus without the pairs next to them in frequency",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    judge: (evidence) => against(evidence, "next in frequency"),
  },
];

function against({ costs: of, seed, resamples }: Evidence, control: Removal) {
  const own = of.largest[0].context;
  const others = { own, random: of[control].map(({ context }) => context) };
  const interval = extraLosses([others], ([loss]) => loss, { seed, resamples });
  return whereAnswered({ ...interval, outcome: expectPositive(interval, 0.05) }, own);
}

export const massiveValues: Experiment<Parameters, Evidence> = {
  id: "massive-values",
  title: "Massive values",
  question: "Are a few dimensions of queries and keys massive, and is the context read with them?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl", records: "prompts/records.jsonl" },
  tables: [dimensions, ratios, costs],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { ranking, seed, resamples, draws } = given;
    const model = await context.model();
    const { architecture } = model;
    const pairs = rotaryPairs(architecture, massiveValues.id);
    const tokenizer = await context.tokenizer();
    const texts = documentsOf(inputs.texts, tokenizer, model, { ...given, documents: ranking + given.documents });
    const lists = questionedLists(inputs.records, tokenizer, given);
    const [known, held] = [texts.slice(0, ranking), texts.slice(ranking)];
    const work = texts.length + held.length + (removals.length + draws) * (held.length + lists.length);
    let done = 0;
    const advance = (message: string) => {
      signal.throwIfAborted();
      progress(done++, work, message);
    };

    const read = async (of: Model, ids: Int32Array): Promise<Sizes> => {
      advance("norms of dimensions");
      return sizesOf(of, ids);
    };
    const sizes: Record<Condition, Sizes[]> = { trained: [], "random weights": [] };
    const chosen: Sizes[] = [];
    for (const { ids } of known) chosen.push(await read(model, ids));
    for (const { ids } of held) sizes.trained.push(await read(model, ids));
    const control = await context.control();
    for (const { ids } of held) sizes["random weights"].push(await read(control, ids));
    await control.release();
    yield batch(dimensions, dimensionRows(averaged(sizes.trained), pairs));
    for (const condition of conditions) yield batch(ratios, ratioRows(condition, sizes[condition], given));

    const whole = await accuracies(model, lists, held, advance);
    const found = {} as Record<Removal, Record<Task, Unit[]>[]>;
    for (const removed of removals) {
      const runs: Accuracies[] = [];
      for (let draw = 0; draw < (removed === "random" ? draws : 1); ++draw) {
        const random = new Random(seed * 1000 + draw);
        const cut = pairsToRemove(removed, averaged(chosen), pairs, random);
        const without = await Model.load(withoutDimensions(model.checkpoint, cut), model.backend);
        runs.push(await accuracies(without, lists, held, advance));
        await without.release();
      }
      found[removed] = runs.map((of) => ({
        context: unitsOf("context", whole, [of]),
        text: unitsOf("text", whole, [of]),
      }));
      yield batch(
        costs,
        tasks.map((task) => {
          const of = unitsOf(task, whole, runs);
          const { estimate, low, high } = bootstrap(of, relativeLoss, { seed, resamples });
          return { removed, task, accuracy: mean(of.map(({ cut }) => cut)), estimate, low, high };
        }),
      );
    }
    const largest = (condition: Condition) =>
      byKind((kind) => sizes[condition].map((text) => mean(text.all[kind].map(peak))));
    return {
      seed,
      resamples,
      ratios: { trained: largest("trained"), "random weights": largest("random weights") },
      massive: byKind((kind) => sizes.trained.map((text) => shareAbove(text.all[kind], given.threshold))),
      slowness: sizes.trained.map((text) => slowness(text, pairs)),
      agreement: sizes.trained.map((text) => agreement(text, pairs)),
      costs: found,
    };
  },
};

/** Relative norms of the dimensions of each head, layer by layer. // [layers · heads] × [headSize] */
type Heads = readonly Float64Array[];

export interface Sizes {
  readonly all: Readonly<Record<Kind, Heads>>;
  /** Without the first token. */
  readonly later: Readonly<Record<Kind, Heads>>;
}

function byKind<T>(of: (kind: Kind) => T): Record<Kind, T> {
  return { queries: of("queries"), keys: of("keys"), values: of("values") };
}

export async function sizesOf(model: Model, ids: Int32Array): Promise<Sizes> {
  const { queries, keys, values } = await model.forward({ ids }, { vectors: true });
  if (!queries || !keys || !values) throw new Error("the model reported no vectors");
  const vectors = { queries, keys, values };
  const from = (first: number) => byKind((kind) => relativeNorms(vectors[kind], first));
  return { all: from(0), later: from(1) };
}

/** Norms over tokens from `first` on, divided by their mean over the head. @param of [layers, heads, tokens, headSize] */
function relativeNorms({ data, dims: [layers, heads, tokens, size] }: Values, first: number): Float64Array[] {
  return Array.from({ length: layers * heads }, (_, head) => {
    const squares = new Float64Array(size);
    for (let token = first; token < tokens; ++token) {
      const at = (head * tokens + token) * size;
      for (let c = 0; c < size; ++c) squares[c] += data[at + c] ** 2;
    }
    const norms = squares.map(Math.sqrt);
    const middle = mean(norms);
    return norms.map((norm) => norm / middle);
  });
}

const peak = (norms: Float64Array): number => Math.max(...norms);
const shareAbove = (heads: Heads, threshold: number): number =>
  mean(heads.map((norms) => Number(peak(norms) > threshold)));

/** The eligible dimension with the largest norm, or with sign −1 the smallest. */
function best(norms: Float64Array, eligible: (dimension: number) => boolean, sign: 1 | -1 = 1): number {
  let found = -1;
  for (let c = 0; c < norms.length; ++c) {
    if (eligible(c) && (found < 0 || sign * norms[c] > sign * norms[found])) found = c;
  }
  return found;
}

/** Mean over texts. */
function averaged(texts: readonly Sizes[]): Sizes["all"] {
  return byKind((kind) =>
    texts[0].all[kind].map((norms, head) => norms.map((_, c) => mean(texts.map(({ all }) => all[kind][head][c])))),
  );
}

/** The rotary pair of each head's largest rotated dimension. // layers × [heads] */
function largestPairs(heads: Heads, pairs: readonly RotaryPairs[]): number[][] {
  const perLayer = heads.length / pairs.length;
  return pairs.map(({ of }, layer) =>
    heads
      .slice(layer * perLayer, (layer + 1) * perLayer)
      .map((norms) => of[best(norms, (c) => of[c] !== undefined)] ?? Number.NaN),
  );
}

/** 0 for the fastest pair, 1 for the slowest, mean over heads of queries and keys. */
function slowness({ all }: Sizes, pairs: readonly RotaryPairs[]): number {
  const places = ([all.queries, all.keys] as const).flatMap((heads) =>
    largestPairs(heads, pairs).flatMap((of, layer) => of.map((pair) => pair / (pairs[layer].dimensions.length - 1))),
  );
  return mean(places);
}

/** Share of pairs of heads in a layer whose largest dimension is in the same rotary pair, less 1 ÷ number of these. */
export function agreement({ all }: Sizes, pairs: readonly RotaryPairs[]): number {
  const equal = ([all.queries, all.keys] as const).flatMap((heads) =>
    largestPairs(heads, pairs).flatMap((of, layer) =>
      of.flatMap((pair, i) =>
        of.slice(0, i).map((other) => Number(pair === other) - 1 / pairs[layer].dimensions.length),
      ),
    ),
  );
  return mean(equal);
}

/** The pairs to remove from every head's queries and from every head's keys. */
function pairsToRemove(
  removed: Removal,
  { queries, keys }: Sizes["all"],
  pairs: readonly RotaryPairs[],
  random: Random,
): Dimensions[] {
  const ofPart = (part: "query" | "key", heads: Heads) => {
    const perLayer = heads.length / pairs.length;
    return heads.map((norms, at) => {
      const layer = Math.floor(at / perLayer);
      const pair = pairToRemove(removed, norms, pairs[layer], random);
      return { layer, part, head: at % perLayer, dimensions: pairs[layer].dimensions[pair] };
    });
  };
  return [...ofPart("query", queries), ...ofPart("key", keys)];
}

function pairToRemove(removed: Removal, norms: Float64Array, pairs: RotaryPairs, random: Random): number {
  const rotated = (c: number) => pairs.of[c] !== undefined;
  const largest = pairs.of[best(norms, rotated)] ?? 0;
  const last = pairs.dimensions.length - 1;
  switch (removed) {
    case "largest":
      return largest;
    case "smallest":
      return pairs.of[best(norms, rotated, -1)] ?? 0;
    case "random":
      return random.int(last + 1);
    case "next in frequency":
      return largest < last ? largest + 1 : largest - 1;
  }
}

function dimensionRows(of: Sizes["all"], pairs: readonly RotaryPairs[]) {
  return kinds.flatMap((kind) => {
    const perLayer = of[kind].length / pairs.length;
    return of[kind].flatMap((norms, at) => {
      const layer = Math.floor(at / perLayer);
      return Array.from(norms, (size, dimension) => {
        const pair = pairs[layer].of[dimension] ?? null;
        return { kind, layer, head: at % perLayer, dimension, pair, size };
      });
    });
  });
}

function ratioRows(condition: Condition, texts: readonly Sizes[], { threshold, seed, resamples }: Parameters) {
  return kinds.flatMap((kind) =>
    (["all", "later"] as const).map((which) => {
      const largest = texts.map((of) => mean(of[which][kind].map(peak)));
      const { estimate, low, high } = bootstrap(largest, mean, { seed, resamples });
      const massive = mean(texts.map((of) => shareAbove(of[which][kind], threshold)));
      return { condition, tokens: which === "all" ? "all" : "after the first", kind, estimate, low, high, massive };
    }),
  );
}
