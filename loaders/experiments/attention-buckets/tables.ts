/** What the experiment publishes, and the rows that sum up what was read. */
import { bootstrap, type Interval, mean } from "../../../engine/interval.js";
import { Random } from "../../../engine/random.js";
import { batch, table } from "../../table.js";
import {
  alignment,
  bestBase,
  byBase,
  type Evidence,
  type LayerCurves,
  layerCorrelations,
  type Read,
  type Reader,
  type Ripple,
  readBy,
  ripplesOf,
  worstPlace,
} from "./claims.js";

export const waves = table("waves", "The waveform of each base: what rotation alone makes of scores by distance", {
  multiple: { kind: "float32", meaning: "Rotary base, in multiples of the model's" },
  distance: { kind: "int32", meaning: "Distance of query and key", unit: "tokens" },
  wave: { kind: "float32", meaning: "2/√d · Σ cos(distance · frequency): the score of a query and a key of ones" },
});

const condition = {
  kind: "text",
  meaning: "trained, or random weights: the same architecture untrained",
} as const;

export const curves = table("curves", "Mean score before the softmax by distance", {
  condition,
  distance: { kind: "int32", meaning: "Distance of query and key", unit: "tokens" },
  score: {
    kind: "float32",
    meaning: "Mean over heads, layers, queries and texts, less the mean nearby, in standard deviations",
    tolerance: 1e-2,
  },
  wave: { kind: "float32", meaning: "The waveform, less its mean nearby, in standard deviations" },
});

export const layers = table("layers", "How each layer's mean scores go with the waveform", {
  condition,
  layer: { kind: "int32", meaning: "Layer, from 0" },
  estimate: { kind: "float32", meaning: "Correlation over distances, less the means nearby", tolerance: 1e-2 },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts", tolerance: 1e-2 },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts", tolerance: 1e-2 },
});

export const alignments = table("alignments", "How answers go with the waveform at their distance", {
  what: { kind: "text", meaning: "dips: log-probabilities with the model's base; moves: what another base changes" },
  distances: { kind: "text", meaning: "true, or shuffled among the questions of a list: what chance gives" },
  multiple: { kind: "float32", meaning: "Rotary base, in multiples of the model's" },
  estimate: { kind: "float32", meaning: "Rank correlation, less the means nearby", tolerance: 1e-2 },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over lists", tolerance: 1e-2 },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over lists", tolerance: 1e-2 },
});

const reader = {
  kind: "text",
  meaning: "one base; best on other half: the base that was best on the other half of the lists; or all bases mixed",
} as const;
const multiple = {
  kind: "float32",
  meaning: "Rotary base of a single run, in multiples of the model's",
  optional: true,
} as const;

export const places = table("places", "Answers by the distance of the fact", {
  reader,
  multiple,
  from: { kind: "int32", meaning: "Nearest distance of the range", unit: "tokens" },
  to: { kind: "int32", meaning: "Farthest distance of the range", unit: "tokens" },
  answers: { kind: "int32", meaning: "Questions" },
  accuracy: { kind: "float32", meaning: "Share of right answers, mean over lists", tolerance: 1e-2 },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over lists", tolerance: 1e-2 },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over lists", tolerance: 1e-2 },
});

export const readers = table("readers", "What each way of reading finds", {
  reader,
  multiple,
  measure: { kind: "text", meaning: "worst: at the range of distances with fewest right answers; all: at all of them" },
  estimate: { kind: "float32", meaning: "Share of right answers", tolerance: 1e-2 },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over lists", tolerance: 1e-2 },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over lists", tolerance: 1e-2 },
});

export const waveRows = (multiples: readonly number[], of: readonly Float64Array[]) =>
  batch(
    waves,
    multiples.flatMap((multiple, base) => Array.from(of[base], (wave, distance) => ({ multiple, distance, wave }))),
  );

/** @param nearest first distance of the curves */
export function* scoreRows(
  condition: string,
  texts: readonly LayerCurves[],
  wave: Float64Array,
  { nearest, seed, resamples }: { readonly nearest: number; readonly seed: number; readonly resamples: number },
) {
  yield batch(
    layers,
    texts[0].map((_, layer) => {
      const one = texts.map((of) => [of[layer]]);
      const found = bootstrap(one, (drawn) => layerCorrelations(drawn, wave)[0], { seed, resamples });
      return { condition, layer, ...limits(found) };
    }),
  );
  const score = standardised(wave.map((_, at) => mean(texts.flat().map((curve) => curve[at]))));
  const waved = standardised(wave);
  yield batch(
    curves,
    Array.from(wave, (_, at) => ({ condition, distance: nearest + at, score: score[at], wave: waved[at] })),
  );
}

const limits = ({ estimate, low, high }: Interval) => ({ estimate, low, high });

function standardised(values: Float64Array): Float64Array {
  const deviation = Math.sqrt(mean(values.map((value) => value ** 2)) - mean(values) ** 2);
  return values.map((value) => (value - mean(values)) / deviation);
}

export function alignmentRows(evidence: Evidence) {
  const { lists, multiples, seed, resamples } = evidence;
  const random = new Random(seed);
  const row = (what: string, base: number, from?: number) => {
    const real = lists.map((list) => ripplesOf(list, evidence, base, from));
    const shuffled = real.map((list) => {
      const waves = random.shuffle(list.map(({ wave }) => wave));
      return list.map(({ told }, i): Ripple => ({ wave: waves[i], told }));
    });
    return (
      [
        ["true", real],
        ["shuffled", shuffled],
      ] as const
    ).map(([distances, of]) => {
      const found = bootstrap(of, alignment, { seed, resamples });
      return { what, distances, multiple: multiples[base], ...limits(found) };
    });
  };
  return batch(alignments, [
    ...row("dips", 0),
    ...multiples.flatMap((_, base) => (base === 0 ? [] : row("moves", base, 0))),
  ]);
}

interface Range {
  readonly from: number;
  readonly to: number;
}

export function* readerRows(evidence: Evidence, ranges: readonly Range[]) {
  const { lists, multiples, seed, resamples } = evidence;
  const named: { readonly name: string; readonly multiple: number | null; readonly reader: Reader }[] = [
    ...multiples.map((of, base) => ({ name: "one base", multiple: of, reader: byBase(base) })),
    { name: "best on other half", multiple: null, reader: bestBase(evidence) },
    { name: "mixed equally", multiple: null, reader: ({ equal }) => equal },
    { name: "mixed by confidence", multiple: null, reader: ({ confidence }) => confidence },
  ];
  const share = (found: readonly Read[]) => mean(found.map(({ correct }) => Number(correct)));
  for (const { name, multiple: of, reader: read } of named) {
    const answers = lists.map((list, index) => readBy(list, index, read));
    const over = (statistic: (found: readonly Read[]) => number) =>
      limits(bootstrap(answers, (drawn) => statistic(drawn.flat()), { seed, resamples }));
    yield batch(readers, [
      { reader: name, multiple: of, measure: "worst", ...over(worstPlace) },
      { reader: name, multiple: of, measure: "all", ...over(share) },
    ]);
    yield batch(
      places,
      ranges.map(({ from, to }, place) => {
        const here = (found: readonly Read[]) => found.filter((one) => one.place === place);
        const { estimate: accuracy, low, high } = over((found) => share(here(found)));
        const n = here(answers.flat()).length;
        return { reader: name, multiple: of, from, to, answers: n, accuracy, low, high };
      }),
    );
  }
}
