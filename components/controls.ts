/** Native controls that are Framework views: the element has a `value` and sends `input` events. */

import { element, uniqueId } from "./element.js";
import { number } from "./format.js";

export interface Control<T> extends HTMLElement {
  value: T;
}

function control<T>(node: HTMLElement, get: () => T, set: (value: T) => void): Control<T> {
  return Object.defineProperty(node, "value", { get, set, configurable: true }) as Control<T>;
}

export interface SliderOptions {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly value?: number;
  /** How the value is written beside the slider. */
  readonly format?: (value: number) => string;
}

export function slider({ label, min, max, step = 1, value = min, format = number }: SliderOptions): Control<number> {
  const id = uniqueId("slider");
  const input = element("input", { id, type: "range", min, max, step, value });
  const output = element("output", { for: id });
  const show = () => {
    const text = format(input.valueAsNumber);
    output.value = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", show);
  show();
  const node = element("div", { class: "control slider" }, element("label", { for: id }, label), input, output);
  return control(
    node,
    () => input.valueAsNumber,
    (next) => {
      input.valueAsNumber = next;
      show();
    },
  );
}

export interface ChoiceOptions<T extends string | number> {
  readonly label: string;
  readonly options: readonly T[];
  readonly value?: T;
  readonly format?: (option: T) => string;
  /** Default: radio buttons for up to four options, a menu for more. */
  readonly as?: "radio" | "menu";
}

export function choice<T extends string | number>({
  label,
  options,
  value = options[0],
  format = String,
  as = options.length <= 4 ? "radio" : "menu",
}: ChoiceOptions<T>): Control<T> {
  const id = uniqueId("choice");
  if (as === "menu") {
    const entries = options.map((option, i) =>
      element("option", { value: i, selected: option === value }, format(option)),
    );
    const select = element("select", { id }, ...entries);
    const node = element("div", { class: "control menu" }, element("label", { for: id }, label), select);
    return control(
      node,
      () => options[select.selectedIndex],
      (next) => {
        select.selectedIndex = options.indexOf(next);
      },
    );
  }
  const radios = options.map((option) => element("input", { type: "radio", name: id, checked: option === value }));
  const labels = options.map((option, i) => element("label", {}, radios[i], element("span", {}, format(option))));
  const node = element("fieldset", { class: "control radio" }, element("legend", {}, label), ...labels);
  return control(
    node,
    () => options[radios.findIndex((radio) => radio.checked)],
    (next) => {
      for (const [i, radio] of radios.entries()) radio.checked = options[i] === next;
    },
  );
}

export interface ToggleOptions {
  readonly label: string;
  readonly value?: boolean;
}

export function toggle({ label, value = false }: ToggleOptions): Control<boolean> {
  const input = element("input", { type: "checkbox", checked: value });
  const node = element("div", { class: "control toggle" }, element("label", {}, input, element("span", {}, label)));
  return control(
    node,
    () => input.checked,
    (next) => {
      input.checked = next;
    },
  );
}
