/**
 * Long contexts. Method:
 * long stretches of running text, many times longer than what the model was trained on, go through it at once. A row of
 * causal attention depends on what comes before it only, so one pass shows every shorter length too: entropy of the
 * rows, attention on the first token, distance of what is attended, and the loss, by position of the query. Where the
 * keys lie that are attended is measured for the queries in the last quarter of several lengths. Stretches of text are
 * the independent units; random weights, which have learned nothing, are the control.
 *
 * At the default length a processor takes several minutes for each stretch and a GPU a second: this one is for a GPU.
 * `--set tokens=4096` is a matter of seconds anywhere.
 */
import { UserError } from "../../engine/errors.js";
import type { Forward } from "../../engine/forward.js";
import { bootstrap, type Interval, mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { type Bin, halfOctaves } from "../analysis/bins.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { ResampledMean } from "../analysis/resampled-mean.js";
import { slope } from "../analysis/slope.js";
import type { Claim, Experiment, Outcome } from "../experiment.js";
import { batch, table } from "../table.js";
import { windowsOf } from "./positional-bias/contexts.js";

const parameters = {
  /** Length of a stretch of text, start token included. */
  tokens: 32_768,
  stretches: 6,
  controlStretches: 1,
  /** Lengths at whose end it is measured where the attended keys lie. */
  lengths: [1024, 2048, 4096, 8192, 16_384, 32_768],
  /** Parts of equal length that the keys of each length are divided into. */
  parts: 16,
  /** A head has a sink where the first token gets more than this within the trained length. */
  threshold: 0.3,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

/** Profiles begin here: the first tokens of a text are of their own kind. */
const firstPosition = 64;

const condition = {
  kind: "text",
  meaning: "trained, or random weights: the same architecture untrained",
} as const;
const interval = {
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over stretches of text" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over stretches of text" },
} as const;
const queries = {
  from: { kind: "int32", meaning: "First position of the queries, from 0" },
  to: { kind: "int32", meaning: "Last position of the queries" },
} as const;

const heads = table("heads", "Attention of each head by position of the query, mean over queries and stretches", {
  condition,
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0" },
  ...queries,
  entropy: { kind: "float32", meaning: "Entropy of the rows", unit: "nats", tolerance: 1e-3 },
  uniform: { kind: "float32", meaning: "Entropy where all visible keys get the same", unit: "nats" },
  first: { kind: "float32", meaning: "Attention on the first token", tolerance: 1e-3 },
  distance: {
    kind: "float32",
    meaning: "Mean distance of the attended keys, in parts of the visible",
    tolerance: 1e-3,
  },
});

const losses = table("losses", "Loss by position, mean over stretches", {
  condition,
  region: { kind: "text", meaning: "within or beyond the length that the model was trained on" },
  ...queries,
  loss: { kind: "float32", meaning: "Loss of the next token", unit: "nats", tolerance: 1e-3 },
  ...interval,
});

const keys = table("keys", "Where the keys lie that the queries in the last quarter of a length attend to", {
  condition,
  layer: { kind: "int32", meaning: "Layer, from 0" },
  length: { kind: "int32", meaning: "Length of the context", unit: "tokens" },
  part: { kind: "int32", meaning: "Part of the context, from its start; −1 is the first token alone" },
  share: { kind: "float32", meaning: "Attention on the part, mean over heads and queries", tolerance: 1e-3 },
  ...interval,
});

/** What one stretch of text shows. Head by head, layer by layer. */
export interface Reading {
  readonly entropy: readonly (readonly number[])[]; // bins × [layers · heads]
  readonly first: readonly (readonly number[])[]; // bins × [layers · heads]
  readonly distance: readonly (readonly number[])[]; // bins × [layers · heads]
  readonly loss: readonly number[]; // [bins]
  readonly shares: readonly (readonly (readonly number[])[])[]; // lengths × layers × [1 + parts]: the first token, then the parts
}

export interface Evidence extends Pick<Parameters, "threshold" | "seed" | "resamples"> {
  readonly bins: readonly Bin[];
  readonly trainedLength: number;
  readonly readings: readonly Reading[]; // of the trained model
}

/** Indices of the bins in the last octave before a length. */
const lastInOctave = (bins: readonly Bin[], length: number): number[] =>
  bins.flatMap(({ low, high }, i) => (low >= length / 2 && high < length ? i : []));

const centre = ({ low, high }: Bin): number => Math.log2((low + high) / 2 + 1);

/** Mean over the bins of each reading's value. */
const over = (bins: readonly number[], of: (bin: number) => number): number => mean(bins.map(of));

interface Ranges {
  /** Bins of the last octave within the trained length, and of the last octave of all. */
  readonly within: readonly number[];
  readonly beyond: readonly number[];
}

/** Undefined where the texts do not reach twice the trained length. */
function rangesOf({ bins, trainedLength }: Evidence): Ranges | undefined {
  const end = bins[bins.length - 1].high + 1;
  if (end < 2 * trainedLength) return undefined;
  const [within, beyond] = [lastInOctave(bins, trainedLength), lastInOctave(bins, end)];
  return within.length > 0 && beyond.length > 0 ? { within, beyond } : undefined;
}

const tooShort = { estimate: Number.NaN, low: Number.NaN, high: Number.NaN, n: 0 };
const notTestable = { ...tooShort, outcome: "not testable at this scale" } as const;
const needsLength = "Not testable where the texts do not reach twice the trained length.";

/** Of an interval that should lie within ±margin. */
function expectNone({ low, high }: Interval, margin: number): Outcome {
  if (low > -margin && high < margin) return "replicated";
  return low > margin || high < -margin ? "not replicated" : "mixed";
}

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "loss-beyond",
    paper: "none",
    statement: "Beyond the trained length the model predicts worse than within it.",
    measure:
      "loss in the last octave of the longest context minus that in the last octave of the trained length, in nats",
    rule: `${positiveRule("0.05 nats")} ${needsLength}`,
    judge: (evidence) => {
      const ranges = rangesOf(evidence);
      if (!ranges) return notTestable;
      const rise = ({ loss }: Reading) =>
        over(ranges.beyond, (bin) => loss[bin]) - over(ranges.within, (bin) => loss[bin]);
      const found = bootstrap(evidence.readings.map(rise), mean, evidence);
      return { ...found, outcome: expectPositive(found, 0.05) };
    },
  },
  {
    id: "entropy-beyond",
    paper: "none",
    statement: "Beyond the trained length attention goes on spreading at the rate at which it does within it.",
    measure: "growth of the heads' mean entropy per doubling of the position, beyond minus within, in nats",
    rule: `Replicated where the whole 95 % interval lies between −0.1 and 0.1, not replicated where all of it is outside, mixed otherwise. ${needsLength}`,
    judge: (evidence) => {
      const { bins, trainedLength, readings } = evidence;
      if (!rangesOf(evidence)) return notTestable;
      const growth = ({ entropy }: Reading, wanted: (bin: Bin) => boolean) => {
        const chosen = bins.flatMap((bin, i) => (wanted(bin) ? i : []));
        return slope(
          chosen.map((i) => centre(bins[i])),
          chosen.map((i) => mean(entropy[i])),
        );
      };
      const change = (reading: Reading) =>
        growth(reading, ({ low }) => low >= trainedLength) - growth(reading, ({ high }) => high < trainedLength);
      const found = bootstrap(readings.map(change), mean, evidence);
      return { ...found, outcome: expectNone(found, 0.1) };
    },
  },
  {
    id: "sinks-beyond",
    paper: "none",
    statement: "Heads with a sink keep it beyond the trained length.",
    measure:
      "attention on the first token of the heads that have a sink: last octave of all, in parts of the last octave of the trained length",
    rule: `Replicated where the whole 95 % interval is above 0.5, not replicated where all of it is below, mixed otherwise. Not testable where no head has a sink. ${needsLength}`,
    judge: (evidence) => {
      const { readings, threshold } = evidence;
      const ranges = rangesOf(evidence);
      if (!ranges) return notTestable;
      const at = (reading: Reading, bins: readonly number[], head: number) =>
        over(bins, (bin) => reading.first[bin][head]);
      const sinks = readings[0].first[0].flatMap((_, head) =>
        mean(readings.map((reading) => at(reading, ranges.within, head))) > threshold ? head : [],
      );
      if (sinks.length === 0) return notTestable;
      const pairs = readings.map((reading) =>
        [ranges.beyond, ranges.within].map((bins) => mean(sinks.map((head) => at(reading, bins, head)))),
      );
      const ratio = (drawn: readonly (readonly number[])[]) =>
        mean(drawn.map(([beyond]) => beyond)) / mean(drawn.map(([, within]) => within));
      const found = bootstrap(pairs, ratio, evidence);
      const outcome = found.low > 0.5 ? "replicated" : found.high < 0.5 ? "not replicated" : "mixed";
      return { ...found, outcome };
    },
  },
];

