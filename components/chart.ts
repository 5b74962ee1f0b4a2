/**
 * One Vega-Lite chart in the page's own DOM. Expressions are interpreted, never compiled, so that no eval is needed.
 * It draws when it has a width, follows the container's width and the light or dark mode, and takes new rows in place.
 */
import { changeset, type Loader, loader, parse, type Spec as VegaSpec, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile } from "vega-lite";
import { Handler } from "vega-tooltip";
import { complete, type Sheet } from "./complete.js";
import type { Row } from "./database.js";
import { element } from "./element.js";
import { cell } from "./format.js";
import type { Mode } from "./palette.js";
import { type Caption, FONT, PIXELS, pngOf, svgOf } from "./picture.js";
import { mode, onModeChange, widthHere } from "./theme.js";

/** What a spec can depend on besides its rows' values. */
export interface Surroundings {
  readonly width: number;
  readonly mode: Mode;
  readonly rows: readonly Row[];
}

export type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [name: string]: Json };

/** Vega-Lite without data: the rows are attached as the data source "rows". */
export type Unit = { readonly [name: string]: Json };
export type Spec = Unit | ((surroundings: Surroundings) => Unit);

/** More marks than this are drawn on a canvas, which stays fluid where SVG does not. */
const CANVAS_ABOVE = 5000;

const tooltip = new Handler({
  disableDefaultStyle: true,
  formatTooltip: (value, clean) => {
    if (typeof value !== "object" || value === null) return clean(cell(value));
    const rows = Object.entries(value).map(
      ([name, of]) => `<tr><th>${clean(name)}</th><td>${clean(cell(of))}</td></tr>`,
    );
    return `<table>${rows.join("")}</table>`;
  },
});

/** About the width of a letter of an axis title, in pixels. */
const LETTER = 6.4;

