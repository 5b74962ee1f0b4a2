/**
 * Do rotary bases have blind spots, and do several bases together see what one misses? Method:
 * rotation alone gives the score of two tokens a waveform over their distance m, W(m) = 2/√d Σ_j cos(m f_j), with peaks
 * and troughs that lie elsewhere for another base. First, the mean score before the softmax by distance, over heads and
 * queries of running text, is held against the waveform, in the trained model and in one with random weights.
 *
 * Then lists of key–value pairs fill most of the trained context, and pairs at all distances but the shortest are asked
 * for. The log-probability of the answer is held against the waveform at its distance, and what another base does to it
 * against what that base does to the waveform. A value less the mean of those a little nearer or further is what is
 * compared, so that what grows or falls with the distance as a whole does not count; distances shuffled among the
 * questions of a list show what chance gives.
 *
 * Last, runs with several multiples of the model's base (the authors' list for questions on documents, 10,000 to
 * 28,000) are mixed at every token of an answer: z = Σ_j α_j z_j over the runs' logits, with α the softmax of each
 * run's largest logit. The share of right answers where it is lowest, of several ranges of distance, is compared with
 * the model's own base, with the single base that was best on the other half of the lists, and with equal weights.
 * Lists share no pair and are the independent units; an answer counts where each token is the most likely one, which is
 * greedy decoding.
 *
 * Departures: heads have fewer dimensions than the paper's 128, and lists are shorter than its 4,090 tokens, so that
 * waveforms of different bases part much earlier. Bases are taken from the authors' list and not searched for. That
 * values are compared with those nearby, and all thresholds, are ours; the task is that of the paper's opening figure,
 * and tools are not tried.
 */

import { UserError } from "../../engine/errors.js";
import type { Values } from "../../engine/forward.js";
import { Model } from "../../engine/model.js";
import { cases, caseTables, caseTokens } from "../analysis/cases.js";
import { factLists } from "../analysis/records.js";
import type { Experiment } from "../experiment.js";
import { type AnswerLogits, answerLogits, answerOf, mixed } from "./attention-buckets/answers.js";
import { ripples, waveform, withBase } from "./attention-buckets/bases.js";
import { claims, type Evidence, type Found, type LayerCurves } from "./attention-buckets/claims.js";
import { type List, listsOf } from "./attention-buckets/lists.js";
import * as tables from "./attention-buckets/tables.js";
import { windowsOf } from "./positional-bias/contexts.js";

const parameters = {
  /** Multiples of the model's rotary base; the first is its own. */
  multiples: [1, 1.3, 1.6, 1.9, 2.2, 2.5, 2.8],
  /** Distances are measured from here on. */
  nearest: 200,
  /** Half the range of distances whose mean is taken off a value. */
  nearby: 100,
  /** Texts for mean scores, their length, and the farthest distance. */
  texts: 8,
  textTokens: 1024,
  farthest: 768,
  /** Lists of pairs, their length, and how many pairs of each are asked for. */
  lists: 12,
  tokens: 1400,
  questions: 96,
  /** Ranges of equal width that the distances are divided into. */
  places: 8,
  resamples: 1000,
  seed: 1,
};
type Parameters = typeof parameters;

