/**
 * Attention entropy. Method:
 * 1. Rows of attention over real text, for each layer, head and number of visible keys, beside two controls: the same
 *    tokens in random order, and the same architecture with weights that have learned nothing. The limit is a uniform
 *    row, ln(visible keys).
 * 2. Parallel context encoding: a context is split into P pieces that cannot see each other, and the entropy and loss
 *    of a block after it are compared with the unsplit context, in four arms (plain; a prefix that every piece sees; only
 *    the best pieces; both) and with a control that changes the entropy by temperature alone.
 * Every document is one independent unit; differences are paired by document.
 */
import type { Request } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { type Bin, halfOctaves } from "../analysis/bins.js";
import { ResampledMean } from "../analysis/resampled-mean.js";
import { documentsOf, shuffled } from "../analysis/texts.js";
import type { Experiment } from "../experiment.js";
import { batch, table } from "../table.js";
import { type Arm, claims, type Evidence, type Width } from "./entropy/claims.js";
import {
  type Encoded,
  type Encoding,
  encode,
  indicator,
  type Measure,
  meanEntropies,
  measures,
} from "./entropy/encoding.js";
import { bestPieces, layout } from "./entropy/pieces.js";
import { dilution, layerMeans, metrics, type Profile, profileOf } from "./entropy/profile.js";
import { matchEntropy } from "./entropy/temperature.js";

const parameters = {
  /** Texts used, from the top of the file: for the profiles, and the first of them for parallel encoding. */
  documents: 48,
  splitDocuments: 24,
  /** Length of the texts for the profiles, start token included. */
  tokens: 512,
  /** Tokens that are split, and tokens after them that are scored. */
  context: 512,
  scored: 128,
  pieces: [1, 2, 4, 8, 16, 32],
  /** Pieces that the selective arms keep. */
  best: 2,
  /** Documents on which temperatures are fitted, and passes over them. */
  calibration: 4,
  passes: 3,
  seed: 1,
};
type Parameters = typeof parameters;

const interval = {
  estimate: { kind: "float32", meaning: "Mean over documents" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over documents" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over documents" },
} as const;

const profiles = table("profiles", "Width of attention rows by layer, head and number of visible keys", {
  condition: {
    kind: "text",
    meaning: "trained: real text; shuffled: the same tokens in random order; random: real text, random weights",
  },
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0; missing: mean over the layer's heads", optional: true },
  keys_low: { kind: "int32", meaning: "Fewest keys that the queries of this bin can see", unit: "keys" },
  keys_high: { kind: "int32", meaning: "Most keys that the queries of this bin can see", unit: "keys" },
  metric: {
    kind: "text",
    meaning:
      "entropy (nats); normalised: entropy ÷ ln(visible keys); support: exp(entropy) (keys); maximum: largest weight; first: weight of the first token; rest: entropy of the other keys' weights, renormalised (nats)",
  },
  ...interval,
});

const texts = table("texts", "One row per document, condition and layer", {
  document: { kind: "text", meaning: "Id of the text" },
  source: { kind: "text", meaning: "Where the text comes from" },
  condition: { kind: "text", meaning: "As in profiles" },
  layer: { kind: "int32", meaning: "Layer, from 0" },
  entropy: { kind: "float32", meaning: "Mean over heads and queries that see at least 32 keys", unit: "nats" },
  normalised: { kind: "float32", meaning: "The same of entropy ÷ ln(visible keys)" },
  loss: {
    kind: "float32",
    meaning: "Mean loss over the whole text, the same in every layer's row",
    unit: "nats per token",
  },
});

const split = table("split", "Parallel encoding: one row per document, arm and number of pieces", {
  document: { kind: "text", meaning: "Id of the text" },
  arm: {
    kind: "text",
    meaning:
      "plain; shared prefix: seen by every piece; best pieces: the block sees only these; both fixes; controls: own positions (plain, each piece stays where it is in the text), cooled (plain, entropy brought to its unsplit level by temperature), heated (unsplit, entropy raised to that of the most pieces)",
  },
  pieces: { kind: "int32", meaning: "Pieces that the context is split into", unit: "pieces" },
  entropy: { kind: "float32", meaning: "Mean over layers, heads and scored queries", unit: "nats" },
  loss: { kind: "float32", meaning: "Mean over the scored tokens", unit: "nats per token" },
  prefix: { kind: "float32", meaning: "Attention of the scored queries on the prefix (start token)" },
  starts: { kind: "float32", meaning: "Attention of the scored queries on the first tokens of the pieces" },
  block: { kind: "float32", meaning: "Attention of the scored queries on the unsplit block itself" },
});

