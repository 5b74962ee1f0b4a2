/** The charts that recur, as Vega-Lite specs: pages name fields and titles, and stay free of drawing logic. */
import type { Spec, Surroundings, Unit } from "./chart.js";
import type { Row } from "./database.js";
import { colours, palettes, ramp } from "./palette.js";

/** A field with the title of its axis or legend, unit included: "Entropy (nats)". */
export interface FieldOptions {
  readonly field: string;
  readonly title?: string;
  /** d3 format of labels and tooltips. */
  readonly format?: string;
}

export interface Numeric extends FieldOptions {
  readonly domain?: readonly [number, number];
  /** Makes the axis start at zero; bars always do. */
  readonly zero?: boolean;
  /** Base of a logarithmic axis. */
  readonly log?: number;
  /** Ticks at whole numbers only: layers, heads, pieces. */
  readonly whole?: boolean;
}

const FORMAT = ".3~g";

/** Discrete values of an axis that can all be named. */
const MOST_TICKS = 6;

function axis(
  { field, title, format, domain, zero = false, log, whole }: Numeric,
  channel: "x" | "y",
  nice = channel === "y",
  values?: readonly (string | number)[],
): Unit {
  return {
    field,
    type: "quantitative",
    title,
    axis: {
      ...(format ? { format } : {}),
      ...(format?.endsWith("s") ? { labelExpr: "replace(datum.label, 'G', 'B')" } : {}), // of tokens: billions
      ...(values && values.length <= MOST_TICKS ? { format: format ?? ",.6~r", values } : {}),
      ...(whole ? { format: "d", tickMinStep: 1 } : {}),
      ...(log === 10 ? { tickCount: 3 } : {}), // more would rule a line for every 2, 3, … 9
      grid: channel === "y",
    },
    scale: {
      ...(log ? { type: "log", base: log } : { zero }),
      ...(domain ? { domain, clamp: true } : { nice }),
    },
  };
}

const quote = (text: string) => JSON.stringify(text);

/** A tooltip's entry: of the axis' format with some digits more. */
function tip(
  { field, title = field, format = FORMAT }: FieldOptions,
  type: "quantitative" | "nominal" = "quantitative",
): Unit {
  const finer = format.replace(/^~/, format.endsWith("%") ? ".1~" : ".3~");
  return type === "quantitative" ? { field, type, title, format: finer } : { field, type, title };
}

/** Values of a field: numbers in their order, names in the order of the rows. */
function distinct(rows: readonly Row[], field: string): (string | number)[] {
  const values = [...new Set(rows.map((row) => (typeof row[field] === "number" ? row[field] : String(row[field]))))];
  return values.every((value) => typeof value === "number") ? values.sort((a, b) => a - b) : values;
}

