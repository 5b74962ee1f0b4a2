/** What came of a run in numbers: means, their change, layers, and what the model expects next. */
import { element } from "../element.js";
import { number, percent } from "../format.js";
import type { Candidate, LayerRow, Run } from "./laboratory.js";

/** Entropy, loss and mass of the first token, each with its change where something is changed. */
export function summaryOf(run: Run): HTMLElement {
  const { before } = run;
  const change = (now: number, then: number, format: (value: number) => string) =>
    `${now >= then ? "+" : "−"}${format(Math.abs(now - then))} against ${format(then)} as trained`;
  const item = (name: string, now: number, then: number | undefined, format: (value: number) => string, unit: string) =>
    element(
      "div",
      {},
      element("dt", {}, name),
      element("dd", {}, element("strong", {}, format(now)), unit && ` ${unit}`),
      element("dd", { class: "change" }, then === undefined ? "as trained" : change(now, then, format)),
    );
  const short = (value: number) => number(value, 3);
  return element(
    "dl",
    { class: "lab-summary", "data-entropy": run.entropy, "data-loss": run.loss },
    item("Entropy, mean of all heads", run.entropy, before?.entropy, short, "nats"),
    item("Loss of the next token", run.loss, before?.loss, short, "nats"),
    item("Attention on the first token", run.firstTokenMass, before?.firstTokenMass, percent, ""),
  );
}

export function layerTable(rows: readonly LayerRow[]): HTMLElement {
  const columns: readonly (readonly [string, (row: LayerRow) => string])[] = [
    ["Entropy (nats)", ({ entropy }) => number(entropy)],
    ["Mean distance (tokens)", ({ meanDistance }) => number(meanDistance)],
    ["On the first token", ({ firstTokenMass }) => percent(firstTokenMass)],
    ["Sink rate (share of heads)", ({ sinkRate }) => percent(sinkRate)],
    ["Norm of the stream before it", ({ residualNorm }) => number(residualNorm)],
  ];
  const heading = (text: string) => element("th", { scope: "col", class: "number" }, text);
  return element(
    "table",
    {},
    element(
      "thead",
      {},
      element("tr", {}, element("th", { scope: "col" }, "Layer"), ...columns.map(([name]) => heading(name))),
    ),
    element(
      "tbody",
      {},
      ...rows.map((row, layer) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, String(layer)),
          ...columns.map(([, show]) => element("td", { class: "number" }, show(row))),
        ),
      ),
    ),
  );
}

export function candidateList(candidates: readonly Candidate[], name: (text: string) => string): HTMLElement {
  return element(
    "ol",
    { class: "lab-candidates" },
    ...candidates.map(({ text, probability }) => {
      const row = element(
        "li",
        {},
        element("span", { class: "lab-token" }, name(text)),
        element("span", { class: "number" }, percent(probability)),
      );
      row.style.setProperty("--share", `${100 * probability}%`);
      return row;
    }),
  );
}
