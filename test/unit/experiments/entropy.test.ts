import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { UserError } from "../../../engine/errors.js";
import { Model } from "../../../engine/model.js";
import { Random } from "../../../engine/random.js";
import { halfOctaves } from "../../../loaders/analysis/bins.js";
import { factLists } from "../../../loaders/analysis/records.js";
import { openBackend } from "../../../loaders/devices.js";
import {
  type Arm,
  type Condition,
  claims,
  type Evidence,
  type Recalled,
} from "../../../loaders/experiments/entropy/claims.js";
import { encode } from "../../../loaders/experiments/entropy/encoding.js";
import { bestPieces, equalPieces, layout } from "../../../loaders/experiments/entropy/pieces.js";
import { dilution, profileOf, rowMetrics } from "../../../loaders/experiments/entropy/profile.js";
import { linePieces, lookups, recallOf } from "../../../loaders/experiments/entropy/recall.js";
import { matchEntropy } from "../../../loaders/experiments/entropy/temperature.js";
import { entropy } from "../../../loaders/experiments/entropy.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";
import { characterTokenizer, runSmall, texts } from "./subject.js";

const ids = Int32Array.from({ length: 14 }, (_, i) => i + 1);
const plain = (pieces: number) => ({ prefix: 1, lengths: equalPieces(9, pieces) });

