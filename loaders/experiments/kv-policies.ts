/**
 * What a key–value cache can do without. Method:
 * 1. A context is read with its whole cache. Then each policy drops several shares of its keys and values, and what
 *    follows is read with the rest: the next tokens of real text, or questions about facts in it. All policies keep as
 *    much memory. Controls: the whole cache, keys drawn at random (the first one kept), and the same model with random
 *    weights.
 * 2. Heads are scored by how often they copy an answer from the context, in contexts of their own. The heads with the
 *    highest scores keep all their keys and the others only sinks and recent ones; as many random heads of the same
 *    layers are the control. The heads with the highest scores are masked, against random heads of the same layers.
 * 3. Keys chosen for each query by scores in a few principal components of other texts' keys, against the most attended
 *    ones and against random directions: how much of the attention they hold; and loss and answers where the queries
 *    after a context attend to as many keys of it as the policies keep, against random directions.
 * 4. How often keys are attended again after a silence, against the same activities at random times.
 * Texts and contexts are the independent units; differences are paired.
 *
 * Departures: the cache is cut once, when the context has been read, not again and again while text is generated; no
 * layer is spared. Loki drops nothing and chooses for every query anew; here the queries after the context choose, among
 * its keys alone, and as many as a policy keeps, not a share of all keys so far. LazyEviction's threshold is the attention that every key would
 * get if all got the same, and its window a fixed number of tokens. DuoAttention trains a gate per head; here the
 * retrieval score ranks the heads. Retrieval is scored and answers are judged on given answers, token by token, not on
 * drawn ones. Heads that share keys and values are judged together.
 */
import { UserError } from "../../engine/errors.js";
import type { Forward, Prompt, Request } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { requireAtLeast } from "../analysis/parameters.js";
import { factLists } from "../analysis/records.js";
import { documentsOf } from "../analysis/texts.js";
import type { Experiment } from "../experiment.js";
import { batch } from "../table.js";
import { type ContextEvidence, claims, type Evidence, type TextEvidence } from "./kv-policies/claims.js";
import { bases, directionsOf, keysOf, meanOver, QUARTER, ranksOf } from "./kv-policies/low-rank.js";
import { keptOf, type Sizes } from "./kv-policies/policies.js";
import {
  type ContextReading,
  type Plan,
  passes,
  readContext,
  readText,
  type TextReading,
} from "./kv-policies/readings.js";
import { byScore, headScores, meanScores, retrievalRequest } from "./kv-policies/retrieval.js";
import * as rows from "./kv-policies/rows.js";
import * as tables from "./kv-policies/tables.js";
import { type Context, windowsOf } from "./positional-bias/contexts.js";
import { planRetrieval } from "./positional-bias/retrieval.js";

