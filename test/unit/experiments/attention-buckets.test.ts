import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { Random } from "../../../engine/random.js";
import { plainFrequencies } from "../../../engine/rope.js";
import { factLists } from "../../../loaders/analysis/records.js";
import { openBackend } from "../../../loaders/devices.js";
import { answerOf, mixed } from "../../../loaders/experiments/attention-buckets/answers.js";
import { ripples, waveform, withBase } from "../../../loaders/experiments/attention-buckets/bases.js";
import { bestBase, type Evidence, worstPlace } from "../../../loaders/experiments/attention-buckets/claims.js";
import { listsOf } from "../../../loaders/experiments/attention-buckets/lists.js";
import { attentionBuckets, byDistance } from "../../../loaders/experiments/attention-buckets.js";
import { goldenFiles, json, memorySource } from "../engine/memory-source.js";
import { expectCases } from "./cases.js";
import { factRecords } from "./facts.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { characterTokenizer, runSmall, texts } from "./subject.js";

const rotary = (base: number) => ({
  family: "llama",
  positions: {
    kind: "rope" as const,
    ropes: [{ frequencies: () => plainFrequencies(base, 32), factor: 1, pairs: "halves" as const }],
  },
});
const multiples = [1, 1.6, 2.8];
const waves = multiples.map((multiple) => waveform(rotary(10_000 * multiple), 1400));

/** Eight lists and texts. Answers and scores hold `planted` times the waveform, and noise. */
function evidence(planted: number, mixture: (rightByChance: boolean) => boolean): Evidence {
  const random = new Random(11);
  const wave = ripples([...waves[0].keys()], waves[0], 100).slice(200, 768);
  return {
    multiples,
    waves,
    nearby: 100,
    seed: 1,
    resamples: 200,
    scores: {
      wave,
      texts: Array.from({ length: 8 }, () => [wave.map((value) => planted * value + 0.3 * random.normal())]),
    },
    lists: Array.from({ length: 8 }, () =>
      Array.from({ length: 60 }, () => {
        const distance = 200 + random.int(1200);
        const luck = random.normal();
        const bases = waves.map((of) => {
          const logProbability = planted * of[distance] + 0.3 * random.normal();
          return { logProbability, correct: planted > 0 ? of[distance] > waves[0][1000] : luck > 0 };
        });
        const answer = (correct: boolean) => ({ logProbability: -1, correct });
        return {
          distance,
          place: Math.floor((distance - 200) / 150),
          bases,
          equal: answer(luck > 0),
          confidence: answer(mixture(luck > 0)),
        };
      }),
    ),
  };
}

