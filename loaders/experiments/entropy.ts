/**
 * Attention entropy. Method:
 * 1. Rows of attention over real text, for each layer, head and number of visible keys, beside two controls: the same
 *    tokens in random order, and the same architecture with weights that have learned nothing. The limit is a uniform
 *    row, ln(visible keys).
 * 2. Parallel context encoding: a context is split into P pieces that cannot see each other, and the entropy and loss
 *    of a block after it are compared with the unsplit context, in four arms (plain; a prefix that every piece sees; only
 *    the best pieces; both). A control keeps each piece at its own positions.
 * 3. The same entropies reached by temperature alone.
 * 4. Recall of key–value pairs from a context that is split between its lines.
 * Every document or record is one independent unit; differences are paired.
 *
 * Departures: splitting follows the released code, with a few hundred tokens where the paper has several thousand; the
 * shared prefix is the start token alone, and a piece is scored by its attention over all layers, heads and queries. The
 * controls are ours. Of the papers on broad heads and on dilution one statement each is tested, and the first was made
 * about an encoder.
 */
import { UserError } from "../../engine/errors.js";
import type { Request } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { halfOctaves } from "../analysis/bins.js";
import { requireAtLeast } from "../analysis/parameters.js";
import { factLists } from "../analysis/records.js";
import { ResampledMean } from "../analysis/resampled-mean.js";
import { documentsOf, shuffled } from "../analysis/texts.js";
import type { Experiment } from "../experiment.js";
import { batch } from "../table.js";
import { type Arm, claims, type Evidence, type Recalled, type Width } from "./entropy/claims.js";
import { type Encoded, type Encoding, encode, indicator, meanEntropies } from "./entropy/encoding.js";
import { bestPieces, equalPieces, layout } from "./entropy/pieces.js";
import { dilution, layerMeans, type Profile, profileOf } from "./entropy/profile.js";
import { linePieces, lookups, recallOf } from "./entropy/recall.js";
import { effectRows, profileRows, recallRows } from "./entropy/rows.js";
import * as tables from "./entropy/tables.js";
import { matchEntropy } from "./entropy/temperature.js";

const parameters = {
  /** Texts used, from the top of the file: for the profiles, and the first of them for parallel encoding. */
  documents: 48,
  splitDocuments: 20,
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
  passes: 4,
  /** Records of key–value lines, and lines of each. */
  records: 16,
  pairs: 32,
  seed: 1,
};
type Parameters = typeof parameters;

/** The exponent of the largest weight needs two bins of 32 keys or more; an interval needs two units. */
const least = {
  documents: 2,
  splitDocuments: 2,
  tokens: 48,
  context: 2,
  scored: 1,
  pieces: 1,
  best: 1,
  calibration: 1,
  passes: 1,
  records: 2,
  pairs: 2,
};

