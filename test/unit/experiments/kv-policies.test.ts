import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import type { Forward, Prompt, Values } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import { Model } from "../../../engine/model.js";
import { Random } from "../../../engine/random.js";
import { principalComponents, rankAt } from "../../../loaders/analysis/principal-components.js";
import { openBackend } from "../../../loaders/devices.js";
import { type ContextEvidence, claims, type Evidence } from "../../../loaders/experiments/kv-policies/claims.js";
import { randomDirections, unrotated, vectorsOf } from "../../../loaders/experiments/kv-policies/components.js";
import { choicesOf, choose, QUARTER, selecting, selectors } from "../../../loaders/experiments/kv-policies/low-rank.js";
import { laterRows, lossOf } from "../../../loaders/experiments/kv-policies/measure.js";
import {
  byPolicy,
  divided,
  keptOf,
  keptShare,
  policies,
  rankings,
  type Seen,
  survivalsOf,
  wholeHeads,
  withinLayers,
} from "../../../loaders/experiments/kv-policies/policies.js";
import { activityOf, recurring, worth } from "../../../loaders/experiments/kv-policies/recurrence.js";
import { byScore, headScores, masked, matched } from "../../../loaders/experiments/kv-policies/retrieval.js";
import { answerRows, lossRows, Means } from "../../../loaders/experiments/kv-policies/rows.js";
import { continued, inReading, staged } from "../../../loaders/experiments/kv-policies/stages.js";
import { kvPolicies } from "../../../loaders/experiments/kv-policies.js";
import type { Context } from "../../../loaders/experiments/positional-bias/contexts.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

