/** What the cells of a page show when it is opened. */
import type { Row } from "./database.js";

/** A chart of what the page itself computes. */
export interface ShownLive {
  readonly kind: "live";
  readonly id: string;
  readonly claim: string;
  readonly note?: string;
  /** Pixels, where it has a height of its own. */
  readonly height?: number;
}

/** A chart, as the page's code describes it. */
export interface ShownFigure extends Omit<ShownLive, "kind"> {
  readonly kind: "figure";
  readonly sql: string;
  readonly rows: readonly Row[];
  /** Whole Vega-Lite, but for the rows. */
  readonly spec: object;
  /** The lines under the chart. */
  readonly foot: readonly string[];
}

export interface ShownVerdicts {
  readonly kind: "verdicts";
  readonly rows: readonly Row[];
}

export interface ShownControl {
  readonly kind: "control";
  readonly control: "slider" | "radio" | "menu" | "toggle";
  readonly label: string;
  readonly options: readonly string[];
  /** Its value, as the page writes it. */
  readonly text: string;
  readonly value: unknown;
}

export type Shown =
  | ShownFigure
  | ShownLive
  | ShownVerdicts
  | ShownControl
  | { readonly kind: "text"; readonly text: string };
