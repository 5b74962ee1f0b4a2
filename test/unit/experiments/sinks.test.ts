import { describe, expect, test } from "vitest";
import { UserError } from "../../../engine/errors.js";
import type { Forward } from "../../../engine/forward.js";
import { Random } from "../../../engine/random.js";
import { ResampledMean } from "../../../loaders/analysis/resampled-mean.js";
import { classRows, tokenRows } from "../../../loaders/experiments/sinks/census.js";
import { chooseHeads } from "../../../loaders/experiments/sinks/choice.js";
import { claims, type DocumentEvidence, type Evidence } from "../../../loaders/experiments/sinks/claims.js";
import { biasHeads, biasOne, damped, equalMass, only } from "../../../loaders/experiments/sinks/damping.js";
import {
  graphOf,
  layersOf,
  receivedSums,
  referenceTokens,
  uniformCausal,
} from "../../../loaders/experiments/sinks/graph.js";
import { groupMeans, normCorrelation, readingOf } from "../../../loaders/experiments/sinks/reading.js";
import { changeRows, frameRows, framesOf, headRows } from "../../../loaders/experiments/sinks/rows.js";
import { type TokenClass, tokenClasses } from "../../../loaders/experiments/sinks/token-class.js";
import { sinks } from "../../../loaders/experiments/sinks.js";
import { characterTokenizer, runSmall, texts } from "./subject.js";

test("tokens are classed by their text and what stands beside them", () => {
  const tokens = [undefined, "The", " cat", "apult", ".", " And", " the", "n", "\n", "12", " ", " of", ",", "Émile"];
  expect(tokenClasses(tokens)).toEqual([
    "start",
    "function word",
    "word", // catapult
    "word part",
    "punctuation",
    "function word",
    "word", // then, though it begins like "the"
    "word part",
    "newline",
    "number",
    "punctuation",
    "function word",
    "punctuation",
    "word",
  ]);
});

describe("graphs", () => {
  const star = Array.from({ length: 11 }, (_, query) =>
    Float64Array.from({ length: 11 }, (_, key) => (key === 0 ? 0.9 : key === query ? 0.1 : 0)),
  );

  test("a star is one, a chain is not", () => {
    expect(graphOf(star, 0.1)).toEqual({ star: 1, centralisation: 1, hub: 0 });
    const chain = star.map((row, query) => row.map((_, key) => Number(key === query - 1)));
    expect(graphOf(chain, 0.1).star).toBeCloseTo(0.1);
  });

  test("uniform attention under the causal mask is already a star where the threshold is low", () => {
    const uniform = uniformCausal(11);
    expect(graphOf(uniform, 0.05)).toMatchObject({ star: 1, hub: 0 });
    expect(graphOf(uniform, 0.2).star).toBeCloseTo(0.3); // queries 1, 2 and 3 see at most four keys
    const harmonic = Array.from({ length: 11 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b);
    expect(receivedSums(uniform)[0]).toBeCloseTo(harmonic);
    expect(referenceTokens(receivedSums(uniform), 0.25)).toEqual([0]);
  });

  test("heads are averaged", () => {
    const attention = { data: Float32Array.of(1, 0, 0, 1, 1, 0, 1, 0), dims: [1, 2, 2, 2] };
    expect(layersOf(attention)).toEqual([[Float64Array.of(1, 0), Float64Array.of(0.5, 0.5)]]);
  });
});

/** Attention of 2 layers × 2 heads over 40 tokens; head 3 has its sinks at keys 0, 7 and 20, the others are uniform. */
function forward(): Forward {
  const tokens = 40;
  const uniform = receivedSums(uniformCausal(tokens));
  const received = Float32Array.from({ length: 4 * tokens }, (_, i) => uniform[i % tokens]);
  for (const key of [0, 7, 20]) received[3 * tokens + key] = 0.25 * (tokens - key);
  const flat = (of: (i: number) => number, ...dims: number[]) => ({
    data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => of(i)),
    dims,
  });
  return {
    tokens,
    beyondTrainedLength: false,
    received: { data: received, dims: [2, 2, 1, tokens] },
    keyNorm: flat((i) => (i % tokens) + 1, 2, 1, tokens),
    valueNorm: flat((i) => (i % tokens === 0 ? 0.1 : 1), 2, 1, tokens),
    residualNorm: flat(() => 1, 3, tokens),
  };
}

