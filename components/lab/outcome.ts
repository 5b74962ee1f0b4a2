/** What came of a run in numbers: means, their change, layers, and what the model expects next. */
import { element } from "../element.js";
import { count, number, percent, probability } from "../format.js";
import type { Candidate, LayerRow, Run, Summary } from "./laboratory.js";

/** What stands in the place of a summary until there is one. */
const nothing: Summary = { entropy: Number.NaN, loss: Number.NaN, firstTokenMass: Number.NaN };

/** Entropy, loss and mass of the first token, each with its change where something is changed. */
export function summaryOf(run: Summary & Pick<Run, "before"> = nothing): HTMLElement {
  const { before } = run;
  const isAlone = run !== nothing && Number.isNaN(run.loss);
  const sign = (change: number) => (change >= 0 ? "+" : "−");
  const nats = (value: number) => (Number.isNaN(value) ? "–" : `${number(value)} nats`);
  const points = (share: number) => count(Math.round(1000 * share) / 10, "point");
  const item = (name: string, of: keyof Summary, show: (value: number) => string, size = show) => {
    const change = before && run[of] - before[of];
    const compared =
      of === "loss" && isAlone
        ? "There is no next token yet: type some text, or choose an example."
        : before && change !== undefined
          ? `${sign(change)}${size(Math.abs(change))} against ${show(before[of])} as trained`
          : "as trained";
    return element(
      "div",
      {},
      element("dt", {}, name),
      element("dd", {}, element("strong", {}, show(run[of]))),
      element("dd", { class: "change" }, compared),
    );
  };
  return element(
    "dl",
    { class: "lab-summary", "data-entropy": run.entropy, "data-loss": run.loss },
    item("Entropy, mean of all heads", "entropy", nats),
    item("Loss of the next token", "loss", nats),
    item("Attention on the first token", "firstTokenMass", percent, points),
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
    ...candidates.map(({ text, probability: share }) => {
      const row = element(
        "li",
        {},
        element("span", { class: "lab-token" }, name(text)),
        element("span", { class: "number" }, probability(share)),
      );
      row.style.setProperty("--share", `${100 * share}%`);
      return row;
    }),
  );
}