const parameters = {
  /** Texts whose keys give the principal components, and others on which policies are compared. */
  calibration: 4,
  documents: 10,
  /** Tokens that are read before the cache is cut, and tokens after that. */
  context: 256,
  scored: 64,
  /** Contexts of each task in which heads are scored, and others in which policies are compared. */
  scoring: 6,
  contexts: 8,
  /** Shares of the keys that are dropped, rising. */
  evicted: [0.5, 0.75, 0.9],
  /** First tokens that a streaming cache keeps. */
  sinks: 4,
  /** Keys that a head keeps that streams, sinks included, and recent ones that policies by attention keep anyway. */
  window: 16,
  /** Shares of a head's dimensions in which keys are chosen, and texts on which that is done. */
  dimensions: [0.125, 0.25, 0.5],
  chosenTexts: 6,
  /** Score above which a head is a retrieval head. */
  retrieval: 0.1,
  /** Share of the heads that is masked. */
  masked: 0.05,
  /** Texts that are read with random weights too. */
  controlTexts: 3,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const kvPolicies: Experiment<Parameters, Evidence> = {
  id: "kv-policies",
  title: "Policies for the key–value cache",
  question: "Which keys and values can a model forget, and what tells which?",
  papers: [...new Set(claims.map(({ paper }) => paper))],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl", lookups: "prompts/lookups.jsonl", haystack: "texts/heldout.jsonl" },
  tables: Object.values(tables),
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const sizes = sizesOf(given);
    const { context: tokens, scoring, seed, resamples } = given;
    const model = await context.model();
    const control = await context.control();
    const tokenizer = await context.tokenizer();
    const documents = documentsOf(inputs.texts, tokenizer, model, {
      documents: given.calibration + given.documents,
      tokens: tokens + given.scored,
    }).map(({ ids }) => ids);
    const [calibration, texts] = [documents.slice(0, given.calibration), documents.slice(given.calibration)];
    const count = scoring + given.contexts;
    const series = planRetrieval(
      factLists(inputs.lookups, "lookups"),
      windowsOf(inputs.haystack, tokens, count, tokenizer),
      { lengths: [tokens], contexts: [count], perDepth: 1 },
      tokenizer,
      model,
    );
    const scored = series.flatMap(({ contexts }) => contexts.slice(0, scoring));
    const asked = series.flatMap(({ contexts }) => contexts.slice(scoring));
    if (texts.length < 2 || asked.length < 2) {
      throw new UserError(
        `The prompts hold ${texts.length} texts and ${asked.length} contexts beside those for calibration and scoring: at least 2 of each are needed.`,
      );
    }
    const controls = texts.slice(0, given.controlTexts);
    const total =
      calibration.length +
      2 * scored.length +
      passes("trained", sizes) * (texts.length + asked.length) +
      passes("random weights", sizes) * controls.length +
      texts.length;
    let done = 0;
    const runOf =
      (subject: Model) =>
      (prompt: Prompt, request: Request, message: string): Promise<Forward> => {
        progress(done++, total, message);
        return subject.forward(prompt, request, { signal });
      };
    const run = runOf(model);
    const { architecture } = model;
    const random = new Random(seed);
    const means = new rows.Means(seed);

    // Heads, on contexts of their own; components, on texts of their own.
    const scoresOf = async (subject: Model, answered: boolean) => {
      const runs = runOf(subject);
      const scores = [];
      for (const of of scored) {
        scores.push(headScores(of, await runs(of.prompt, retrievalRequest(of), "scores of heads"), answered));
      }
      return scores;
    };
    const scores = await scoresOf(model, true);
    const copied = meanScores(scores.map((of) => of.copied));
    const untrained = meanScores((await scoresOf(control, false)).map((of) => of.copied));
    const attention = meanScores(scores.map((of) => of.attention));
    const order = byScore({ copied, attention }, architecture);
    const most = Math.max(1, Math.round(given.masked * copied.length));
    const heads = copied
      .map((_, head) => head)
      .sort((a, b) => copied[b] - copied[a] || attention[b] - attention[a])
      .slice(0, most);
    const masked = { heads, scores: copied, threshold: given.retrieval };
    const known: Forward[] = [];
    for (const ids of calibration) {
      known.push(await run({ ids: ids.slice(0, tokens) }, { vectors: true }, "components of keys"));
    }
    const directions = directionsOf(known, architecture, random);
    const choosers = bases.flatMap((basis) => given.dimensions.map((share) => ({ basis, share })));
    const choosing = choosers.map(({ basis, share }) => ({ directions: directions[basis], share }));

    // Policies: texts, contexts with questions, texts under random weights.
    const setting = { sizes, shape: architecture, order, random, architecture };
    const plan: Plan = { ...setting, masked, selecting: { directions, share: QUARTER } };
    const read: TextReading[] = [];
    for (const [i, ids] of texts.entries()) {
      read.push(await readText(run, ids, tokens, plan, i < given.chosenTexts ? choosing : []));
    }
    const answered: { readonly task: Context["task"]; readonly reading: ContextReading }[] = [];
    for (const of of asked) answered.push({ task: of.task, reading: await readContext(run, of, plan) });
    const unlearned: TextReading[] = [];
    for (const ids of controls) unlearned.push(await readText(runOf(control), ids, tokens, setting, []));
    const untrainedRanks: number[] = [];
    for (const ids of texts) {
      const forward = await runOf(control)(
        { ids: ids.slice(0, tokens) },
        { vectors: true },
        "components of untrained keys",
      );
      untrainedRanks.push(mean(ranksOf(keysOf(forward, tokens, architecture, true), architecture.headSize)));
    }
    progress(total, total, "done");

    const width = architecture.heads;
    const quarter = choosers.findIndex(({ basis, share }) => basis === "after rotary" && share === QUARTER);
    const noise = choosers.findIndex(({ basis, share }) => basis === "random" && share === QUARTER);
    const coverings = rows.coverings(read, quarter < 0 ? undefined : quarter);
    yield batch(tables.losses, rows.lossRows("trained", read, sizes, means));
    yield batch(tables.losses, rows.lossRows("random weights", unlearned, sizes, means));
    yield batch(tables.coverage, rows.coverageRows("trained", coverings, sizes, means));
    yield batch(
      tables.coverage,
      rows.coverageRows("random weights", rows.coverings(unlearned, undefined), sizes, means),
    );
    yield batch(tables.covered, rows.coveredRows(coverings, sizes, width));
    const recurrences = (readings: readonly TextReading[]) => readings.map(({ recurrence }) => recurrence);
    yield batch(tables.heads, rows.headRows("trained", read, copied, recurrences(read), width));
    yield batch(tables.heads, rows.headRows("random weights", unlearned, untrained, recurrences(unlearned), width));
    yield batch(
      tables.memory,
      rows.memoryRows(read, tokens, sizes, { share: QUARTER, kept: keptOf(tokens, sizes) }, architecture),
    );
    yield batch(tables.components, rows.componentRows(choosers, read, sizes, means));
    yield batch(
      tables.masked,
      rows.maskedRows(
        { task: "text", measure: "loss" },
        read,
        { whole: (of) => of.whole, under: (of, mask, which) => of.masked?.[mask][which] ?? Number.NaN },
        means,
      ),
    );
    yield batch(tables.recurrence, rows.recurrenceRows("text", recurrences(read), sizes, means));
    for (const task of new Set(answered.map((of) => of.task))) {
      const readings = answered.filter((of) => of.task === task).map(({ reading }) => reading);
      yield batch(tables.answers, rows.answerRows(task, readings, sizes, means));
      yield batch(tables.held, rows.heldRows(task, readings, sizes, width));
      yield batch(
        tables.masked,
        rows.maskedRows(
          { task, measure: "answered" },
          readings,
          {
            whole: (of) => of.whole.correct,
            under: (of, mask, which) => of.masked?.[mask][which].correct ?? Number.NaN,
          },
          means,
        ),
      );
      const of = readings.map(({ recurrence }) => recurrence);
      yield batch(tables.recurrence, rows.recurrenceRows(task, of, sizes, means));
    }
    const cut = given.evicted.indexOf(1 - QUARTER);
    return {
      evicted: given.evicted,
      retrieval: given.retrieval,
      seed,
      resamples,
      texts: read.map((of): TextEvidence => textEvidence(of, cut < 0 ? undefined : { cut, quarter, noise })),
      contexts: answered.map(({ task, reading }) => contextEvidence(task, reading)),
      scores: scores.map((of) => of.copied),
      untrainedRanks,
    };
  },
};