describe("readings", () => {
  const reading = readingOf(forward(), 8);

  test("later sinks are found per head, only where enough queries see the key", () => {
    expect(reading.sinks).toEqual([[], [], [], [7, 20]]);
    expect(readingOf(forward(), 30).sinks[3]).toEqual([7]);
    // The last keys mostly see themselves: without a minimum they would all be sinks.
    expect(readingOf(forward(), 1).sinks[0]).toEqual([]);
  });

  test("the first sink that is found is left alone", () => {
    expect(damped(reading)[3]).toEqual([7, 20]);
    const moved = forward();
    moved.received?.data.fill(0, 3 * 40, 3 * 40 + 1);
    expect(damped(readingOf(moved, 8))[3]).toEqual([20]);
  });

  test("a planted first-token sink shows in its head and no other", () => {
    const rows = [...headRows("trained", [reading, reading], { first: 1, last: 32 }, new ResampledMean(2))];
    expect(rows.map(({ above }) => above)).toEqual([0, 0, 0, 0]);
    expect(rows[3].estimate).toBeCloseTo(0.25);
    expect(rows[3].later).toBe(2);
    expect(rows[0].estimate).toBeCloseTo(rows[1].estimate);
  });

  test("norms are compared with attention of every head that reads the key–value head", () => {
    // Uniform attention falls with position while these norms rise with it.
    expect(normCorrelation(reading, 0, { first: 1, last: 32 })).toBeCloseTo(-1);
    expect(groupMeans([0.1, 1, 3, 1], new Set([2]))).toEqual({
      "first token": 0.1,
      "later sinks": 3,
      "other tokens": 1,
    });
    expect(groupMeans([1, 2], new Set())["later sinks"]).toBeNaN();
  });

  test("reference tokens of a layer: the planted ones, and with 40 tokens the first one by the mask alone", () => {
    expect(framesOf(reading, 0.1)).toEqual([[0], [0, 7]]);
    expect(framesOf(reading, 0.2)).toEqual([[], []]);
    const rows = frameRows("trained", [
      [[0], [0, 7]],
      [[0], []],
    ]);
    expect(rows.map(({ any }) => any)).toEqual([1, 0.5]);
    expect(rows.map(({ first_only }) => first_only)).toEqual([1, 0]);
  });

  test("classes are compared at the same positions, so position alone is no effect", () => {
    const newlines = Array.from(
      { length: 40 },
      (_, i): TokenClass => (i === 0 ? "start" : i === 7 || i === 20 ? "newline" : "word"),
    );
    const read = [0, 1].map(() => ({ reading, tokens: newlines.map(String), classes: newlines }));
    const rows = [...classRows("trained", read, { first: 1, last: 32 }, new ResampledMean(2))];
    const of = (layer: number | null, head: number | null, name: string) =>
      rows.find((row) => row.layer === layer && row.head === head && row.class === name);
    expect(of(0, 0, "newline")?.estimate).toBeGreaterThan(0.9);
    expect(of(0, 0, "newline")?.estimate).toBeLessThan(1.1);
    expect(of(1, 1, "newline")?.estimate).toBeGreaterThan(2);
    expect(of(null, null, "newline")?.sinks).toBe(2);
    expect(tokenRows("trained", read, { first: 1, last: 32 }, 5)).toEqual([
      { condition: "trained", token: "newline", class: "newline", sinks: 4, occurrences: 4, rate: 1 },
    ]);
  });
});