const effects = table("effects", "Parallel encoding against the unsplit context, paired by document", {
  arm: { kind: "text", meaning: "As in split" },
  pieces: { kind: "int32", meaning: "Pieces that the context is split into", unit: "pieces" },
  layer: { kind: "int32", meaning: "Layer, from 0; missing: mean over layers", optional: true },
  measure: {
    kind: "text",
    meaning: "entropy (nats), loss (nats per token), prefix, starts, block (shares of attention)",
  },
  mean: { kind: "float32", meaning: "Mean of the measure itself over documents" },
  temperature: { kind: "float32", meaning: "Temperature of the layer, where the arm sets one", optional: true },
  ...interval,
});

function* profileRows(condition: string, of: readonly Profile[], bins: readonly Bin[], resampled: ResampledMean) {
  const [{ layers, heads }] = of;
  for (let layer = 0; layer < layers; ++layer) {
    for (const [b, { low, high }] of bins.entries()) {
      for (const metric of metrics) {
        const cell = (head: number) => of.map(({ values }) => values[metric][(layer * heads + head) * bins.length + b]);
        const each = Array.from({ length: heads }, (_, head) => cell(head));
        const all = of.map((_, d) => mean(each.map((values) => values[d]).filter((value) => !Number.isNaN(value))));
        for (const [head, values] of [[null, all] as const, ...each.entries()]) {
          const { n, ...ends } = resampled.of(values);
          if (n > 0) yield { condition, layer, head, keys_low: low, keys_high: high, metric, ...ends };
        }
      }
    }
  }
}

function* effectRows(
  documents: readonly (readonly Encoded[])[],
  temperatures: ReadonlyMap<string, Float32Array>,
  resampled: ResampledMean,
) {
  for (const [c, { arm, pieces, entropies }] of documents[0].entries()) {
    const row = (measure: Measure, layer: number | null, of: (encoded: Encoded) => number) => {
      const { n: _, ...ends } = resampled.of(documents.map((conditions) => of(conditions[c]) - of(conditions[0])));
      const temperature = layer === null ? null : (temperatures.get(`${arm} ${pieces}`)?.[layer] ?? null);
      return {
        arm,
        pieces,
        layer,
        measure,
        mean: mean(documents.map((conditions) => of(conditions[c]))),
        temperature,
        ...ends,
      };
    };
    for (const measure of measures) yield row(measure, null, (encoded) => encoded[measure]);
    for (const layer of entropies.keys()) yield row("entropy", layer, (encoded) => encoded.entropies[layer]);
  }
}

