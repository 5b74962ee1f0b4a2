/**
 * The causal mask without a model, live: random sequences are averaged while the lab is in view, a few milliseconds of
 * every frame, until the picture stands.
 */
import { type CausalMaskOptions, CausalMaskSimulation } from "../engine/causal-mask.js";
import { keySlope } from "../engine/relativity.js";
import { Chart } from "./chart.js";
import type { Row } from "./database.js";
import { element } from "./element.js";
import { number } from "./format.js";
import { profile, smallMultiples } from "./specs.js";
import { triangle } from "./triangle.js";
import { whenDrawn } from "./when-drawn.js";

/** Enough for the picture; the intervals of the experiment come from more. */
const SEQUENCES = 1500;
/** Milliseconds of computing per frame: half of what frames take, where a machine is slow, but never a pause to feel. */
const [SLICE, LONGEST_SLICE] = [10, 40];
/** Milliseconds between two drawings, and how many times as long as a drawing takes. */
const [REDRAW, REST] = [250, 4];
/** A reader who wants no motion sees the first picture and the last. */
const still = matchMedia("(prefers-reduced-motion: reduce)");
/** Tokens per side of a drawn cell. */
const CELL = 2;

export type MaskSettings = Pick<CausalMaskOptions, "alpha" | "mask" | "norm" | "ropeBase">;

export interface MaskLab {
  readonly element: HTMLElement;
  /** Starts again from no sequence at all. */
  restart(settings: MaskSettings): void;
}

const SHAPE = { layers: 4, tokens: 50, width: 64 } as const;

export function maskLab(invalidation?: Promise<unknown>): MaskLab {
  const claim = element("p", { class: "claim" });
  const note = element(
    "p",
    { class: "note" },
    `Mean scores before the softmax over random sequences of ${SHAPE.tokens} tokens in ${SHAPE.width} dimensions, minus the mean of their layer: brown keys are favoured. No weight is involved, and each visit draws the same sequences.`,
  );
  const field = new Chart();
  const rows = new Chart(240);
  for (const { element: chart } of [field, rows]) chart.setAttribute("role", "img");
  const lab = element("div", { class: "figure" }, claim, note, field.element, rows.element);

  let simulation: CausalMaskSimulation | undefined;
  let visible = false;
  let begun = false;
  let frame = 0;
  let steppedAt = 0;
  let nextDrawing = 0;

  const draw = (of: CausalMaskSimulation) => {
    const started = performance.now();
    const layers = Array.from({ length: SHAPE.layers }, (_, layer) => of.scores(layer));
    const slopes = layers.map((scores) => 10 * keySlope(scores, SHAPE.tokens));
    claim.textContent = sentence(of, slopes);
    field.element.setAttribute(
      "aria-label",
      `Heat maps of queries by keys for ${SHAPE.layers} layers. ${claim.textContent}`,
    );
    rows.element.setAttribute("aria-label", `Lines of score by key, for the last query. ${claim.textContent}`);
    field.update(
      layers.flatMap(cells),
      smallMultiples({
        facet: { field: "layer", title: "Layer" },
        cell: triangle({ field: "score", title: "Score minus the layer's mean", diverging: true }),
        minWidth: 140,
        cellHeight: 170,
      }),
    );
    rows.update(
      layers.flatMap(lastRow),
      profile({
        x: { field: "key", title: `Key, seen by query ${SHAPE.tokens - 1}`, domain: [0, SHAPE.tokens - 1] },
        y: { field: "score", title: "Mean score" },
        series: { field: "layer", title: "Layer" },
      }),
    );
    const finished = performance.now();
    nextDrawing = finished + Math.max(REDRAW, REST * (finished - started));
  };

  const step = () => {
    frame = 0;
    if (!simulation || !visible || simulation.sequences >= SEQUENCES) return;
    const now = performance.now();
    const until = now + Math.min(LONGEST_SLICE, Math.max(SLICE, (now - steppedAt) / 2));
    steppedAt = now;
    while (performance.now() < until && simulation.sequences < SEQUENCES) simulation.run(4);
    const isDue = !still.matches && performance.now() > nextDrawing;
    if (isDue || simulation.sequences >= SEQUENCES) draw(simulation);
    schedule();
  };
  const schedule = () => {
    if (frame === 0) frame = requestAnimationFrame(step);
  };

  const begin = () => {
    if (!simulation) return;
    begun = true;
    if (simulation.sequences === 0) {
      simulation.run(40);
      draw(simulation);
    }
    schedule();
  };

  const observer = new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    if (visible) begin();
  });
  observer.observe(lab);
  invalidation?.then(() => {
    cancelAnimationFrame(frame);
    simulation = undefined;
    observer.disconnect();
    field.dispose();
    rows.dispose();
  });

  return {
    element: lab,
    restart(settings) {
      simulation = new CausalMaskSimulation({ ...SHAPE, ...settings }, 1);
      if (begun || visible) begin();
      else whenDrawn(begin); // nobody looks at it yet
    },
  };
}

function sentence({ sequences, options }: CausalMaskSimulation, slopes: readonly number[]): string {
  const [first, ...later] = slopes;
  const seen = options.mask === "causal" ? "the causal mask" : "the full mask";
  return `With ${seen}, ${number(sequences)} sequences: per ten tokens nearer to the query the score changes by ${number(round(first))} in layer 0, and by ${later.map((slope) => number(round(slope))).join(", ")} in the layers after it.`;
}

const round = (value: number) => Math.round(value * 10000) / 10000;

function cells(scores: Float64Array, layer: number): Row[] {
  const { tokens } = SHAPE;
  let sum = 0;
  let pairs = 0;
  const sums = new Map<string, { query: number; key: number; sum: number; pairs: number }>();
  for (let q = 1; q < tokens; ++q) {
    for (let k = 0; k < q; ++k) {
      const score = scores[q * tokens + k];
      const [query, key] = [q - (q % CELL), k - (k % CELL)];
      const cell = sums.get(`${query} ${key}`) ?? { query, key, sum: 0, pairs: 0 };
      cell.sum += score;
      ++cell.pairs;
      sums.set(`${query} ${key}`, cell);
      sum += score;
      ++pairs;
    }
  }
  return [...sums.values()].map((cell) => ({
    layer,
    query: cell.query,
    key: cell.key,
    score: cell.sum / cell.pairs - sum / pairs,
  }));
}

function lastRow(scores: Float64Array, layer: number): Row[] {
  const last = SHAPE.tokens - 1;
  return Array.from({ length: last }, (_, key) => ({ layer, key, score: scores[last * SHAPE.tokens + key] }));
}
