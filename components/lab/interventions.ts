/** The switches that change the model, as settings. */
import type { HeadPlace } from "../../engine/metrics/columns.js";
import { choice, slider, toggle } from "../controls.js";
import { element } from "../element.js";
import { number } from "../format.js";
import { plain, type Settings } from "./settings.js";

/** Keys that the cache may keep, rising; the last choice keeps all. */
const cacheSizes = [4, 8, 16, 32, 64, 128, 256, 512, 1024];

export class Interventions {
  readonly element: HTMLElement;
  readonly #temperature = slider({
    label: "Temperature of the softmax",
    min: -2,
    max: 2,
    step: 0.25,
    value: 0,
    format: (power) => number(2 ** power, 2),
  });
  readonly #withoutFirst = toggle({ label: "Hide the first token" });
  readonly #scope = choice<Settings["scope"]>({
    label: "Temperature and hiding act on",
    options: ["all heads", "this layer", "this head"],
    as: "menu",
  });
  readonly #keep = slider({
    label: "Keys in the cache",
    min: 0,
    max: cacheSizes.length,
    value: cacheSizes.length,
    format: (i) => (i === cacheSizes.length ? "all" : `last ${cacheSizes[i]}`),
  });
  readonly #keepFirst = toggle({ label: "The first token stays in it" });
  readonly #silence = toggle({ label: "Switch this head off" });
  readonly #silenced = new Set<number>();
  #place: HeadPlace = { layer: 0, head: 0 };
  #heads = 1;

  constructor(changed: () => void) {
    const reset = element("button", { type: "button", onclick: () => this.#reset() }, "As trained");
    this.element = element(
      "div",
      { class: "lab-stack" },
      this.#silence,
      this.#withoutFirst,
      this.#temperature,
      this.#scope,
      this.#keep,
      this.#keepFirst,
      element("p", { class: "lab-buttons" }, reset),
    );
    this.#silence.addEventListener("input", () => {
      const head = this.#place.layer * this.#heads + this.#place.head;
      if (this.#silence.value) this.#silenced.add(head);
      else this.#silenced.delete(head);
    });
    this.element.addEventListener("input", changed);
    reset.addEventListener("click", changed);
  }

  /** Another head is in view. */
  turnTo(place: HeadPlace, heads: number): void {
    this.#place = place;
    this.#heads = heads;
    this.#silence.value = this.#silenced.has(place.layer * heads + place.head);
  }

  get settings(): Settings {
    return {
      silenced: [...this.#silenced],
      temperature: 2 ** this.#temperature.value,
      withoutFirst: this.#withoutFirst.value,
      scope: this.#scope.value,
      place: this.#place,
      keep: cacheSizes[this.#keep.value],
      keepFirst: this.#keepFirst.value,
    };
  }

  #reset(): void {
    this.#silenced.clear();
    this.#silence.value = false;
    this.#temperature.value = 0;
    this.#withoutFirst.value = plain.withoutFirst;
    this.#scope.value = plain.scope;
    this.#keep.value = cacheSizes.length;
    this.#keepFirst.value = plain.keepFirst;
  }
}
