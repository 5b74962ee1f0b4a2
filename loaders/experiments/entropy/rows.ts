/** Rows of the tables, from what was measured on each document. */
import { mean } from "../../../engine/interval.js";
import type { Bin } from "../../analysis/bins.js";
import type { ResampledMean } from "../../analysis/resampled-mean.js";
import type { Recalled } from "./claims.js";
import { type Encoded, type Measure, measures } from "./encoding.js";
import { metrics, type Profile } from "./profile.js";

export function* profileRows(
  condition: string,
  documents: readonly Profile[],
  bins: readonly Bin[],
  resampled: ResampledMean,
) {
  const [{ layers, heads }] = documents;
  for (let layer = 0; layer < layers; ++layer) {
    for (const [b, { low: keys_low, high: keys_high }] of bins.entries()) {
      for (const metric of metrics) {
        const each = Array.from({ length: heads }, (_, head) =>
          documents.map(({ values }) => values[metric][(layer * heads + head) * bins.length + b]),
        );
        const all = documents.map((_, d) => mean(each.map((of) => of[d]).filter((value) => !Number.isNaN(value))));
        for (const [head, values] of [[null, all] as const, ...each.entries()]) {
          const { n, ...ends } = resampled.of(values);
          if (n > 0) yield { condition, layer, head, keys_low, keys_high, metric, ...ends };
        }
      }
    }
  }
}

/** Every document has the same conditions in the same order, the unsplit one first. */
export function* effectRows(
  documents: readonly (readonly Encoded[])[],
  temperatures: ReadonlyMap<string, Float32Array>,
  resampled: ResampledMean,
) {
  for (const [c, { arm, pieces, entropies }] of documents[0].entries()) {
    const row = (measure: Measure, layer: number | null, of: (encoded: Encoded) => number) => {
      const { n: _, ...ends } = resampled.of(documents.map((conditions) => of(conditions[c]) - of(conditions[0])));
      const temperature = layer === null ? null : (temperatures.get(`${arm} ${pieces}`)?.[layer] ?? null);
      return { arm, pieces, layer, measure, mean: mean(documents.map((all) => of(all[c]))), ...ends, temperature };
    };
    for (const measure of measures) yield row(measure, null, (encoded) => encoded[measure]);
    for (const layer of entropies.keys()) yield row("entropy", layer, (encoded) => encoded.entropies[layer]);
  }
}

export function* recallRows(records: readonly (readonly Recalled[])[], resampled: ResampledMean) {
  for (const [c, { arm, pieces }] of records[0].entries()) {
    for (const measure of ["accuracy", "loss"] as const) {
      const { n: _, ...ends } = resampled.of(records.map((conditions) => conditions[c][measure]));
      yield { arm, pieces, measure, ...ends };
    }
  }
}
