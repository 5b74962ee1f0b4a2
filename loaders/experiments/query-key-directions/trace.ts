/** What heads of earlier layers wrote along the directions with which a later head attends. */
import { mean } from "../../../engine/interval.js";
import type { Random } from "../../../engine/random.js";
import { dot, multiply } from "../../../engine/theory/matrix.js";
import { leadingTerms, turned } from "../../../engine/theory/score-directions.js";
import { mixedValues, row, type Vectors } from "../../analysis/vectors.js";
import { type Head, locate, type Pair, queryAndKey, termsOf } from "./heads.js";

/** One sequence: share of the traced signal that previous-token heads add, means over firings. */
export interface Traced {
  readonly traced: number;
  readonly others: number;
  /** Their share of the heads of earlier layers. */
  readonly chance: number;
}

/** What every head of an earlier layer adds along the directions of one firing, and along as many others; 0 where it takes away. */
export interface Trace {
  readonly traced: Float64Array; // [heads of earlier layers]
  readonly others: Float64Array;
}

export function traceOf(heads: readonly Head[], read: Vectors, at: number, pair: Pair, random: Random): Trace {
  const [layer] = locate(read, at);
  const { scores, rotation, key, throughNorm: seenThrough } = heads[at];
  const distance = pair.query - pair.key;
  const terms = termsOf(heads[at], read, at, pair);
  const chosen = leadingTerms(terms);
  const left = random.shuffle(Array.from(terms, (_, k) => k).filter((k) => !chosen.includes(k)));
  const asked = scores.alongQuery(turned(queryAndKey(read, at, pair)[0], rotation, -pair.query), distance);
  const { values } = scores.at(distance);
  const stream = row(read.residual, layer, pair.key);
  const earlier = heads.slice(0, layer * read.architecture.heads).map((source, from) => {
    const mixed = mixedValues(read, ...locate(read, from), pair.key);
    const written = multiply(mixed, source.output, mixed.length); // [width]
    const seen = seenThrough(written, stream);
    const projected = mixed.map((_, c) => dot(key, c * seen.length, seen, 0, seen.length));
    return scores.alongKey(projected, distance);
  });
  const along = (directions: readonly number[]) =>
    Float64Array.from(earlier, (of) => {
      const sum = directions.reduce((total, k) => total + Math.sign(asked[k]) * Math.sqrt(values[k]) * of[k], 0);
      return Math.max(0, sum);
    });
  return { traced: along(chosen), others: along(left.slice(0, chosen.length)) };
}

const shareOf = (part: number, whole: Float64Array) => part / whole.reduce((sum, value) => sum + value, 0);

/** What previous-token heads add in one sequence; nothing where there is no firing with such a head before it. */
export function tracedBy(traces: readonly Trace[], writers: readonly number[]): Traced[] {
  const traceable = traces.flatMap(({ traced, others }) => {
    const earlier = writers.filter((head) => head < traced.length);
    const by = (of: Float64Array) =>
      shareOf(
        earlier.reduce((sum, head) => sum + of[head], 0),
        of,
      );
    const found = { traced: by(traced), others: by(others), chance: earlier.length / traced.length };
    return earlier.length > 0 && Number.isFinite(found.traced) && Number.isFinite(found.others) ? [found] : [];
  });
  if (traceable.length === 0) return [];
  const over = (of: keyof Traced) => mean(traceable.map((found) => found[of]));
  return [{ traced: over("traced"), others: over("others"), chance: over("chance") }];
}

export function sourceRows(traces: readonly Trace[], previous: readonly number[], width: number) {
  return previous.map((attention, head) => {
    const over = (of: keyof Trace) => {
      const shares = traces.map((trace) => shareOf(trace[of][head] ?? Number.NaN, trace[of])).filter(Number.isFinite);
      return shares.length > 0 ? mean(shares) : null;
    };
    const at = { layer: Math.floor(head / width), head: head % width };
    return { ...at, previous: attention, traced: over("traced"), others: over("others") };
  });
}
