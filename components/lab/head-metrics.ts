/** The registered metrics that have a value per head, and how to read each off one forward pass. */
import type { Architecture } from "../../engine/architecture.js";
import type { Forward, Prompt, Request, Values } from "../../engine/forward.js";
import { visibleKeys } from "../../engine/mask.js";
import { rowMetrics, rowRequest } from "../../engine/metrics/columns.js";
import type { Metric } from "../../engine/metrics/metric.js";
import { keyNorm, valueNorm } from "../../engine/metrics/norms.js";
import {
  duplicateTargets,
  duplicateToken,
  induction,
  inductionTargets,
  meanDefined,
} from "../../engine/metrics/patterns.js";
import { keysAbove, laterSinks, received, receivedPerQuery } from "../../engine/metrics/sinks.js";

/** What the page knows of a metric. */
export interface HeadMetric {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly formula: string;
  readonly edges: string;
  readonly source: string;
}

export interface HeadValues {
  readonly metric: HeadMetric;
  readonly values: Float32Array; // [layers · heads]
}

/** Later sinks count only where at least so many queries see the key. */
const minimumQueries = 8;

/** What to ask a forward pass for, so that `headValues` can be read. */
export function statisticsRequest(ids: Int32Array): Request {
  const { targets = [], ...rows } = rowRequest(ids.length);
  return {
    ...rows,
    targets: [...targets, duplicateTargets(ids), inductionTargets(ids)],
    queryGroups: [new Float32Array(ids.length).fill(1)],
    norms: true,
    logits: "last",
  };
}

export function headValues(forward: Forward, prompt: Prompt, architecture: Architecture): HeadValues[] {
  const { layers, heads, keyValueHeads, blocks } = architecture;
  const tokens = forward.tokens;
  const visible = new Map(blocks.map(({ attention: { window } }) => [window, visibleKeys(prompt, window)] as const));
  const perHead = (metric: Metric<unknown>, how: string, value: (layer: number, head: number) => number) => ({
    metric: describe(metric, how),
    values: Float32Array.from({ length: layers * heads }, (_, i) => value(Math.floor(i / heads), i % heads)),
  });
  const pattern = (column: number) => (layer: number, head: number) =>
    meanDefined(rowOf(forward.pattern, layer * heads + head, column));
  const sums = (layer: number, head: number) => receivedPerQuery(rowOf(forward.received, layer * heads + head, 0));
  const norm = (values: Values | undefined) => (layer: number, head: number) =>
    meanDefined(rowOf(values, layer * keyValueHeads + Math.floor((head * keyValueHeads) / heads)));
  return [
    ...rowMetrics.map(({ metric, values }) =>
      perHead(metric, "mean over queries", (layer, head) =>
        meanDefined(values(forward, { layer, head }, visible.get(blocks[layer].attention.window) ?? [])),
      ),
    ),
    perHead(received, "first token", (layer, head) => sums(layer, head)[0]),
    perHead(
      laterSinks,
      "how many",
      (layer, head) => keysAbove(sums(layer, head), Math.min(minimumQueries, tokens)).length,
    ),
    perHead(duplicateToken, "", pattern(3)),
    perHead(induction, "", pattern(4)),
    perHead(keyNorm, "mean over keys", norm(forward.keyNorm)),
    perHead(valueNorm, "mean over keys", norm(forward.valueNorm)),
  ];
}

function describe({ id, unit, formula, edges, source }: Metric<unknown>, how: string): HeadMetric {
  const words = id.replaceAll("-", " ");
  const name = words[0].toUpperCase() + words.slice(1);
  return { id, name: how ? `${name}, ${how}` : name, unit, formula, edges, source };
}

/** Row `row` of [rows, tokens], or column `column` of it in [rows, columns, tokens]. */
function rowOf(values: Values | undefined, row: number, column?: number): Float32Array {
  if (!values) throw new Error("The forward pass was not asked for what a head metric needs: use statisticsRequest.");
  const { data, dims } = values;
  const tokens = dims[dims.length - 1];
  const columns = column === undefined ? 1 : dims[dims.length - 2];
  const at = row * columns + (column ?? 0);
  return data.subarray(at * tokens, (at + 1) * tokens);
}