/** Three layers, four heads that share two key–value heads. */
const model = await Model.load(
  await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/llama`)),
  await openBackend("cpu", { threads: 1 }),
);
const shape = model.architecture;
const groups = shape.layers * shape.keyValueHeads;
const random = () => new Random(5);
const draw = (length: number, of = random()) => Int32Array.from({ length }, () => 3 + of.int(90));
const flat = (value: (i: number) => number, ...dims: number[]): Values => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => value(i)),
});

describe("a prompt in stages", () => {
  test("reads its end under each cut as one that is cut once", async () => {
    const [tokens, end] = [24, 9];
    const ids = draw(tokens + end);
    const of = random();
    const survival = Array.from({ length: groups }, () =>
      Uint8Array.from({ length: tokens }, (_, key) => (key === 0 ? 3 : of.int(4))),
    );
    const base = continued(ids, tokens);
    const all = await model.forward(staged(base, survival, 3, shape), { logits: "loss" });
    const losses: number[] = [];
    for (let cut = 1; cut <= 3; ++cut) {
      const data = new Int32Array(shape.layers * shape.heads * ids.length).fill(ids.length);
      for (let head = 0; head < shape.layers * shape.heads; ++head) {
        const shared = Math.floor(head / 2); // four heads share two
        for (let key = 0; key < tokens; ++key) {
          if (survival[shared][key] < cut) data[head * ids.length + key] = tokens;
        }
      }
      const eviction = { data, dims: [shape.layers, shape.heads, ids.length] };
      const once = await model.forward({ ids, eviction }, { logits: "loss" });
      const { start } = inReading(base, { start: tokens, answer: tokens, end: tokens + end }, cut - 1);
      for (let i = 0; i < end - 1; ++i) {
        expect(all.logProbability?.[start + i]).toBeCloseTo(once.logProbability?.[tokens + i] ?? 0, 4);
      }
      losses.push(-mean(once.logProbability?.subarray(tokens) ?? []));
    }
    expect(new Set(losses.map((loss) => loss.toFixed(4))).size).toBe(3); // a cut that changes nothing would pass too
  });
});

describe("policies", () => {
  const keys = 40;
  const sizes = { evicted: [0.5, 0.75], sinks: 2, window: 6 };
  const of = random();
  const values = () => Array.from({ length: groups }, () => Float64Array.from({ length: keys }, () => of.next()));
  const context: Seen = { keys, keyNorm: values(), cumulative: values(), last: values(), worth: values() };
  const order = [3, 0, 5, 1, 2, 4];
  const kept = survivalsOf(context, { sizes, shape, order, random: random() });
  const left = (survival: readonly Uint8Array[], head: number, cut: number) =>
    [...survival[head].keys()].filter((key) => survival[head][key] >= cut);

  test.each(rankings)(
    "%s keeps as many keys of each head as every other, and fewer of the same under a later cut",
    (policy) => {
      for (let head = 0; head < groups; ++head) {
        expect(left(kept[policy], head, 1)).toHaveLength(20);
        expect(left(kept[policy], head, 2)).toHaveLength(10);
        expect(left(kept[policy], head, 1)).toEqual(expect.arrayContaining(left(kept[policy], head, 2)));
      }
      expect(keptShare(kept[policy], 2)).toBeCloseTo(0.25);
    },
  );

  test("keep what they say", () => {
    expect(left(kept["sinks + recent"], 1, 2)).toEqual([0, 1, 32, 33, 34, 35, 36, 37, 38, 39]);
    const byNorm = Array.from(context.keyNorm[2], (norm, key) => ({ norm, key })).sort((a, b) => a.norm - b.norm);
    const lowest = byNorm.slice(0, 20).map(({ key }) => key);
    expect(new Set(left(kept["low key norm"], 2, 1))).toEqual(new Set(lowest));
    expect(left(kept["high key norm"], 2, 1).filter((key) => lowest.includes(key))).toEqual([]);
    for (const policy of ["recurrence", "cumulative attention", "last attention"] as const) {
      expect(left(kept[policy], 0, 2)).toEqual(expect.arrayContaining([34, 35, 36, 37, 38, 39]));
    }
    expect(left(kept["random keys"], 4, 2)).toContain(0);
    expect(left(kept["random keys"], 4, 2)).not.toEqual(left(kept["random keys"], 5, 2));
  });

  test("give whole caches to the first heads of an order, and never more memory than is allowed", () => {
    expect(wholeHeads(6, keys, 20, 6)).toBe(2); // 2 · 40 + 4 · 6 = 104 of 120; a third whole head would make it 138
    const survival = divided(order, keys, sizes);
    expect([3, 0].map((head) => left(survival, head, 1).length)).toEqual([keys, keys]);
    expect(left(survival, 5, 1)).toEqual([0, 1, 36, 37, 38, 39]);
    expect(left(survival, 3, 2)).toHaveLength(6); // a quarter is not enough for one
    for (const cut of [1, 2]) expect(keptShare(survival, cut)).toBeLessThanOrEqual(1 - sizes.evicted[cut - 1]);
  });

  test("in random order have as many whole heads in each layer", () => {
    const long = Array.from({ length: 32 }, (_, head) => (head * 5) % 32); // four layers of eight
    const other = withinLayers(long, 8, random());
    expect([...other].sort((a, b) => a - b)).toEqual([...long].sort((a, b) => a - b));
    expect(other.map((head) => Math.floor(head / 8))).toEqual(long.map((head) => Math.floor(head / 8)));
    expect(other).not.toEqual(long);
  });
});

describe("recurrence", () => {
  /** One key is active every tenth query, the others never after their own. */
  const keys = 60;
  const attention = Float32Array.from({ length: keys * keys }, (_, at) => {
    const [query, key] = [Math.floor(at / keys), at % keys];
    return Number(key === 5 && query >= 5 && query % 10 === 5);
  });
  const activity = activityOf(attention, { keys, stride: keys, threshold: 0.5 });

  test("is the largest silence between activities", () => {
    expect(activity.gap[5]).toBe(10);
    expect(activity.last[5]).toBe(55);
    expect(activity.gap[6]).toBe(0);
    expect(recurring(activity, 9)).toBeCloseTo(1 / 50);
    expect(recurring(activity, 10)).toBe(0);
  });

  test("makes a key worth keeping, the less the longer it has been silent", () => {
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    expect(worth(activity, 60)[5]).toBeCloseTo(2 * sigmoid(-0.5) + 2 * sigmoid(-9));
    expect(worth(activity, 80)[5]).toBeLessThan(worth(activity, 60)[5]);
    expect(worth(activity, 60)[6]).toBe(0);
  });

  test("is found where it is planted, and lost where activities are shuffled", () => {
    const bursts = Float32Array.from({ length: keys * keys }, (_, at) => {
      const [query, key] = [Math.floor(at / keys), at % keys];
      return Number(query > key && (query - key < 4 || (query - key > 24 && query - key < 28)));
    });
    const options = { keys, stride: keys, threshold: 0.5 };
    const planted = recurring(activityOf(bursts, options), 20);
    const shuffled = recurring(activityOf(bursts, options, random()), 20);
    expect(planted).toBeGreaterThan(0.8);
    expect(shuffled).toBeLessThan(0.5 * planted);
  });
});

describe("components", () => {
  const size = 8;
  const of = random();

  test("are found where vectors lie in a plane, and not in noise", () => {
    const [a, b] = [0, 1].map(() => Float64Array.from({ length: size }, () => of.normal()));
    const plane = Array.from({ length: 200 }, () => [of.normal(), of.normal()]).flatMap(([x, y]) =>
      [...a].map((value, i) => 7 + x * value + y * b[i]),
    );
    expect(rankAt(principalComponents(plane, size).variances, 0.999)).toBe(2);
    const noise = Array.from({ length: 2000 * size }, () => of.normal());
    const { variances, basis } = principalComponents(noise, size);
    expect(rankAt(variances, 0.9)).toBe(size);
    expect(mean(variances)).toBeCloseTo(1, 1);
    for (let i = 0; i < size; ++i) {
      for (let j = 0; j < size; ++j) {
        const dot = Array.from({ length: size }, (_, c) => basis[i * size + c] * basis[j * size + c]);
        expect(dot.reduce((x, y) => x + y)).toBeCloseTo(Number(i === j));
      }
    }
  });

  test("before rotary are those of keys at position 0", async () => {
    const ids = draw(20);
    const still = await model.forward({ ids, positions: new Int32Array(20) }, { vectors: true });
    const turned = await model.forward({ ids }, { vectors: true });
    if (!still.keys || !turned.keys) throw new Error("vectors were asked for");
    const [wanted, encoded] = [vectorsOf(still.keys, 1), vectorsOf(turned.keys, 1)]; // of layer 0, which attends to nothing yet
    const found = unrotated(encoded, 0, shape);
    expect(Math.max(...wanted.map((value, i) => Math.abs(value - found[i])))).toBeLessThan(1e-5);
    expect(Math.max(...wanted.map((value, i) => Math.abs(value - encoded[i])))).toBeGreaterThan(0.1);
  });

  test("choose the most attended keys where they carry the scores, and no better than chance where they do not", () => {
    const [keys, queries] = [100, 30];
    const vectors = (n: number, spread: readonly number[]) =>
      Float64Array.from({ length: n * size }, (_, i) => of.normal() * spread[i % size]);
    const spread = [3, 3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    const [q, k] = [
      vectors(
        queries,
        spread.map(() => 1),
      ),
      vectors(keys, spread),
    ];
    const attended = Array.from({ length: queries }, (_, query) => {
      const scores = Array.from({ length: keys }, (_, key) =>
        Array.from({ length: size }, (_, c) => q[query * size + c] * k[key * size + c]).reduce((x, y) => x + y),
      );
      const powers = scores.map(Math.exp);
      const sum = powers.reduce((x, y) => x + y);
      const mass = Float32Array.from(powers, (power) => power / sum);
      return { mass, sorted: mass.slice().sort() };
    });
    const coordinates = (from: number) => ({
      queries: q.filter((_, i) => i % size >= from && i % size < from + 2),
      keys: k.filter((_, i) => i % size >= from && i % size < from + 2),
      rank: 2,
    });
    const [good] = choicesOf(coordinates(0), attended, [25]);
    const [poor] = choicesOf(coordinates(4), attended, [25]);
    expect(good.mass).toBeGreaterThan(0.99);
    expect(good.agreement).toBeGreaterThan(0.9);
    expect(poor.agreement).toBeGreaterThan(0.1);
    expect(poor.agreement).toBeLessThan(0.4);
    expect(good.coverage).toBeGreaterThan(0.8);
    const directions = randomDirections(size, random());
    expect(directions).toHaveLength(size * size);
  });
});

describe("keys that each query selects", () => {
  const [tokens, end, keep] = [24, 9, 6];
  const base = continued(draw(tokens + end), tokens);
  const noise = random();
  const directions = Array.from({ length: groups }, () => randomDirections(shape.headSize, noise));
  const run = (prompt: Prompt) => model.forward(prompt, { attention: true, vectors: true, logits: "loss" });

  test("are those whose attention is measured with the whole cache", async () => {
    const chooser = { directions, share: QUARTER };
    const whole = await run(base.prompt);
    const under = await run(selecting(base, keep, chooser, shape));
    const [choices] = choose(whole, tokens, [chooser], [keep], shape);
    for (let head = 0; head < shape.heads; ++head) {
      // of layer 0, whose queries and keys are the same
      const rows = laterRows(whole, head, tokens);
      const left = laterRows(under, head, tokens);
      for (const row of left) expect(row.filter((mass) => mass > 0)).toHaveLength(keep);
      const total = (of: typeof rows) => of.flatMap((row) => [...row]).reduce((a, b) => a + b);
      const held = total(rows.map((row, query) => row.map((mass, key) => (left[query][key] > 0 ? mass : 0))));
      expect(held / total(rows)).toBeCloseTo(choices[head][0].coverage, 5);
    }
    expect(lossOf(under, base)).not.toBeCloseTo(lossOf(whole, base), 3);
  });

  test("cost nothing where all are selected", async () => {
    const all = await run(selecting(base, tokens, { directions, share: QUARTER }, shape));
    expect(lossOf(all, base)).toBe(lossOf(await run(base.prompt), base));
  });

  test("stand beside the policies, where a model was read with them", () => {
    const [sizes, means] = [{ evicted: [0.5, 0.75] }, new Means(1)];
    const losses = [0, 0.2].map((more) => ({
      whole: 3 + more,
      cut: byPolicy(() => [3.5 + more, 4 + more]),
      selected: { "low-rank keys": [3 + more, 3.1 + more], "random directions": [3.2 + more, 3.4 + more] },
    }));
    const of = (rows: readonly { policy: string; evicted: number; estimate: number }[], policy: string) =>
      rows.filter((row) => row.policy === policy).map(({ estimate }) => estimate);
    const rows = lossRows("trained", losses, sizes, means);
    for (const [policy, rises] of [
      ["low-rank keys", [0, 0.1]],
      ["random directions", [0.2, 0.4]],
      ["recurrence", [0.5, 1]],
    ] as const) {
      expect(of(rows, policy)).toEqual(rises.map((rise) => expect.closeTo(rise)));
    }
    const answered = (correct: number) => ({ correct, logProbability: -1 });
    const answers = [0.8, 1].map((correct) => ({
      whole: answered(correct),
      cut: byPolicy(() => [answered(0.2), answered(0)]),
      selected: {
        "low-rank keys": [answered(correct), answered(correct - 0.1)],
        "random directions": [answered(0.5), answered(0.3)],
      },
    }));
    expect(of(answerRows("needles", answers, sizes, means), "low-rank keys")).toEqual(
      [0.9, 0.8].map((share) => expect.closeTo(share)),
    );
    const untrained = losses.map(({ whole, cut }) => ({ whole, cut }));
    expect(new Set(lossRows("random weights", untrained, sizes, means).map(({ policy }) => policy))).toEqual(
      new Set(policies),
    );
  });
});

describe("retrieval heads", () => {
  const context: Context = {
    task: "key-value",
    facts: 2,
    tokens: 10,
    depths: [0, 9],
    answers: [2, 6],
    text: [],
    prompt: { ids: draw(20) },
    questions: [
      { start: 10, answer: 12, end: 14 },
      { start: 14, answer: 16, end: 17 },
    ],
  };
  const [layers, heads, tokens] = [2, 2, 20];
  /** Head 2 copies all of the first answer, head 1 half of it; the second question is not answered. */
  const forward: Forward = {
    tokens,
    beyondTrainedLength: false,
    maximum: flat(() => 0.8, layers, heads, tokens),
    pattern: flat(
      (i) => {
        const [head, query] = [Math.floor(i / tokens), i % tokens];
        return (head === 2 && query > 10 && query < 13) || (head === 1 && query === 11) || (head === 3 && query === 15)
          ? 0.8
          : 0.01 * (head + 1);
      },
      layers,
      heads,
      1,
      tokens,
    ),
    logProbability: new Float32Array(tokens - 1).fill(-1),
    correct: Uint8Array.from({ length: tokens - 1 }, (_, at) => Number(at !== 15)),
  };

  test("copy answers, as far as these are given", () => {
    expect(headScores(context, forward, true).copied).toEqual([0, 0.5, 1, 0]);
    expect(headScores(context, forward, false).copied).toEqual([0, 0.25, 0.5, 0.5]);
    const never = { ...forward, correct: new Uint8Array(tokens - 1) };
    expect(headScores(context, never, true).copied.every(Number.isNaN)).toBe(true);
    const shared = { layers, heads, keyValueHeads: 1 };
    expect(byScore(headScores(context, forward, true), { ...shared, keyValueHeads: 2 })).toEqual([2, 1, 3, 0]);
    expect(byScore(headScores(context, forward, true), shared)).toEqual([1, 0]);
  });

  test("are masked by attention to all keys alike, or by silence", async () => {
    const ids = draw(12);
    const { attention } = await model.forward(masked({ ids }, [5], "uniform", shape), { attention: true });
    const row = (head: number) => attention?.data.subarray((head * 12 + 9) * 12, (head * 12 + 9) * 12 + 10) ?? [];
    for (const mass of row(5)) expect(mass).toBeCloseTo(0.1, 4);
    expect(Math.max(...row(6))).toBeGreaterThan(0.15);
    expect(masked({ ids }, [5], "silent", shape).headGate?.data.indexOf(0)).toBe(5);
  });

  test("are matched by others of their layers that do not retrieve", () => {
    const chosen = { heads: [0, 5, 2], scores: [0.9, 0, 0.3, 0, 0, 0.5, 0, 0], threshold: 0.1 };
    for (let seed = 0; seed < 20; ++seed) {
      const [first, second, third] = matched(chosen, 4, new Random(seed));
      expect([1, 3]).toContain(first);
      expect([4, 6, 7]).toContain(second);
      expect([1, 3]).toContain(third);
      expect(third).not.toBe(first);
    }
  });
});

describe("claims", () => {
  interface Planted {
    readonly rank: number;
    readonly untrained: number;
    readonly mass: number;
    readonly gain: number;
    readonly recurring: number;
    readonly accuracy: (policy: string) => number;
    readonly told: (policy: string) => number;
    readonly loss: (policy: string) => number;
    readonly masked: number;
    readonly scores: readonly number[];
  }
  const around = (i: number) => 1 + 0.01 * ((i % 3) - 1);
  const evidence = (planted: Planted): Evidence => {
    const choice = { mass: planted.mass, coverage: 0.9, agreement: 0.5 };
    const lossesOf = (i: number) => (policy: string) => [0, 1].map(() => planted.loss(policy) * around(i));
    const answered = (correct: number, logProbability = -1) => ({ correct, logProbability });
    return {
      evicted: [0.5, 0.75],
      retrieval: 0.1,
      seed: 1,
      resamples: 200,
      texts: Array.from({ length: 8 }, (_, i) => ({
        whole: 3 * around(i),
        cut: byPolicy(lossesOf(i)),
        selected: { "low-rank keys": lossesOf(i)("low-rank keys"), "random directions": lossesOf(i)("random") },
        rank: planted.rank * around(i),
        chosen: { components: choice, random: { ...choice, agreement: 0.5 - planted.gain * around(i) } },
      })),
      contexts: Array.from({ length: 8 }, (_, i): ContextEvidence => {
        const under = { retrieval: answered(planted.masked * around(i)), random: answered(0.85) };
        const cut = (policy: string) => answered(planted.accuracy(policy) * around(i), planted.told(policy));
        return {
          task: "key-value",
          whole: answered(0.9 * around(i)),
          cut: byPolicy((policy) => [cut(policy), cut(policy)]),
          masked: { uniform: under, silent: under },
          recurring: { real: 0.3 + planted.recurring * around(i), shuffled: 0.3 },
        };
      }),
      scores: Array.from({ length: 6 }, (_, i) => planted.scores.map((score) => score * around(i))),
      untrainedRanks: Array.from({ length: 4 }, (_, i) => planted.untrained * around(i)),
    };
  };
  const few = Array.from({ length: 40 }, (_, head) => (head < 2 ? 0.9 : head < 3 ? 0.2 : 0.005));

  test("find a cache of which most is not needed, and heads that tell which", () => {
    const good = new Set(["recurrence", "retrieval heads", "low key norm"]);
    const found = judged(
      kvPolicies,
      evidence({
        rank: 0.4,
        untrained: 0.8,
        mass: 0.97,
        gain: 0.2,
        recurring: 0.1,
        accuracy: (policy) => (good.has(policy) ? 0.89 : 0.3),
        told: (policy) => (good.has(policy) ? -0.2 : -2),
        loss: (policy) => (policy === "low-rank keys" ? 2.98 : good.has(policy) ? 3.01 : 3.4),
        masked: 0.1,
        scores: few,
      }),
    );
    for (const { id } of claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["retrieval-is-concentrated"].estimate).toBeCloseTo(1.8 / (1.8 + 0.2 + 37 * 0.005));
  });

  test("find none where policies and heads are all alike", () => {
    const found = judged(
      kvPolicies,
      evidence({
        rank: 0.95,
        untrained: 0.9,
        mass: 0.6,
        gain: 0,
        recurring: 0,
        accuracy: () => 0.4,
        told: () => -2,
        loss: () => 3.4,
        masked: 0.85,
        scores: few.map(() => 0.3),
      }),
    );
    for (const { id } of claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("judge nothing where the model does not answer, or copies nothing", () => {
    const found = judged(kvPolicies, {
      ...evidence({
        rank: 0.5,
        untrained: 0.5,
        mass: 0.9,
        gain: 0,
        recurring: 0,
        accuracy: () => 0,
        told: () => -9,
        loss: () => 3,
        masked: 0,
        scores: few.map(() => 0),
      }),
      evicted: [0.3],
    });
    for (const id of [
      "low-rank-keys-cost-little",
      "selecting-beats-evicting",
      "recurrence-beats-attention",
      "recurrence-keeps-answers",
      "retrieval-heads-are-few",
      "retrieval-is-concentrated",
      "retrieval-heads-need-the-cache",
      "other-heads-can-stream",
      "half-the-cache-by-norm-is-free",
      "half-the-cache-by-norm-answers",
    ]) {
      expect(found[id].outcome, id).toBe("not testable at this scale");
    }
  });
});

describe("the experiment", () => {
  const small = {
    ...kvPolicies.parameters,
    calibration: 1,
    documents: 2,
    context: 110,
    scored: 12,
    scoring: 1,
    contexts: 2,
    evicted: [0.5, 0.75],
    sinks: 2,
    window: 8,
    chosenTexts: 2,
    controlTexts: 2,
    resamples: 20,
  };
  const pairs = Array.from({ length: 60 }, (_, i) => ({ key: `k${i + 10}`, value: `v${i}` }));
  const inputs = {
    texts: texts(3, 200),
    lookups: [{ id: "pairs", format: "key-value", items: pairs }],
    haystack: texts(3, 300),
  };

  test("compares all policies on a model, text and questions", async () => {
    const run = await runSmall(kvPolicies, small, inputs);
    expectDeclaredRows(
      kvPolicies,
      [...run.tables].map(([table, rows]) => ({ table, rows })),
    );
    expect(run.tables.get("losses")).toHaveLength(2 * (2 * policies.length + selectors.length));
    expect(run.tables.get("answers")).toHaveLength(1 + 2 * (policies.length + selectors.length));
    const memory = run.tables.get("memory") ?? [];
    const held = run.tables.get("held") ?? [];
    expect(held).toHaveLength(policies.length * 2 * shape.layers * shape.heads);
    const recent = held.filter(({ policy, evicted }) => policy === "sinks + recent" && evicted === 0.5);
    expect(new Set(recent.map(({ estimate }) => estimate))).toEqual(new Set([0.5])); // answers stand at all depths alike
    expect(memory.find(({ policy }) => policy === "whole cache")?.bytes).toBe(2 * groups * 8 * 110 * 4);
    const kept = keptOf(110, small)[0] / 110;
    expect(memory.find(({ policy, evicted }) => policy === "recurrence" && evicted === 0.5)?.share).toBeCloseTo(kept);
    const coverage = run.tables.get("coverage") ?? [];
    for (const evicted of small.evicted) {
      const of = coverage.filter((row) => row.evicted === evicted && row.condition === "trained");
      const best = of.find(({ policy }) => policy === "most attended")?.estimate;
      for (const { estimate } of of) expect(Number(estimate)).toBeLessThanOrEqual(Number(best) + 1e-6);
    }
    for (const claim of claims) claim.judge(run.evidence);
    expect([...run.progress].sort((a, b) => a - b)).toEqual(run.progress);
    expect(run.progress.at(-1)).toBe(1);
  }, 60_000);

  test("refuses cuts that leave no room, and prompts that are too few", async () => {
    await expect(runSmall(kvPolicies, { ...small, evicted: [0.5, 0.95] }, inputs)).rejects.toThrow(
      /leaves 6 of 110 keys/,
    );
    await expect(runSmall(kvPolicies, { ...small, evicted: [0.5, 0.4] }, inputs)).rejects.toThrow(/rising shares/);
    await expect(runSmall(kvPolicies, { ...small, calibration: 2 }, inputs)).rejects.toThrow(
      /hold 1 texts and 2 contexts/,
    );
  });
});
