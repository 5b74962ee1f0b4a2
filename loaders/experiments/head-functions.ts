/**
 * Can it be read from its weights what a head does? Method:
 * a head's map takes a token's embedding through its value and output matrices to scores of all tokens. Heads of the first
 * layer see the raw embedding, later ones what the first MLP makes of it, without the embedding itself. A head's score for
 * a relation is the share of pairs whose target is the largest of all tokens (copying) or among the ten largest (others);
 * for suppression, the smallest. Pairs are drawn from the vocabulary by spelling. Controls are the same targets dealt to
 * other sources, and random weights; of each the best head counts, because many heads are tried.
 *
 * The dynamic score is the same share for what the head writes at a source token that ends a neutral text: as it attends,
 * and with all its attention on that token. It is correlated with the score from weights over heads and texts. Then the
 * heads with the highest score for copying are removed, against sets of random heads of the same layers, where facts are
 * asked from lists, which needs copying, and on running text. Pairs, lists and texts are the independent units; the sets
 * are resampled with lists and texts, for what a set costs depends on which heads are in it.
 *
 * Departures: the paper has twenty relations with curated pairs, and models that know facts; a vocabulary of eight
 * thousand pieces of words has forms of words. Heads are removed everywhere and not at the last position only, together
 * and not one after another. Its threshold for a head that implements a relation was not found in its code. Scores of
 * tokens leave out the output layer's bias.
 */
import { UserError } from "../../engine/errors.js";
import { bootstrap, bootstrapGroups, mean, pearson } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { sameLayers, withoutHeads } from "../analysis/head-gate.js";
import { groupOf } from "../analysis/head-weights.js";
import { questionedLists } from "../analysis/questioned-lists.js";
import { extraLosses, type Removed } from "../analysis/random-sets.js";
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
import { documentsOf } from "../analysis/texts.js";
import { mixedValues, row, vectorsOf } from "../analysis/vectors.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";
import { embeddingsOf, type HeadMap, headMaps, headValue, Readout, written } from "./head-functions/head-maps.js";
import { type Relation, relationsOf } from "./head-functions/relations.js";

const parameters = {
  /** Pairs of each relation. */
  pairs: 24,
  /** Texts that end with the source token. */
  texts: ["This is a document about", "I would like to know more about", "The next word is"],
  /** Heads that are removed together. */
  removed: 4,
  /** Sets of random heads to compare with. */
  draws: 15,
  documents: 10,
  tokens: 192,
  /** Lists of each format, their items, and how many of these are asked for. */
  lists: 8,
  items: 16,
  questions: 6,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const groups = ["copying", "random, same layers"] as const;
export type Group = (typeof groups)[number];

const scores = table("scores", "What each head does for each relation", {
  relation: { kind: "text", meaning: "From a word to the same word, or to a form of it" },
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0" },
  weights: { kind: "float32", meaning: "Share of pairs whose target its weights put on top" },
  suppression: { kind: "float32", meaning: "Share of pairs whose target its weights put last" },
  dealt: { kind: "float32", meaning: "The score from weights for targets dealt to other sources" },
  attending: { kind: "float32", meaning: "The same share for what it writes, mean over texts" },
  forced: { kind: "float32", meaning: "The same with all its attention on the source token" },
});

const relations = table("relations", "The best head for each relation", {
  relation: { kind: "text", meaning: "From a word to the same word, or to a form of it" },
  condition: { kind: "text", meaning: "trained; dealt: targets dealt to other sources; random weights" },
  estimate: { kind: "float32", meaning: "Score from weights of the best head" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over pairs" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over pairs" },
});

const correlations = table("correlations", "Scores from weights against what heads write", {
  relation: { kind: "text", meaning: "From a word to the same word, or to a form of it" },
  attention: { kind: "text", meaning: "attending: as the head attends; forced: all on the source token" },
  estimate: {
    kind: "float32",
    meaning: "Pearson correlation over heads and texts; missing where no head does it",
    optional: true,
  },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over pairs", optional: true },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over pairs", optional: true },
});

const costs = table("costs", "What it costs to remove heads", {
  removed: {
    kind: "text",
    meaning: "heads that copy best by their weights, or as many random ones of the same layers",
  },
  task: { kind: "text", meaning: "context: facts asked from a list; text: the next token of running text" },
  accuracy: { kind: "float32", meaning: "Share that is right, mean over lists or texts" },
  estimate: { kind: "float32", meaning: "1 − accuracy ÷ accuracy of the whole model", optional: true },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over lists or texts", optional: true },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over lists or texts", optional: true },
});

