/**
 * Do heads that reach far read slowly turning dimensions? Method:
 * the score of a query and a key is a sum over rotary pairs; c_p is what pair p of its dimensions adds. Causal pairs of
 * tokens are drawn at random, as many at every power of two of the distance. For each head and rotary pair, the
 * Spearman correlation of |c_p| ÷ Σ |c_p| with the distance says whether it gains weight as tokens are further apart;
 * the head's score is the Spearman correlation of that, over rotary pairs, with their order from fast to slow. The few
 * heads with the highest scores are called positional. How much the slow half of the pairs gains from near to far is
 * compared with random weights, and with distances shuffled among the drawn pairs of tokens, of which the largest gain
 * of any head is taken, because many heads are tried.
 *
 * On other texts it is measured how far positional heads look, and on lists of facts and on running text what it costs
 * to remove them, against sets of heads drawn at random from the same layers. Texts, and lists, are the independent units;
 * where sets are compared with, these are resampled with them, for what a set costs depends on which heads are in it.
 *
 * Departures: what a pair contributes is known from another group's port of the paper's score; the correlation, the
 * share of heads and both tasks are our reading, for the paper's own threshold was not found. Lists of facts have a few
 * hundred tokens at most, where the paper has long documents. Later work reports other roles of low frequencies in some
 * models.
 */
import type { Values } from "../../engine/forward.js";
import { bootstrap, mean, quantile, spearman } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { sameLayers, withoutHeads } from "../analysis/head-gate.js";
import { groupOf } from "../analysis/head-weights.js";
import { questionedLists } from "../analysis/questioned-lists.js";
import { extraLosses, type Removed, withSets } from "../analysis/random-sets.js";
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
  /** Texts that score the heads, and others on which scored heads are measured. */
  ranking: 12,
  documents: 12,
  tokens: 384,
  /** Pairs of tokens drawn from a text at every power of two of the distance. */
  perDistance: 24,
  /** Distances up to `near` are compared with those from `far` on. */
  near: 4,
  far: 64,
  shuffles: 40,
  /** Share of heads that are called positional. */
  share: 0.1,
  /** Lists of each format, their items, and how many of these are asked for. */
  lists: 12,
  items: 16,
  questions: 6,
  /** Sets of random heads to compare with. */
  draws: 15,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const groups = ["positional", "random, same layers"] as const;
export type Group = (typeof groups)[number];

const heads = table("heads", "Every head's score, and how far it looks", {
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0" },
  score: { kind: "float32", meaning: "Spearman correlation, over rotary pairs, of their gain with their slowness" },
  shift: { kind: "float32", meaning: "Share of the slow half of the pairs, far apart minus near, mean over texts" },
  threshold: {
    kind: "float32",
    meaning: "Of the largest shift of any head with shuffled distances, the 95 % quantile",
  },
  positional: { kind: "flag", meaning: "Whether it is among the tenth with the highest scores" },
  distance: { kind: "float32", meaning: "Mean distance of its attention on other texts", unit: "tokens" },
});

const shares = table("shares", "The slow half of the rotary pairs by distance", {
  heads: { kind: "text", meaning: "positional and other heads of the model, or all heads with random weights" },
  distance: { kind: "int32", meaning: "Distance of query and key", unit: "tokens" },
  estimate: { kind: "float32", meaning: "Share of Σ |c_p| in the slow half, mean over pairs of tokens, heads, texts" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts" },
});

const costs = table("costs", "What it costs to remove heads", {
  removed: { kind: "text", meaning: "positional heads, or as many random ones of the same layers" },
  task: { kind: "text", meaning: "context: facts asked from a list; text: the next token of running text" },
  accuracy: { kind: "float32", meaning: "Share that is right, mean over lists or texts" },
  estimate: { kind: "float32", meaning: "1 − accuracy ÷ accuracy of the whole model", optional: true },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over lists or texts", optional: true },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over lists or texts", optional: true },
});

/** How each rotary pair's share of each head's scores goes with the distance, by text. // texts × [layers · heads] × [pairs] */
type Gains = readonly (readonly (readonly number[])[])[];

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** Share of the slow half far apart minus near, by text. // texts × [layers · heads] */
  readonly shift: Readonly<Record<"trained" | "random weights", readonly (readonly number[])[]>>;
  /** A head's shift is above chance beyond this. */
  readonly threshold: number;
  /** Mean distance of the attention of each set's heads, by text. There is one set of positional heads. // sets × [texts] */
  readonly distances: Readonly<Record<Group, readonly (readonly number[])[]>>;
  /** Accuracies without each set. // sets */
  readonly costs: Readonly<Record<Group, readonly Readonly<Record<Task, readonly Unit[]>>[]>>;
}

