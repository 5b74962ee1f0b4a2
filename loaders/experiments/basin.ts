/**
 * The attention basin. Method:
 * 1. Lists of n delimited items of equal length, in random order, and questions about them. The attention of each
 *    question is summed per item and layer, the first token left out, in four conditions: as it is; with the first
 *    token hidden from all later ones; without delimiters; and with weights that have learned nothing.
 * 2. Each position's item is asked for in turn: how well is it answered, and does the attention that it gets say so?
 * 3. One question per list, with the list in different orders of relevance. What an order takes from a profile comes
 *    from the other half of the records.
 * Records are the independent units; differences are paired by record. Records are lines of data/prompts/records.jsonl
 * or of the file given with --prompts, in the form that loaders/analysis/records.ts describes.
 *
 * Departures: the basin paper profiles large chat models on retrieved passages; items here are invented facts of equal
 * length, of which one is relevant. Item attention, the weaker end over the middle and the threshold of 1.3 follow an
 * independent re-implementation, for the paper's formulas were not available in full. Attention sorting is run as
 * published, most attended last, but on lists of ten short facts and not on contexts of thousands of tokens.
 */
import type { Architecture } from "../../engine/architecture.js";
import { UserError } from "../../engine/errors.js";
import type { Prompt } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import type { Tokenizer } from "../../engine/tokenizer.js";
import { type Case, cases, caseTables, caseTokens } from "../analysis/cases.js";
import { type Arrangement, arrange, type ListPrompt, listPrompt } from "../analysis/list-prompt.js";
import { type FactList, factLists, type Item } from "../analysis/records.js";
import type { Experiment } from "../experiment.js";
import { batch } from "../table.js";
import { massOf, requestFor, type Unit, unitOf } from "./basin/attention.js";
import { type Answer, type Condition, chosenLayer, claims, type Evidence, type Lists } from "./basin/claims.js";
import { reorder } from "./basin/order.js";
import {
  answers,
  attentionTables,
  correlations,
  depths,
  effects,
  heads,
  orderTables,
  profiles,
  prompts,
  uses,
  useTables,
} from "./basin/tables.js";

const parameters = {
  /** Records used of each format, from the top of the file. */
  records: 60,
  /** Records on which the untrained model is measured. */
  controlRecords: 30,
  /** Lengths of the lists. */
  items: [5, 10, 15, 20],
  /** Length at which use and orders are studied. */
  mainItems: 10,
  /** Questions per list, at most. */
  questions: 10,
  /** Repetitions of sorting by attention, and as many of shuffling. */
  rounds: 3,
  seed: 1,
};
type Parameters = typeof parameters;

/** Lists of each format whose first question readers can compute again. */
const CASES = 2;

/** One forward pass of part 1. */
interface Job {
  readonly record: FactList;
  readonly arrangement: Arrangement;
  readonly prompt: ListPrompt;
}

interface Plan extends Omit<Lists, "units"> {
  readonly jobs: readonly Job[];
  readonly skipped: number;
}

/** Every list of every condition, encoded: all that can be wrong with the input is found before the first pass. */
function plan(
  records: readonly FactList[],
  tokenizer: Tokenizer,
  { positions, contextLength }: Pick<Architecture, "positions" | "contextLength">,
  { items, questions, seed, ...counts }: Parameters,
): Plan[] {
  const most = positions.kind === "learned" ? contextLength : Number.POSITIVE_INFINITY;
  const plans = (["documents", "key-value"] as const).flatMap((format) => {
    const usable = records.filter((record) => record.format === format).slice(0, counts.records);
    const conditions: Condition[] = ["intact", "first token hidden", "random weights"];
    if (format === "documents") conditions.push("no delimiters");
    return items.flatMap((count) => {
      const arranged = usable.flatMap((record, turn) => {
        const random = new Random(seed * 1_000_003 + turn * 101 + count);
        const arrangement = arrange(record, { count, questions, turn }, random);
        if (!arrangement) return [];
        const prompt = listPrompt(arrangement, tokenizer);
        const fits = prompt.questions.every(({ start, end }) => prompt.spans[count - 1].end + end - start <= most);
        return fits ? [{ record, arrangement }] : [];
      });
      return conditions.map((condition) => ({
        format,
        condition,
        items: count,
        skipped: usable.length - arranged.length,
        jobs: arranged
          .slice(0, condition === "random weights" ? counts.controlRecords : undefined)
          .map(({ record, arrangement }) => ({
            record,
            arrangement,
            prompt: listPrompt(arrangement, tokenizer, { delimiters: condition !== "no delimiters" }),
          })),
      }));
    });
  });
  const filled = plans.filter(({ jobs }) => jobs.length >= 4);
  if (filled.length === 0) {
    throw new UserError(
      `Prompts "records": no four records of one format hold ${Math.min(...items)} items or more and fit into the model; give longer lists of shorter items, or lower the parameter "items".`,
    );
  }
  return filled;
}

/** Hides the first token from every later one. */
function withoutFirst(prompt: Prompt): Prompt {
  const data = new Float32Array(prompt.ids.length);
  data[0] = -1e9;
  return { ...prompt, keyBias: { data, dims: [1, 1, data.length] } };
}

