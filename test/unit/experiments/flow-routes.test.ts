import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { proximities, routeFrom } from "../../../engine/theory/flow-route.js";
import { row, vectorsOf } from "../../../loaders/analysis/vectors.js";
import { openBackend } from "../../../loaders/devices.js";
import { type Evidence, flowRoutes, outputsOf, taking } from "../../../loaders/experiments/flow-routes.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);
const units = (whole: number, cut: number) => around(cut).map((of) => ({ whole, cut: of }));

/** Eight texts of as many sources, every other one of prose, and ten heads; prose uses head 5 more. */
const evidence = (of: {
  readonly size: number;
  readonly frequency: readonly number[];
  readonly prose: number;
  readonly cut: number;
  readonly sets?: readonly number[];
}): Evidence => ({
  seed: 1,
  resamples: 200,
  relabellings: 400,
  texts: [...around(1), ...around(1)].map((factor, i) => ({
    source: `source ${i}`,
    prose: i % 2 === 0,
    size: of.size * factor,
    frequency: of.frequency.map((share, head) => {
      const noise = 0.02 * ((7 * i + 3 * head) % 5);
      return share + noise + (head === 5 && i % 2 === 0 ? of.prose : 0);
    }),
  })),
  previous: [0],
  others: [1, 2],
  costs: {
    "most frequent": [units(0.4, of.cut)],
    "random, same layers": (of.sets ?? [0.375, 0.38, 0.385]).map((cut) => units(0.4, cut)),
  },
});

describe("claims on routes", () => {
  const few = [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];

  test("find small routes through a few heads, one of them of one kind of text", () => {
    const found = judged(flowRoutes, evidence({ size: 0.01, frequency: few, prose: 0.3, cut: 0.2 }));
    for (const { id } of flowRoutes.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["few-heads-are-always-there"].estimate).toBe(0.1);
  });

  test("find none where routes are everything and every head is in them", () => {
    const found = judged(flowRoutes, evidence({ size: 0.5, frequency: few.map(() => 0.8), prose: 0, cut: 0.38 }));
    for (const { id } of flowRoutes.claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("leave it open where it depends on the random set, though its mean says otherwise", () => {
    const given = { size: 0.01, frequency: few, prose: 0.3, cut: 0.2 };
    const alike = judged(flowRoutes, evidence({ ...given, sets: [0.25, 0.25, 0.25] }))["frequent-heads-matter"];
    const differ = judged(flowRoutes, evidence({ ...given, sets: [0.38, 0.02, 0.35] }))["frequent-heads-matter"];
    expect(differ.estimate).toBeCloseTo(alike.estimate, 12);
    expect([alike.outcome, differ.outcome]).toEqual(["replicated", "mixed"]);
    expect(differ.low).toBeLessThan(0);
    expect(differ.n).toBe(4);
  });

  test("do not take what one source does for what its kind does, however many texts it has", () => {
    const { texts, ...rest } = evidence({ size: 0.01, frequency: few, prose: 0, cut: 0.2 });
    const many = texts.map((text) => ({ ...text, source: text.prose ? "a book" : text.source }));
    const peculiar = many.flatMap(({ frequency, ...text }) => {
      const changed = frequency.map((share, head) => share + (head === 5 && text.source === "source 1" ? 0.3 : 0));
      return Array.from({ length: 10 }, () => ({ ...text, frequency: changed }));
    });
    const found = judged(flowRoutes, { ...rest, texts: peculiar });
    expect(found["some-heads-serve-one-domain"]).toMatchObject({ outcome: "not replicated", n: 5 });
  });
});

describe("a route", () => {
  test("counts parts by how near they bring the sum", () => {
    const shares = proximities(
      [
        [3, 0],
        [0, 1],
        [1, -1],
      ],
      [4, 0],
    );
    // ‖w‖ = 4; without the parts 1, 4 + 1 = 5 and 3 + 1 = 4 are left: 3, ε and ε
    expect(shares[0]).toBeCloseTo(1, 4);
    expect(shares[1]).toBeCloseTo(0, 4);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  test("follows edges above the threshold downwards, and no others", () => {
    const edge = (layer: number, query: number, key: number, share: number) => ({ layer, head: 0, query, key, share });
    const asked: string[] = [];
    const step = (layer: number, token: number) => {
      asked.push(`${layer}:${token}`);
      if (layer === 1) return { edges: [edge(1, token, 1, 0.5), edge(1, token, 0, 0.1)], stream: 0 };
      return { edges: [edge(0, token, 0, 0.3)], stream: 0.7 };
    };
    expect(routeFrom(2, 2, 0.2, step)).toEqual([edge(1, 2, 1, 0.5), edge(0, 1, 0, 0.3)]);
    expect(asked).toEqual(["1:2", "0:1"]);
    expect(routeFrom(2, 2, 0.6, step)).toEqual([]);
  });

  test.each(["llama", "gpt2"])("has parts that add up to the stream, where the MLP adds nothing: %s", async (name) => {
    const checkpoint = await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/${name}`));
    const { mlp } = checkpoint.architecture.blocks[1];
    if (!("down" in mlp) || "router" in mlp) throw new Error("this checkpoint has a dense MLP");
    const silent = new Set([mlp.down.weight, mlp.down.bias]);
    const tensor = async (of: string) => (await checkpoint.tensor(of)).map((value) => (silent.has(of) ? 0 : value));
    const model = await Model.load({ ...checkpoint, tensor }, await openBackend("cpu", { threads: 1 }));
    const read = await vectorsOf(model, Int32Array.of(1, 5, 9, 17, 3));
    const { parts, stream } = taking(read, await outputsOf(model))(1, 4);
    expect(parts).toHaveLength(checkpoint.architecture.heads * 5);
    for (const [i, value] of row(read.residual, 2, 4).entries()) expect(stream[i]).toBeCloseTo(value, 4);
    await model.release();
  });
});

test("routes are traced in a real model", async () => {
  const parameters = {
    ...flowRoutes.parameters,
    ...{ documents: 3, tokens: 24, windows: 2, window: 10, thresholds: [0.001, 0.04], untrained: 1, prose: ["one"] },
    ...{ previous: 0.1, relabellings: 20, removed: 2, draws: 1, held: 2, resamples: 20 },
  };
  const run = await runSmall(flowRoutes, parameters, { texts: texts(5, 60) });
  const filled = new Map(run.tables);
  if (!filled.get("example")?.length) filled.set("example", [{ layer: 0, head: 0, query: 0, key: 0, share: 0 }]);
  expectDeclaredRows(
    flowRoutes,
    [...filled].map(([table, rows]) => ({ table, rows })),
  );
  expect(run.tables.get("routes")).toHaveLength(2 * 2);
  expect(run.tables.get("tokens")).toHaveLength(10);
  expect(run.evidence.texts.map(({ prose }) => prose)).toEqual([false, true, false]);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});

test("a model that norms what it adds is refused by name", async () => {
  const run = runSmall(flowRoutes, flowRoutes.parameters, {}, { checkpoint: "gemma2" });
  await expect(run).rejects.toThrow(/^flow-routes splits the residual stream .* layer 0 of this gemma2 model norms/);
});