const paper = "rope-higher-dims-positional-heads";

/** Of each head: do slow pairs gain with distance, and fast ones lose? // [layers · heads] */
export function headScores(texts: Gains): number[] {
  return texts[0].map((pairs, head) => {
    const gain = pairs.map((_, pair) => mean(texts.map((of) => of[head][pair])));
    return spearman(
      gain,
      gain.map((_, pair) => pair),
    );
  });
}

const drawnAnew = (before: string) =>
  `With three random sets of heads, and intervals over texts and lists alone, this was ${before}, replicated; fifteen sets gave a value outside of that interval, so that there are fifteen, and they are resampled too.`;

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "slow-pairs-reach-far",
    paper,
    statement: "The further apart two tokens are, the more of their score comes from slowly turning dimensions.",
    measure: "share of the slow half of the rotary pairs, between tokens far apart minus near ones, mean over heads",
    rule: positiveRule("0.01"),
    judge: ({ shift, seed, resamples }) => {
      const interval = bootstrap(shift.trained.map(mean), mean, { seed, resamples });
      return { ...interval, outcome: expectPositive(interval, 0.01) };
    },
  },
  {
    id: "reach-is-learned",
    paper,
    statement: "Training makes them do so.",
    measure: "the same, the model minus random weights",
    rule: positiveRule("0.01"),
    judge: ({ shift, seed, resamples }) => {
      const gains = shift.trained.map((of, text) => mean(of) - mean(shift["random weights"][text]));
      const interval = bootstrap(gains, mean, { seed, resamples });
      return { ...interval, outcome: expectPositive(interval, 0.01) };
    },
  },
  {
    id: "positional-heads-are-few",
    paper,
    statement: "This is the work of a minority of heads.",
    measure: "share of heads whose slow half gains more from near to far than shuffled distances give any head",
    rule: "Replicated where the whole 95 % interval over texts lies between 0 and 0.5, both excluded; not replicated where all of it is above 0.5 or it is 0; mixed otherwise.",
    revised:
      "A first run had judged the heads' scores instead, which no head could have above chance: over sixteen pairs of dimensions, shuffled distances gave up to 0.80, and the best head had 0.70.",
    judge: ({ shift: { trained }, threshold, seed, resamples }) => {
      const share = (texts: readonly (readonly number[])[]) =>
        mean(texts[0].map((_, head) => Number(mean(texts.map((of) => of[head])) > threshold)));
      const interval = bootstrap(trained, share, { seed, resamples });
      const { low, high } = interval;
      const outcome = low > 0 && high < 0.5 ? "replicated" : low > 0.5 || high === 0 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
  {
    id: "positional-heads-look-far",
    paper,
    statement: "Positional heads look further than others of their layers.",
    measure: "mean distance of attention in tokens, positional heads minus random ones of the same layers",
    rule: positiveRule("5 tokens"),
    revised: drawnAnew("16.9 [12.8, 20.5]"),
    judge: ({ distances, seed, resamples }) => {
      const { positional, "random, same layers": random } = distances;
      const [own] = positional;
      const interval = withSets(
        [own.length],
        random.length,
        ([texts], sets) => {
          const others = sets.map((set) => mean(texts.map((text) => random[set][text])));
          return mean(texts.map((text) => own[text])) - mean(others);
        },
        { seed, resamples },
      );
      return { ...interval, outcome: expectPositive(interval, 5) };
    },
  },
  {
    id: "context-needs-them",
    paper,
    statement: "Reading from the context needs positional heads more than others.",
    measure: "relative loss of accuracy on facts from a list: without positional heads minus without random ones",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    revised: drawnAnew("0.565 [0.457, 0.672]"),
    judge: (evidence) => {
      const context = removedFor(evidence, "context");
      const interval = extraLosses([context], ([loss]) => loss, evidence);
      return whereAnswered({ ...interval, outcome: expectPositive(interval, 0.05) }, context.own);
    },
  },
  {
    id: "text-needs-them-less",
    paper,
    statement: "Running text, which is mostly local, needs them less than facts from a list do.",
    measure: "the same difference on facts from a list, minus that on next tokens of running text",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    revised: drawnAnew("0.45 [0.328, 0.57]"),
    judge: (evidence) => {
      const both = tasks.map((task) => removedFor(evidence, task));
      const interval = extraLosses(both, ([context, text]) => context - text, evidence);
      return whereAnswered({ ...interval, outcome: expectPositive(interval, 0.05) }, ...both.map(({ own }) => own));
    },
  },
];

/** Accuracies without positional heads, and without the random ones. */
const removedFor = ({ costs: of }: Evidence, task: Task): Removed => ({
  own: of.positional[0][task],
  random: of["random, same layers"].map((set) => set[task]),
});

export const rotaryHeads: Experiment<Parameters, Evidence> = {
  id: "rotary-heads",
  title: "Rotary frequencies of heads",
  question: "Do heads that reach far read slowly turning dimensions?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl", records: "prompts/records.jsonl" },
  tables: [heads, shares, costs],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { ranking, seed, resamples, draws, near, far, shuffles } = given;
    const model = await context.model();
    const { architecture } = model;
    const { layers, heads: width } = architecture;
    const pairs = rotaryPairs(architecture, rotaryHeads.id);
    const tokenizer = await context.tokenizer();
    const texts = documentsOf(inputs.texts, tokenizer, model, { ...given, documents: ranking + given.documents });
    const lists = questionedLists(inputs.records, tokenizer, given);
    const [known, held] = [texts.slice(0, ranking), texts.slice(ranking)];
    const work = 2 * known.length + held.length + (2 + draws) * (lists.length + held.length);
    let done = 0;
    const advance = (message: string) => {
      signal.throwIfAborted();
      progress(done++, work, message);
    };
    const random = new Random(seed);
    const drawn = drawPairs(given, random);
    const split = async (of: Model, ids: Int32Array) => {
      advance("scores by rotary pair");
      return scoreShares(of, ids, drawn, pairs);
    };
    const trained: Shares[] = [];
    for (const { ids } of known) trained.push(await split(model, ids));
    const control = await context.control();
    const untrained: Shares[] = [];
    for (const { ids } of known) untrained.push(await split(control, ids));
    await control.release();

    const distances = drawn.map(({ query, key }) => query - key);
    const shiftOf = (texts: readonly Shares[], at: readonly number[]) =>
      texts.map((text) => text.map((parts) => slowShift(parts, at, near, far)));
    const shift = { trained: shiftOf(trained, distances), "random weights": shiftOf(untrained, distances) };
    const overTexts = (of: readonly (readonly number[])[]) =>
      of[0].map((_, head) => mean(of.map((text) => text[head])));
    const largest = Array.from({ length: shuffles }, () =>
      Math.max(...overTexts(shiftOf(trained, random.shuffle(distances)))),
    );
    const threshold = quantile(largest, 0.95);
    const scores = headScores(trained.map((text) => gainsOf(text, distances)));
    const order = scores.map((_, head) => head).sort((a, b) => scores[b] - scores[a]);
    const positional = order.slice(0, Math.max(1, Math.round(given.share * order.length)));
    const others = order.filter((head) => !positional.includes(head));
    yield batch(shares, [
      ...shareRows("positional", trained, positional, distances),
      ...shareRows("other", trained, others, distances),
      ...shareRows("random weights", untrained, order, distances),
    ]);

    const reach: number[][] = []; // texts × [layers · heads]
    for (const { ids } of held) {
      advance("distance of attention");
      reach.push(await meanDistances(model, ids));
    }
    const matched = Array.from({ length: draws }, () => sameLayers(positional, others, width, random));
    yield batch(
      heads,
      scores.map((score, head) => ({
        layer: Math.floor(head / width),
        head: head % width,
        score,
        shift: overTexts(shift.trained)[head],
        threshold,
        positional: positional.includes(head),
        distance: mean(reach.map((of) => of[head])),
      })),
    );
    const removedBy: Record<Group, readonly (readonly number[])[]> = {
      positional: [positional],
      "random, same layers": matched,
    };
    const whole = await accuracies(model, lists, held, advance);
    const found = {} as Record<Group, Record<Task, Unit[]>[]>;
    for (const removed of groups) {
      const runs: Accuracies[] = [];
      for (const set of removedBy[removed]) {
        runs.push(await accuracies(model, lists, held, advance, withoutHeads({ layers, heads: width }, set)));
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
    const distanceOf = (group: Group) =>
      removedBy[group].map((set) => reach.map((of) => mean(set.map((head) => of[head]))));
    return {
      seed,
      resamples,
      shift,
      threshold,
      distances: {
        positional: distanceOf("positional"),
        "random, same layers": distanceOf("random, same layers"),
      },
      costs: found,
    };
  },
};

interface TokenPair {
  readonly query: number;
  readonly key: number;
}

/** As many pairs at each power of two of the distance, the same for all texts. */
function drawPairs({ tokens, perDistance }: Parameters, random: Random): TokenPair[] {
  const pairs: TokenPair[] = [];
  for (let distance = 1; distance < tokens; distance *= 2) {
    for (let i = 0; i < perDistance; ++i) {
      const query = distance + random.int(tokens - distance);
      pairs.push({ query, key: query - distance });
    }
  }
  return pairs;
}

/** |c_p| ÷ Σ |c_p|. // [layers · heads] × [pairs] × [drawn pairs of tokens] */
export type Shares = readonly (readonly Float64Array[])[];

async function scoreShares(
  model: Model,
  ids: Int32Array,
  drawn: readonly TokenPair[],
  pairs: readonly RotaryPairs[],
): Promise<Shares> {
  const { queries, keys } = await model.forward({ ids }, { vectors: true });
  if (!queries || !keys) throw new Error("the model reported no vectors");
  return sharesOf(queries, keys, drawn, pairs, (head) => groupOf(model.architecture, head));
}

/** @param queries [layers, heads, tokens, headSize] @param keys [layers, keyValueHeads, tokens, headSize] */
export function sharesOf(
  queries: Values,
  keys: Values,
  drawn: readonly TokenPair[],
  pairs: readonly RotaryPairs[],
  group: (head: number) => number,
): Shares {
  const [layers, heads, tokens, size] = queries.dims;
  return Array.from({ length: layers * heads }, (_, at) => {
    const [layer, head] = [Math.floor(at / heads), at % heads];
    const keyHead = layer * keys.dims[1] + group(head);
    const parts = pairs[layer].dimensions.map(() => new Float64Array(drawn.length));
    for (const [i, { query, key }] of drawn.entries()) {
      const [q, k] = [(at * tokens + query) * size, (keyHead * tokens + key) * size];
      let sum = 0;
      for (const [pair, [a, b]] of pairs[layer].dimensions.entries()) {
        parts[pair][i] = Math.abs(queries.data[q + a] * keys.data[k + a] + queries.data[q + b] * keys.data[k + b]);
        sum += parts[pair][i];
      }
      for (const of of parts) of[i] /= sum;
    }
    return parts;
  });
}

/** Spearman correlation of each share with the distance. // [layers · heads] × [pairs] */
export const gainsOf = (text: Shares, distances: readonly number[]): number[][] =>
  text.map((parts) => parts.map((of) => spearman(of, distances)));

/** Share of the slow half of a head's pairs in the score of one drawn pair of tokens. */
function slowShare(parts: Shares[number], drawn: number): number {
  return parts.slice(Math.floor(parts.length / 2)).reduce((sum, part) => sum + part[drawn], 0);
}

/** What the slow half of a head's pairs gains from near to far. */
export function slowShift(parts: Shares[number], distances: readonly number[], near: number, far: number): number {
  const slow = Array.from(parts[0], (_, drawn) => slowShare(parts, drawn));
  const meanAt = (within: (distance: number) => boolean) => mean(slow.filter((_, i) => within(distances[i])));
  return meanAt((distance) => distance >= far) - meanAt((distance) => distance <= near);
}

function shareRows(name: string, texts: readonly Shares[], of: readonly number[], distances: readonly number[]) {
  const slow = texts.map((text) => distances.map((_, drawn) => mean(of.map((head) => slowShare(text[head], drawn))))); // texts × [drawn]
  return [...new Set(distances)].map((distance) => {
    const byText = slow.map((text) => mean(text.filter((_, i) => distances[i] === distance)));
    const { estimate, low, high } = bootstrap(byText, mean);
    return { heads: name, distance, estimate, low, high };
  });
}

/** Mean distance of each head's attention, over queries that see at least half of the text. // [layers · heads] */
async function meanDistances(model: Model, ids: Int32Array): Promise<number[]> {
  const { meanDistance } = await model.forward({ ids }, { rows: true });
  if (!meanDistance) throw new Error("the model reported no distances");
  const [layers, width, tokens] = meanDistance.dims;
  return Array.from({ length: layers * width }, (_, head) =>
    mean(meanDistance.data.subarray(head * tokens + Math.floor(tokens / 2), (head + 1) * tokens)),
  );
}