export const entropy: Experiment<Parameters, Evidence> = {
  id: "entropy",
  title: "Attention entropy",
  question: "How widely does each head spread its attention, and does splitting the context make it spread too wide?",
  papers: ["entropy-parallel-context", "what-does-bert-look-at", "limits-of-normalization"],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl" },
  tables: [profiles, texts, split, effects],
  claims,

  async *run({ parameters: given, model: load, control: loadControl, tokenizer, inputs, progress, signal }) {
    const { tokens, context, scored, best, seed } = given;
    const prefix = 1;
    const length = prefix + context + 1 + scored;
    const counts = [...new Set([1, ...given.pieces])].sort((a, b) => a - b);
    const selective = counts.filter((pieces) => pieces > best);
    const most = Math.max(...counts);

    const model = await load();
    const cut = { documents: given.documents, tokens: Math.max(tokens, length) };
    const documents = documentsOf(inputs.texts, await tokenizer(), model, cut);
    const splitDocuments = documents
      .slice(0, given.splitDocuments)
      .map(({ id, ids }) => ({ id, ids: ids.slice(0, length) }));
    const calibration = splitDocuments.slice(0, given.calibration);
    layout(documents[0].ids, { pieces: most, prefix, context, shared: false }); // refused before work starts

    const perDocument = 3 * counts.length - 2 + 3 * selective.length + 1;
    const fitted = (selective.length + 1) * given.passes * calibration.length;
    const total = 3 * documents.length + perDocument * splitDocuments.length + fitted;
    let done = 0;
    const count = <T>(message: string, value: T): T => {
      progress(++done, total, message);
      return value;
    };

    // 1. Width of rows by the number of visible keys.
    const bins = halfOctaves(2, tokens);
    const random = new Random(seed);
    const real = documents.map(({ ids }) => ids.slice(0, tokens));
    const conditions: readonly [string, () => Promise<Model>, readonly Int32Array[]][] = [
      ["trained", load, real],
      ["shuffled", load, real.map((ids) => shuffled(ids, random))],
      ["random", loadControl, real],
    ];
    const request: Request = { rows: true, keySegments: [indicator(tokens, (key) => key < prefix)], logits: "loss" };
    const widths: Width[] = [];
    for (const [condition, of, prompts] of conditions) {
      const subject = await of();
      const measured: Profile[] = [];
      for (const [d, ids] of prompts.entries()) {
        const forward = count(condition, await subject.forward({ ids }, request, { signal }));
        const profile = profileOf(forward, bins);
        measured.push(profile);
        const entropies = layerMeans(profile, "entropy", bins);
        const breadth = layerMeans(profile, "normalised", bins);
        if (condition === "trained") widths.push({ breadth, dilution: dilution(profile, bins) });
        const { id: document, source } = documents[d];
        const loss = -mean(forward.logProbability ?? []);
        yield batch(
          texts,
          breadth.map((normalised, layer) => ({
            document,
            source,
            condition,
            layer,
            entropy: entropies[layer],
            normalised,
            loss,
          })),
        );
      }
      const resampled = new ResampledMean(documents.length, { seed });
      yield batch(profiles, [...profileRows(condition, measured, bins, resampled)]);
    }

    // 2. Parallel encoding: the four arms, and pieces that stay where they are in the text.
    const run = async (ids: Int32Array, arm: Arm, pieces: number, more: Partial<Encoding> = {}) => {
      const encoding = { arm, pieces, prefix, context, shared: false, ...more };
      return count(`${arm}, ${pieces} pieces`, await encode(model, ids, encoding, signal));
    };
    const splits: Encoded[][] = [];
    for (const { ids } of splitDocuments) {
      const of: Encoded[] = [];
      for (const pieces of counts) {
        const plain = await run(ids, "plain", pieces);
        // One piece sees the prefix anyway, and stands where it stands in the text.
        const shared = pieces > 1 ? await run(ids, "shared prefix", pieces, { shared: true }) : plain;
        const own = pieces > 1 ? await run(ids, "own positions", pieces, { ownPositions: true }) : plain;
        const keep = ({ layout: { ranges }, received }: Encoded) => bestPieces(received, ranges, best);
        // With no more pieces than are kept, nothing is selected.
        const few = pieces <= best;
        const selected = few ? plain : await run(ids, "best pieces", pieces, { keep: keep(plain) });
        const both = few ? shared : await run(ids, "both fixes", pieces, { shared: true, keep: keep(shared) });
        of.push(plain, { ...shared, arm: "shared prefix" }, { ...own, arm: "own positions" });
        of.push({ ...selected, arm: "best pieces" }, { ...both, arm: "both fixes" });
      }
      splits.push(of);
    }

    // 3. The same entropies by temperature alone: plain pieces cooled to unsplit, and unsplit heated to the most pieces.
    const plainOf = (pieces: number) =>
      meanEntropies(
        splits
          .slice(0, calibration.length)
          .map((of) => of.find((one) => one.arm === "plain" && one.pieces === pieces)!),
      );
    const temperatures = new Map<string, Float32Array>();
    const cooled = selective.map(
      (pieces) => ({ arm: "cooled", pieces, from: plainOf(pieces), to: plainOf(1) }) as const,
    );
    for (const { arm, pieces, from, to } of [
      ...cooled,
      { arm: "heated", pieces: 1, from: plainOf(1), to: plainOf(most) } as const,
    ]) {
      const temperature = await matchEntropy(
        async (temperature) => {
          const encoded: Encoded[] = [];
          for (const { ids } of calibration) encoded.push(await run(ids, arm, pieces, { temperature }));
          return meanEntropies(encoded);
        },
        from,
        to,
        given.passes,
      );
      temperatures.set(`${arm} ${pieces}`, temperature);
      for (const [d, { ids }] of splitDocuments.entries()) splits[d].push(await run(ids, arm, pieces, { temperature }));
    }

    for (const [d, { id: document }] of splitDocuments.entries()) {
      yield batch(
        split,
        splits[d].map(({ arm, pieces, ...of }) => ({
          document,
          arm,
          pieces,
          entropy: of.entropy,
          loss: of.loss,
          prefix: of.prefix,
          starts: of.starts,
          block: of.block,
        })),
      );
    }
    const resampled = new ResampledMean(splits.length, { seed });
    yield batch(effects, [...effectRows(splits, temperatures, resampled)]);
    return { best, widths, splits };
  },
};