/** Whether each head puts one pair's target on top. // [layers · heads], 1 or 0 */
type Hits = readonly number[];

/** What is known of one pair of tokens. */
export interface Pair {
  readonly weights: Hits;
  readonly dealt: Hits;
  readonly untrained: Hits;
  readonly attending: readonly Hits[]; // texts × [layers · heads]
  readonly forced: readonly Hits[]; // texts × [layers · heads]
}

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** Pairs of each relation. */
  readonly relations: readonly (readonly Pair[])[];
  /** Accuracies without each set. There is one of copying heads. // sets */
  readonly costs: Readonly<Record<Group, readonly Readonly<Record<Task, readonly Unit[]>>[]>>;
}

const paper = "maps-head-functionality-from-parameters";

/** Mean over pairs. // [layers · heads] */
const perHead = (hits: readonly Hits[]): number[] => hits[0].map((_, head) => mean(hits.map((of) => of[head])));

type FromWeights = "weights" | "dealt" | "untrained";
const bestOf = (pairs: readonly Pair[], kind: FromWeights): number =>
  Math.max(...perHead(pairs.map((pair) => pair[kind])));

/** Over heads and texts; NaN where no head has a score, or no head writes a target. */
function correlation(pairs: readonly Pair[], kind: "attending" | "forced"): number {
  const fromWeights = perHead(pairs.map(({ weights }) => weights));
  const written = pairs[0][kind].map((_, text) => perHead(pairs.map((pair) => pair[kind][text])));
  return pearson(
    written.flatMap(() => fromWeights),
    written.flat(),
  );
}

const defined = (values: readonly number[]) => values.filter((value) => !Number.isNaN(value));

const drawnAnew = (before: string) =>
  `With two random sets of heads, and intervals over lists and texts alone, this was ${before}. In another experiment (rotary-heads) more sets gave values outside of such intervals; since then there are fifteen here too, and they are resampled with lists and texts.`;

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "weights-show-relations",
    paper,
    statement: "For many relations there is a head whose weights alone implement it.",
    measure: "score of the best head, minus that for targets dealt to other sources, mean over relations",
    rule: positiveRule("0.1"),
    judge: (evidence) => better(evidence, "dealt"),
  },
  {
    id: "relations-are-learned",
    paper,
    statement: "Training put them there.",
    measure: "score of the best head, the model minus random weights, mean over relations",
    rule: positiveRule("0.1"),
    judge: (evidence) => better(evidence, "untrained"),
  },
  {
    id: "weights-predict-forced-outputs",
    paper,
    statement: "The score from weights predicts what a head writes when it attends to the source token.",
    measure: "Pearson correlation over heads and texts, attention forced on the source token, mean over relations",
    rule: positiveRule("0.2"),
    judge: (evidence) => predicted(evidence, "forced", 0.2),
  },
  {
    id: "weights-predict-outputs",
    paper,
    statement: "It predicts what a head writes as it attends by itself.",
    measure: "the same without forcing attention, mean over relations",
    rule: positiveRule("0.1"),
    judge: (evidence) => predicted(evidence, "attending", 0.1),
  },
  {
    id: "copying-heads-are-needed",
    paper,
    statement: "Removing the heads that copy best by their weights breaks what needs copying.",
    measure: "relative loss of accuracy on facts from a list: without copying heads minus without random ones",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    revised: drawnAnew("0.957 [0.915, 0.989], replicated, n = 16"),
    judge: (evidence) => {
      const context = removedFor(evidence, "context");
      const interval = extraLosses([context], ([loss]) => loss, evidence);
      return whereAnswered({ ...interval, outcome: expectPositive(interval, 0.05) }, context.own);
    },
  },
  {
    id: "removal-is-selective",
    paper,
    statement: "It breaks less of what does not.",
    measure: "the same difference on facts from a list, minus that on next tokens of running text",
    rule: `${positiveRule("0.05")} ${answeredRule}`,
    revised: drawnAnew("0.937 [0.873, 1.002], replicated, n = 10"),
    judge: (evidence) => {
      const both = tasks.map((task) => removedFor(evidence, task));
      const interval = extraLosses(both, ([context, text]) => context - text, evidence);
      return whereAnswered({ ...interval, outcome: expectPositive(interval, 0.05) }, ...both.map(({ own }) => own));
    },
  },
];

