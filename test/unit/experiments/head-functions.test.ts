import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { Random } from "../../../engine/random.js";
import { randomCheckpoint } from "../../../engine/random-weights.js";
import { openBackend } from "../../../loaders/devices.js";
import { headMaps, headValue, Readout, written } from "../../../loaders/experiments/head-functions/head-maps.js";
import { relationsOf } from "../../../loaders/experiments/head-functions/relations.js";
import { type Evidence, headFunctions, type Pair } from "../../../loaders/experiments/head-functions.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";
import { factRecords } from "./facts.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { characterTokenizer, runSmall, texts } from "./subject.js";

const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);
const units = (whole: number, cut: number) => around(cut).map((of) => ({ whole, cut: of }));

/** Forty pairs and forty heads; head h does each relation for a share of h/40 of the pairs, or for one pair in ten. */
function evidence(of: {
  readonly implemented: boolean;
  readonly context: number;
  readonly sets?: readonly number[];
}): Evidence {
  const random = new Random(4);
  const hits = (share: (head: number) => number) =>
    Array.from({ length: 40 }, (_, head) => Number(random.next() < share(head)));
  const graded = (head: number) => (of.implemented ? head / 40 : 0.1);
  const chance = () => 0.1;
  const pair = (): Pair => ({
    weights: hits(graded),
    dealt: hits(chance),
    untrained: hits(chance),
    attending: [hits(graded), hits(graded)],
    forced: [hits(graded), hits(graded)],
  });
  return {
    seed: 1,
    resamples: 200,
    relations: Array.from({ length: 6 }, () => Array.from({ length: 40 }, pair)),
    costs: {
      copying: [{ context: units(0.8, of.context), text: units(0.4, 0.38) }],
      "random, same layers": (of.sets ?? [0.74, 0.75, 0.76]).map((context) => ({
        context: units(0.8, context),
        text: units(0.4, 0.38),
      })),
    },
  };
}

describe("claims on functions of heads", () => {
  test("find planted functions, in weights and outputs, and what they are for", () => {
    const found = judged(headFunctions, evidence({ implemented: true, context: 0.2 }));
    for (const { id } of headFunctions.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["weights-show-relations"].estimate).toBeGreaterThan(0.6);
  });

  test("find none where hits are chance and no head is needed", () => {
    const found = judged(headFunctions, evidence({ implemented: false, context: 0.75 }));
    for (const { id } of headFunctions.claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("leave it open where it depends on the random set, though its mean says otherwise", () => {
    const given = { implemented: true, context: 0.4 };
    const alike = judged(headFunctions, evidence({ ...given, sets: [0.55, 0.55, 0.55] }));
    const differ = judged(headFunctions, evidence({ ...given, sets: [0.8, 0.1, 0.75] }));
    for (const id of ["copying-heads-are-needed", "removal-is-selective"]) {
      expect(differ[id].estimate, id).toBeCloseTo(alike[id].estimate, 12);
      expect([alike[id].outcome, differ[id].outcome], id).toEqual(["replicated", "mixed"]);
      expect(differ[id].low, id).toBeLessThan(0);
      expect(differ[id].n, id).toBe(4);
    }
  });
});

test("relations pair tokens by their spelling, and leave out what the vocabulary lacks", () => {
  const tokenizer = characterTokenizer();
  const [copying, capital, ...others] = relationsOf(tokenizer, 200, 5, new Random(1));
  expect([copying.name, capital.name]).toEqual(["copying", "capital"]);
  for (const { source, target } of copying.pairs) expect(target).toBe(source);
  for (const { source, target } of capital.pairs)
    expect(tokenizer.token(target)).toBe(tokenizer.token(source).toUpperCase());
  expect(others).toEqual([]);
  expect(relationsOf(tokenizer, 200, 27, new Random(1))).toEqual([]);
});

test("a head whose output matrix is its value matrix the other way copies, by its weights alone", async () => {
  const golden = await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/llama_biases`));
  const base = randomCheckpoint(golden, 0);
  const { width, headSize, heads, blocks } = base.architecture;
  const { projection, output } = blocks[1].attention;
  if ("fused" in projection) throw new Error("this checkpoint has a matrix per projection");
  const value = await base.tensor(projection.value.weight); // [keyValueHeads · headSize, width]
  const planted = Float32Array.from(await base.tensor(output.weight)); // [width, heads · headSize]
  for (let i = 0; i < width; ++i) {
    for (let c = 0; c < headSize; ++c) planted[i * heads * headSize + c] = value[c * width + i]; // head 0: W_O = W_Vᵀ
  }
  const checkpoint = {
    ...base,
    tensor: async (name: string) => (name === output.weight ? planted : base.tensor(name)),
  };
  const model = await Model.load(checkpoint, await openBackend("cpu", { threads: 1 }));
  const readout = await Readout.open(model);
  const maps = await headMaps(model);
  const embeddings = await base.tensor(base.architecture.embedding.weight);
  const ranks = async (head: number) => {
    const above: number[] = [];
    for (let token = 5; token < 35; ++token) {
      const vector = embeddings.subarray(token * width, (token + 1) * width);
      const map = maps[heads + head];
      above.push((await readout.ranks([written(map, headValue(map, vector))], [token])).above[0]);
    }
    return above.reduce((sum, rank) => sum + rank, 0) / above.length;
  };
  const chance = base.architecture.vocabulary / 2;
  expect(await ranks(0)).toBeLessThan(0.2 * chance);
  expect(await ranks(1)).toBeGreaterThan(0.5 * chance);
  await readout.release();
  await model.release();
});

test("functions are read from a real model", async () => {
  const parameters = {
    ...headFunctions.parameters,
    ...{ pairs: 3, texts: ["so", "a b"], removed: 1, draws: 1, documents: 2, tokens: 16, resamples: 20 },
    ...{ lists: 1, items: 3, questions: 2 },
  };
  const run = await runSmall(headFunctions, parameters, { texts: texts(2, 60), records: factRecords(3) });
  expectDeclaredRows(
    headFunctions,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  expect(run.tables.get("scores")).toHaveLength(2 * 12);
  expect(run.evidence.relations[0][0].forced).toHaveLength(2);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});
