/** The registry of metrics, to be read: what each number of this site is. */
import type { Metric } from "../engine/metrics/metric.js";
import { reveal } from "./anchor.js";
import { element } from "./element.js";

export function metricList(metrics: readonly Metric<unknown>[]): HTMLElement {
  const entries = metrics.map(entry);
  entries.forEach(reveal);
  return element("div", { class: "metrics" }, ...entries);
}

function entry({ id, version, unit, formula, edges, source }: Metric<unknown>): HTMLElement {
  const name = id.replaceAll("-", " ");
  return element(
    "section",
    { id },
    element("h2", {}, name[0].toUpperCase() + name.slice(1)),
    element("p", { class: "formula" }, element("code", {}, formula)),
    element("p", { class: "note" }, `Unit: ${unit}. Version ${version}.`),
    element("p", {}, edges),
    element("p", { class: "citation" }, "Source: ", ...linked(source)),
  );
}

/** Addresses in a text become links, and nothing else does. */
function linked(text: string): Node[] {
  return text
    .split(/(https:\/\/[\w./-]+\w)/)
    .map((part, i) => (i % 2 ? element("a", { href: part }, part) : document.createTextNode(part)));
}