describe("damping", () => {
  test("biases are logarithms, of one key or of each head's keys", () => {
    expect(biasOne(4, 2, 0).data[2]).toBeLessThan(-1e8);
    expect(biasOne(4, 0, 0.4).data[0]).toBeCloseTo(Math.log(0.4));
    const { data, dims } = biasHeads(only([[1], [], [2], [0]], [0, 2]), 2, 3, 0.4);
    expect(dims).toEqual([2, 2, 3]);
    expect([...data].map((value) => value !== 0)).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0].map(Boolean));
  });

  test("random keys receive at least as much as the sinks, and little more", () => {
    const received = Float64Array.from({ length: 50 }, (_, key) => (key === 3 ? 5 : 0.5));
    const eligible = Array.from({ length: 46 }, (_, i) => i + 4);
    const drawn = equalMass(received, [3], eligible, new Random(1));
    expect(drawn).toHaveLength(10);
    expect(drawn).not.toContain(3);
    expect(equalMass(received, [], eligible, new Random(1))).toEqual([]);
  });

  test("the screening design finds the heads whose damping helps", async () => {
    const effects = new Map([
      [2, -0.05],
      [5, 0.04],
      [7, -0.03],
      [9, 0.001],
    ]);
    const noise = new Random(5);
    const changeOf = async (_: number, damped: readonly number[]) =>
      damped.reduce((sum, head) => sum + (effects.get(head) ?? 0), 0) + 0.002 * noise.normal();
    const tried = [...effects.keys()];
    const choice = await chooseHeads({ tried, documents: 400, pairs: 2, changeOf, random: new Random(1) });
    expect(choice.chosen.slice(0, 2)).toEqual([2, 7]);
    tried.forEach((head, i) => {
      expect(choice.effects[i]).toBeCloseTo(effects.get(head) ?? Number.NaN, 1.7);
    });
  });
});

test("changes of loss are paired by document, over the whole text and by position", () => {
  const before = [1, 2, 3, 4, 5, 6];
  const rows = [
    ...changeRows(
      [0, 1, 2].map(
        (d) =>
          new Map([
            ["none", before.map((x) => x + d)],
            ["first token hidden", before.map((x, i) => x + d + (i < 2 ? 1 : 0))],
          ] as const),
      ),
      2,
      1,
    ),
  ];
  expect(rows[0].position_low).toBeNull();
  expect(rows[0].high - rows[0].low).toBeCloseTo(0);
  expect(rows[0].estimate).toBeCloseTo(1 / 3);
  expect(rows.slice(1).map(({ position_low, estimate }) => [position_low, estimate])).toEqual([
    [2, 1],
    [3, 1],
    [4, 0],
    [6, 0],
  ]);
});

/** Documents with these effects and a little noise. */
function evidence(of: Partial<DocumentEvidence> & { noise?: number }): Evidence {
  const random = new Random(11);
  const noisy = (value: number) => value + (of.noise ?? 0.001) * random.normal();
  return {
    uniform: { first: 0.013, star: 0.19 },
    documents: Array.from({ length: 30 }, () => ({
      first: noisy(of.first ?? 0.013),
      framed: of.framed ?? 6,
      centralised: of.centralised ?? 1,
      star: noisy(of.star ?? 0.19),
      sinks: of.sinks ?? 10,
      lowContentSinks: of.lowContentSinks ?? 1,
      lowContent: of.lowContent ?? 0.1,
      normCorrelation: noisy(of.normCorrelation ?? 0),
      loss: Object.fromEntries(Object.entries(of.loss ?? {}).map(([name, value]) => [name, noisy(value)])),
    })),
  };
}

const nothing = evidence({
  loss: {
    none: 3,
    "first token hidden": 3,
    "random token hidden": 3,
    "later sinks damped": 3,
    "later sinks damped, chosen heads": 3,
  },
});
const planted = evidence({
  first: 0.2,
  centralised: 6,
  star: 0.8,
  lowContentSinks: 8,
  normCorrelation: -0.4,
  loss: {
    none: 3,
    "first token hidden": 3.4,
    "random token hidden": 3.01,
    "later sinks damped": 2.9,
    "later sinks damped, chosen heads": 2.95,
  },
});

