/**
 * Attention sinks. Method:
 * 1. Attention received per key, α[k] = Σ_{q ≥ k} A[q,k] ÷ (T − k), by layer, head, position and class of token, over
 *    real text, beside the same text without its start token or with that token in its middle, its tokens in random
 *    order, a model with random weights, and uniform attention under the causal mask. With it, norms of keys, values
 *    and the residual stream.
 * 2. Later sinks: keys after the first with α > 0.1 in a head, among those that enough later queries see; where they are.
 * 3. The graph of attention on short texts: how nearly a layer is a star.
 * 4. What sinks are good for: the loss when the first token or later sinks are hidden or damped, against random tokens
 *    hidden and random keys of equal mass damped; and in the heads where damping helps, chosen on the first half of the
 *    documents and judged on the second.
 * Every document is one independent unit; differences are paired by document.
 *
 * Departures: later sinks are damped by a bias before the softmax, which shares what is freed over all keys in
 * proportion, where the paper multiplies their weights and shares it over the others. Heads to damp are chosen by the
 * loss on running text, not by accuracy on tasks. Reference tokens follow the released rule without its fallback;
 * eigenvalues, topology and value influence are not computed. Of the paper on the L2 norm of keys, the correlation
 * behind the method is tested here, and not the compression.
 */
import type { Broadcast } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import { receivedPerQuery } from "../../engine/metrics/sinks.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { halfOctaves } from "../analysis/bins.js";
import { requireAtLeast } from "../analysis/parameters.js";
import { ResampledMean } from "../analysis/resampled-mean.js";
import { documentsOf, shuffled } from "../analysis/texts.js";
import type { Experiment } from "../experiment.js";
import { batch } from "../table.js";
import { classRows, type Read, tokenRows } from "./sinks/census.js";
import { chooseHeads } from "./sinks/choice.js";
import { claims, type DocumentEvidence, type Evidence, type Intervention } from "./sinks/claims.js";
import { biasHeads, biasOne, damped, equalMass, type KeysOfHeads, only } from "./sinks/damping.js";
import { graphOf, type Layer, layersOf, receivedSums, uniformCausal } from "./sinks/graph.js";
import { type Eligible, eligibleKeys, normCorrelation, readingOf } from "./sinks/reading.js";
import {
  changeRows,
  frameRows,
  framesOf,
  graphRows,
  headRows,
  isFirstOnly,
  type Losses,
  lossRows,
  normRows,
  positionRows,
} from "./sinks/rows.js";
import * as tables from "./sinks/tables.js";
import { lowContent, tokenClasses } from "./sinks/token-class.js";

