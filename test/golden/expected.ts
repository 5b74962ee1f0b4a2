/** Everything a forward pass can report, computed by the metrics' references from full float64 rows. */
import type { Forward, Prompt, Request } from "../../engine/forward.js";
import { mass, topMass } from "../../engine/metrics/mass.js";
import { keyNorm, queryNorm, residualNorm, tokenUniformity, valueNorm } from "../../engine/metrics/norms.js";
import { duplicateTargets, inductionTargets, previousTargets } from "../../engine/metrics/patterns.js";
import { entropy, maximum, meanDistance } from "../../engine/metrics/rows.js";
import { Random } from "../../engine/random.js";
import type { Replay } from "../../engine/replay.js";
import { largestError } from "./golden.js";

const random = new Random(1);
const weights = (tokens: number) => Float32Array.from({ length: tokens }, () => random.next());

/** All that can be asked for at once. */
export function everything(ids: Int32Array): Request {
  const tokens = ids.length;
  return {
    rows: true,
    keySegments: [weights(tokens), new Float32Array(tokens).fill(1, 3, 9)],
    queryGroups: [new Float32Array(tokens).fill(1), weights(tokens), weights(tokens)],
    targets: [previousTargets(tokens), duplicateTargets(ids), inductionTargets(ids)],
    topMass: [1, 4, 30],
    distances: true,
    norms: true,
    vectors: true,
    logits: "all",
    attention: true,
    scores: true,
  };
}

type Field = Exclude<keyof Forward, "tokens" | "beyondTrainedLength">;

/** Flat values of every field that the request asks for. */
export function expected(replay: Replay, prompt: Prompt, request: Request): Partial<Record<Field, number[]>> {
  const { attention, queries, keys, values, residual, logits } = replay;
  const tokens = prompt.ids.length;
  const heads = attention.flat(); // layers · heads × queries × [visible keys]
  const perRow = (of: (row: Float64Array, query: number) => number) => heads.flatMap((rows) => rows.map(of));
  const fields: Partial<Record<Field, number[]>> = {};
  if (request.rows) {
    fields.entropy = perRow((row) => entropy.reference(row));
    fields.maximum = perRow((row) => maximum.reference(row));
    fields.meanDistance = perRow((row, query) => meanDistance.reference(row, query));
  }
  const { keySegments, queryGroups, targets } = request;
  if (keySegments) {
    fields.mass = heads.flatMap((rows) =>
      keySegments.flatMap((weights) => rows.map((row) => mass.reference(row, weights))),
    );
  }
  if (queryGroups) {
    fields.received = heads.flatMap((rows) =>
      queryGroups.flatMap((weights) =>
        rows.map((_, key) => rows.reduce((sum, row, q) => sum + weights[q] * (row[key] ?? 0), 0)),
      ),
    );
  }
  if (targets) {
    fields.pattern = heads.flatMap((rows) =>
      targets.flatMap((target) => rows.map((row, query) => (target[query] < 0 ? Number.NaN : row[target[query]]))),
    );
  }
  if (request.topMass) {
    fields.topMass = heads.flatMap((rows) =>
      (request.topMass ?? []).flatMap((k) => rows.map((row, query) => topMass(k).reference(row, query))),
    );
  }
  if (request.distances) {
    fields.distances = heads.flatMap((rows) =>
      rows.map((_, d) => rows.reduce((sum, row, query) => sum + (query >= d ? row[query - d] : 0), 0)),
    );
  }
  if (request.norms) {
    fields.queryNorm = queries.flat(2).map((vector) => queryNorm.reference(vector));
    fields.keyNorm = keys.flat(2).map((vector) => keyNorm.reference(vector));
    fields.valueNorm = values.flat(2).map((vector) => valueNorm.reference(vector));
    fields.residualNorm = residual.flat().map((vector) => residualNorm.reference(vector));
    fields.uniformity = residual.map((stream) => tokenUniformity.reference(stream));
  }
  if (request.vectors) {
    const flat = (vectors: Replay["keys"]) => vectors.flat(2).flatMap((vector) => [...vector]);
    fields.queries = flat(queries);
    fields.keys = flat(keys);
    fields.values = flat(values);
    fields.residual = residual.flat().flatMap((vector) => [...vector]);
  }
  if (request.logits) {
    const next = logits.slice(0, -1).map((row, t) => ({ row, target: row[prompt.ids[t + 1]] }));
    fields.logProbability = next.map(({ row, target }) => {
      const largest = row.reduce((a, b) => Math.max(a, b));
      return target - largest - Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
    });
    fields.correct = next.map(({ row, target }) => (row.every((x) => x <= target) ? 1 : 0));
    if (request.logits === "all") fields.logits = logits.flatMap((row) => [...row]);
    if (request.logits === "last") fields.logits = [...logits[tokens - 1]];
  }
  if (request.attention) {
    fields.attention = perRowPadded(heads.flat(), tokens);
  }
  if (request.scores) fields.scores = replay.scores.flatMap((rows) => rows.flatMap((row) => [...row]));
  return fields;
}

const perRowPadded = (rows: readonly Float64Array[], tokens: number): number[] =>
  rows.flatMap((row) => [...row, ...new Array<number>(tokens - row.length).fill(0)]);

/** Tokens, lengths and sums of products, not probabilities: their error is told in parts of the value where it exceeds 1. */
const relative = new Set([
  "meanDistance",
  "logits",
  "logProbability",
  "scores",
  "queryNorm",
  "keyNorm",
  "valueNorm",
  "residualNorm",
]);

/** Components of vectors, whose rounding goes with the vector's length: their error is told in parts of it. */
const vectors = new Set(["queries", "keys", "values", "residual"]);

/** The largest error of each field that the reference has. */
export function errors(actual: Forward, reference: ReturnType<typeof expected>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(reference).map(([name, values]) => {
      const field = actual[name as keyof typeof reference];
      if (!field || !("dims" in field)) return [name, largestError(field ?? [], values, relative.has(name))];
      const unit = vectors.has(name) ? lengths(values, field.dims[field.dims.length - 1]) : undefined;
      const scaled = (of: ArrayLike<number>) => (unit ? Array.from(of, (x, i) => x / unit[i]) : of);
      return [name, largestError(scaled(field.data), scaled(values), relative.has(name))];
    }),
  );
}

/** For each number the length of the vector that it is part of, where that exceeds 1. */
const lengths = (values: readonly number[], size: number): number[] =>
  values.flatMap((_, i) =>
    i % size ? [] : new Array<number>(size).fill(Math.max(1, Math.hypot(...values.slice(i, i + size)))),
  );