describe("claims", () => {
  test.each([
    ["first-token-sink", 0.187],
    ["one-origin", 1],
    ["star-graph", 0.61],
    ["later-sinks-low-content", 0.7],
    ["first-sink-useful", 0.39],
    ["later-sinks-harmful", 0.1],
    ["chosen-heads", 0.05],
    ["short-keys-attract", -0.4],
  ])("%s finds a planted effect, and none where there is none", (id, size) => {
    const claim = claims.find((one) => one.id === id);
    expect(claim?.judge(planted)).toMatchObject({ outcome: "replicated", n: 30 });
    expect(claim?.judge(planted).estimate).toBeCloseTo(size, 2);
    expect(claim?.judge(nothing).outcome).toBe("not replicated");
  });

  test("what is not there cannot be judged", () => {
    const outcome = (id: string, of: Evidence) => claims.find((one) => one.id === id)?.judge(of).outcome;
    expect(outcome("one-origin", evidence({ framed: 0, centralised: 0 }))).toBe("not testable at this scale");
    expect(outcome("later-sinks-low-content", evidence({ sinks: 0, lowContentSinks: 0 }))).toBe(
      "not testable at this scale",
    );
    expect(outcome("chosen-heads", evidence({ loss: { none: 3 } }))).toBe("not testable at this scale");
    expect(outcome("later-sinks-harmful", evidence({ noise: 1, loss: { none: 3, "later sinks damped": 3 } }))).toBe(
      "mixed",
    );
  });
});

describe("a small run", () => {
  const small = {
    ...sinks.parameters,
    documents: 4,
    tokens: 56,
    minimumQueries: 8,
    graphTokens: 16,
    early: 8,
    pairs: 1,
  };

  test("fills every table, ends at its total, and gives the same again", async () => {
    const inputs = { texts: texts(4, 70) };
    const first = await runSmall(sinks, small, inputs);
    expect([...first.tables.keys()].sort()).toEqual(sinks.tables.map(({ name }) => name).sort());
    expect(first.progress.at(-1)).toBe(1);
    expect([...first.progress].sort((a, b) => a - b)).toEqual(first.progress);
    for (const claim of sinks.claims) claim.judge(first.evidence);

    // With rotary positions hiding the first token is the same as leaving it out.
    const losses = first.tables.get("losses") ?? [];
    const of = (intervention: string) =>
      losses.filter((row) => row.intervention === intervention).map(({ loss }) => Number(loss));
    of("first token hidden").forEach((loss, d) => {
      expect(loss).toBeCloseTo(of("no start token")[d], 4);
    });
    expect(of("none")).toHaveLength(4);

    const again = await runSmall(sinks, small, inputs);
    expect(again.tables).toEqual(first.tables);
  });

  test("without a start token the first word takes its place, on another architecture too", async () => {
    const { tables } = await runSmall(
      sinks,
      small,
      { texts: texts(4, 70) },
      { tokenizer: characterTokenizer(null), checkpoint: "gpt2" },
    );
    const conditions = new Set(tables.get("heads")?.map(({ condition }) => condition));
    expect([...conditions]).toEqual(["trained", "shuffled", "random"]);
    expect(tables.get("losses")?.some(({ intervention }) => intervention === "no start token")).toBe(false);
  });

  test("refuses texts that do not serve, and names the line and the field", async () => {
    const run = runSmall(sinks, small, { texts: [...texts(2, 70), { id: "x", text: "" }] });
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(/line 3.*"text".*empty/);
  });

  test("refuses parameters that leave nothing to measure", async () => {
    const run = runSmall(sinks, { ...small, minimumQueries: 60 }, { texts: texts(4, 70) });
    await expect(run).rejects.toThrow(/tokens is 56 .* at least 62/);
  });
});