const parameters = {
  /** Texts used, from the top of the file. */
  documents: 48,
  /** Length of the texts, start token included. */
  tokens: 512,
  /** Queries that must see a key before it can be a later sink. */
  minimumQueries: 64,
  /** What damping leaves of a key's weight before renormalisation. */
  factor: 0.4,
  /** Length of the texts for the graphs, and attention above which there is an edge; the claim uses 0.1. */
  graphTokens: 48,
  thresholds: [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
  /** Pairs of complementary random sets of heads that are damped, per document of the first half. */
  pairs: 2,
  /** A random token to hide is drawn from the first so many. */
  early: 32,
  /** Rows in the table of tokens, for each condition. */
  mostTokens: 60,
  seed: 1,
};
type Parameters = typeof parameters;

interface Condition {
  readonly condition: string;
  readonly of: () => Promise<Model>;
  readonly prompts: readonly Int32Array[];
  /** Where the start token stands, if not first. */
  readonly sink?: number;
}

/** The first token taken from its place and put at another. */
function moved(ids: Int32Array, to: number): Int32Array {
  return Int32Array.of(...ids.subarray(1, to + 1), ids[0], ...ids.subarray(to + 1));
}

/** Attention above which the claims see an edge or a reference token. */
const EDGE = 0.1;

export const sinks: Experiment<Parameters, Evidence> = {
  id: "sinks",
  title: "Attention sinks",
  question: "Which tokens draw attention from everywhere, and is the model better or worse off for it?",
  papers: ["what-are-you-sinking", "hidden-attention-sinks-act", "l2-norm-kv-compression"],
  subject: "model",
  resources: { cores: 2 }, // or it would take more than five minutes
  parameters,
  inputs: { texts: "prompts/texts.jsonl" },
  tables: Object.values(tables),
  claims,

  async *run({ parameters: given, model: load, control: loadControl, tokenizer: open, inputs, progress, signal }) {
    const { tokens, minimumQueries, factor, graphTokens, seed } = given;
    requireAtLeast(given, { documents: 4, minimumQueries: 1, graphTokens: 2, pairs: 1, early: 1 });
    requireAtLeast({ tokens }, { tokens: Math.max(minimumQueries + 2, graphTokens + 1, given.early + 1) });
    const model = await load();
    const tokenizer = await open();
    const { layers, heads } = model.architecture;
    const documents = documentsOf(inputs.texts, tokenizer, model, given);
    const half = Math.floor(documents.length / 2);
    const hasStart = tokenizer.startToken !== undefined;
    const random = new Random(seed);
    const resampled = new ResampledMean(documents.length, { seed });

    const real = documents.map(({ ids }) => ids);
    const middle = Math.floor(tokens / 2);
    const conditions: readonly Condition[] = [
      { condition: "trained", of: load, prompts: real },
      ...(hasStart
        ? [
            { condition: "no start", of: load, prompts: real.map((ids) => ids.slice(1)) },
            { condition: "moved", of: load, prompts: real.map((ids) => moved(ids, middle)), sink: middle },
          ]
        : []),
      { condition: "shuffled", of: load, prompts: real.map((ids) => shuffled(ids, random)) },
      { condition: "random", of: loadControl, prompts: real },
    ];
    const runs = 5 * documents.length + 2 * half * given.pairs + 2 * (documents.length - half);
    const graphed = conditions.filter(({ sink }) => sink === undefined);
    const total = documents.length * (conditions.length * tokens + graphed.length * graphTokens) + runs * tokens;
    let done = 0;
    const advance = (message: string, by: number) => {
      done += by;
      progress(done, total, message);
    };

    // Losses from the text's second token on, so that they are of the same tokens with and without a start token.
    const firstScored = hasStart ? 2 : 1;
    const tokenLosses = (logProbability: Float32Array | undefined, started = hasStart) =>
      Array.from(logProbability?.subarray(started ? 1 : 0) ?? [], (value) => -value);
    const losses: Losses[] = documents.map(() => new Map());
    const lossOf = (d: number, intervention: Intervention) => mean(losses[d].get(intervention) ?? []);

    // 1. and 2. Received attention, norms and later sinks.
    let trained: readonly Read[] = [];
    for (const { condition, of, prompts, sink } of conditions) {
      const subject = await of();
      const read: Read[] = [];
      for (const [d, ids] of prompts.entries()) {
        const everyQuery = new Float32Array(ids.length).fill(1);
        const forward = await subject.forward(
          { ids },
          { queryGroups: [everyQuery], norms: true, logits: "loss" },
          { signal },
        );
        const texts = Array.from(ids, (id) => (id === tokenizer.startToken ? undefined : tokenizer.token(id)));
        read.push({ reading: readingOf(forward, minimumQueries), tokens: texts, classes: tokenClasses(texts) });
        if (condition === "trained") losses[d].set("none", tokenLosses(forward.logProbability));
        if (condition === "no start") losses[d].set("no start token", tokenLosses(forward.logProbability, false));
        advance(`received attention, ${condition}`, tokens);
      }
      const readings = read.map(({ reading }) => reading);
      const eligible: Eligible = { first: 1, last: prompts[0].length - minimumQueries };
      yield batch(tables.heads, [...headRows(condition, readings, eligible, resampled, sink)]);
      if (sink !== undefined) continue; // the other tables take the first token for the sink
      yield batch(tables.positions, [...positionRows(condition, readings, halfOctaves(0, eligible.last), resampled)]);
      yield batch(
        tables.frames,
        frameRows(
          condition,
          readings.map((reading) => framesOf(reading, EDGE)),
        ),
      );
      yield batch(tables.classes, [...classRows(condition, read, eligible, resampled)]);
      yield batch(tables.tokens, tokenRows(condition, read, eligible, given.mostTokens));
      if (condition !== "trained") continue;
      yield batch(tables.norms, [...normRows(readings, resampled)]);
      trained = read;
    }
    const eligible: Eligible = { first: 1, last: tokens - minimumQueries };
    const uniform = receivedPerQuery(receivedSums(uniformCausal(tokens)));
    yield batch(
      tables.positions,
      halfOctaves(0, eligible.last).map(({ low: position_low, high: position_high }) => {
        const estimate = mean(uniform.slice(position_low, position_high + 1));
        const row = { condition: "uniform", layer: null, head: null, position_low, position_high };
        return { ...row, estimate, low: estimate, high: estimate };
      }),
    );

    // 3. Graphs of short texts.
    const starOf = (of: readonly Layer[]) => mean(of.map((layer) => graphOf(layer, EDGE).star));
    const stars: number[] = [];
    for (const { condition, of, prompts } of graphed) {
      const subject = await of();
      const graphs: Layer[][] = [];
      for (const ids of prompts) {
        const { attention } = await subject.forward(
          { ids: ids.slice(0, graphTokens) },
          { attention: true },
          { signal },
        );
        graphs.push(layersOf(attention!));
        advance(`graphs, ${condition}`, graphTokens);
      }
      if (condition === "trained") stars.push(...graphs.map(starOf));
      yield batch(tables.graph, [...graphRows(condition, graphs, given.thresholds, resampled)]);
    }
    const short = uniformCausal(graphTokens);
    const unlearned = documents.map(() => Array.from({ length: layers }, () => short));
    yield batch(tables.graph, [...graphRows("uniform", unlearned, given.thresholds, resampled)]);

    // 4. Interventions on keys, and what they do to the loss.
    const intervene = async (d: number, message: string, keyBias: Broadcast) => {
      const { logProbability } = await model.forward({ ids: real[d], keyBias }, { logits: "loss" }, { signal });
      advance(message, tokens);
      return tokenLosses(logProbability);
    };
    for (const [d, { classes }] of trained.entries()) {
      const early = Array.from({ length: given.early }, (_, i) => i + 1);
      const words = early.filter((key) => classes[key] === "word");
      const word = random.pick(words.length > 0 ? words : early);
      for (const [name, key, left] of [
        ["first token hidden", 0, 0],
        ["first token damped", 0, factor],
        ["random token hidden", word, 0],
      ] as const) {
        losses[d].set(name, await intervene(d, name, biasOne(tokens, key, left)));
      }
    }
    const damp = (d: number, message: string, keys: KeysOfHeads) =>
      intervene(d, message, biasHeads(keys, layers, tokens, factor));
    const sinksOf = trained.map(({ reading }) => damped(reading));
    for (const [d, { reading }] of trained.entries()) {
      const others = sinksOf[d].map((keys, head) => {
        const ordinary = eligibleKeys(eligible).filter((key) => !reading.sinks[head].includes(key));
        return equalMass(reading.sums[head], keys, ordinary, random);
      });
      losses[d].set("later sinks damped", await damp(d, "later sinks damped", sinksOf[d]));
      losses[d].set("random keys damped", await damp(d, "random keys damped", others));
    }
    const tried = sinksOf[0]
      .map((_, head) => head)
      .filter((head) => sinksOf.slice(0, half).some((keys) => keys[head].length > 0));
    const changeOf = async (d: number, of: readonly number[]) =>
      mean(await damp(d, "choice of heads", only(sinksOf[d], of))) - lossOf(d, "none");
    const { effects, chosen } = await chooseHeads({ tried, documents: half, pairs: given.pairs, changeOf, random });
    if (chosen.length > 0) {
      const drawn = random.shuffle(tried).slice(0, chosen.length);
      for (let d = half; d < documents.length; ++d) {
        for (const [name, of] of [
          ["later sinks damped, chosen heads", chosen],
          ["later sinks damped, random heads", drawn],
        ] as const) {
          losses[d].set(name, await damp(d, name, only(sinksOf[d], of)));
        }
      }
    }
    progress(total, total, "done");

    yield batch(
      tables.chosen,
      tried.map((head, i) => ({
        layer: Math.floor(head / heads),
        head: head % heads,
        damped: mean(sinksOf.slice(0, half).map((keys) => keys[head].length)),
        effect: effects[i],
        chosen: chosen.includes(head),
      })),
    );
    yield batch(tables.losses, [...lossRows(documents, losses, half)]);
    yield batch(tables.changes, [...changeRows(losses, firstScored, seed)]);

    return {
      uniform: { first: uniform[0], star: starOf([short]) },
      documents: trained.map(({ reading, classes }, d): DocumentEvidence => {
        const references = framesOf(reading, EDGE).filter((of) => of.length > 0);
        const isLow = (key: number) => lowContent.has(classes[key]);
        const later = reading.sinks.flat();
        const everyHead = reading.alpha.map((_, head) => head);
        return {
          first: mean(reading.alpha.map((of) => of[0])),
          framed: references.length,
          centralised: references.filter(isFirstOnly).length,
          star: stars[d],
          sinks: later.length,
          lowContentSinks: later.filter(isLow).length,
          lowContent: mean(eligibleKeys(eligible).map((key) => Number(isLow(key)))),
          normCorrelation: mean(everyHead.map((head) => normCorrelation(reading, head, eligible))),
          loss: Object.fromEntries([...losses[d].keys()].map((name) => [name, lossOf(d, name)])),
        };
      }),
    };
  },
};
