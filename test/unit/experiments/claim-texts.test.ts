import { expect, test } from "vitest";
import { experimentIds, loadExperiment } from "../../../loaders/experiments/index.js";

/** Smaller ones are said of much else. */
const words: Readonly<Record<string, number>> = {
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  twelve: 12,
  sixteen: 16,
  twenty: 20,
  thirty: 30,
};

/** The numbers above two, and the shares, that a text says in figures, per cent or words. */
function numbersIn(text: string): number[] {
  const figures = [...text.matchAll(/(?<![\w.,])\d[\d,]*(?:\.\d+)?(?<!,)( %)?/g)].map(
    ([said, perCent]) => Number.parseFloat(said.replaceAll(",", "")) / (perCent ? 100 : 1),
  );
  const spelled = text.toLowerCase().split(/[^a-z]+/);
  return [...figures, ...spelled.flatMap((word) => words[word] ?? [])].filter((value) => ![0, 1, 2].includes(value));
}

/** Numbers of claims that the code fixes, and no parameter, although one has the same value. */
const fixed: Readonly<Record<string, readonly number[]>> = {
  "context-heads/others-depend-on-the-query": [10, 0.9],
  "context-heads/most-heads-can-be-local": [0.9], // cannot be judged without this share
  "context-heads/adaptive-beats-static": [0.9],
  "entropy/largest-weight-dilutes": [32],
  "kv-policies/keys-are-low-rank": [0.9],
  "normalization-limits/distance-flattens": [64],
  "normalization-limits/selection-fades": [64],
  "normalization-limits/not-all-are-separable": [16],
  "normalization-limits/separability-levels-off": [16, 64],
  "normalization-limits/training-separates": [16],
  "sinks/one-origin": [0.1],
  "sinks/star-graph": [0.1],
  "streaming-attention/memory-factor": [16_384, 1024, 4096, 64],
};

test.each(await experimentIds())("no claim of %s says a number that a parameter could make untrue", async (id) => {
  const { claims, parameters } = await loadExperiment(id);
  const set = new Set<unknown>(Object.values(parameters).flat());
  for (const claim of claims) {
    const free = fixed[`${id}/${claim.id}`] ?? [];
    const said = numbersIn(`${claim.statement} ${claim.measure}`);
    expect(
      said.filter((value) => set.has(value) && !free.includes(value)),
      claim.id,
    ).toEqual([]);
  }
});

test("numbers are found in figures, per cent and words", () => {
  expect(numbersIn("above 0.3, 1,024 × 4,096, 90 % of twelve heads, 16.")).toEqual([0.3, 1024, 4096, 0.9, 16, 12]);
  expect(numbersIn("one of two f32 heads, rank 1")).toEqual([]);
});
