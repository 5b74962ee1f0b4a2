/** The charts that recur, as Vega-Lite specs: pages name fields and titles, and stay free of drawing logic. */
import type { Spec, Unit } from "./chart.js";
import { colours, type Mode, palettes } from "./palette.js";

/** A field with the title of its axis or legend, unit included: "Entropy (nats)". */
export interface FieldOptions {
  readonly field: string;
  readonly title: string;
  /** d3 format of labels and tooltips. */
  readonly format?: string;
}

export interface Numeric extends FieldOptions {
  readonly domain?: readonly [number, number];
  /** Start the axis at zero (default for y of bars; elsewhere only where asked). */
  readonly zero?: boolean;
  readonly log?: boolean;
}

const FORMAT = ".3~g";

function axis({ field, title, format, domain, zero = false, log }: Numeric, channel: "x" | "y"): Unit {
  return {
    field,
    type: "quantitative",
    title,
    axis: { format: format ?? "~g", ...(channel === "x" ? { grid: false } : {}) },
    scale: {
      zero,
      nice: !domain && channel === "y",
      ...(domain ? { domain, clamp: true } : {}),
      ...(log ? { type: "log" } : {}),
    },
  };
}

const tip = ({ field, title, format }: FieldOptions, type: "quantitative" | "nominal" = "quantitative"): Unit =>
  type === "quantitative" ? { field, type, title, format: format ?? FORMAT } : { field, type, title };

function distinct(rows: readonly Readonly<Record<string, unknown>>[], field: string): string[] {
  return [...new Set(rows.map((row) => String(row[field])))];
}

/** Colour by name, the same name in the same colour on every page. */
function colourOf(field: FieldOptions, names: readonly string[], mode: Mode): Unit {
  return {
    field: field.field,
    type: "nominal",
    title: field.title,
    scale: { domain: names, range: colours(names, mode) },
    sort: names,
    legend: names.length > 1 ? {} : null,
  };
}

export interface HeatmapOptions {
  readonly x: FieldOptions;
  readonly y: FieldOptions;
  readonly value: Numeric;
  /** For change: diverges at this value. */
  readonly middle?: number;
  /** Parameter that holds the selected cell, with its initial value; give the same to figure's `select`. */
  readonly select?: string;
}

/** Cells of x × y; the first y is at the bottom, as layers are drawn. */
export function heatmap({ x, y, value, middle, select }: HeatmapOptions): Spec {
  return ({ mode }) => {
    const { text } = palettes[mode];
    const scale =
      middle === undefined
        ? { ...(value.domain ? { domain: value.domain, clamp: true } : { zero: value.zero ?? false }) }
        : { range: "diverging", domainMid: middle, ...(value.domain ? { domain: value.domain, clamp: true } : {}) };
    const cell = {
      mark: { type: "rect", cursor: select ? "pointer" : "default" },
      encoding: {
        color: {
          field: value.field,
          type: "quantitative",
          title: value.title,
          scale,
          legend: { format: value.format ?? "~g", gradientLength: 160 },
        },
        tooltip: [tip(x, "nominal"), tip(y, "nominal"), tip(value)],
      },
    };
    const chosen = {
      transform: [
        {
          filter: `datum[${JSON.stringify(x.field)}] == ${select}[${JSON.stringify(x.field)}] && datum[${JSON.stringify(y.field)}] == ${select}[${JSON.stringify(y.field)}]`,
        },
      ],
      mark: { type: "rect", fill: null, stroke: text, strokeWidth: 2, tooltip: false },
    };
    return {
      ...(select ? { params: [{ name: select, value: {} }] } : {}),
      encoding: {
        x: { field: x.field, type: "ordinal", title: x.title, axis: { labelAngle: 0 } },
        y: { field: y.field, type: "ordinal", title: y.title, sort: "descending" },
      },
      layer: select ? [cell, chosen] : [cell],
    };
  };
}

export interface ProfileOptions {
  readonly x: Numeric;
  readonly y: Numeric;
  /** Fields with the ends of the band: an interval, or quantiles. */
  readonly low?: string;
  readonly high?: string;
  /** One line per name. */
  readonly series?: FieldOptions;
  /** A horizontal reference, such as the uniform limit or chance. */
  readonly reference?: { readonly y: number; readonly label: string };
  /** A mark at each x: for few, discrete x values. */
  readonly points?: boolean;
}