export const longContext: Experiment<Parameters, Evidence> = {
  id: "long-context",
  title: "Long contexts",
  question: "What becomes of entropy, sinks and positional profiles beyond the trained length?",
  papers: [],
  subject: "model",
  parameters,
  inputs: { haystack: "texts/heldout.jsonl" },
  resources: { memory: 2 },
  tables: [heads, losses, keys],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const model = await context.model();
    const tokenizer = await context.tokenizer();
    const start = tokenizer.startToken === undefined ? [] : [tokenizer.startToken];
    const windows = windowsOf(inputs.haystack, given.tokens - start.length, given.stretches, tokenizer);
    if (windows.length < 2) {
      throw new UserError(
        `long-context needs two stretches of ${given.tokens} tokens, but the texts give ${windows.length}; take --set tokens=… with fewer, or longer texts.`,
      );
    }
    const texts = windows.map((window) => Int32Array.from([...start, ...window]));
    const bins = halfOctaves(firstPosition, given.tokens - 2); // the last token has no next
    const lengths = given.lengths.filter((length) => length <= given.tokens);
    const work = texts.length + given.controlStretches;
    let done = 0;
    const read = async (subject: Model, ids: Int32Array, name: string): Promise<Reading> => {
      signal.throwIfAborted();
      const forward = await subject.forward({ ids }, requestFor(lengths, ids.length), {
        signal,
        progress: (tokens) => progress(done + tokens / ids.length, work, name),
      });
      progress(++done, work, name);
      return readingOf(forward, bins, lengths, given.parts);
    };
    const readings: Reading[] = [];
    for (const ids of texts) readings.push(await read(model, ids, "trained"));
    yield* rowsOf("trained", readings, bins, lengths, given, model);
    const control = await context.control();
    const controls: Reading[] = [];
    for (const ids of texts.slice(0, given.controlStretches)) controls.push(await read(control, ids, "random weights"));
    if (controls.length > 0) yield* rowsOf("random weights", controls, bins, lengths, given, model);
    return { ...given, bins, trainedLength: model.architecture.contextLength, readings };
  },
};