describe("claims on rotary bases", () => {
  const planted = evidence(1, () => true);

  test("find scores and answers that follow waveforms, and a mixture that has no blind spot", () => {
    const found = judged(attentionBuckets, planted);
    for (const { id } of attentionBuckets.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("find nothing where distances mean nothing and the mixture answers what one base answers", () => {
    const found = judged(
      attentionBuckets,
      evidence(0, (right) => right),
    );
    for (const { id } of attentionBuckets.claims) expect(found[id].outcome, id).toBe("not replicated");
    expect(found["mixture-lifts-the-worst-place"].estimate).toBe(0);
  });

  test("test no answers where the model gives hardly any, and no gain where it misses none", () => {
    const all = (correct: boolean): Evidence => ({
      ...planted,
      lists: planted.lists.map((list) =>
        list.map((of) => ({ ...of, bases: of.bases.map((base) => ({ ...base, correct })) })),
      ),
    });
    const gains = ["mixture-lifts-the-worst-place", "mixture-beats-one-base", "confidence-beats-equal-weights"];
    const none = judged(attentionBuckets, all(false));
    for (const id of ["dips-lie-in-troughs", "dips-move-with-the-base", ...gains])
      expect(none[id].outcome, id).toBe("not testable at this scale");
    const full = judged(attentionBuckets, all(true));
    for (const id of gains) expect(full[id].outcome, id).toBe("not testable at this scale");
    expect(full["dips-lie-in-troughs"].outcome).toBe("replicated");
  });

  test("take the single base that was best on the other lists", () => {
    const answer = (correct: boolean) => ({ logProbability: 0, correct });
    const list = (best: number) => [
      {
        distance: 300,
        place: 0,
        bases: [0, 1, 2].map((base) => answer(base === best)),
        equal: answer(false),
        confidence: answer(false),
      },
    ];
    const lists = [list(1), list(2), list(1), list(2)]; // base 1 is best on even lists, base 2 on odd ones
    const reader = bestBase({ lists, multiples });
    expect(lists.map((of, index) => reader(of[0], index).correct)).toEqual([false, false, false, false]);
    expect(worstPlace([{ place: 0, correct: true }, { place: 1, correct: false }, { place: 1, correct: true }])).toBe(0.5); // biome-ignore format: one line
  });
});

test("the waveform is the score of a query and a key of ones under rotation", () => {
  const frequencies = plainFrequencies(10_000, 32);
  const turned = (position: number) =>
    Float64Array.from({ length: 32 }, (_, c) => {
      const angle = position * frequencies[c % 16];
      return c < 16 ? Math.cos(angle) - Math.sin(angle) : Math.cos(angle) + Math.sin(angle);
    });
  for (const distance of [0, 1, 37, 900]) {
    const [query, key] = [turned(1000), turned(1000 - distance)];
    const score = query.reduce((sum, value, c) => sum + value * key[c], 0) / Math.sqrt(32);
    expect(waves[0][distance]).toBeCloseTo(score, 9);
  }
});

test("ripples are what differs from the neighbours", () => {
  expect([...ripples([1, 2, 3, 10], [1, 2, 6, 7], 1)]).toEqual([-0.5, -1, 2, 0]);
});

test("runs are mixed by their largest logit, or equally, and read token by token", () => {
  const runs = [[Float32Array.of(3, 0, 1)], [Float32Array.of(0, 1, 0)]];
  expect([...mixed(runs, "equal")[0]]).toEqual([1.5, 0.5, 0.5]);
  const share = Math.exp(3) / (Math.exp(3) + Math.exp(1));
  expect(mixed(runs, "confidence")[0][2]).toBeCloseTo(share, 6);
  const total = Math.exp(3) + 1 + Math.exp(1);
  expect(answerOf(runs[0], Int32Array.of(0))).toEqual({ logProbability: expect.closeTo(3 - Math.log(total), 6), correct: true }); // biome-ignore format: one line
  expect(answerOf([...runs[0], ...runs[1]], Int32Array.of(0, 0)).correct).toBe(false);
});

test("scores are averaged over queries at each distance, without the first token's key", () => {
  const data = Float32Array.from({ length: 16 }, (_, at) => at); // query · 4 + key
  expect([...byDistance({ data, dims: [1, 4, 4] }, [1, 2])[0]]).toEqual([(9 + 14) / 2, 13]);
});

test("pairs are asked for at all distances, and fewer than are asked for are refused", () => {
  const records = factLists(factRecords(40), "lookups");
  const sizes = { lists: 2, tokens: 300, questions: 10, nearest: 60 };
  for (const { distances, prompt, questions } of listsOf(records, sizes, characterTokenizer())) {
    expect(Math.min(...distances)).toBeGreaterThanOrEqual(60);
    expect(Math.max(...distances)).toBeGreaterThan(250);
    for (const [k, { answer }] of questions.entries()) {
      const there = (prompt.positions?.[answer - 1] ?? 0) - distances[k];
      expect(prompt.ids[there]).toBe(prompt.ids[answer]); // the answer stands there in the list
    }
  }
  const few = () => listsOf(records, { ...sizes, questions: 50 }, characterTokenizer());
  expect(few).toThrow(/^attention-buckets asks for 50 pairs .* give more key–value pairs/);
});

test("another base is what a changed config.json gives", async () => {
  const files = await goldenFiles("llama"); // a base of 10,000
  const config = JSON.parse(new TextDecoder().decode(files["config.json"]));
  const changed = { ...config, rope_parameters: { rope_type: "default", rope_theta: 16_000 } };
  const backend = await openBackend("cpu", { threads: 1 });
  const ids = Int32Array.from({ length: 30 }, (_, i) => (i * 7) % 50);
  const logits = async (model: Model) => (await model.forward({ ids }, { logits: "last" })).logits!.data;
  const model = await Model.load(await openCheckpoint(memorySource(files)), backend);
  const other = memorySource({ ...files, "config.json": json(changed) });
  const wanted = await logits(await Model.load(await openCheckpoint(other), backend));
  const found = await logits(await Model.load(withBase(model, 1.6), backend));
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(wanted[i], 5);
  const before = await logits(model);
  expect(Math.max(...found.map((value, i) => Math.abs(value - before[i])))).toBeGreaterThan(1e-3);
});

const parameters = {
  ...attentionBuckets.parameters,
  ...{ multiples: [1, 2], nearest: 30, nearby: 20, texts: 2, textTokens: 100, farthest: 60 },
  ...{ lists: 2, tokens: 150, questions: 6, places: 2, resamples: 20 },
};
const inputs = { lookups: factRecords(40), haystack: texts(4, 150) };

test("several bases read the same lists in a real model", async () => {
  const run = await runSmall(attentionBuckets, parameters, inputs);
  const { tables, evidence: found, progress } = run;
  expectDeclaredRows(
    attentionBuckets,
    [...tables].map(([table, rows]) => ({ table, rows })),
  );
  const answers = found.lists.flat();
  expect(answers).toHaveLength(2 * 6);
  expect(answers.some(({ bases: [one, other] }) => one.logProbability !== other.logProbability)).toBe(true);
  expect(progress.every((share) => share < 1)).toBe(true);
  await expectCases(run, 3);
});

test("what cannot be run is refused by name", async () => {
  const learned = runSmall(attentionBuckets, parameters, inputs, { checkpoint: "gpt2" });
  await expect(learned).rejects.toThrow(/^attention-buckets changes the rotary base, but this gpt2 model has none/);
  const contradiction = runSmall(attentionBuckets, { ...parameters, farthest: 20 }, inputs);
  await expect(contradiction).rejects.toThrow(/nearest is 30, farthest 20 and textTokens 100/);
});
