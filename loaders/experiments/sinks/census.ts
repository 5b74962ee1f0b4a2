/** Which tokens receive attention, and which are later sinks. */
import { mean } from "../../../engine/interval.js";
import { type Bin, halfOctaves } from "../../analysis/bins.js";
import type { ResampledMean } from "../../analysis/resampled-mean.js";
import { type Eligible, eligibleKeys, type Reading } from "./reading.js";
import { classes, type TokenClass } from "./token-class.js";

/** A document as it was read: texts and classes of its tokens, and what they received. */
export interface Read {
  readonly reading: Reading;
  /** Undefined: the start token. */
  readonly tokens: readonly (string | undefined)[];
  readonly classes: readonly TokenClass[];
}

const counted = classes.filter((of) => of !== "start");

/**
 * Attention received by class, relative to what all tokens at the same positions receive: early and late keys receive
 * more than those between, whatever they are.
 */
export function* classRows(
  condition: string,
  documents: readonly Read[],
  { first, last }: Eligible,
  resampled: ResampledMean,
) {
  const { layers, heads } = documents[0].reading;
  const bins = halfOctaves(first, last);
  const binOf = Int32Array.from({ length: last + 1 }, (_, key) => bins.findIndex(({ high }) => key <= high));
  const all = Array.from({ length: layers * heads }, (_, head) => head);
  const received = all.map((head) => receivedByClass(documents, head, binOf, bins));
  const scopes = [
    { layer: null, head: null, over: all },
    ...Array.from({ length: layers }, (_, layer) => ({
      layer,
      head: null,
      over: all.slice(layer * heads, (layer + 1) * heads),
    })),
    ...all.map((head) => ({ layer: Math.floor(head / heads), head: head % heads, over: [head] })),
  ];
  for (const { layer, head, over } of scopes) {
    for (const name of counted) {
      const lift = documents.map((_, d) => mean(over.map((h) => received[h][d].get(name) ?? Number.NaN)));
      const { n, ...ends } = resampled.of(lift);
      if (n === 0) continue;
      const share = mean(
        documents.map(({ classes: of }) => mean(of.slice(first, last + 1).map((it) => Number(it === name)))),
      );
      const sinks = mean(
        documents.map(({ reading, classes: of }) =>
          over.reduce((sum, h) => sum + reading.sinks[h].filter((key) => of[key] === name).length, 0),
        ),
      );
      yield { condition, layer, head, class: name, share, ...ends, sinks };
    }
  }
}

/** For one head, per document and class: Σ α ÷ Σ mean α of the same bin of positions. */
function receivedByClass(documents: readonly Read[], head: number, binOf: Int32Array, bins: readonly Bin[]) {
  const keys = Array.from({ length: binOf.length }, (_, key) => key).filter(
    (key) => binOf[key] >= 0 && key >= bins[0].low,
  );
  const expected = bins.map(({ low, high }) =>
    mean(documents.map(({ reading }) => mean(reading.alpha[head].slice(low, high + 1)))),
  );
  return documents.map(({ reading, classes: of }) => {
    const sums = new Map<TokenClass, { received: number; expected: number }>();
    for (const key of keys) {
      const sum = sums.get(of[key]) ?? { received: 0, expected: 0 };
      sum.received += reading.alpha[head][key];
      sum.expected += expected[binOf[key]];
      sums.set(of[key], sum);
    }
    return new Map([...sums].map(([name, sum]) => [name, sum.received / sum.expected]));
  });
}

const visible = (token: string) => token.replaceAll("\n", "⏎").replaceAll(" ", "␣");

/** The `most` tokens that are later sinks most often. */
export function tokenRows(condition: string, documents: readonly Read[], eligible: Eligible, most: number) {
  const found = new Map<string, { class: TokenClass; sinks: number; occurrences: number; hit: number }>();
  for (const { reading, tokens, classes: of } of documents) {
    const times = new Uint32Array(reading.tokens);
    for (const keys of reading.sinks) for (const key of keys) ++times[key];
    for (const key of eligibleKeys(eligible)) {
      const token = tokens[key] ?? "start token";
      const entry = found.get(token) ?? { class: of[key], sinks: 0, occurrences: 0, hit: 0 };
      entry.sinks += times[key];
      ++entry.occurrences;
      entry.hit += Number(times[key] > 0);
      found.set(token, entry);
    }
  }
  return [...found]
    .filter(([, { sinks }]) => sinks > 0)
    .sort(([a, x], [b, y]) => y.sinks - x.sinks || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([token, { hit, ...entry }]) => ({
      condition,
      token: visible(token),
      ...entry,
      rate: hit / entry.occurrences,
    }));
}