/** @throws UserError where a policy would have to keep more than there is room for */
function sizesOf(given: Parameters): Sizes {
  const { evicted, sinks, window, context } = given;
  requireAtLeast(given, { calibration: 1, documents: 2, scored: 2, scoring: 1, contexts: 1, chosenTexts: 2 });
  requireAtLeast({ sinks, window, context }, { sinks: 1, window: sinks + 1, context: window + 2 });
  if (evicted.some((share, i) => !(share > 0 && share < 1) || share <= (evicted[i - 1] ?? 0))) {
    throw new UserError(`Parameter evicted is ${evicted} and must be rising shares between 0 and 1.`);
  }
  const least = Math.min(...keptOf(context, { evicted }));
  if (least <= window) {
    throw new UserError(
      `Parameter evicted leaves ${least} of ${context} keys, but ${window + 1} or more must stay: lower it or the parameter window.`,
    );
  }
  return { evicted, sinks, window };
}

/** @param at the cut and the choosers of the claims on low-rank keys */
function textEvidence(
  { whole, cut, selected, ranks, choices }: TextReading,
  at?: { readonly cut: number; readonly quarter: number; readonly noise: number },
): TextEvidence {
  if (!selected) throw new Error("Texts are read with keys selected.");
  const evidence = { whole, cut, selected, rank: mean(ranks.after) };
  if (!at || !choices[at.quarter] || !choices[at.noise]) return evidence;
  const chosen = { components: meanOver(choices[at.quarter], at.cut), random: meanOver(choices[at.noise], at.cut) };
  return { ...evidence, chosen };
}

function contextEvidence(task: Context["task"], { whole, cut, masked, recurrence }: ContextReading): ContextEvidence {
  if (!masked) throw new Error("Contexts are read with heads masked.");
  const recurring = { real: mean(recurrence.real.at(-1) ?? []), shuffled: mean(recurrence.shuffled.at(-1) ?? []) };
  return { task, whole, cut, masked, recurring };
}