export const attentionBuckets: Experiment<Parameters, Evidence> = {
  id: "attention-buckets",
  title: "Several rotary bases",
  question: "Do rotary bases have blind spots, and do several bases together see what one misses?",
  papers: ["attention-buckets"],
  subject: "model",
  parameters,
  inputs: { lookups: "prompts/lookups.jsonl", haystack: "texts/heldout.jsonl" },
  resources: { memory: 2 },
  tables: [
    tables.waves,
    tables.curves,
    tables.layers,
    tables.alignments,
    tables.places,
    tables.readers,
    cases,
    caseTokens,
  ],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { multiples, nearest, nearby, farthest } = given;
    refuse(given);
    const model = await context.model();
    const tokenizer = await context.tokenizer();
    const lists = listsOf(factLists(inputs.lookups, "lookups"), given, tokenizer);
    const longest = Math.max(farthest, ...lists.flatMap((list) => list.distances));
    const waves = multiples.map((multiple) => waveform(withBase(model, multiple).architecture, longest + 1));
    const start = tokenizer.startToken === undefined ? [] : [tokenizer.startToken];
    const texts = windowsOf(inputs.haystack, given.textTokens - start.length, given.texts, tokenizer);
    if (texts.length < 2) {
      throw new UserError(
        `attention-buckets needs two texts of ${given.textTokens} tokens, but the prompts give ${texts.length}; take --set textTokens=… with fewer, or longer texts.`,
      );
    }
    const work = 2 * texts.length + lists.length * multiples.length;
    let done = 0;
    const advance = (message: string) => {
      signal.throwIfAborted();
      progress(done++, work, message);
    };
    yield tables.waveRows(multiples, waves);

    const distances = Array.from({ length: farthest - nearest + 1 }, (_, i) => nearest + i);
    const wave = ripples(
      distances,
      distances.map((distance) => waves[0][distance]),
      nearby,
    );
    const curvesOf = async (subject: Model, name: string) => {
      const found: LayerCurves[] = [];
      for (const window of texts) {
        advance(`scores, ${name}`);
        const { scores } = await subject.forward({ ids: Int32Array.from([...start, ...window]) }, { scores: true });
        if (!scores) throw new Error("the model reported no scores");
        found.push(byDistance(scores, distances).map((curve) => ripples(distances, curve, nearby)));
      }
      return found;
    };
    const trained = await curvesOf(model, "trained");
    yield* tables.scoreRows("trained", trained, wave, given);
    const control = await context.control();
    yield* tables.scoreRows("random weights", await curvesOf(control, "random weights"), wave, given);
    await control.release();

    const found: Found[][] = [];
    const models = [model];
    for (const multiple of multiples.slice(1)) models.push(await Model.load(withBase(model, multiple), model.backend));
    for (const list of lists) found.push(await readList(models, list, given, advance));
    for (const other of models.slice(1)) await other.release();
    for (const question of new Set([0, Math.floor(given.questions / 2), given.questions - 1])) {
      const { distance, bases } = found[0][question];
      const prompt = `the fact ${distance} tokens away`;
      const { logProbability, correct } = bases[0];
      const of = { prompt, question, stretches: [], logProbability, correct };
      yield* caseTables(lists[0], of, (id) => tokenizer.token(id));
    }
    const evidence = { ...given, waves, scores: { wave, texts: trained }, lists: found };
    yield tables.alignmentRows(evidence);
    yield* tables.readerRows(evidence, rangesOf(given));
    return evidence;
  },
};

/** @throws UserError where parameters contradict each other */
function refuse({ multiples, lists, nearest, farthest, textTokens }: Parameters): void {
  if (multiples.length < 2 || multiples[0] !== 1 || multiples.some((of) => !(of > 0)))
    throw new UserError(`attention-buckets: multiples are ${multiples}, but must be 1 and at least one more above 0.`);
  if (lists < 2) throw new UserError(`attention-buckets: lists is ${lists}, but an interval needs at least 2.`);
  if (!(nearest < farthest && farthest < textTokens - 1)) {
    throw new UserError(
      `attention-buckets: nearest is ${nearest}, farthest ${farthest} and textTokens ${textTokens}, but each must be below the next.`,
    );
  }
}

/** Mean score of each distance, over queries; the first token is no key, it is of its own kind. // layers × [distances] */
export function byDistance({ data, dims: [layers, tokens] }: Values, distances: readonly number[]): Float64Array[] {
  return Array.from({ length: layers }, (_, layer) =>
    Float64Array.from(distances, (distance) => {
      let sum = 0;
      for (let query = distance + 1; query < tokens; ++query)
        sum += data[(layer * tokens + query) * tokens + query - distance];
      return sum / (tokens - distance - 1);
    }),
  );
}

async function readList(
  models: readonly Model[],
  { prompt, questions, distances }: List,
  given: Parameters,
  advance: (message: string) => void,
): Promise<Found[]> {
  const runs: AnswerLogits[][] = [];
  for (const [base, model] of models.entries()) {
    advance(`lists, ${given.multiples[base]} times the base`);
    const forward = await model.forward(prompt, { logits: "all" });
    runs.push(questions.map((question) => answerLogits(forward, question)));
  }
  return questions.map(({ answer, end }, i) => {
    const ids = prompt.ids.subarray(answer, end);
    const logits = runs.map((run) => run[i]);
    return {
      distance: distances[i],
      place: placeOf(distances[i], given),
      bases: logits.map((of) => answerOf(of, ids)),
      equal: answerOf(mixed(logits, "equal"), ids),
      confidence: answerOf(mixed(logits, "confidence"), ids),
    };
  });
}

type Ranges = Pick<Parameters, "nearest" | "tokens" | "places">;

/** The range of a distance, from 0; what a question adds to a distance is too little for another. */
function placeOf(distance: number, { nearest, tokens, places }: Ranges): number {
  return Math.min(places - 1, Math.floor(((distance - nearest) * places) / (tokens - nearest)));
}

const rangesOf = ({ nearest, tokens, places }: Ranges) =>
  Array.from({ length: places }, (_, place) => ({
    from: Math.ceil(nearest + (place * (tokens - nearest)) / places),
    to: Math.ceil(nearest + ((place + 1) * (tokens - nearest)) / places) - 1,
  }));