/** Breaks titles of x axes into lines that fit, which Vega does not do. */
function wrapTitles(spec: VegaSpec, width: number): VegaSpec {
  const axes = spec.axes?.map((axis) => {
    if (axis.orient !== "bottom" || typeof axis.title !== "string") return axis;
    const lines: string[] = [];
    for (const word of axis.title.split(" ")) {
      const longer = [lines.at(-1), word].filter(Boolean).join(" ");
      if (lines.length === 0 || longer.length * LETTER > width - 60) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    // A long line that stood in the middle of a plot with long labels beside it would leave the chart at the right.
    const isLong = lines.some((line) => line.length * LETTER > width / 2);
    return { ...axis, title: lines, titleAnchor: isLong ? ("end" as const) : axis.titleAnchor };
  });
  return { ...spec, axes };
}

const refuse = async () => {
  throw new Error("A chart draws the rows of its query, and loads nothing from an address.");
};

/** Readers can edit specs, and addresses can hold them: no data, image or link comes from elsewhere. */
const noLoader: Loader = { ...loader(), load: refuse, sanitize: refuse, http: refuse, file: refuse };

/** Builds a view that is not yet on the page. */
function viewOf(unit: Unit, rows: readonly Row[], sheet: Sheet): View {
  const vega: VegaSpec = compile(complete(unit, sheet)).spec;
  const runtime = parse(wrapTitles(vega, sheet.width), undefined, { ast: true });
  const view = new View(runtime, { expr: expressionInterpreter, renderer: "none", loader: noLoader });
  return view.data("rows", [...rows]);
}

export class Chart {
  readonly element: HTMLDivElement;
  #view: View | undefined;
  #rows: readonly Row[] = [];
  #spec: Spec | undefined;
  #width = 0;
  /** What the drawn view was built from; the same again means that only the rows are new. */
  #drawn = "";
  #signals = new Map<string, unknown>();
  readonly #height: number | undefined;
  readonly #stop: (() => void)[] = [];
  readonly #listeners: ((datum: Row) => void)[] = [];
  readonly #onProblem: (error: unknown) => void;

  /** `onProblem` is told why the chart cannot be drawn, where that shows only when its surroundings change. */
  constructor(height?: number, onProblem: (error: unknown) => void = reportError) {
    this.#height = height;
    this.#onProblem = onProblem;
    this.element = element("div", { class: "chart", style: height && `min-height: ${height}px` });
    const resize = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (width === this.#width || width === 0) return;
      this.#width = width;
      this.#redraw();
    });
    resize.observe(this.element);
    this.#stop.push(
      () => resize.disconnect(),
      onModeChange(() => this.#redraw()),
    );
  }

  update(rows: readonly Row[], spec: Spec): void {
    this.#rows = rows;
    this.#spec = spec;
    this.#draw();
  }

  /** Sets a named parameter of the spec, such as the selected cell. */
  signal(name: string, value: unknown): void {
    this.#signals.set(name, value);
    this.#view?.signal(name, value).run();
  }

  /** Calls back with the row behind a mark that is clicked. */
  onClick(listener: (datum: Row) => void): void {
    this.#listeners.push(listener);
  }

  /** The field of an axis, where one layer names it, and the direction in which its values run. */
  axis(channel: "x" | "y"): { field: string; towards: 1 | -1 } | undefined {
    const unit = this.unit as { encoding?: Record<string, Unit> };
    const { field, sort, type } = unit.encoding?.[channel] ?? {};
    if (typeof field !== "string") return undefined;
    const largestFirst = sort === "descending" || (channel === "y" && type === "quantitative");
    return { field, towards: (channel === "x") === largestFirst ? -1 : 1 };
  }

  /** The chart as a picture so many millimetres wide, light and on white, whatever the page's mode. */
  async image(type: "svg" | "png", millimetres: number, caption: Caption): Promise<Blob> {
    const width = Math.round(millimetres * PIXELS);
    const unit = this.#resolve({ width, mode: "light" });
    const view = viewOf(unit, this.#rows, { width, height: this.#height, mode: "light", font: FONT });
    for (const [name, value] of this.#signals) view.signal(name, value);
    view.background("#ffffff");
    try {
      return await (type === "svg" ? svgOf(view, millimetres, caption) : pngOf(view, millimetres));
    } finally {
      view.finalize();
    }
  }

  /** The Vega-Lite that is drawn, without data. */
  get unit(): Unit {
    return this.#resolve({ width: widthHere(this.#width || 640), mode: mode() });
  }

  dispose(): void {
    for (const stop of this.#stop) stop();
    this.#view?.finalize();
    this.element.remove();
  }

  #resolve(sheet: Pick<Sheet, "width" | "mode">): Unit {
    return typeof this.#spec === "function" ? this.#spec({ ...sheet, rows: this.#rows }) : (this.#spec ?? {});
  }

  #redraw(): void {
    try {
      this.#draw();
    } catch (error) {
      this.#onProblem(error);
    }
  }

  #draw(): void {
    if (this.#width === 0 || !this.#spec) return; // Not on the page yet, or without rows: there will be another call.
    const of = mode();
    const width = widthHere(this.#width);
    const unit = this.unit;
    const renderer = this.#rows.length > CANVAS_ABOVE ? "canvas" : "svg";
    const drawn = JSON.stringify([unit, width, of, renderer]);
    if (drawn === this.#drawn && this.#view) {
      this.#view
        .change(
          "rows",
          changeset()
            .remove(() => true)
            .insert([...this.#rows]),
        )
        .run();
      return;
    }
    // The chart's own element carries the text for screen readers; Vega's thousands of labelled marks would bury it.
    const host = element("div", { "aria-hidden": "true" });
    const view = viewOf(unit, this.#rows, { width, height: this.#height, mode: of });
    for (const [name, value] of this.#signals) view.signal(name, value);
    view.renderer(renderer).tooltip(tooltip.call).initialize(host).hover();
    view.addEventListener("click", (_event, item) => {
      const datum: unknown = item?.datum;
      if (typeof datum === "object" && datum !== null) for (const listener of this.#listeners) listener(datum as Row);
    });
    view.run();
    this.#view?.finalize();
    this.element.replaceChildren(host);
    this.#view = view;
    this.#drawn = drawn;
    if (performance.getEntriesByName("first-chart").length === 0) performance.mark("first-chart");
  }
}
