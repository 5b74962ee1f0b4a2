import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { pairsOf } from "../../../loaders/analysis/rotary-pairs.js";
import {
  type Evidence,
  gainsOf,
  headScores,
  rotaryHeads,
  sharesOf,
  slowShift,
} from "../../../loaders/experiments/rotary-heads.js";
import { factRecords } from "./facts.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);
const units = (whole: number, cut: number) => around(cut).map((of) => ({ whole, cut: of }));

/** Ten heads in four texts; the slow half of the first `rising` gains 0.1, of the others as noise has it. */
function shifts(rising: number, gain: number) {
  const random = new Random(3);
  return around(1).map((factor) =>
    Array.from({ length: 10 }, (_, head) => (head < rising ? gain * factor : 0.001 * random.normal())),
  );
}

const evidence = (of: {
  readonly rising: number;
  readonly reach: number;
  readonly context: number;
  readonly sets?: number[];
}): Evidence => ({
  seed: 1,
  resamples: 200,
  shift: { trained: shifts(of.rising, 0.1), "random weights": shifts(0, 0) },
  threshold: 0.02,
  distances: { positional: [around(of.reach)], "random, same layers": [around(39), around(41), around(40)] },
  costs: {
    positional: [{ context: units(0.8, of.context), text: units(0.4, 0.38) }],
    "random, same layers": (of.sets ?? [0.74, 0.75, 0.76]).map((context) => ({
      context: units(0.8, context),
      text: units(0.4, 0.38),
    })),
  },
});

describe("claims on rotary frequencies", () => {
  test("find two positional heads of ten that reach far and are needed", () => {
    const found = judged(rotaryHeads, evidence({ rising: 2, reach: 90, context: 0.2 }));
    for (const { id } of rotaryHeads.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["positional-heads-are-few"].estimate).toBe(0.2);
  });

  test("find none where no head gains, looks far or is needed", () => {
    const found = judged(rotaryHeads, evidence({ rising: 0, reach: 40, context: 0.75 }));
    for (const { id } of rotaryHeads.claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("leave it open where it depends on the set that is compared with", () => {
    const found = judged(rotaryHeads, evidence({ rising: 2, reach: 90, context: 0.4, sets: [0.8, 0.1, 0.75] }));
    expect(found["context-needs-them"].outcome).toBe("mixed");
    expect(found["context-needs-them"].low).toBeLessThan(0);
  });

  test("call it no minority where most heads gain", () => {
    const found = judged(rotaryHeads, evidence({ rising: 9, reach: 90, context: 0.2 }));
    expect(found["positional-heads-are-few"].outcome).toBe("not replicated");
  });
});

test("a head whose slow pairs grow with the distance has the highest score, one whose fast pairs do the lowest", () => {
  const [tokens, size] = [40, 6];
  const pairs = [pairsOf({ frequencies: () => Float64Array.of(1, 0.1, 0.01), factor: 1, pairs: "halves" }, size)];
  const drawn = Array.from({ length: tokens - 1 }, (_, i) => ({ query: tokens - 1, key: i }));
  const weight = (head: number, pair: number, key: number) => {
    const distance = (tokens - 1 - key) / tokens;
    return pair === 1 ? 0.5 : (pair === 0) === (head === 0) ? 1 - distance : 1 + distance;
  };
  const ones = new Float32Array(2 * tokens * size).fill(1);
  const keys = Float32Array.from({ length: 2 * tokens * size }, (_, at) => {
    const [head, key, c] = [Math.floor(at / (tokens * size)), Math.floor(at / size) % tokens, at % size];
    return weight(head, c % 3, key);
  });
  const dims = [1, 2, tokens, size];
  const shares = sharesOf({ data: ones, dims }, { data: keys, dims }, drawn, pairs, (head) => head);
  const distances = drawn.map(({ query, key }) => query - key);
  expect(headScores([gainsOf(shares, distances)])).toEqual([1, -1]);
  expect(slowShift(shares[0], distances, 5, 30)).toBeGreaterThan(0.1);
  expect(slowShift(shares[1], distances, 5, 30)).toBeLessThan(-0.1);
});

test("scores are split and heads removed in a real model", async () => {
  const parameters = {
    ...rotaryHeads.parameters,
    ...{ ranking: 2, documents: 2, tokens: 40, perDistance: 6, far: 16, shuffles: 3, share: 0.2 },
    ...{ lists: 1, items: 3, questions: 2, draws: 1, resamples: 20 },
  };
  const run = await runSmall(rotaryHeads, parameters, { texts: texts(4, 80), records: factRecords(3) });
  expectDeclaredRows(
    rotaryHeads,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  expect(run.tables.get("heads")).toHaveLength(12);
  expect(run.tables.get("heads")!.filter(({ positional }) => positional)).toHaveLength(2);
  expect(run.tables.get("shares")).toHaveLength(3 * 6); // distances 1 … 32
  expect(run.tables.get("costs")).toHaveLength(2 * 2);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});
