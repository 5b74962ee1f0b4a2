/** A mark that is chosen in a chart, by a click or by the arrow keys, and said aloud. */
import type { Chart } from "./chart.js";
import type { Row } from "./database.js";
import { element } from "./element.js";
import { cell } from "./format.js";

export interface Selection {
  /** Parameter of the spec that holds the selected values. */
  readonly param: string;
  readonly value: Readonly<Record<string, number | string>>;
}

/** Along which axis an arrow key moves, and whether with or against it. */
const ARROWS: Readonly<Record<string, readonly ["x" | "y", 1 | -1]>> = {
  ArrowLeft: ["x", -1],
  ArrowRight: ["x", 1],
  ArrowDown: ["y", -1],
  ArrowUp: ["y", 1],
};

export class Selector {
  /** Says what is selected to those who do not see it. */
  readonly announcement = element("p", { class: "unseen", role: "status" });
  readonly #chart: Chart;
  readonly #fields: readonly string[];
  #value: Selection["value"];

  /** `rows` are those drawn; `onSelect` is called when a reader has chosen. */
  constructor(chart: Chart, { param, value }: Selection, rows: () => readonly Row[], onSelect: () => void) {
    this.#chart = chart;
    this.#fields = Object.keys(value);
    this.#value = value;
    chart.signal(param, value);
    const set = (next: Selection["value"]) => {
      this.#value = next;
      chart.signal(param, next);
      this.announcement.textContent = this.#describe(rows());
      onSelect();
    };
    chart.onClick((datum) => {
      if (this.#fields.every((field) => field in datum))
        set(Object.fromEntries(this.#fields.map((field) => [field, datum[field] as number | string])));
    });
    const node = chart.element;
    node.tabIndex = 0;
    node.setAttribute("role", "group");
    node.setAttribute("aria-roledescription", "chart, arrow keys select");
    node.addEventListener("keydown", (event) => {
      const next = this.#neighbour(event.key, rows());
      if (next === undefined) return;
      event.preventDefault();
      set(next);
    });
  }

  get value(): Selection["value"] {
    return this.#value;
  }

  /** What an arrow key leads to; at an edge, where one is. */
  #neighbour(key: string, rows: readonly Row[]): Selection["value"] | undefined {
    const [channel, step] = ARROWS[key] ?? [];
    const axis = channel && this.#chart.axis(channel);
    if (!axis || !this.#fields.includes(axis.field)) return undefined;
    const all = rows.map((row) => row[axis.field] as number | string);
    const values = [...new Set(all)].sort((a, b) => (a < b ? -1 : 1));
    const next = values[values.indexOf(this.#value[axis.field]) + step * axis.towards];
    return next === undefined ? this.#value : { ...this.#value, [axis.field]: next };
  }

  #describe(rows: readonly Row[]): string {
    const row = rows.find((row) => this.#fields.every((field) => row[field] === this.#value[field])) ?? this.#value;
    return Object.entries(row)
      .map(([name, value]) => `${name} ${cell(value)}`)
      .join(", ");
  }
}
