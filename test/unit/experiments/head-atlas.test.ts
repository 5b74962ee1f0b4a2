import { describe, expect, test } from "vitest";
import { type Condition, type Evidence, headAtlas, type Role, roles } from "../../../loaders/experiments/head-atlas.js";
import { judgedOn, plantedModel } from "./planted.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall } from "./subject.js";

const [layers, width, sequences] = [4, 4, 6];

/** The heads with a role, and how much of it; all others have a fiftieth. A little differs between sequences. */
const planted = (strength: number, heads: readonly number[]) =>
  Array.from({ length: sequences }, (_, sequence) =>
    Array.from({ length: layers * width }, (_, head) => (heads.includes(head) ? strength : 0.02) + 0.001 * sequence),
  );

type Scores = Readonly<Record<Role, readonly (readonly number[])[]>>;
const scores = (of: Partial<Scores>): Scores => {
  const nothing = planted(0.02, []);
  return { "previous token": nothing, "duplicate token": nothing, induction: nothing, "first token": nothing, ...of };
};
const evidence = (of: Readonly<Record<Condition, Scores>>): Evidence => ({
  ...headAtlas.parameters,
  resamples: 200,
  layers,
  scores: of,
});

describe("claims on roles", () => {
  test("find planted roles: few heads, in their order of depth, learned", () => {
    const found = judged(
      headAtlas,
      evidence({
        repeated: scores({ "previous token": planted(0.9, [1]), induction: planted(0.8, [9, 13]) }),
        "not repeated": scores({ "previous token": planted(0.9, [1]) }),
        "random weights": scores({}),
      }),
    );
    for (const { id } of headAtlas.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["roles-are-sparse"].estimate).toBe(2 / 16);
  });

  test("find none where all heads do the same at any depth, trained or not", () => {
    const all = Array.from({ length: layers * width }, (_, head) => head);
    const same = scores({ "previous token": planted(0.8, all), induction: planted(0.8, all) });
    const found = judged(headAtlas, evidence({ repeated: same, "not repeated": same, "random weights": same }));
    for (const { id } of headAtlas.claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("have nothing to say of sparseness where no head has a role", () => {
    const found = judged(
      headAtlas,
      evidence({ repeated: scores({}), "not repeated": scores({}), "random weights": scores({}) }),
    );
    expect(found["roles-are-sparse"].outcome).toBe("not testable at this scale");
  });
});

describe("a run", () => {
  const parameters = { ...headAtlas.parameters, sequences: 4, period: 16, resamples: 100 };
  const shape = { layers: 2, heads: 4, vocabulary: 5000 };
  const uniform = (query: number) => new Float32Array(query + 1).fill(1 / (query + 1));
  const on = (key: number, query: number) => uniform(query).map((mass, k) => 0.1 * mass + (k === key ? 0.9 : 0));
  const untrained = plantedModel({ ...shape, row: (_, __, ___, query) => uniform(query) });

  test("finds the heads that look at the token before and at what followed a copy, where they are", async () => {
    const model = plantedModel({
      ...shape,
      row(ids, layer, head, query) {
        if (layer === 0 && head === 2) return on(query - 1, query);
        if (layer === 1 && head === 3) return on(ids.subarray(0, query).lastIndexOf(ids[query]) + 1, query);
        return uniform(query);
      },
    });
    const { claims, evidence } = await judgedOn(headAtlas, parameters, model, { control: untrained });
    for (const { id } of headAtlas.claims) expect(claims[id].outcome, id).toBe("replicated");
    const strong = (role: Role) =>
      evidence.scores.repeated[role][0].flatMap((mass, head) => (mass > parameters.threshold ? [head] : []));
    expect([strong("previous token"), strong("induction"), strong("duplicate token")]).toEqual([[2], [7], []]);
  });

  test("takes a head that looks a fixed distance back for no induction head", async () => {
    const fixed = plantedModel({
      ...shape,
      row: (_, layer, head, query) =>
        layer === 1 && head === 3 ? on(Math.max(0, query - parameters.period + 1), query) : uniform(query),
    });
    const { claims } = await judgedOn(headAtlas, parameters, fixed, { control: untrained });
    expect(claims["induction-needs-repetition"].outcome).toBe("not replicated");
  });

  test("finds nothing where training changed nothing", async () => {
    const { claims } = await judgedOn(headAtlas, parameters, untrained);
    expect(claims["roles-are-sparse"].outcome).toBe("not testable at this scale");
    for (const id of ["previous-token-before-induction", "roles-are-learned", "induction-needs-repetition"])
      expect(claims[id].outcome, id).toBe("not replicated");
  });
});

test("attention is read at the keys of each role", async () => {
  const parameters = { ...headAtlas.parameters, sequences: 2, period: 6, resamples: 20 };
  const { tables, evidence: found } = await runSmall(headAtlas, parameters, {});
  expectDeclaredRows(
    headAtlas,
    [...tables].map(([table, rows]) => ({ table, rows })),
  );
  expect(tables.get("heads")).toHaveLength(3 * 4 * 12);
  for (const role of roles) {
    const attention = found.scores.repeated[role].flat();
    expect(Math.min(...attention), role).toBeGreaterThanOrEqual(0);
    expect(Math.max(...attention), role).toBeLessThanOrEqual(1);
  }
  // Up to the repetition both prompts are the same, and the untrained model is another one.
  expect(found.scores["not repeated"].induction).not.toEqual(found.scores.repeated.induction);
  expect(found.scores["random weights"].induction).not.toEqual(found.scores.repeated.induction);
});
