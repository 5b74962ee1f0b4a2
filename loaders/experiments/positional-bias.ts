/**
 * Positional bias. Method:
 * 1. The causal mask alone: layers of attention without weights on independent random inputs, causal against full.
 * 2. Running text: attention by distance, and scores before the softmax averaged over texts, split into what the
 *    distance explains and what absolute position adds; both against the same architecture with untrained weights.
 * 3. Retrieval by depth and length of the context, up to the trained length and beyond: facts in running text, and
 *    lines of key–value pairs. Contexts of all lengths end with the same text, so that its loss says what more
 *    context is worth.
 * Texts and contexts are the independent units. Records are lines of data/prompts/lookups.jsonl or of the file given
 * with --prompts, in the form that loaders/analysis/records.ts describes.
 *
 * Departures: the simulation follows the released notebook of the paper on the causal mask, with fewer sequences; slope
 * and Var(N)/Var(S) are our summaries of its pictures. Mean scores of trained models are over short stretches of text
 * where the paper has a thousand texts of 1,024 tokens, with the noise taken out. That late facts are found better, and
 * that rotary models fail past the trained length, are premises of the papers that are named for them; their own
 * methods are not tried here. Facts are invented, where the paper on attention sorting has biographies.
 */

import { factLists } from "../analysis/records.js";
import { documentsOf } from "../analysis/texts.js";
import type { Experiment } from "../experiment.js";
import { batch } from "../table.js";
import { claims, type Evidence } from "./positional-bias/claims.js";
import { windowsOf } from "./positional-bias/contexts.js";
import { planRetrieval, retrieve } from "./positional-bias/retrieval.js";
import { settings, simulate } from "./positional-bias/simulation.js";
import * as tables from "./positional-bias/tables.js";
import { byDistance, byPositions } from "./positional-bias/text.js";

const parameters = {
  /** Random sequences for each setting of the simulation. */
  sequences: 800,
  /** Texts, and texts on which the untrained model is measured. */
  documents: 48,
  controlDocuments: 16,
  /** Length of the texts for attention by distance. */
  tokens: 512,
  /** Length and number of the stretches of each text for mean scores. */
  stretch: 128,
  stretches: 3,
  /** Lengths of the contexts for retrieval, and how many of each. */
  lengths: [256, 512, 1024, 2048, 3072, 4096],
  contexts: [40, 40, 24, 16, 8, 8],
  /** Key–value pairs asked for at each depth of a context. */
  perDepth: 3,
  seed: 1,
};
type Parameters = typeof parameters;

export const positionalBias: Experiment<Parameters, Evidence> = {
  id: "positional-bias",
  title: "Positional bias",
  question: "What does a decoder make of position: by its mask alone, in its attention, and in what it finds?",
  papers: [
    "causal-mask-positional-information",
    "attention-sorting",
    "bayesian-attention-mechanism",
    "token-aware-phase-attention",
  ],
  subject: "model",
  resources: { cores: 2 }, // or it would take more than five minutes
  parameters,
  inputs: { lookups: "prompts/lookups.jsonl", texts: "prompts/texts.jsonl", haystack: "texts/heldout.jsonl" },
  tables: Object.values(tables),
  claims,
  async *run({ parameters: given, inputs, signal, ...context }) {
    const model = await context.model();
    const control = await context.control();
    const tokenizer = await context.tokenizer();
    const records = factLists(inputs.lookups, "lookups");
    const documents = documentsOf(inputs.texts, tokenizer, model, given);
    const few = documents.slice(0, given.controlDocuments);
    const windows = windowsOf(inputs.haystack, Math.max(...given.lengths), Math.max(...given.contexts), tokenizer);
    const series = planRetrieval(records, windows, given, tokenizer, model);

    const cost = (tokens: number) => tokens * (1 + tokens / 3000); // attention grows with the square
    const simulation = 8 * given.sequences; // a sequence costs about as much as eight tokens of the bundled model
    const texts = documents.length + few.length;
    const work =
      settings.length * simulation +
      texts * (cost(given.tokens) + given.stretches * cost(given.stretch)) +
      series.flatMap(({ contexts }) => contexts).reduce((sum, { prompt }) => sum + cost(prompt.ids.length), 0);
    let done = 0;
    const advance = (amount: number, message: string) => {
      done += amount;
      context.progress(Math.min(done, work), work, message);
    };
    const progress = (tokens: number, message: string) => advance(cost(tokens), message);

    const mask = [];
    for (const setting of settings) {
      signal.throwIfAborted();
      const rows = simulate(setting, given.sequences, given.seed);
      mask.push(...rows);
      yield batch(
        tables.mask,
        rows.map(({ slope, nonRelativity, ...row }) => ({
          ...row,
          slope: slope.estimate,
          slope_low: slope.low,
          slope_high: slope.high,
          non_relativity: nonRelativity.estimate,
          non_relativity_low: nonRelativity.low,
          non_relativity_high: nonRelativity.high,
        })),
      );
      advance(simulation, "the mask alone");
    }
    const field = { tokens: given.stretch, count: given.stretches, startToken: tokenizer.startToken };
    const slopes = {
      trained: yield* byDistance("trained", model, documents, signal, progress),
      control: yield* byDistance("random weights", control, few, signal, progress),
    };
    const readings = yield* byPositions("trained", model, documents, field, signal, progress);
    yield* byPositions("random weights", control, few, field, signal, progress);
    const { answers, tails } = yield* retrieve(series, model, tokenizer, signal, progress);
    return {
      rotary: model.architecture.positions.kind === "rope",
      trainedLength: model.architecture.contextLength,
      mask,
      nonRelativity: readings.map(({ nonRelativity }) => nonRelativity),
      slopes,
      answers,
      tails,
    };
  },
};
