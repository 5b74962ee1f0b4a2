/** A claim with a chart of numbers that the page itself has just computed: no file, no query, no passport. */
import { Chart, type Spec } from "./chart.js";
import type { Row } from "./database.js";
import { element } from "./element.js";
import { together } from "./format.js";

export interface LiveOptions {
  /** Unique on the page; a cell that runs again updates its chart in place. */
  readonly id: string;
  readonly rows: readonly Row[];
  readonly claim: (rows: readonly Row[]) => string;
  readonly spec: Spec;
  /** Pixels, axes and legend included. */
  readonly height?: number;
  readonly note?: string;
}

interface View {
  readonly node: HTMLElement;
  readonly chart: Chart;
  readonly caption: HTMLElement;
}

const views = new Map<string, View>();

export function live(
  { id, rows, claim, spec, height, note }: LiveOptions,
  invalidation?: Promise<unknown>,
): HTMLElement {
  const view = views.get(id) ?? create(id, height, note);
  views.set(id, view);
  const said = together(claim(rows));
  view.caption.textContent = said;
  view.chart.element.setAttribute("aria-label", said);
  view.chart.update(rows, spec);
  // A cell that is deleted, not run again, leaves its chart off the page: dispose of it then.
  invalidation?.then(() =>
    setTimeout(() => {
      if (view.node.isConnected || views.get(id) !== view) return;
      views.delete(id);
      view.chart.dispose();
    }, 1000),
  );
  return view.node;
}

function create(id: string, height: number | undefined, note: string | undefined): View {
  const chart = new Chart(height);
  chart.element.setAttribute("role", "img");
  const caption = element("p", { class: "claim" });
  const remark = note ? element("p", { class: "note" }, together(note)) : null;
  return { node: element("div", { class: "figure", id }, caption, remark, chart.element), chart, caption };
}