/** Accuracies without copying heads, and without the random ones. */
const removedFor = ({ costs: of }: Evidence, task: Task): Removed => ({
  own: of.copying[0][task],
  random: of["random, same layers"].map((set) => set[task]),
});

function better({ relations: of, seed, resamples }: Evidence, than: FromWeights) {
  const gain = (drawn: readonly (readonly Pair[])[]) =>
    mean(drawn.map((pairs) => bestOf(pairs, "weights") - bestOf(pairs, than)));
  const interval = bootstrapGroups(of, gain, { seed, resamples });
  return { ...interval, outcome: expectPositive(interval, 0.1) };
}

function predicted({ relations: of, seed, resamples }: Evidence, kind: "attending" | "forced", margin: number) {
  const gain = (drawn: readonly (readonly Pair[])[]) => mean(defined(drawn.map((pairs) => correlation(pairs, kind))));
  const interval = bootstrapGroups(of, gain, { seed, resamples });
  if (Number.isNaN(interval.estimate)) return { ...interval, outcome: "not testable at this scale" } as const;
  return { ...interval, outcome: expectPositive(interval, margin) };
}

export const headFunctions: Experiment<Parameters, Evidence> = {
  id: "head-functions",
  title: "Functions of heads",
  question: "Can it be read from its weights what a head does?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl", records: "prompts/records.jsonl" },
  tables: [scores, relations, correlations, costs],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { seed, resamples, draws } = given;
    const model = await context.model();
    const { layers, heads: width, vocabulary } = model.architecture;
    const tokenizer = await context.tokenizer();
    const random = new Random(seed);
    const found = relationsOf(tokenizer, vocabulary, given.pairs, random);
    if (found.length === 0) throw tooFew(given.pairs);
    const texts = documentsOf(inputs.texts, tokenizer, model, given);
    const lists = questionedLists(inputs.records, tokenizer, given);
    const spokenTexts = found.length * given.pairs * given.texts.length;
    const work = 2 + spokenTexts + (2 + draws) * (lists.length + texts.length);
    let done = 0;
    const advance = (message: string) => {
      signal.throwIfAborted();
      progress(done++, work, message);
    };

    advance("weights of heads");
    const fromWeights = await hitsOf(model, found, random);
    advance("random weights");
    const control = await context.control();
    const untrained = await hitsOf(control, found, random);
    await control.release();
    const read = { maps: await headMaps(model), readout: await Readout.open(model) };
    const pairs: Pair[][] = [];
    for (const [r, relation] of found.entries()) {
      const of: Pair[] = [];
      for (const [i, pair] of relation.pairs.entries()) {
        const outputs: Written[] = [];
        for (const text of given.texts) {
          advance(relation.name);
          const ids = Int32Array.of(...tokenizer.prompt(text), pair.source);
          outputs.push(await writtenBy(model, read, ids, { target: pair.target, top: relation.top }));
        }
        const attending = outputs.map((hits) => hits.attending);
        const forced = outputs.map((hits) => hits.forced);
        const { weights, dealt } = fromWeights[r][i];
        of.push({ weights, dealt, untrained: untrained[r][i].weights, attending, forced });
      }
      pairs.push(of);
      const { name } = relation;
      yield batch(scores, scoreRows(name, of, fromWeights[r], width));
      yield batch(relations, bestRows(name, of, { seed, resamples }));
      yield batch(
        correlations,
        (["attending", "forced"] as const).map((attention) => {
          const { estimate, low, high } = bootstrap(of, (drawn) => correlation(drawn, attention), { seed, resamples });
          return { relation: name, attention, estimate, low, high };
        }),
      );
    }

    await read.readout.release();

    const copying = perHead(pairs[0].map(({ weights }) => weights));
    const order = copying.map((_, head) => head).sort((a, b) => copying[b] - copying[a]);
    const [best, others] = [order.slice(0, given.removed), order.slice(given.removed)];
    const removedBy: Record<Group, readonly (readonly number[])[]> = {
      copying: [best],
      "random, same layers": Array.from({ length: draws }, () => sameLayers(best, others, width, random)),
    };
    const whole = await accuracies(model, lists, texts, advance);
    const lost = {} as Record<Group, Record<Task, Unit[]>[]>;
    for (const removed of groups) {
      const runs: Accuracies[] = [];
      for (const set of removedBy[removed]) {
        runs.push(await accuracies(model, lists, texts, advance, withoutHeads({ layers, heads: width }, set)));
      }
      lost[removed] = runs.map((of) => ({
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
    return { seed, resamples, relations: pairs, costs: lost };
  },
};

const tooFew = (pairs: number) =>
  new UserError(
    `head-functions found no relation of which the vocabulary has ${pairs} pairs of whole words: lower the parameter pairs, or take a model with more words.`,
  );

/** What weights say of one pair. // [layers · heads] each */
interface FromMaps {
  readonly weights: Hits;
  readonly suppression: Hits;
  readonly dealt: Hits;
}

/** relations × pairs */
async function hitsOf(model: Model, relations: readonly Relation[], random: Random): Promise<FromMaps[][]> {
  const maps = await headMaps(model);
  const readout = await Readout.open(model);
  const sources = [...new Set(relations.flatMap(({ pairs }) => pairs.map(({ source }) => source)))];
  const { raw, first } = await embeddingsOf(model, sources);
  const found: FromMaps[][] = [];
  for (const { pairs, top } of relations) {
    const dealt = random.shuffle(pairs.map(({ target }) => target));
    const of: FromMaps[] = [];
    for (const [i, { source, target }] of pairs.entries()) {
      const at = sources.indexOf(source);
      const vectors = maps.map((map) => written(map, headValue(map, map.layer === 0 ? raw[at] : first[at])));
      const [right, other] = [await ranksOf(readout, vectors, target), await ranksOf(readout, vectors, dealt[i])];
      of.push({
        weights: among(right.above, top),
        suppression: among(right.below, top),
        dealt: among(other.above, top),
      });
    }
    found.push(of);
  }
  await readout.release();
  return found;
}

const ranksOf = (readout: Readout, vectors: readonly Float64Array[], target: number) =>
  readout.ranks(
    vectors,
    vectors.map(() => target),
  );

/** 1 where fewer than `top` tokens come before. */
const among = (before: Float32Array, top: number): Hits => Array.from(before, (count) => Number(count < top));

/** Whether heads write a target at the end of a text. // [layers · heads] each */
interface Written {
  readonly attending: Hits;
  readonly forced: Hits;
}

/** @param ids the source token is the last */
async function writtenBy(
  model: Model,
  { maps, readout }: { readonly maps: readonly HeadMap[]; readonly readout: Readout },
  ids: Int32Array,
  { target, top }: { readonly target: number; readonly top: number },
): Promise<Written> {
  const read = await vectorsOf(model, ids);
  const last = ids.length - 1;
  const hits = async (value: (map: HeadMap) => Float64Array) => {
    const vectors = maps.map((map) => written(map, value(map)));
    return among((await ranksOf(readout, vectors, target)).above, top);
  };
  return {
    attending: await hits(({ layer, head }) => mixedValues(read, layer, head, last)),
    forced: await hits(({ layer, head }) => {
      return Float64Array.from(row(read.values, layer, groupOf(model.architecture, head), last));
    }),
  };
}

function scoreRows(relation: string, pairs: readonly Pair[], fromWeights: readonly FromMaps[], width: number) {
  const weights = perHead(fromWeights.map((of) => of.weights));
  const suppression = perHead(fromWeights.map((of) => of.suppression));
  const dealt = perHead(fromWeights.map((of) => of.dealt));
  const attending = perHead(pairs.flatMap((of) => of.attending));
  const forced = perHead(pairs.flatMap((of) => of.forced));
  return weights.map((score, at) => ({
    relation,
    layer: Math.floor(at / width),
    head: at % width,
    weights: score,
    suppression: suppression[at],
    dealt: dealt[at],
    attending: attending[at],
    forced: forced[at],
  }));
}

function bestRows(
  relation: string,
  pairs: readonly Pair[],
  options: { readonly seed: number; readonly resamples: number },
) {
  const kinds = { trained: "weights", dealt: "dealt", "random weights": "untrained" } as const;
  return Object.entries(kinds).map(([condition, kind]) => {
    const { estimate, low, high } = bootstrap(pairs, (drawn) => bestOf(drawn, kind), options);
    return { relation, condition, estimate, low, high };
  });
}
