/** All heads as a grid, layers downwards, coloured by a metric; one is chosen. */
import type { HeadPlace } from "../../engine/metrics/columns.js";
import { element } from "../element.js";
import { number } from "../format.js";
import { along, palettes } from "../palette.js";
import { mode } from "../theme.js";
import type { HeadMetric } from "./head-metrics.js";

const shades = 64;

export interface HeadGridState {
  readonly layers: number;
  readonly heads: number;
  readonly metric: HeadMetric;
  readonly values: ArrayLike<number>; // [layers · heads]
  readonly silenced: readonly number[];
}

const moves: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

export class HeadGrid {
  readonly element: HTMLElement;
  readonly #grid = element("div", { class: "lab-grid", role: "grid" });
  readonly #scale = element("p", { class: "note" });
  readonly #choose: (place: HeadPlace) => void;
  #cells: HTMLElement[] = [];
  #heads = 0;
  #place: HeadPlace = { layer: 0, head: 0 };

  constructor(choose: (place: HeadPlace) => void) {
    this.#choose = choose;
    this.element = element("div", {}, this.#grid, this.#scale);
    this.#grid.addEventListener("click", ({ target }) => {
      const i = this.#cells.indexOf(target as HTMLElement);
      if (i >= 0) choose(this.#placeOf(i));
    });
    this.#grid.addEventListener("keydown", (event) => this.#pressed(event));
  }

  show({ layers, heads, metric, values, silenced }: HeadGridState): void {
    if (this.#cells.length !== layers * heads || this.#heads !== heads) this.#build(layers, heads);
    const finite = Array.from(values).filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const colours = along(palettes[mode()].sequential, shades);
    this.#cells.forEach((cell, i) => {
      const { layer, head } = this.#placeOf(i);
      const value = values[i];
      const share = high > low ? (value - low) / (high - low) : 0;
      cell.style.backgroundColor = Number.isFinite(value) ? colours[Math.round(share * (shades - 1))] : "transparent";
      const off = silenced.includes(i);
      cell.classList.toggle("silenced", off);
      const name = `Layer ${layer}, head ${head}: ${number(value)} ${unitOf(metric)}${off ? ", switched off" : ""}`;
      cell.setAttribute("aria-label", name);
      cell.title = name;
    });
    this.#grid.setAttribute("aria-label", `${metric.name} of every head`);
    this.#scale.textContent = finite.length
      ? `Layers downwards, heads to the right. ${number(low)} (${lightest()}) to ${number(high)} ${unitOf(metric)}. ${metric.formula}.`
      : `No head has a value here. ${metric.edges}`;
  }

  select(place: HeadPlace): void {
    const at = (of: HeadPlace) => this.#cells[of.layer * this.#heads + of.head];
    at(this.#place)?.setAttribute("aria-selected", "false");
    if (at(this.#place)) at(this.#place).tabIndex = -1;
    this.#place = place;
    at(place).setAttribute("aria-selected", "true");
    at(place).tabIndex = 0;
  }

  #build(layers: number, heads: number): void {
    this.#heads = heads;
    this.#cells = Array.from({ length: layers * heads }, () =>
      element("span", { role: "gridcell", tabindex: -1, "aria-selected": "false" }),
    );
    const rows = Array.from({ length: layers }, (_, layer) =>
      element("div", { role: "row" }, ...this.#cells.slice(layer * heads, (layer + 1) * heads)),
    );
    this.#grid.style.setProperty("--heads", String(heads));
    this.#grid.replaceChildren(...rows);
  }

  #placeOf(cell: number): HeadPlace {
    return { layer: Math.floor(cell / this.#heads), head: cell % this.#heads };
  }

  #pressed(event: KeyboardEvent): void {
    const [down, right] = moves[event.key] ?? [];
    if (down === undefined || right === undefined) return;
    event.preventDefault();
    const clamp = (value: number, size: number) => Math.min(size - 1, Math.max(0, value));
    const place = {
      layer: clamp(this.#place.layer + down, this.#cells.length / this.#heads),
      head: clamp(this.#place.head + right, this.#heads),
    };
    this.#choose(place);
    this.#cells[place.layer * this.#heads + place.head].focus();
  }
}

const lightest = () => (mode() === "light" ? "lightest" : "darkest");
const unitOf = ({ unit }: HeadMetric) => (unit === "1" ? "" : unit);
