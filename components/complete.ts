/** A unit made whole: a Vega-Lite spec with a size, the look of the site, and the data source "rows". */
import type { Config, TopLevelSpec } from "vega-lite";
import type { Unit } from "./chart.js";
import { along, type Mode, palettes } from "./palette.js";

export interface Sheet {
  /** Pixels. */
  readonly width: number;
  readonly height: number | undefined;
  readonly mode: Mode;
  /** That of the page, unless the chart goes elsewhere. */
  readonly font?: string;
}

export function complete(unit: Unit, { width, height, mode, font }: Sheet): TopLevelSpec {
  const composed = ["facet", "repeat", "hconcat", "vconcat", "concat"].some((name) => name in unit);
  const size = composed ? {} : { width, ...(height ? { height } : {}), autosize: { type: "fit", contains: "padding" } };
  return { ...size, ...unit, data: { name: "rows" }, config: configOf(mode, width, font) } as TopLevelSpec;
}

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/** A chart narrower than this puts the titles of its legends above them. */
const NARROW = 400;

function configOf(of: Mode, width: number, font = FONT): Config {
  const { text, muted, line, categories, sequential, diverging } = palettes[of];
  const label = {
    labelColor: muted,
    titleColor: muted,
    labelFontSize: 11.5,
    titleFontSize: 12,
    titleFontWeight: 500 as const,
  };
  return {
    background: "transparent",
    font,
    padding: 2,
    view: { stroke: null },
    range: {
      category: [...categories],
      heatmap: along(sequential, 64),
      ramp: along(sequential, 64),
      diverging: along(diverging, 65),
    },
    axis: {
      ...label,
      domain: false,
      grid: true,
      gridColor: line,
      gridWidth: 1,
      ticks: false,
      labelPadding: 6,
      titlePadding: 10,
      labelOverlap: true,
      labelFlush: false,
    },
    axisX: { grid: false, tickCount: 7 },
    axisYQuantitative: { titleAngle: 0, titleAlign: "left", titleAnchor: "end", titleX: 0, titleY: -10, tickCount: 5 },
    axisBand: { grid: false, bandPosition: 0.5 },
    legend: {
      ...label,
      titleOrient: width < NARROW ? "top" : "left",
      orient: "top",
      direction: "horizontal",
      offset: 26, // clears the title of the y axis, which stands above the axis
      symbolType: "circle",
      symbolStrokeWidth: 0,
      symbolSize: 90,
      symbolOpacity: 1,
      gradientLength: Math.min(200, width - 90),
      gradientThickness: 8,
      labelLimit: 240,
      titleLimit: 400,
      columnPadding: 16,
    },
    header: { ...label, labelColor: text, labelFontWeight: 500, title: null, labelPadding: 6 },
    title: { color: text, fontSize: 13, fontWeight: 600, anchor: "start", offset: 10 },
    line: { strokeWidth: 2, strokeCap: "round", strokeJoin: "round" },
    point: { filled: true, size: 36, opacity: 1 },
    rule: { color: muted },
    text: { color: text, fontSize: 11.5 },
    bar: { color: categories[0] },
    area: { color: categories[0], opacity: 0.2, line: false },
    mark: { color: categories[0], tooltip: true },
    facet: { spacing: 18 },
    concat: { spacing: 24 },
  };
}