/** Colour by name, the same name in the same colour on every page; numbers, such as layers, by the ordered scale. */
export function colourOf({ field, title }: FieldOptions, { rows, mode, width }: Surroundings): Unit {
  const names = distinct(rows, field);
  const ordered = names.every((name) => typeof name === "number");
  const entry = 36 + 7 * Math.max(...names.map((name) => String(name).length)); // pixels of a legend's entry, about
  const columns = Math.max(1, Math.floor((width - 50 - 7 * (title?.length ?? 0)) / entry));
  const wraps = names.length > columns ? { columns, titleOrient: "top" } : {};
  return {
    field,
    type: ordered ? "ordinal" : "nominal",
    title: title ?? null,
    scale: { domain: names, range: ordered ? ramp(names.length, mode) : colours(names.map(String), mode) },
    sort: names,
    legend: names.length > 1 ? wraps : null,
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

const labels = ({ format }: FieldOptions): Unit =>
  format ? { labelExpr: `format(datum.value, ${quote(format)})` } : {};

/** Pixels: cells that are much wider than high are hard to compare along a column. */
const WIDEST_CELL = 72;

/** With more cells than this along a side, gaps between them would hide what they show. */
const MOST_FRAMED = 24;

/** Cells of x × y; the first y is at the bottom, as layers are drawn. */
export function heatmap({ x, y, value, middle, select }: HeatmapOptions): Spec {
  return ({ mode, rows, width }) => {
    const cells = [x, y].map(({ field }) => distinct(rows, field).length);
    const scale = {
      ...(value.domain ? { domain: value.domain, clamp: true } : { zero: value.zero ?? false }),
      ...(middle === undefined ? {} : diverging(middle, rows, value)),
    };
    const cell = {
      mark: {
        type: "rect",
        cursor: select ? "pointer" : "default",
        ...(cells.every((n) => n <= MOST_FRAMED) ? { stroke: palettes[mode].background, strokeWidth: 1 } : {}),
      },
      encoding: {
        color: {
          field: value.field,
          type: "quantitative",
          title: value.title,
          scale,
          legend: { offset: 12, ...(value.format ? { format: value.format } : {}) },
        },
        tooltip: [
          tip(x, x.format ? "quantitative" : "nominal"),
          tip(y, y.format ? "quantitative" : "nominal"),
          tip(value),
        ],
      },
    };
    const same = ({ field }: FieldOptions) => `datum[${quote(field)}] === ${select}[${quote(field)}]`;
    // Two outlines, so that one of them stands out from any cell.
    const chosen = [palettes[mode].background, palettes[mode].text].map((stroke, i) => ({
      transform: [{ filter: `${same(x)} && ${same(y)}` }],
      mark: { type: "rect", fill: null, stroke, strokeWidth: 5 - 3 * i, tooltip: false },
    }));
    const across = cells[0] * WIDEST_CELL;
    return {
      ...(across < width ? { width: across } : {}),
      ...(select ? { params: [{ name: select, value: {} }] } : {}),
      encoding: {
        x: { field: x.field, type: "ordinal", title: x.title ?? null, axis: { labelAngle: 0, ...labels(x) } },
        y: { field: y.field, type: "ordinal", title: y.title ?? null, sort: "descending", axis: labels(y) },
      },
      layer: select ? [cell, ...chosen] : [cell],
    };
  };
}

export interface Reference {
  readonly y: number | string;
  readonly label: string;
}

/** As far on both sides of the middle, so that equal changes have equal weight. */
function diverging(middle: number, rows: readonly Row[], { field, domain }: Numeric): Unit {
  const reach = rows.reduce((most, row) => Math.max(most, Math.abs(Number(row[field] ?? middle) - middle)), 0) || 1;
  return { range: "diverging", domainMid: middle, domain: domain ?? [middle - reach, middle + reach] };
}

export interface ProfileOptions {
  readonly x: Numeric;
  readonly y: Numeric;
  /** Fields with the ends of the band: an interval, or quantiles. */
  readonly low?: string;
  readonly high?: string;
  /** One line per name. */
  readonly series?: FieldOptions;
  /** What to compare with, dashed: a number, such as chance, or a field, such as the uniform limit at each x. */
  readonly reference?: Reference;
  /** A mark at each x: for few, discrete x values. */
  readonly points?: boolean;
}

/** Lines with bands: y over x, one colour per series. */
export function profile({ x, y, low, high, series, reference, points }: ProfileOptions): Spec {
  return (surroundings) => {
    const discrete = points ? distinct(surroundings.rows, x.field) : undefined;
    const horizontal = {
      x: axis(x, "x", false, discrete),
      ...(series ? { color: colourOf(series, surroundings) } : {}),
    };
    const vertical = axis(y, "y");
    const band = low && high ? { low, high } : undefined;
    const tooltip = [
      tip(x),
      ...(series ? [tip(series, "nominal")] : []),
      tip(y),
      ...(band ? [band.low, band.high].map((field) => tip({ field, title: field, format: y.format })) : []),
    ];
    const lines = [
      { mark: { type: "line", tooltip: false }, encoding: { ...horizontal, y: vertical } },
      // Thin lines are hard to hit: where there is no visible point, an invisible one carries the tooltip.
      {
        mark: points ? { type: "point", size: 45 } : { type: "point", size: 140, opacity: 0 },
        encoding: { ...horizontal, y: vertical, tooltip },
      },
    ];
    return {
      layer: [
        ...(band
          ? [
              {
                mark: { type: "area", opacity: 0.18, tooltip: false },
                encoding: { ...horizontal, y: { ...vertical, field: band.low }, y2: { field: band.high } },
              },
            ]
          : []),
        ...(series ? subjectLast(lines, series, surroundings) : lines),
        ...(reference ? referenceLayers(reference, x, y, palettes[surroundings.mode].muted) : []),
      ],
    };
  };
}

/** Draws the name that has the first colour after the others, so that no control that coincides with it hides it. */
function subjectLast(layers: readonly Unit[], { field }: FieldOptions, { rows, mode }: Surroundings): readonly Unit[] {
  const names = distinct(rows, field);
  const subject = colours(names.map(String), mode).indexOf(palettes[mode].categories[0]);
  if (names.length === 1 || subject < 0 || names.every((name) => typeof name === "number")) return layers;
  return ["!==", "==="].flatMap((is) => {
    const transform = [{ filter: `datum[${quote(field)}] ${is} ${quote(String(names[subject]))}` }];
    return layers.map((layer) => ({ transform, ...layer }));
  });
}

function referenceLayers({ y, label }: Reference, x: Numeric, values: Numeric, colour: string): Unit[] {
  const rule = { strokeDash: [4, 4], tooltip: false };
  const text = { type: "text", align: "right", baseline: "bottom", dy: -5, text: label, tooltip: false };
  if (typeof y === "number") {
    const once = { data: { values: [{}] } };
    return [
      { ...once, mark: { type: "rule", ...rule }, encoding: { y: { datum: y } } },
      { ...once, mark: text, encoding: { x: { value: "width" }, y: { datum: y } } },
    ];
  }
  const transform = [{ aggregate: [{ op: "mean", field: y, as: y }], groupby: [x.field] }];
  const encoding = { x: axis(x, "x"), y: { ...axis(values, "y"), field: y } };
  const last = { window: [{ op: "row_number", as: "from_end" }], sort: [{ field: x.field, order: "descending" }] };
  return [
    { transform, mark: { type: "line", strokeWidth: 1, color: colour, ...rule }, encoding },
    { transform: [...transform, last, { filter: "datum.from_end === 1" }], mark: text, encoding },
  ];
}

export interface EstimatesOptions {
  readonly category: FieldOptions;
  readonly value: Numeric;
  readonly low?: string;
  readonly high?: string;
  readonly series?: FieldOptions;
}

/** Pixels for the names beside a plot that is to stay wide enough to be read. */
export const labelRoom = (width: number): number => Math.min(220, Math.round(width * 0.42));

/** About the width of a letter of a label, in pixels. */
const LETTER = 6.4;

/** Names beside a plot, those that are too long for one line on several, broken after spaces and hyphens. */
function names(rows: readonly Row[], { field }: FieldOptions, width: number): Unit {
  const labelLimit = labelRoom(width);
  const most = Math.floor(labelLimit / LETTER);
  if (distinct(rows, field).every((name) => String(name).length <= most)) return { labelLimit };
  const line = `regexp('(.{1,${most - 1}}([- ]|$))', 'g')`;
  return { labelLimit, labelExpr: `split(trim(replace(datum.label, ${line}, '$1\\n')), regexp(' *\\n'))` };
}

/** Horizontal estimates with intervals: a dot and a whisker for each category. */
export function estimates({ category, value, low, high, series }: EstimatesOptions): Spec {
  return (surroundings) => {
    const { rows } = surroundings;
    const colour = series
      ? { color: colourOf(series, surroundings), yOffset: { field: series.field, sort: distinct(rows, series.field) } }
      : {};
    const tooltip = [tip(category, "nominal"), tip(value)];
    if (low && high) tooltip.push(tip({ field: low, title: "low" }), tip({ field: high, title: "high" }));
    const numbers = rows.flatMap((row) => [row[low ?? value.field], row[high ?? value.field]]).map(Number);
    const zero = numbers.some((number) => number < 0) && numbers.some((number) => number > 0);
    const y = {
      field: category.field,
      type: "nominal",
      title: category.title ?? null,
      sort: distinct(rows, category.field),
      axis: { ...names(rows, category, surroundings.width), grid: true, tickBand: "extent" },
    };
    return {
      layer: [
        ...(zero
          ? [
              {
                data: { values: [{}] },
                mark: { type: "rule", strokeDash: [4, 4], tooltip: false },
                encoding: { x: { datum: 0 } },
              },
            ]
          : []),
        ...(low && high
          ? [
              {
                mark: { type: "rule", strokeWidth: 2, opacity: 0.6, tooltip: false },
                encoding: { y, ...colour, x: { ...axis(value, "x", true), field: low }, x2: { field: high } },
              },
            ]
          : []),
        { mark: { type: "point", size: 70 }, encoding: { y, ...colour, x: axis(value, "x", true), tooltip } },
      ],
    };
  };
}

export interface SmallMultiplesOptions {
  /** One small chart per value, in the order of the rows. */
  readonly facet: FieldOptions;
  /** The chart of one value: `profile({…})`, `heatmap({…})` or plain Vega-Lite. */
  readonly cell: Spec;
  /** Smallest width of one chart, in pixels. */
  readonly minWidth?: number;
  /** Height of one chart, in pixels. */
  readonly cellHeight?: number;
}

/** The same chart for each value of a field, on shared axes, in as many columns as fit. */
export function smallMultiples({ facet, cell, minWidth = 110, cellHeight = 110 }: SmallMultiplesOptions): Spec {
  return (surroundings) => {
    const { rows, width } = surroundings;
    const values = distinct(rows, facet.field);
    const [margin, gap] = [44, 28]; // y labels left of the first column; half a label at the end of each
    const fitting = Math.max(1, Math.floor((width - margin) / (minWidth + gap)));
    const columns = Math.ceil(values.length / Math.ceil(values.length / fitting)); // rows of even length
    const cellWidth = Math.floor((width - margin) / columns - gap);
    const unit = typeof cell === "function" ? cell(surroundings) : cell;
    const titles: Titles = {};
    return {
      facet: {
        field: facet.field,
        type: "ordinal",
        sort: values,
        header: {
          labelExpr: `${quote(facet.title ? `${facet.title} ` : "")} + ${facet.format ? `format(datum.value, ${quote(facet.format)})` : "(datum.label)"}`,
        },
      },
      columns,
      bounds: "flush", // labels at the ends of axes would push columns apart, beyond the width that there is
      spacing: { column: gap, row: 30 }, // room for the names of the next row
      spec: { ...liftTitles(unit, titles), width: cellWidth, height: cellHeight },
      title: {
        text: [titles.y, titles.x && lowerFirst(titles.x)].filter(Boolean).join(" by "),
        fontSize: 12,
        fontWeight: 500,
      },
    };
  };
}

const lowerFirst = (text: string) => (/^[A-Z][a-z]/.test(text) ? text[0].toLowerCase() + text.slice(1) : text);

interface Titles {
  x?: string;
  y?: string;
}

/** Takes the axis titles off a chart that is repeated, to be said once. */
function liftTitles(unit: Unit, titles: Titles): Unit {
  const { encoding, layer } = unit as { encoding?: Record<string, Unit>; layer?: readonly Unit[] };
  const lifted: Record<string, Unit> = { ...encoding };
  for (const channel of ["x", "y"] as const) {
    const title = encoding?.[channel]?.title;
    if (typeof title !== "string") continue;
    titles[channel] ??= title;
    lifted[channel] = { ...encoding?.[channel], title: null };
  }
  return {
    ...unit,
    ...(encoding ? { encoding: lifted } : {}),
    ...(layer ? { layer: layer.map((inner) => liftTitles(inner, titles)) } : {}),
  };
}