/** One group of queries for the last quarter of each length. */
function requestFor(lengths: readonly number[], tokens: number) {
  return {
    rows: true,
    keySegments: [new Float32Array(tokens).fill(1, 0, 1)],
    queryGroups: lengths.map((length) => new Float32Array(tokens).fill(4 / length, 0.75 * length, length)),
    logits: "loss",
  } as const;
}

/** @throws where the model did not report what was asked for */
export function readingOf(
  { tokens, entropy, mass, meanDistance, received, logProbability }: Forward,
  bins: readonly Bin[],
  lengths: readonly number[],
  parts: number,
): Reading {
  if (!entropy || !mass || !meanDistance || !received || !logProbability) throw new Error("a statistic is missing");
  const [layers, width] = entropy.dims; // [layers, heads, queries]
  const perHead = (values: Float32Array, of: (value: number, query: number) => number) =>
    bins.map(({ low, high }) =>
      Array.from({ length: layers * width }, (_, head) => {
        let sum = 0;
        for (let query = low; query <= high; query++) sum += of(values[head * tokens + query], query);
        return sum / (high - low + 1);
      }),
    );
  const shares = lengths.map((length, group) =>
    Array.from({ length: layers }, (_, layer) => {
      const sums = new Float64Array(1 + parts);
      for (let head = 0; head < width; head++) {
        const row = ((layer * width + head) * lengths.length + group) * tokens;
        sums[0] += received.data[row];
        for (let key = 1; key < length; key++) {
          sums[1 + Math.floor(((key - 1) * parts) / (length - 1))] += received.data[row + key];
        }
      }
      return [...sums].map((sum) => sum / width);
    }),
  );
  return {
    entropy: perHead(entropy.data, (value) => value),
    first: perHead(mass.data, (value) => value),
    distance: perHead(meanDistance.data, (value, query) => value / (query + 1)),
    loss: bins.map(({ low, high }) => -mean(logProbability.subarray(low, high + 1))),
    shares,
  };
}

function* rowsOf(
  name: string,
  readings: readonly Reading[],
  bins: readonly Bin[],
  lengths: readonly number[],
  { seed, resamples, parts }: Pick<Parameters, "seed" | "resamples" | "parts">,
  { architecture: { layers, heads: width, contextLength: trainedLength } }: Model,
) {
  const means = new ResampledMean(readings.length, { seed, resamples });
  const average = (of: (reading: Reading) => number) => mean(readings.map(of));
  const all = Array.from({ length: layers * width }, (_, at) => at);
  yield batch(
    heads,
    all.flatMap((at) =>
      bins.map(({ low, high }, bin) => ({
        condition: name,
        layer: Math.floor(at / width),
        head: at % width,
        from: low,
        to: high,
        entropy: average(({ entropy }) => entropy[bin][at]),
        uniform: uniformEntropy(low, high),
        first: average(({ first }) => first[bin][at]),
        distance: average(({ distance }) => distance[bin][at]),
      })),
    ),
  );
  yield batch(
    losses,
    bins.map(({ low: from, high: to }, bin) => {
      const { estimate, low, high } = means.of(readings.map(({ loss }) => loss[bin]));
      const region = from < trainedLength ? "within" : "beyond";
      return { condition: name, region, from, to, loss: estimate, low, high };
    }),
  );
  yield batch(
    keys,
    lengths.flatMap((length, group) =>
      Array.from({ length: layers }, (_, layer) =>
        Array.from({ length: 1 + parts }, (_, part) => {
          const { estimate, low, high } = means.of(readings.map(({ shares }) => shares[group][layer][part]));
          return { condition: name, layer, length, part: part - 1, share: estimate, low, high };
        }),
      ).flat(),
    ),
  );
}

/** Mean of ln(visible keys) over the queries of a bin. */
function uniformEntropy(low: number, high: number): number {
  let sum = 0;
  for (let query = low; query <= high; query++) sum += Math.log(query + 1);
  return sum / (high - low + 1);
}