describe("layout of parallel pieces", () => {
  test("one piece is the text as it is", () => {
    const { prompt, block } = layout(ids, plain(1));
    expect([...prompt.ids]).toEqual([...ids]);
    expect([...(prompt.positions ?? [])]).toEqual([...ids.keys()]);
    expect([...(prompt.pieces ?? [])]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1]);
    expect(block).toBe(10);
  });

  test("pieces share the positions of the longest, shorter ones spread over them, and the block follows", () => {
    const { prompt, ranges } = layout(ids, plain(4));
    expect(ranges.map(({ first, end }) => end - first)).toEqual([2, 2, 2, 3]);
    expect([...(prompt.positions ?? [])]).toEqual([0, 1, 3, 1, 3, 1, 3, 1, 2, 3, 4, 5, 6, 7]);
    expect([...(prompt.pieces ?? [])]).toEqual([1, 1, 1, 2, 2, 3, 3, 4, 4, 4, -1, -1, -1, -1]);
  });

  test("a shared prefix belongs to no piece, and own positions are those of the text", () => {
    const { prompt } = layout(ids, { ...plain(3), shared: true, ownPositions: true });
    expect(prompt.pieces?.[0]).toBe(0);
    expect([...(prompt.positions ?? [])]).toEqual([...ids.keys()]);
  });

  test("pieces that are not kept are left out, the prefix stays", () => {
    const { prompt, ranges, block } = layout(ids, { ...plain(3), keep: [2, 0] });
    expect([...prompt.ids]).toEqual([1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14]);
    expect([...(prompt.positions ?? [])]).toEqual([0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7]);
    expect(ranges).toEqual([
      { first: 1, end: 4 },
      { first: 4, end: 7 },
    ]);
    expect(block).toBe(7);
  });

  test("more pieces than tokens are refused", () => {
    expect(() => plain(10)).toThrow(UserError);
  });

  test("leaving a piece out equals hiding it from the block, and one piece equals no pieces", async () => {
    const model = await Model.load(
      await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/llama`)),
      await openBackend("cpu", { threads: 1 }),
    );
    const whole = layout(ids, plain(3));
    const hidden = new Float32Array(ids.length).fill(-1e9, whole.ranges[1].first, whole.ranges[1].end);
    const keyBias = { data: hidden, dims: [1, 1, ids.length] };
    const hiding = await model.forward({ ...whole.prompt, keyBias }, { logits: "loss" });
    const leaving = await model.forward(layout(ids, { ...plain(3), keep: [0, 2] }).prompt, { logits: "loss" });
    const block = (logProbability: Float32Array | undefined) => [...(logProbability ?? []).slice(-3)];
    block(leaving.logProbability).forEach((value, i) => {
      expect(value).toBeCloseTo(block(hiding.logProbability)[i], 4);
    });

    const signal = new AbortController().signal;
    const unsplit = await encode(model, ids, { arm: "plain", ...plain(1) }, signal);
    const { logProbability } = await model.forward({ ids }, { logits: "loss" });
    expect(unsplit.loss).toBeCloseTo(-block(logProbability).reduce((a, b) => a + b, 0) / 3, 5);
    const shares = unsplit.prefix + unsplit.block;
    expect(shares).toBeGreaterThan(0);
    expect(shares).toBeLessThan(1);
  });
});

test("the best pieces hold the largest weights, however long they are", () => {
  const ranges = [
    { first: 1, end: 9 },
    { first: 9, end: 17 },
    { first: 17, end: 25 },
  ];
  const received = Float64Array.from({ length: 25 }, (_, key) => (key < 9 ? 0.02 : key < 17 ? 0.01 : 0));
  received[20] = 0.3;
  expect(bestPieces(received, ranges, 1)).toEqual([2]); // one large weight
  expect(bestPieces(received, ranges, 2)).toEqual([2, 0]);
});

describe("width of rows", () => {
  test("a uniform row reaches the limit", () => {
    const row = rowMetrics(Math.log(8), 8, 1 / 8, 1 / 8);
    expect(row.normalised).toBeCloseTo(1);
    expect(row.support).toBeCloseTo(8);
    expect(row.rest).toBeCloseTo(Math.log(7));
  });

  test("the rest is the entropy of the other keys, whatever the first one takes", () => {
    const others = [0.5, 0.25, 0.25];
    const a = 0.9;
    const weights = [a, ...others.map((p) => p * (1 - a))];
    const nats = (p: readonly number[]) => -p.reduce((sum, x) => sum + x * Math.log(x), 0);
    expect(rowMetrics(nats(weights), 4, a, a).rest).toBeCloseTo(nats(others));
    expect(rowMetrics(0, 4, 1, 1).rest).toBeNaN();
  });

  test("bins average the queries that see so many keys, and a maximum of 1/n dilutes with exponent −1", () => {
    const queries = 256;
    const visible = Float32Array.from({ length: queries }, (_, q) => q + 1);
    const values = (of: (n: number) => number) => ({ data: visible.map(of), dims: [1, 1, queries] });
    const bins = halfOctaves(2, queries);
    const profile = profileOf(
      {
        tokens: queries,
        beyondTrainedLength: false,
        entropy: values(Math.log),
        maximum: values((n) => 1 / n),
        mass: { data: visible.map((n) => 1 / n), dims: [1, 1, 1, queries] },
      },
      bins,
    );
    expect(profile.values.support[bins.findIndex(({ low }) => low === 8)]).toBeCloseTo((8 + 9 + 10 + 11) / 4, 4);
    for (const value of profile.values.normalised) expect(value).toBeCloseTo(1, 5);
    expect(dilution(profile, bins)).toBeCloseTo(-1, 1);
  });
});

test("half octaves cover every value once", () => {
  const bins = halfOctaves(2, 500);
  const covered = bins.flatMap(({ low, high }) => Array.from({ length: high - low + 1 }, (_, i) => low + i));
  expect(covered).toEqual(Array.from({ length: 499 }, (_, i) => i + 2));
  expect(bins.map(({ low }) => low).slice(0, 6)).toEqual([2, 3, 4, 6, 8, 12]);
});

test("temperatures bring each layer to its target", async () => {
  const sharpness = [0.6, 1.3, 0.9];
  const measure = async (temperature: Float32Array) =>
    Float64Array.from(
      sharpness,
      (slope, layer) => 3 + slope * Math.log(temperature[layer]) - 0.1 * Math.log(temperature[layer]) ** 2,
    );
  const target = Float64Array.of(2.9, 2.7, 3.2);
  const temperature = await matchEntropy(measure, await measure(Float32Array.of(1, 1, 1)), target, 4);
  (await measure(temperature)).forEach((nats, layer) => {
    expect(nats).toBeCloseTo(target[layer], 3);
  });
});

/** Evidence with these effects per piece, and noise between documents that paired differences remove. */
function evidence({ entropyRise = 0, lossRise = 0, fixes = 0, cooling = 0, forgetting = 0, noise = 0.001 }): Evidence {
  const random = new Random(3);
  const arms: readonly [Arm, number, number][] = [
    ["plain", 0, 0],
    ["shared prefix", fixes, fixes],
    ["best pieces", fixes, fixes],
    ["both fixes", 1.1 * fixes, 1.1 * fixes],
    ["cooled", entropyRise, cooling],
    ["own positions", entropyRise / 2, 0],
  ];
  const splits = Array.from({ length: 30 }, () => {
    const level = random.normal();
    return [1, 2, 4, 8].flatMap((pieces) =>
      arms.map(([arm, entropyFix, lossFix]): Condition => {
        const share = Math.log2(pieces) / 3;
        return {
          arm,
          pieces,
          entropy: 3 + level + share * (entropyRise - entropyFix) + noise * random.normal(),
          loss: 3 + level + share * (lossRise - lossFix) + noise * random.normal(),
        };
      }),
    );
  });
  const widths = Array.from({ length: 30 }, () => ({ breadth: [0.7, 0.6, 0.5, 0.4], dilution: -0.3 }));
  const recalls = Array.from({ length: 16 }, () =>
    [1, 8].flatMap((pieces) =>
      (["plain", "shared prefix"] as const).map((arm): Recalled => {
        const lost = pieces === 1 ? 0 : arm === "plain" ? forgetting : forgetting / 3;
        return { arm, pieces, accuracy: 0.9 - lost + noise * random.normal(), loss: 1 };
      }),
    ),
  );
  return { best: 2, splits, widths, recalls };
}

const judge = (id: string, of: Evidence) => claims.find((claim) => claim.id === id)?.judge(of);

describe("claims", () => {
  const planted = evidence({ entropyRise: 0.6, lossRise: 0.3, fixes: 0.2, cooling: 0.1, forgetting: 0.6 });
  const nothing = evidence({});

  test.each([
    ["entropy-rises", 0.6],
    ["loss-rises", 0.3],
    ["shared-prefix-helps", 0.2 * ((2 + 3) / 6)],
    ["selection-helps", 0.2 * ((2 + 3) / 6)],
    ["entropy-is-the-cause", 0.1 * ((2 + 3) / 6)],
    ["separation-raises-entropy", 0.3],
    ["recall-falls", 0.6],
    ["shared-prefix-recalls", 0.4],
  ])("%s finds a planted effect and its size", (id, size) => {
    const judgement = judge(id, planted);
    expect(judgement?.outcome).toBe("replicated");
    expect(judgement?.estimate).toBeCloseTo(size, 2);
    expect(judgement?.low).toBeLessThanOrEqual(judgement?.estimate ?? Number.NaN);
  });

  test("recall cannot fall where there was none", () => {
    const unable = planted.recalls.map((of) => of.map((one) => ({ ...one, accuracy: one.accuracy / 10 })));
    for (const id of ["recall-falls", "shared-prefix-recalls"]) {
      expect(judge(id, { ...planted, recalls: unable })?.outcome).toBe("not testable at this scale");
      expect(judge(id, nothing)?.outcome).toBe("not replicated");
    }
  });

  test.each(["entropy-rises", "separation-raises-entropy", "loss-rises", "shared-prefix-helps", "selection-helps"])(
    "%s finds no effect in none",
    (id) => {
      expect(judge(id, nothing)?.outcome).not.toBe("replicated");
      expect(judge(id, evidence({ entropyRise: -0.2, lossRise: -0.2, fixes: -0.2 }))?.outcome).toBe("not replicated");
    },
  );

  test("noise without an effect is left open", () => {
    expect(judge("loss-rises", evidence({ noise: 1 }))?.outcome).toBe("mixed");
  });

  test("a fix that lowers entropy but raises loss is mixed", () => {
    const half = evidence({ entropyRise: 0.6, lossRise: 0.3 });
    const splits = half.splits.map((conditions) =>
      conditions.map((one) =>
        one.arm === "best pieces" ? { ...one, entropy: one.entropy - 1, loss: one.loss + 1 } : one,
      ),
    );
    expect(judge("selection-helps", { ...half, splits })?.outcome).toBe("mixed");
  });

  test("loss follows entropy where both rise, not where they part", () => {
    expect(judge("loss-follows-entropy", planted)?.outcome).toBe("replicated");
    expect(judge("loss-follows-entropy", evidence({ entropyRise: 0.6, lossRise: -0.3, fixes: 0 }))?.outcome).toBe(
      "not replicated",
    );
  });

  test("cooling is not testable where entropy does not rise", () => {
    expect(judge("entropy-is-the-cause", nothing)?.outcome).toBe("not testable at this scale");
  });

  test("breadth and dilution are judged by their stated bounds", () => {
    expect(judge("broad-heads-are-low", planted)).toMatchObject({ outcome: "replicated", estimate: -1 });
    expect(judge("largest-weight-dilutes", planted)?.outcome).toBe("not replicated");
    const inverse = { ...planted, widths: planted.widths.map(() => ({ breadth: [0.4, 0.5, 0.6, 0.7], dilution: -1 })) };
    expect(judge("broad-heads-are-low", inverse)?.outcome).toBe("not replicated");
    expect(judge("largest-weight-dilutes", inverse)?.outcome).toBe("replicated");
  });
});

/** Records of six pairs: {"key": "k3", "value": "v3"}. */
const pairs = (n: number) =>
  Array.from({ length: n }, (_, r) => ({
    id: `r${r}`,
    format: "key-value",
    items: Array.from({ length: 6 }, (_, i) => ({ key: `k${i}${r}`, value: `v${i}` })),
  }));

describe("recall", () => {
  const tokenizer = characterTokenizer();
  const [record] = lookups(factLists(pairs(1), "lookups"), 6, tokenizer, new Random(1));

  test("every key is asked for once after the context, and the answers are the values", () => {
    const text = tokenizer.decode(record.ids.slice(1));
    const [context, block] = [text.slice(0, 48), text.slice(48)];
    expect(context).toBe("k00: v0\nk10: v1\nk20: v2\nk30: v3\nk40: v4\nk50: v5\n");
    expect(block.trim().split("\n").toSorted()).toEqual(context.trim().split("\n"));
    const first = 1 + record.lines.reduce((a, b) => a + b, 0);
    const answers = record.answers.map(({ first: a, end }) =>
      tokenizer.decode(record.ids.slice(first + a, first + end)),
    );
    expect(answers.toSorted()).toEqual([" v0", " v1", " v2", " v3", " v4", " v5"]);
  });

  test("pieces hold whole lines", () => {
    expect(linePieces([5, 6, 7, 8], [1, 3])).toEqual([5, 21]);
  });

  test("an answer is found where each of its tokens is the most likely one", () => {
    const lookup = {
      ...record,
      answers: [
        { first: 2, end: 4 },
        { first: 5, end: 6 },
      ],
    };
    const forward = {
      tokens: 17,
      beyondTrainedLength: false,
      logProbability: new Float32Array(16).fill(-2),
      correct: Uint8Array.from({ length: 16 }, (_, at) => Number(at === 11 || at === 14)),
    };
    expect(recallOf(forward, 10, lookup)).toEqual({ accuracy: 0.5, loss: 3 });
  });

  test("records that are too short are left out", () => {
    expect(lookups(factLists(pairs(2), "lookups"), 7, tokenizer, new Random(1))).toEqual([]);
  });
});

describe("a small run", () => {
  const small = {
    ...entropy.parameters,
    documents: 4,
    splitDocuments: 3,
    tokens: 48,
    context: 32,
    scored: 12,
    pieces: [1, 2, 4, 6],
    calibration: 2,
    passes: 2,
    records: 2,
    pairs: 6,
  };

  test("fills every table, ends at its total, and gives the same again", async () => {
    const inputs = { texts: texts(6, 60), lookups: pairs(3) };
    const first = await runSmall(entropy, small, inputs);
    expect([...first.tables.keys()].sort()).toEqual(entropy.tables.map(({ name }) => name).sort());
    expect(first.tables.get("split")?.length).toBe(3 * (4 * 5 + 2 + 1));
    expect(first.progress.at(-1)).toBe(1);
    expect([...first.progress].sort((a, b) => a - b)).toEqual(first.progress);
    for (const claim of entropy.claims) expect(claim.judge(first.evidence).n).toBeGreaterThan(0);
    const unsplit = first.tables.get("effects")?.filter(({ pieces, arm }) => pieces === 1 && arm !== "heated");
    expect(unsplit?.every(({ estimate }) => estimate === 0)).toBe(true);

    const second = await runSmall(entropy, small, inputs);
    expect(second.tables).toEqual(first.tables);
  });

  test("works without a start token", async () => {
    const one = { ...small, documents: 2, splitDocuments: 2, pieces: [1, 4], passes: 1 };
    const { tables } = await runSmall(
      entropy,
      one,
      { texts: texts(2, 60), lookups: pairs(2) },
      { tokenizer: characterTokenizer(null), checkpoint: "gpt2" },
    );
    expect(tables.get("split")?.length).toBe(2 * (2 * 5 + 1 + 1));
  });

  test.each([
    [{ id: "a", text: 5 }, /line 2.*"text".*number/],
    [{ id: "a" }, /line 2.*"text".*missing/],
    [{ text: "x" }, /line 2.*"id"/],
    [{ id: "a", text: "short" }, /line 2.*6 tokens.*needs 48/],
    [{ id: "a", source: 3, text: "x" }, /line 2.*"source"/],
    ["text", /line 2.*object/],
  ])("refuses the record %j", async (record, message) => {
    const run = runSmall(entropy, small, { texts: [texts(1, 60)[0], record], lookups: pairs(2) });
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(message);
  });

  test("refuses one text, texts beyond the model, and more pieces than tokens", async () => {
    await expect(runSmall(entropy, small, { texts: texts(1, 60), lookups: pairs(2) })).rejects.toThrow(UserError);
    await expect(
      runSmall(entropy, { ...small, tokens: 1000 }, { texts: texts(3, 60), lookups: pairs(2) }),
    ).rejects.toThrow(/takes 128/);
    await expect(
      runSmall(entropy, { ...small, pieces: [64] }, { texts: texts(3, 60), lookups: pairs(2) }),
    ).rejects.toThrow(/64 pieces/);
    await expect(runSmall(entropy, small, { texts: texts(3, 60), lookups: pairs(1) })).rejects.toThrow(/fewer than 2/);
  });

  test("stops when told to", async () => {
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(
      runSmall(entropy, small, { texts: texts(4, 60), lookups: pairs(2) }, { signal: stopped }),
    ).rejects.toThrow("stopped");
  });

  test("refuses parameters that leave nothing to measure", async () => {
    const inputs = { texts: texts(3, 60), lookups: pairs(2) };
    await expect(runSmall(entropy, { ...small, tokens: 16 }, inputs)).rejects.toThrow(/tokens is 16 .* at least 48/);
    await expect(runSmall(entropy, { ...small, pieces: [0.5] }, inputs)).rejects.toThrow(/pieces is 0.5 .* whole/);
  });
});
