import { describe, expect, test } from "vitest";
import { type Evidence, headRemoval } from "../../../loaders/experiments/head-removal.js";
import { judgedOn, plantedModel } from "./planted.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const shares = [0.2, 0.5];
const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);

interface Planted {
  /** Rise of the loss without each of eight heads. */
  readonly single: readonly number[];
  readonly fifth: number;
  /** Without half of the heads, by random order. */
  readonly half: { readonly least: number; readonly random: readonly number[] };
  readonly survivors: readonly number[];
}

const evidence = ({ single, fifth, half, survivors }: Planted): Evidence => ({
  seed: 1,
  resamples: 200,
  shares,
  single: around(1).map((factor) => single.map((rise) => rise * factor)),
  together: {
    least: [[around(fifth)], [around(half.least)]],
    most: [[around(0.5)], [around(1)]],
    random: [half.random.map(() => around(0.1)), half.random.map(around)],
  },
  survivors: survivors.map(around),
});

describe("claims on removal", () => {
  test("find a model of which most is expendable", () => {
    const found = judged(
      headRemoval,
      evidence({
        single: [0.001, 0.002, 0.001, 0.003, 0.001, 0.002, 0.2, 0.3],
        fifth: 0.003,
        half: { least: 0.05, random: [0.39, 0.4, 0.41] },
        survivors: [0.3, 0.005],
      }),
    );
    for (const { id } of headRemoval.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["most-heads-are-expendable"].estimate).toBe(0.75);
  });

  test("find none where every head counts and no order is better", () => {
    const found = judged(
      headRemoval,
      evidence({
        single: [0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.2, 0.3],
        fifth: 0.2,
        half: { least: 0.4, random: [0.395, 0.4, 0.405] },
        survivors: [0.3, 0.4],
      }),
    );
    for (const { id } of headRemoval.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

describe("random orders", () => {
  const given = { single: [0.001, 0.2], fifth: 0.003, survivors: [0.3, 0.005] };
  const gain = (random: readonly number[]) =>
    judged(headRemoval, evidence({ ...given, half: { least: 0.05, random } }))["order-matters"];

  test("leave it open where it depends on which is drawn, though their mean says otherwise", () => {
    const [alike, differ] = [gain([0.15, 0.15, 0.15]), gain([0.02, 0.4, 0.03])];
    expect(differ.estimate).toBeCloseTo(alike.estimate, 12);
    expect([alike.outcome, differ.outcome]).toEqual(["replicated", "mixed"]);
    expect(differ.low).toBeLessThan(0);
    expect(differ.n).toBe(4);
  });
});

describe("a run", () => {
  const [layers, heads, tokens] = [4, 5, 12];
  const parameters = { ...headRemoval.parameters, tokens, resamples: 100 };
  const inputs = { texts: texts(parameters.ranking + parameters.documents, 60) };
  /** The loss is 3 nats, a little more in some texts, and more by what each head that is removed is worth. */
  const model = (worth: (head: number) => number) =>
    plantedModel({
      ...{ layers, heads, vocabulary: 97 },
      row: () => [],
      logProbability: ({ ids, headGate }) => {
        const removed = Array.from(headGate?.data ?? []).flatMap((gate, head) => (gate === 0 ? [worth(head)] : []));
        const loss = 3 + 0.01 * (ids[3] % 5) + removed.reduce((sum, of) => sum + of, 0);
        return new Float32Array(tokens - 1).fill(-loss);
      },
    });

  test("finds the heads that matter, and that the others can go", async () => {
    const needed = [2, 6, 9]; // one of each layer but the last
    const { claims, evidence } = await judgedOn(
      headRemoval,
      parameters,
      model((head) => (needed.includes(head) ? 1 : 0)),
      { inputs },
    );
    for (const { id } of headRemoval.claims) expect(claims[id].outcome, id).toBe("replicated");
    expect(claims["most-heads-are-expendable"].estimate).toBe(17 / 20);
    expect(evidence.single[0].flatMap((rise, head) => (rise > 0.1 ? [head] : []))).toEqual(needed);
  });

  test("says less of random orders where one head matters, and half of them keep it", async () => {
    const interval = async (worth: (head: number) => number) => {
      const { claims } = await judgedOn(headRemoval, parameters, model(worth), { inputs });
      return claims["order-matters"];
    };
    const [one, all] = [await interval((head) => (head === 6 ? 1 : 0)), await interval(() => 0.05)];
    expect(one.high - one.low).toBeGreaterThan(0.1);
    expect(all.high - all.low).toBeLessThan(1e-6);
  });

  test("finds none to spare where all matter alike", async () => {
    const { claims } = await judgedOn(
      headRemoval,
      parameters,
      model(() => 0.2),
      { inputs },
    );
    for (const { id } of headRemoval.claims) expect(claims[id].outcome, id).toBe("not replicated");
  });
});

test("heads are removed from a model, alone, together, and all but one", async () => {
  const parameters = { ...headRemoval.parameters, ranking: 2, documents: 2, tokens: 12, orders: 1, resamples: 20 };
  const run = await runSmall(headRemoval, parameters, { texts: texts(4, 60) });
  expectDeclaredRows(
    headRemoval,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  expect(run.tables.get("single")).toHaveLength(12);
  expect(run.tables.get("together")).toHaveLength(3 * 6);
  expect(run.tables.get("survivors")).toHaveLength(3);
  expect(run.evidence.single.flat().every(Number.isFinite)).toBe(true);
  expect(new Set(run.evidence.single[0]).size).toBeGreaterThan(6);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});