export const entropy: Experiment<Parameters, Evidence> = {
  id: "entropy",
  title: "Attention entropy",
  question: "How widely does each head spread its attention, and does splitting the context make it spread too wide?",
  papers: ["entropy-parallel-context", "what-does-bert-look-at", "limits-of-normalization"],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl", lookups: "prompts/lookups.jsonl" },
  tables: Object.values(tables),
  claims,

  async *run({ parameters: given, model: load, control: loadControl, tokenizer: open, inputs, progress, signal }) {
    requireAtLeast(given, least);
    const { tokens, context, scored, best, seed } = given;
    const prefix = 1;
    const length = prefix + context + 1 + scored;
    const counts = [...new Set([1, ...given.pieces])].sort((a, b) => a - b);
    const several = counts.filter((pieces) => pieces > 1);
    const selective = counts.filter((pieces) => pieces > best);
    const most = Math.max(...counts);
    const random = new Random(seed);

    // Everything that can be refused is refused before work starts.
    const model = await load();
    const tokenizer = await open();
    const cut = { documents: given.documents, tokens: Math.max(tokens, length) };
    const documents = documentsOf(inputs.texts, tokenizer, model, cut);
    const records = lookups(factLists(inputs.lookups, "lookups"), given.pairs, tokenizer, random).slice(
      0,
      given.records,
    );
    if (records.length < 2)
      throw new UserError(`Prompts "lookups" hold fewer than 2 key-value records of ${given.pairs} pairs.`);
    for (const units of [context, given.pairs]) equalPieces(units, most);

    const splitDocuments = documents.slice(0, given.splitDocuments);
    const calibration = splitDocuments.slice(0, given.calibration);
    const fits = selective.length + 1;
    const total =
      3 * documents.length +
      (counts.length + 2 * several.length + 2 * selective.length + fits) * splitDocuments.length +
      fits * given.passes * calibration.length +
      (counts.length + 2 * several.length) * records.length;
    let done = 0;
    const count = <T>(message: string, value: T): T => {
      progress(++done, total, message);
      return value;
    };

    // 1. Width of rows by the number of visible keys.
    const bins = halfOctaves(2, tokens);
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
        const shared = { document, source, condition, loss: -mean(forward.logProbability ?? []) };
        yield batch(
          tables.texts,
          breadth.map((normalised, layer) => ({ ...shared, layer, entropy: entropies[layer], normalised })),
        );
      }
      const resampled = new ResampledMean(documents.length, { seed });
      yield batch(tables.profiles, [...profileRows(condition, measured, bins, resampled)]);
    }

    // 2. Parallel encoding: the four arms, and pieces that stay where they are in the text.
    const run = async (d: number, arm: Arm, pieces: number, more: Partial<Encoding> = {}) => {
      const encoding = { arm, prefix, lengths: equalPieces(context, pieces), ...more };
      const ids = splitDocuments[d].ids.slice(0, length);
      return count(`${arm}, ${pieces} pieces`, await encode(model, ids, encoding, signal));
    };
    const splits: Encoded[][] = [];
    for (const d of splitDocuments.keys()) {
      const of: Encoded[] = [];
      for (const pieces of counts) {
        const plain = await run(d, "plain", pieces);
        // One piece sees the prefix anyway, and stands where it stands in the text.
        const shared = pieces > 1 ? await run(d, "shared prefix", pieces, { shared: true }) : plain;
        const own = pieces > 1 ? await run(d, "own positions", pieces, { ownPositions: true }) : plain;
        const keep = ({ layout: { ranges }, received }: Encoded) => bestPieces(received, ranges, best);
        // With no more pieces than are kept, nothing is selected.
        const few = pieces <= best;
        const selected = few ? plain : await run(d, "best pieces", pieces, { keep: keep(plain) });
        const both = few ? shared : await run(d, "both fixes", pieces, { shared: true, keep: keep(shared) });
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
    for (const { arm, pieces, target } of [
      ...selective.map((pieces) => ({ arm: "cooled", pieces, target: plainOf(1) }) as const),
      { arm: "heated", pieces: 1, target: plainOf(most) } as const,
    ]) {
      const measure = async (temperature: Float32Array) => {
        const encoded: Encoded[] = [];
        for (const d of calibration.keys()) encoded.push(await run(d, arm, pieces, { temperature }));
        return meanEntropies(encoded);
      };
      const temperature = await matchEntropy(measure, plainOf(pieces), target, given.passes);
      temperatures.set(`${arm} ${pieces}`, temperature);
      for (const d of splitDocuments.keys()) splits[d].push(await run(d, arm, pieces, { temperature }));
    }
    for (const [d, { id: document }] of splitDocuments.entries()) {
      yield batch(
        tables.split,
        splits[d].map(({ layout: _, entropies: __, received: ___, ...of }) => ({ document, ...of })),
      );
    }
    yield batch(tables.effects, [...effectRows(splits, temperatures, new ResampledMean(splits.length, { seed }))]);

    // 4. Recall.
    const recalls: Recalled[][] = [];
    for (const record of records) {
      const recall = async (arm: Arm, pieces: number): Promise<Recalled> => {
        const lengths = linePieces(record.lines, equalPieces(given.pairs, pieces));
        const shared = arm === "shared prefix";
        const split = layout(record.ids, {
          prefix: record.prefix,
          lengths,
          shared,
          ownPositions: arm === "own positions",
        });
        const forward = await model.forward(split.prompt, { logits: "loss" }, { signal });
        return count(`recall, ${arm}, ${pieces} pieces`, { arm, pieces, ...recallOf(forward, split.block, record) });
      };
      const of: Recalled[] = [];
      for (const pieces of counts) {
        const plain = await recall("plain", pieces);
        of.push(plain);
        for (const arm of ["shared prefix", "own positions"] as const) {
          of.push(pieces > 1 ? await recall(arm, pieces) : { ...plain, arm });
        }
      }
      recalls.push(of);
    }
    yield batch(tables.recall, [...recallRows(recalls, new ResampledMean(recalls.length, { seed }))]);

    return { best, widths, splits, recalls };
  },
};
