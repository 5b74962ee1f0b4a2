/** Retrieval by depth and length of the context, and what the same passes say about running text by position. */
import type { Architecture } from "../../../engine/architecture.js";
import type { Forward } from "../../../engine/forward.js";
import { mean, wilson } from "../../../engine/interval.js";
import type { Model } from "../../../engine/model.js";
import type { Tokenizer } from "../../../engine/tokenizer.js";
import { type Case, caseTables } from "../../analysis/cases.js";
import { score } from "../../analysis/questions.js";
import type { FactList } from "../../analysis/records.js";
import { ResampledMean } from "../../analysis/resampled-mean.js";
import { batch } from "../../table.js";
import type { ContextAnswers, TailLoss } from "./claims.js";
import {
  type Context,
  DEPTHS,
  factsOf,
  keyValueContext,
  needleContext,
  questionTokens,
  requestFor,
  type Task,
} from "./contexts.js";
import { contexts as contextTable, found, lengths, positions, retrieval } from "./tables.js";

/** Contexts of one task and length, or why there are none. */
export interface Series {
  readonly task: Task;
  readonly length: number;
  readonly contexts: readonly Context[];
  readonly skipped?: string;
}

export interface Sizes {
  readonly lengths: readonly number[];
  /** Contexts of each length. */
  readonly contexts: readonly number[];
  /** Key–value pairs asked for at each depth. */
  readonly perDepth: number;
}

/** All contexts, encoded. */
export function planRetrieval(
  records: readonly FactList[],
  windows: readonly Int32Array[],
  sizes: Sizes,
  tokenizer: Tokenizer,
  { architecture }: { readonly architecture: Pick<Architecture, "positions" | "contextLength"> },
): Series[] {
  const breaks = new Map<number, boolean>();
  const lineBreaks = (id: number) => {
    const known = breaks.get(id) ?? tokenizer.token(id).endsWith("\n");
    breaks.set(id, known);
    return known;
  };
  const needles = factsOf(records, "documents", tokenizer).filter((facts) => facts.length >= DEPTHS);
  const pairs = factsOf(records, "key-value", tokenizer).flat();
  const longest = { needles: longestOf(needles.flat(), "documents"), "key-value": longestOf(pairs, "key-value") };
  function longestOf(facts: typeof pairs, format: "documents" | "key-value") {
    return facts.length > 0 ? questionTokens(facts, format, tokenizer) : 0;
  }
  const build = (task: Task, length: number, c: number, count: number): Context | undefined => {
    const tokens = length - longest[task];
    if (task === "key-value") {
      const first = Math.floor((c * pairs.length) / count);
      return keyValueContext(pairs, { first, tokens, perDepth: sizes.perDepth }, tokenizer);
    }
    const [text, facts] = [windows[c], needles[c]];
    if (!text || !facts) return undefined;
    const turn = (c + sizes.lengths.indexOf(length) * 3) % facts.length; // no fact stays at one depth
    const turned = [...facts.slice(turn), ...facts.slice(0, turn)];
    return needleContext(text, turned, { tokens, lineBreaks }, tokenizer);
  };
  const tasks: Task[] = [];
  if (needles.length > 0) tasks.push("needles");
  if (pairs.length > 0) tasks.push("key-value");
  return tasks.flatMap((task) =>
    sizes.lengths.map((length, i) => {
      if (architecture.positions.kind === "learned" && length > architecture.contextLength) {
        return { task, length, contexts: [], skipped: "longer than the model's table of positions" };
      }
      const count = sizes.contexts[i] ?? sizes.contexts[sizes.contexts.length - 1];
      const built = Array.from({ length: count }, (_, c) => build(task, length, c, count));
      const contexts = built.filter((context) => context !== undefined);
      if (contexts.length >= 2) return { task, length, contexts };
      return { task, length, contexts: [], skipped: "too few facts or too little text to fill two contexts" };
    }),
  );
}

interface Measured {
  readonly answers: ContextAnswers;
  /** Each question: its depth, and whether it was answered. */
  readonly questions: readonly { readonly depth: number; readonly logProbability: number; readonly correct: boolean }[];
  readonly attention: Float64Array; // [depths, layers, heads]
  readonly tail?: number;
}

