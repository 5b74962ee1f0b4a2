/** Running text: attention by distance, and what mean scores owe to distance and to absolute position. */
import { mean } from "../../../engine/interval.js";
import type { Model } from "../../../engine/model.js";
import { nonRelative } from "../../../engine/relativity.js";
import { ResampledMean } from "../../analysis/resampled-mean.js";
import type { Document } from "../../analysis/texts.js";
import { batch } from "../../table.js";
import { distanceProfile, octaves, recencySlope, uniformProfile } from "./distance.js";
import { drift, type FieldReading, meanField, readField } from "./score-field.js";
import { distances, relativity, scores, slopes } from "./tables.js";

export type Subject = "trained" | "random weights";
type Progress = (tokens: number, message: string) => void;

/** @returns recency slope by document and layer, mean over heads, the first token left out */
export async function* byDistance(
  subject: Subject,
  model: Model,
  documents: readonly Document[],
  signal: AbortSignal,
  progress: Progress,
): AsyncGenerator<ReturnType<typeof batch>, number[][]> {
  const tokens = documents[0].ids.length;
  const { layers, heads } = model.architecture;
  const bins = octaves(tokens);
  const profiles = { counted: [] as Float64Array[], "left out": [] as Float64Array[] }; // documents × [layers, heads, octaves]
  const firstToken = new Float32Array(tokens).fill(1, 0, 1);
  for (const { ids } of documents) {
    const forward = await model.forward({ ids }, { distances: true, keySegments: [firstToken] }, { signal });
    profiles.counted.push(distanceProfile(forward, bins, true).attention);
    profiles["left out"].push(distanceProfile(forward, bins, false).attention);
    progress(tokens, `attention by distance, ${subject}`);
  }
  const resampled = new ResampledMean(documents.length);
  const usual = (values: Float64Array, layer: number) =>
    bins.map((_, bin) =>
      mean(Array.from({ length: heads }, (_, head) => values[(layer * heads + head) * bins.length + bin])),
    );
  for (const first_token of ["left out", "counted"] as const) {
    const uniform = uniformProfile(tokens, bins, first_token === "counted");
    const used = bins.map((bin, i) => ({ ...bin, i })).filter(({ i }) => !Number.isNaN(uniform[i]));
    for (let layer = 0; layer < layers; ++layer) {
      const key = { subject, first_token, layer };
      const all = profiles[first_token].map((values) => usual(values, layer));
      yield batch(
        distances,
        used.map(({ low: near, high: far, i }) => {
          const { estimate, low, high } = resampled.of(all.map((values) => values[i] / uniform[i]));
          return { ...key, head: null, near, far, attention: estimate * uniform[i], relative: estimate, low, high };
        }),
      );
      const { estimate, low, high } = resampled.of(all.map((values) => recencySlope(values, uniform, bins)));
      yield batch(slopes, [{ ...key, head: null, slope: estimate, low, high }]);
      for (let head = 0; head < heads; ++head) {
        const start = (layer * heads + head) * bins.length;
        const values = bins.map((_, i) => mean(profiles[first_token].map((of) => of[start + i])));
        yield batch(
          distances,
          used.map(({ low: near, high: far, i }) => {
            const relative = values[i] / uniform[i];
            return { ...key, head, near, far, attention: values[i], relative, low: null, high: null };
          }),
        );
        yield batch(slopes, [{ ...key, head, slope: recencySlope(values, uniform, bins), low: null, high: null }]);
      }
    }
  }
  const uniform = uniformProfile(tokens, bins, false);
  return profiles["left out"].map((values) =>
    Array.from({ length: layers }, (_, layer) => recencySlope(usual(values, layer), uniform, bins)),
  );
}

/** Stretches of one text, each with the start token first where there is one. */
function stretches(ids: Int32Array, tokens: number, count: number, startToken: number | undefined): Int32Array[] {
  const skip = startToken === undefined ? 0 : 1;
  const length = tokens - skip;
  return Array.from({ length: count }, (_, i) => {
    const text = ids.subarray(skip + i * length, skip + (i + 1) * length);
    return startToken === undefined ? text : Int32Array.of(startToken, ...text);
  }).filter((stretch) => stretch.length === tokens);
}

export interface Field {
  /** Length of the stretches. */
  readonly tokens: number;
  /** Stretches of each text. */
  readonly count: number;
  readonly startToken: number | undefined;
}

/** @returns readings by layer, the first token left out */
export async function* byPositions(
  subject: Subject,
  model: Model,
  documents: readonly Document[],
  { tokens, count, startToken }: Field,
  signal: AbortSignal,
  progress: Progress,
): AsyncGenerator<ReturnType<typeof batch>, FieldReading[]> {
  const { layers } = model.architecture;
  const size = tokens * tokens;
  const units: Float64Array[] = []; // documents × [layers, tokens, tokens]
  for (const { ids } of documents) {
    const sums = new Float64Array(layers * size);
    const parts = stretches(ids, tokens, count, startToken);
    for (const part of parts) {
      const forward = await model.forward({ ids: part }, { scores: true }, { signal });
      if (!forward.scores) throw new Error("The forward pass reports no scores.");
      const { data } = forward.scores;
      for (let i = 0; i < sums.length; ++i) sums[i] += data[i] / parts.length;
      progress(tokens, `scores by position, ${subject}`);
    }
    units.push(sums);
  }
  const resampled = new ResampledMean(documents.length);
  const readings: FieldReading[] = [];
  for (let layer = 0; layer < layers; ++layer) {
    const fields = units.map((unit) => unit.subarray(layer * size, (layer + 1) * size));
    for (const first of [1, 0]) {
      const reading = readField(fields, tokens, first, 500);
      if (first === 1) readings.push(reading);
      const late = resampled.of(fields.map((field) => drift(field, tokens, first)));
      yield batch(relativity, [
        {
          subject,
          first_token: first === 1 ? "left out" : "counted",
          layer,
          non_relativity: reading.nonRelativity.estimate,
          non_relativity_low: reading.nonRelativity.low,
          non_relativity_high: reading.nonRelativity.high,
          slope: reading.slope.estimate,
          slope_low: reading.slope.low,
          slope_high: reading.slope.high,
          correlation: reading.correlation,
          spread: reading.spread,
          drift: late.estimate,
          drift_low: late.low,
          drift_high: late.high,
        },
      ]);
    }
    if (subject === "trained") yield batch(scores, cells(meanField(fields), tokens, layer));
  }
  return readings;
}

const CELL = 2;

/** Means over cells of 2 × 2 tokens at or below the diagonal, which is left out. */
function cells(field: Float64Array, tokens: number, layer: number) {
  const residual = nonRelative(field, tokens, 1);
  const rows = [];
  for (let query = 0; query < tokens; query += CELL) {
    for (let key = 0; key <= query; key += CELL) {
      const pairs = [];
      for (let q = query; q < Math.min(query + CELL, tokens); ++q) {
        for (let k = key; k < Math.min(key + CELL, q); ++k) pairs.push({ at: q * tokens + k, first: k === 0 });
      }
      if (pairs.length === 0) continue;
      const later = pairs.filter(({ first }) => !first);
      rows.push({
        layer,
        query,
        key,
        score: mean(pairs.map(({ at }) => field[at])),
        residual: later.length > 0 ? mean(later.map(({ at }) => residual[at])) : null,
      });
    }
  }
  return rows;
}