function ask(model: Model, prompt: ListPrompt, hidden: boolean, signal: AbortSignal) {
  return model.forward(hidden ? withoutFirst(prompt.prompt) : prompt.prompt, requestFor(prompt), { signal });
}

export const basin: Experiment<Parameters, Evidence> = {
  id: "basin",
  title: "The attention basin",
  question: "Where in a list does attention fall, is an item used better where more of it falls, and does order help?",
  papers: ["attention-basin", "attention-sorting"],
  subject: "model",
  parameters,
  inputs: { records: "prompts/records.jsonl" },
  tables: [prompts, profiles, heads, depths, uses, correlations, answers, effects, cases, caseTokens],
  claims,
  async *run(context) {
    const { mainItems, rounds, seed } = context.parameters;
    const { signal } = context;
    const tokenizer = await context.tokenizer();
    const records = factLists(context.inputs.records, "records");
    const { architecture } = await context.model();
    const plans = plan(records, tokenizer, architecture, context.parameters);
    const [first, ...others] = plans.filter(({ condition }) => condition === "intact");
    const same = [first, ...others.filter(({ format }) => format === first.format)];
    const main = same.find(({ items }) => items === mainItems) ?? same[same.length - 1];

    const length = ({ prompt }: Job) => prompt.prompt.ids.length;
    const reordered = ({ prompt }: Job) => prompt.questions[0].end * (6 + 2 * rounds);
    const total = plans.flatMap(({ jobs }) => jobs).reduce((sum, job) => sum + length(job), 0);
    const work = total + main.jobs.reduce((sum, job) => sum + reordered(job), 0);
    let done = 0;

    const lists: Lists[] = [];
    for (const { jobs, skipped, ...of } of plans) {
      const model = of.condition === "random weights" ? await context.control() : await context.model();
      const units: Unit[] = [];
      for (const job of jobs) {
        const forward = await ask(model, job.prompt, of.condition === "first token hidden", signal);
        units.push(unitOf(job.record.id, job.arrangement, job.prompt, forward));
        done += length(job);
        context.progress(done, work, `${of.format}, ${of.items} items, ${of.condition}`);
      }
      lists.push({ ...of, units });
      yield batch(prompts, [{ ...of, skipped, ...described(jobs) }]);
      yield* attentionTables({ ...of, units });
      yield* useTables({ ...of, units });
      if (of.condition !== "intact" || of.items !== main.items) continue;
      for (const [i, { prompt }] of jobs.slice(0, CASES).entries())
        yield* caseTables(prompt, caseOf(units[i], prompt), (id) => tokenizer.token(id));
    }

    const model = await context.model();
    const intact = lists.find(
      (of) => of.condition === "intact" && of.format === main.format && of.items === main.items,
    );
    const found: Answer[] = [];
    for (const [index, job] of main.jobs.entries()) {
      const { record, arrangement } = job;
      const trial = async (items: readonly Item[], position: number) => {
        const of: Arrangement = { ...arrangement, items, asked: [position] };
        const prompt = listPrompt(of, tokenizer);
        const unit = unitOf(record.id, of, prompt, await ask(model, prompt, false, signal));
        return { probe: unit.probes[0], attention: massOf(unit, unit.probes[0], { query: "answer" }).slice(1) };
      };
      const units = intact?.units ?? [];
      const parity = 1 - (index % 2);
      const ordering = {
        record: record.id,
        items: arrangement.items,
        gold: arrangement.items[arrangement.asked[0]],
        calibration: units.filter((_, i) => i % 2 === parity),
        layer: chosenLayer(units, parity),
        rounds,
      };
      for await (const answer of reorder(ordering, trial, new Random(seed * 1_000_003 + index))) found.push(answer);
      done += reordered(job);
      context.progress(done, work, "orders");
    }
    yield* orderTables(found);
    return { lists, main: { format: main.format, items: main.items }, answers: found };
  },
};

/** The first question about a list, with the attention of the answer position on each item. */
function caseOf(unit: Unit, { spans }: ListPrompt): Case {
  const [probe] = unit.probes;
  const byLayer = Array.from({ length: unit.layers }, (_, layer) => massOf(unit, probe, { query: "answer", layer }));
  return {
    prompt: `${unit.record}, item ${probe.position + 1}`,
    question: 0,
    stretches: spans.map(({ first, end }, item) => ({
      first: Math.max(first, 1), // without the first token
      end,
      attention: byLayer.map((masses) => masses[item + 1]),
    })),
    logProbability: probe.logProbability,
    correct: probe.correct,
  };
}

function described(jobs: readonly Job[]) {
  const lengths = jobs.map(({ prompt }) => prompt.spans.map(({ first, end }) => end - first));
  return {
    records: jobs.length,
    questions: jobs.reduce((sum, { arrangement }) => sum + arrangement.asked.length, 0),
    tokens: mean(jobs.map(({ prompt }) => prompt.spans[prompt.spans.length - 1].end)),
    shortest: Math.min(...lengths.flat()),
    longest: Math.max(...lengths.flat()),
    unequal: lengths.filter((of) => Math.min(...of) < Math.max(...of)).length,
  };
}