/** Lines with bands: y over x, one colour per series. */
export function profile(options: ProfileOptions): Spec {
  return ({ rows, mode }) => profileUnit(options, options.series ? distinct(rows, options.series.field) : [], mode);
}

function profileUnit(
  { x, y, low, high, series, reference, points }: ProfileOptions,
  names: readonly string[],
  mode: Mode,
): Unit {
  const colour = series ? { color: colourOf(series, names, mode) } : {};
  const tooltip = [tip(x), ...(series ? [tip(series, "nominal")] : []), tip(y)];
  if (low && high)
    tooltip.push(
      tip({ field: low, title: "low", format: y.format }),
      tip({ field: high, title: "high", format: y.format }),
    );
  const vertical = axis(y, "y");
  return {
    encoding: { x: axis(x, "x") },
    layer: [
      ...(low && high
        ? [
            {
              mark: { type: "area", opacity: 0.18, tooltip: false },
              encoding: { y: { ...vertical, field: low }, y2: { field: high }, ...colour },
            },
          ]
        : []),
      { mark: { type: "line", point: points ? { size: 40 } : false }, encoding: { y: vertical, ...colour, tooltip } },
      // An invisible point under the pointer makes every value of a thin line easy to hit.
      { mark: { type: "point", size: 160, opacity: 0 }, encoding: { y: vertical, ...colour, tooltip } },
      ...(reference ? referenceLayers(reference) : []),
    ],
  };
}

function referenceLayers({ y, label }: { readonly y: number; readonly label: string }): Unit[] {
  return [
    { mark: { type: "rule", strokeDash: [4, 4], tooltip: false }, encoding: { x: {}, y: { datum: y } } },
    {
      mark: { type: "text", align: "right", baseline: "bottom", dy: -4, text: label, tooltip: false, opacity: 0.8 },
      encoding: { x: { value: "width" }, y: { datum: y } },
    },
  ];
}

export interface BarsOptions {
  readonly category: FieldOptions;
  readonly value: Numeric;
  readonly low?: string;
  readonly high?: string;
  readonly series?: FieldOptions;
}

/** Horizontal estimates with intervals: a dot and a whisker for each category. */
export function estimates({ category, value, low, high, series }: BarsOptions): Spec {
  return ({ rows, mode }) => {
    const names = series ? distinct(rows, series.field) : [];
    const colour = series
      ? { color: colourOf(series, names, mode), yOffset: { field: series.field, sort: names } }
      : {};
    const tooltip = [tip(category, "nominal"), tip(value)];
    if (low && high) tooltip.push(tip({ field: low, title: "low" }), tip({ field: high, title: "high" }));
    return {
      encoding: {
        y: {
          field: category.field,
          type: "nominal",
          title: category.title,
          sort: distinct(rows, category.field),
          axis: { labelLimit: 220 },
        },
        ...colour,
      },
      layer: [
        ...(low && high
          ? [
              {
                mark: { type: "rule", strokeWidth: 2, opacity: 0.6, tooltip: false },
                encoding: { x: { ...axis(value, "x"), field: low }, x2: { field: high } },
              },
            ]
          : []),
        { mark: { type: "point", size: 70 }, encoding: { x: axis(value, "x"), tooltip } },
      ],
    };
  };
}

export interface SmallMultiplesOptions extends ProfileOptions {
  /** One small chart per value. */
  readonly facet: FieldOptions;
  /** Smallest width of one chart, in pixels. */
  readonly minWidth?: number;
  /** Height of one chart, in pixels. */
  readonly cellHeight?: number;
}

/** The same profile for each value of a field, in as many columns as fit. */
export function smallMultiples({ facet, minWidth = 150, cellHeight = 110, ...options }: SmallMultiplesOptions): Spec {
  return ({ rows, mode, width }) => {
    const facets = distinct(rows, facet.field).length;
    const axes = 56;
    const columns = Math.max(1, Math.min(facets, Math.floor((width - axes) / (minWidth + 18))));
    const names = options.series ? distinct(rows, options.series.field) : [];
    return {
      facet: {
        field: facet.field,
        type: "ordinal",
        header: { labelExpr: `${JSON.stringify(`${facet.title} `)} + datum.label` },
      },
      columns,
      spec: {
        ...profileUnit(options, names, mode),
        width: Math.floor((width - axes) / columns - 18),
        height: cellHeight,
      },
    };
  };
}