/** Tokens of running text at the end of a context whose loss is compared across lengths. */
const TAIL = 96;
/** Positions per bin of loss and entropy. */
const BIN = 256;

function measure({ task, depths, questions, text }: Context, length: number, forward: Forward): Measured {
  const { pattern, logProbability } = forward;
  if (!pattern || !logProbability) throw new Error("Retrieval needs a target and the loss.");
  const [layers, heads, , tokens] = pattern.dims;
  const scored = questions.map((question, i) => ({ depth: depths[i], ...score(forward, question) }));
  const at = (depth: number) => scored.filter((question) => question.depth === depth);
  const attention = new Float64Array(DEPTHS * layers * heads);
  questions.forEach(({ answer }, i) => {
    for (let head = 0; head < layers * heads; ++head) {
      attention[depths[i] * layers * heads + head] += pattern.data[head * tokens + answer - 1] / at(depths[i]).length;
    }
  });
  const every = Array.from({ length: DEPTHS }, (_, depth) => depth);
  return {
    answers: {
      task,
      length,
      logProbability: every.map((depth) => mean(at(depth).map((question) => question.logProbability))),
      correct: every.map((depth) => mean(at(depth).map((question) => Number(question.correct)))),
    },
    questions: scored,
    attention,
    ...(uninterrupted(text.slice(-TAIL - 1))
      ? { tail: -mean(text.slice(-TAIL).map((position) => logProbability[position - 1])) }
      : {}),
  };
}

const uninterrupted = (positions: readonly number[]) =>
  positions.length > TAIL && positions[TAIL] - positions[0] === TAIL;

/** Loss, and normalised entropy of each layer, in bins of positions of one context. */
interface ByPosition {
  readonly loss: readonly number[]; // [bins]
  readonly entropy: readonly (readonly number[])[]; // [layers][bins]
}

function byPosition({ text, tokens }: Context, { entropy, logProbability }: Forward): ByPosition {
  if (!entropy || !logProbability) throw new Error("Profiles over positions need rows and the loss.");
  const [layers, heads, queries] = entropy.dims;
  const bins = Array.from({ length: Math.floor(tokens / BIN) }, (_, bin) => bin * BIN);
  const inside = (start: number) => text.filter((position) => position >= start && position < start + BIN);
  const normalised = (layer: number, position: number) => {
    const rows = Array.from({ length: heads }, (_, head) => entropy.data[(layer * heads + head) * queries + position]);
    return mean(rows) / Math.log(position + 1);
  };
  return {
    loss: bins.map((start) => -mean(inside(start).map((position) => logProbability[position - 1]))),
    entropy: Array.from({ length: layers }, (_, layer) =>
      bins.map((start) => mean(inside(start).map((position) => normalised(layer, position)))),
    ),
  };
}

/** The first, the middle and the last question about a context, as cases that readers can compute again. */
function casesOf({ task, questions, depths, answers }: Context, forward: Forward): Case[] {
  const { pattern } = forward;
  if (!pattern) throw new Error("Cases of retrieval need a target.");
  const [layers, heads, , tokens] = pattern.dims;
  return [0, Math.floor(questions.length / 2), questions.length - 1].map((question) => {
    const at = questions[question].answer - 1;
    const rows = (layer: number) => Array.from({ length: heads }, (_, head) => (layer * heads + head) * tokens + at);
    return {
      prompt: `${task}, depth ${depths[question]} of ${DEPTHS - 1}`,
      question,
      stretches: [
        {
          first: answers[question],
          end: answers[question] + 1,
          attention: Array.from({ length: layers }, (_, layer) => mean(rows(layer).map((row) => pattern.data[row]))),
        },
      ],
      ...score(forward, questions[question]),
    };
  });
}

export interface RetrievalEvidence {
  readonly answers: readonly ContextAnswers[];
  readonly tails: readonly TailLoss[];
}

