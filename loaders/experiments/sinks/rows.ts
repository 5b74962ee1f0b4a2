/** Rows of the tables on received attention, norms and graphs, from the readings of one condition. */
import { mean } from "../../../engine/interval.js";
import { sinkThreshold } from "../../../engine/metrics/sinks.js";
import { type Bin, halfOctaves } from "../../analysis/bins.js";
import { ResampledMean } from "../../analysis/resampled-mean.js";
import type { Document } from "../../analysis/texts.js";
import { row } from "../../analysis/vectors.js";
import type { Intervention } from "./claims.js";
import { graphOf, type Layer, referenceTokens } from "./graph.js";
import {
  type Eligible,
  groupMeans,
  groups,
  keyValueHead,
  layerSums,
  normCorrelation,
  type Reading,
} from "./reading.js";

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** @param sink the key that is taken for the sink */
export function* headRows(
  condition: string,
  readings: readonly Reading[],
  eligible: Eligible,
  resampled: ResampledMean,
  sink = 0,
) {
  const [{ layers, heads }] = readings;
  for (const head of range(layers * heads)) {
    const first = readings.map(({ alpha }) => alpha[head][sink]);
    const { n: _, ...ends } = resampled.of(first);
    yield {
      condition,
      layer: Math.floor(head / heads),
      head: head % heads,
      ...ends,
      above: mean(first.map((alpha) => Number(alpha > sinkThreshold))),
      later: mean(readings.map(({ sinks }) => sinks[head].length)),
      norm_correlation: mean(readings.map((reading) => normCorrelation(reading, head, eligible))),
      norm_correlation_all: mean(readings.map((reading) => normCorrelation(reading, head, { ...eligible, first: 0 }))),
    };
  }
}

/** α by position: of each head, of each layer's mean head, and of the mean head of all. */
export function* positionRows(
  condition: string,
  readings: readonly Reading[],
  bins: readonly Bin[],
  resampled: ResampledMean,
) {
  const [{ layers, heads }] = readings;
  for (const { low, high } of bins) {
    const of = readings.map(({ alpha }) => alpha.map((keys) => mean(keys.slice(low, high + 1))));
    const line = (layer: number | null, head: number | null, from: number, end: number) => {
      const { n: _, ...ends } = resampled.of(of.map((values) => mean(values.slice(from, end))));
      return { condition, layer, head, position_low: low, position_high: high, ...ends };
    };
    yield line(null, null, 0, layers * heads);
    for (const layer of range(layers)) {
      yield line(layer, null, layer * heads, (layer + 1) * heads);
      for (const head of range(heads)) yield line(layer, head, layer * heads + head, layer * heads + head + 1);
    }
  }
}

export function* normRows(readings: readonly Reading[], resampled: ResampledMean) {
  const [{ layers, heads, keyNorm }] = readings;
  const measure = (name: string, layer: number, head: number | null, of: (reading: Reading) => Float32Array) => {
    const means = readings.map((reading) => {
      const readers = range(heads).filter((h) => head === null || keyValueHead(reading, h) === head);
      const sinks = layer < layers ? readers.flatMap((h) => reading.sinks[layer * heads + h]) : [];
      return groupMeans(of(reading), new Set(sinks));
    });
    return groups.flatMap((group) => {
      const { n, ...ends } = resampled.of(means.map((of) => of[group] / of["other tokens"]));
      const norm = mean(means.map((of) => of[group]).filter((value) => !Number.isNaN(value)));
      return n === 0 ? [] : [{ measure: name, layer, head, group, norm, ...ends }];
    });
  };
  for (const layer of range(layers)) {
    for (const head of range(keyNorm.dims[1])) {
      yield* measure("key", layer, head, (reading) => row(reading.keyNorm, layer, head));
      yield* measure("value", layer, head, (reading) => row(reading.valueNorm, layer, head));
    }
  }
  for (const layer of range(layers + 1))
    yield* measure("residual", layer, null, (reading) => row(reading.residualNorm, layer));
}

/** @param documents attention of each layer, heads averaged, of each short text */
export function* graphRows(
  condition: string,
  documents: readonly (readonly Layer[])[],
  thresholds: readonly number[],
  resampled: ResampledMean,
) {
  for (const layer of range(documents[0].length)) {
    for (const threshold of thresholds) {
      const graphs = documents.map((layers) => graphOf(layers[layer], threshold));
      const { n: _, ...ends } = resampled.of(graphs.map(({ star }) => star));
      yield {
        condition,
        layer,
        threshold,
        ...ends,
        centralisation: mean(graphs.map(({ centralisation }) => centralisation)),
        hub_first: mean(graphs.map(({ hub }) => Number(hub === 0))),
      };
    }
  }
}

/** Reference tokens of each layer of each document. */
export function framesOf(reading: Reading, threshold: number): number[][] {
  return range(reading.layers).map((layer) => referenceTokens(layerSums(reading, layer), threshold));
}

export const isFirstOnly = (references: readonly number[]) => references.length === 1 && references[0] === 0;

export function frameRows(condition: string, documents: readonly (readonly number[][])[]) {
  return range(documents[0].length).map((layer) => {
    const references = documents.map((layers) => layers[layer]);
    return {
      condition,
      layer,
      references: mean(references.map(({ length }) => length)),
      any: mean(references.map(({ length }) => Number(length > 0))),
      first_only: mean(references.map((of) => Number(isFirstOnly(of)))),
    };
  });
}

/** Loss of each token of a text under each intervention. */
export type Losses = Map<Intervention, readonly number[]>;

const none = (of: Losses) => of.get("none") ?? [];

/** @param half documents before it are the first half */
export function* lossRows(documents: readonly Document[], losses: readonly Losses[], half: number) {
  for (const [d, { id: document, source }] of documents.entries()) {
    for (const [intervention, of] of losses[d]) {
      const loss = mean(of);
      yield {
        document,
        source,
        half: d < half ? "first" : "second",
        intervention,
        loss,
        change: loss - mean(none(losses[d])),
      };
    }
  }
}

/** Over the whole text, and by position. @param first position of the first token whose loss is known */
export function* changeRows(losses: readonly Losses[], first: number, seed: number) {
  const interventions = new Set(losses.flatMap((of) => [...of.keys()]));
  interventions.delete("none");
  const bins = halfOctaves(first, first + none(losses[0]).length - 1);
  for (const intervention of interventions) {
    const pairs = losses.flatMap((of) => {
      const changed = of.get(intervention);
      return changed ? [{ changed, before: none(of) }] : [];
    });
    const resampled = new ResampledMean(pairs.length, { seed });
    const row = (position_low: number | null, position_high: number | null, from: number, end?: number) => {
      const changes = pairs.map(
        ({ changed, before }) => mean(changed.slice(from, end)) - mean(before.slice(from, end)),
      );
      const { n: _, ...ends } = resampled.of(changes);
      return { intervention, position_low, position_high, ...ends };
    };
    yield row(null, null, 0);
    for (const { low, high } of bins) yield row(low, high, low - first, high - first + 1);
  }
}
