/** A matrix of queries × keys below its diagonal, as attention is usually drawn: keys to the right, queries downwards. */
import type { Unit } from "./chart.js";

export interface TriangleOptions {
  /** Field of the colour; `query` and `key` are the fields of the axes. */
  readonly field: string;
  readonly title: string;
  readonly format?: string;
  /** Diverges at zero. */
  readonly diverging?: boolean;
}

/** Cells may stand for several tokens: `query` and `key` are the first of them. */
export function triangle({ field, title, format = ".2~g", diverging = false }: TriangleOptions): Unit {
  const axis = { labelAngle: 0, labelExpr: "datum.value % 20 === 0 ? datum.label : ''" };
  const quantity = (name: string, of: string) => ({ field: name, type: "quantitative", title: of, format });
  return {
    mark: { type: "rect", stroke: null },
    encoding: {
      x: { field: "key", type: "ordinal", title: "Key", axis: { ...axis, labelOverlap: "greedy" } },
      y: { field: "query", type: "ordinal", title: "Query", axis: { ...axis, labelOverlap: "greedy" } },
      color: {
        field,
        type: "quantitative",
        title,
        scale: diverging ? { range: "diverging", domainMid: 0 } : { zero: false },
        legend: { offset: 12, format },
      },
      tooltip: [
        { field: "query", type: "ordinal", title: "query" },
        { field: "key", type: "ordinal", title: "key" },
        quantity(field, title),
      ],
    },
  };
}