export async function* retrieve(
  series: readonly Series[],
  model: Model,
  tokenizer: Tokenizer,
  signal: AbortSignal,
  progress: (tokens: number, message: string) => void,
): AsyncGenerator<ReturnType<typeof batch>, RetrievalEvidence> {
  const { contextLength, layers, heads } = model.architecture;
  const answers: ContextAnswers[] = [];
  const tails: Map<number, number>[] = [];
  const longest = Math.max(
    ...series.filter(({ task, contexts }) => task === "needles" && contexts.length > 0).map(({ length }) => length),
  );
  const exemplified = new Set<Task>();
  for (const { task, length, contexts, skipped } of series) {
    yield batch(contextTable, [
      {
        task,
        length,
        contexts: contexts.length,
        facts: contexts.length > 0 ? mean(contexts.map((context) => context.facts)) : 0,
        trained: length <= contextLength,
        skipped: skipped ?? null,
      },
    ]);
    if (contexts.length === 0) continue;
    const measured: Measured[] = [];
    const profiles: ByPosition[] = [];
    for (const [c, context] of contexts.entries()) {
      const rows = task === "needles" && length === longest;
      const forward = await model.forward(context.prompt, { ...requestFor(context), rows }, { signal });
      const result = measure(context, length, forward);
      measured.push(result);
      if (!exemplified.has(task))
        for (const of of casesOf(context, forward)) yield* caseTables(context, of, (id) => tokenizer.token(id));
      exemplified.add(task);
      if (rows) profiles.push(byPosition(context, forward));
      if (result.tail !== undefined) {
        tails[c] ??= new Map();
        tails[c].set(length, result.tail);
      }
      progress(context.prompt.ids.length, `${task}, ${length} tokens`);
    }
    answers.push(...measured.map((result) => result.answers));
    yield* depthTables({ task, length }, measured, layers, heads);
    if (profiles.length > 0) yield batch(positions, positionRows(profiles));
  }
  yield batch(lengths, lengthRows(tails));
  return { answers, tails };
}

function* depthTables(
  key: Pick<Series, "task" | "length">,
  measured: readonly Measured[],
  layers: number,
  heads: number,
) {
  const resampled = new ResampledMean(measured.length);
  for (let index = 0; index < DEPTHS; ++index) {
    const depth = index / (DEPTHS - 1);
    const asked = measured.flatMap(({ questions }) => questions.filter((question) => question.depth === index));
    const accuracy = wilson(asked.filter(({ correct }) => correct).length, asked.length);
    const use = resampled.of(measured.map((of) => of.answers.logProbability[index]));
    yield batch(retrieval, [
      {
        ...key,
        depth,
        accuracy: accuracy.estimate,
        accuracy_low: accuracy.low,
        accuracy_high: accuracy.high,
        log_probability: use.estimate,
        log_probability_low: use.low,
        log_probability_high: use.high,
        questions: asked.length,
        contexts: measured.length,
      },
    ]);
    yield batch(
      found,
      Array.from({ length: layers * heads }, (_, at) => ({
        ...key,
        depth,
        layer: Math.floor(at / heads),
        head: at % heads,
        attention: mean(measured.map(({ attention }) => attention[index * layers * heads + at])),
      })),
    );
  }
}

/** Over the texts that are measured at every length, so that lengths differ in nothing else. */
function lengthRows(tails: readonly TailLoss[]) {
  const measured = [...new Set(tails.flatMap((tail) => [...tail.keys()]))];
  const whole = tails.filter((tail) => measured.every((length) => tail.has(length)));
  const resampled = new ResampledMean(whole.length);
  return measured.map((length) => {
    const { estimate, low, high, n } = resampled.of(whole.map((tail) => tail.get(length) ?? Number.NaN));
    return { length, loss: estimate, low, high, texts: n };
  });
}

function positionRows(profiles: readonly ByPosition[]) {
  const resampled = new ResampledMean(profiles.length);
  return profiles[0].loss.flatMap((_, bin) => {
    const row = (layer: number | null, values: readonly number[]) => {
      const { estimate, low, high, n } = resampled.of(values);
      return { first: bin * BIN, last: (bin + 1) * BIN - 1, layer, value: estimate, low, high, texts: n };
    };
    const loss = row(
      null,
      profiles.map((profile) => profile.loss[bin]),
    );
    const layers = profiles[0].entropy.map((_, layer) =>
      row(
        layer,
        profiles.map(({ entropy }) => entropy[layer][bin]),
      ),
    );
    return [loss, ...layers];
  });
}
