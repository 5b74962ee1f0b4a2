import { describe, expect, test } from "vitest";
import { type Interval, mean } from "../../../engine/interval.js";
import { Random } from "../../../engine/random.js";
import { type AskedItem, factLists } from "../../../loaders/analysis/records.js";
import { slope } from "../../../loaders/analysis/slope.js";
import {
  claims,
  type Evidence,
  lateMinusEarly,
  type MaskReading,
} from "../../../loaders/experiments/positional-bias/claims.js";
import {
  type Context,
  DEPTHS,
  factOf,
  keyValueContext,
  needleContext,
  requestFor,
  windowsOf,
} from "../../../loaders/experiments/positional-bias/contexts.js";
import {
  distanceProfile,
  octaves,
  recencySlope,
  uniformProfile,
} from "../../../loaders/experiments/positional-bias/distance.js";
import { planRetrieval } from "../../../loaders/experiments/positional-bias/retrieval.js";
import { drift, readField } from "../../../loaders/experiments/positional-bias/score-field.js";
import { positionalBias } from "../../../loaders/experiments/positional-bias.js";
import { lookups } from "../../../loaders/prompts/records.js";
import { full } from "../../full.js";
import { expectCases } from "./cases.js";
import { characterTokenizer, runSmall, texts } from "./subject.js";

const tokenizer = characterTokenizer();

describe("contexts", () => {
  const pairs = Array.from(
    { length: 40 },
    (_, i): AskedItem => ({ text: `k${i + 10}: v${i}`, question: `k${i + 10}:`, answer: `v${i}` }),
  );
  const facts = pairs.map((item) => factOf(item, "key-value", tokenizer));
  const inContext = ({ prompt }: Context, from: number, to: number) => tokenizer.decode(prompt.ids.subarray(from, to));

  test("of pairs are filled, ask at each depth, and know where the answers are", () => {
    const context = keyValueContext(facts, { first: 35, tokens: 250, perDepth: 2 }, tokenizer);
    if (!context) throw new Error("forty pairs fill 250 tokens");
    expect(context.tokens).toBeLessThanOrEqual(250);
    expect(context.tokens).toBeGreaterThan(250 - 9);
    expect(context.depths).toEqual(Array.from({ length: 2 * DEPTHS }, (_, k) => Math.floor(k / 2)));
    context.questions.forEach((question, i) => {
      const answer = inContext(context, question.answer, question.end).trim();
      const place = inContext(context, context.answers[i], context.answers[i] + 1 + answer.length);
      expect(place).toContain(answer);
    });
    expect(context.answers[0]).toBeLessThan(12);
    expect(context.answers.at(-1)).toBeGreaterThan(context.tokens - 9);
    expect(inContext(context, 1, 10)).toContain("k45: v35"); // starts at the 36th pair
    expect(inContext(context, 0, context.tokens)).toContain("k49: v39\nk10: v0\n"); // and goes on at the first
  });

  test("that the pairs do not fill, or that leave no room, are not made", () => {
    expect(keyValueContext(facts, { first: 0, tokens: 1000, perDepth: 1 }, tokenizer)).toBeUndefined();
    expect(keyValueContext(facts, { first: 0, tokens: 60, perDepth: 1 }, tokenizer)).toBeUndefined();
  });

  test("of text hold one needle per depth at line breaks, and end with the text's end", () => {
    const hay = tokenizer.encode(`${"a line of hay\n".repeat(60)}the last words of it\n`);
    const items = Array.from(
      { length: DEPTHS },
      (_, i): AskedItem => ({ text: `N${i} is ${i}!`, question: `N${i}?`, answer: `${i}!` }),
    );
    const needles = items.map((item) => factOf(item, "documents", tokenizer));
    const options = { tokens: 600, lineBreaks: (id: number) => tokenizer.token(id) === "\n" };
    const context = needleContext(hay, needles, options, tokenizer);
    if (!context) throw new Error("the hay is long enough");
    expect(context.tokens).toBe(600);
    const text = inContext(context, 1, context.tokens);
    for (const { text: needle } of items) expect(text).toContain(`${needle}\n\n`);
    expect(text.match(/N\d is/g)).toHaveLength(DEPTHS);
    expect(text.replace(/N\d is \d!\n\n/g, "")).toBe(tokenizer.decode(hay.subarray(hay.length - context.text.length)));
    expect(text.indexOf("N0")).toBe(0);
    for (let depth = 1; depth < DEPTHS - 1; ++depth) expect(text[text.indexOf(`N${depth}`) - 1]).toBe("\n");
    context.answers.forEach((at, depth) => {
      expect(Math.abs(at / context.tokens - depth / (DEPTHS - 1))).toBeLessThan(0.08);
      expect(inContext(context, at, at + 3)).toContain(String(depth));
    });
    for (const at of context.text) expect(context.answers).not.toContain(at);
    expect(needleContext(hay.subarray(0, 300), needles, options, tokenizer)).toBeUndefined();
  });

  test("ask for the attention of the answer position on the answer", () => {
    const context = keyValueContext(facts, { first: 0, tokens: 200, perDepth: 1 }, tokenizer);
    if (!context) throw new Error("forty pairs fill 200 tokens");
    const [target] = requestFor(context).targets ?? [];
    context.questions.forEach(({ answer }, i) => {
      expect(target[answer - 1]).toBe(context.answers[i]);
    });
    expect(target.filter((key) => key >= 0)).toHaveLength(DEPTHS);
  });

  test("windows join texts by the start token and do not overlap", () => {
    const windows = windowsOf([{ text: "abc" }, { text: "defg" }, { text: "hi" }, { text: "jklmn" }], 5, 9, tokenizer);
    expect(windows.map((window) => tokenizer.decode(window))).toEqual(["abc<s>d", "hi<s>jk"]);
    expect(() => windowsOf([{ text: "a" }, {}], 5, 1, tokenizer)).toThrow(/line 2: field "text"/);
  });
});

describe("attention by distance", () => {
  const tokens = 32;
  const bins = octaves(tokens);

  /** One head with the given attention of query q on key k. */
  function forward(attention: (query: number, key: number) => number) {
    const distances = new Float32Array(tokens);
    const first = new Float32Array(tokens);
    for (let query = 0; query < tokens; ++query) {
      for (let key = 0; key <= query; ++key) distances[query - key] += attention(query, key);
      first[query] = attention(query, 0);
    }
    return {
      tokens,
      beyondTrainedLength: false,
      distances: { data: distances, dims: [1, 1, tokens] },
      mass: { data: first, dims: [1, 1, 1, tokens] },
    };
  }

  test("octaves cover every distance once", () => {
    expect(bins).toEqual([
      { low: 0, high: 0 },
      { low: 1, high: 1 },
      { low: 2, high: 3 },
      { low: 4, high: 7 },
      { low: 8, high: 15 },
      { low: 16, high: 31 },
    ]);
  });

  test.each([true, false])("rows that spread evenly have no slope (first token counted: %s)", (counted) => {
    const { attention } = distanceProfile(
      forward((query) => 1 / (query + 1)),
      bins,
      counted,
    );
    const uniform = uniformProfile(tokens, bins, counted);
    attention.forEach((value, i) => {
      expect(value).toBeCloseTo(uniform[i], 6);
    });
    expect(recencySlope(attention, uniform, bins)).toBeCloseTo(0, 5);
  });

  test("a planted decay is found", () => {
    const decaying = (power: number) => (query: number, key: number) => {
      if (key === query) return 0;
      let total = 0;
      for (let other = 0; other < query; ++other) total += (query - other) ** power;
      return (query - key) ** power / total;
    };
    const uniform = uniformProfile(tokens, bins, true);
    const of = (power: number) =>
      recencySlope(distanceProfile(forward(decaying(power)), bins, true).attention, uniform, bins);
    expect(of(-1)).toBeLessThan(-0.6);
    expect(of(-2)).toBeLessThan(of(-1));
    expect(of(0.5)).toBeGreaterThan(0);
  });

  test("a sink is not distance: without the first token it leaves the rest as it is", () => {
    const sink = (query: number, key: number) => (query === 0 ? 1 : key === 0 ? 0.8 : 0.2 / query);
    const { attention } = distanceProfile(forward(sink), bins, false);
    const uniform = uniformProfile(tokens, bins, false);
    expect(Math.abs(recencySlope(attention, uniform, bins))).toBeLessThan(0.05);
    const counted = distanceProfile(forward(sink), bins, true).attention;
    expect(recencySlope(counted, uniformProfile(tokens, bins, true), bins)).toBeGreaterThan(0.2);
  });

  test("slope of a line", () => {
    expect(slope([1, 2, 4], [5, 3, -1])).toBeCloseTo(-2, 12);
    expect(slope([1], [1])).toBeNaN();
  });
});

describe("fields of mean scores", () => {
  const tokens = 16;
  const random = new Random(2);
  const units = (score: (query: number, key: number) => number, noise: number) =>
    Array.from({ length: 30 }, () =>
      Float64Array.from(
        { length: tokens * tokens },
        (_, at) => score(Math.floor(at / tokens), at % tokens) + noise * random.normal(),
      ),
    );

  test("noise is not taken for absolute position", () => {
    const { nonRelativity } = readField(
      units((query, key) => key - query, 10),
      tokens,
      0,
      200,
    );
    expect(nonRelativity.low).toBeLessThan(0);
    expect(nonRelativity.high).toBeLessThan(0.25);
    expect(nonRelativity.n).toBe(30);
  });

  test("a field that is all noise has no answer", () => {
    const { nonRelativity, slope: rise } = readField(
      units(() => 0, 1),
      tokens,
      0,
      200,
    );
    expect(nonRelativity.estimate).toBeNaN();
    expect(rise.low).toBeLessThan(0);
    expect(rise.high).toBeGreaterThan(0);
  });

  test("planted absolute position is, in the right amount", () => {
    const planted = (query: number, key: number) => key - query + (key < 8 ? 4 : -4);
    const clean = readField(units(planted, 0), tokens, 0, 200).nonRelativity.estimate;
    const { nonRelativity, slope: rise } = readField(units(planted, 5), tokens, 0, 200);
    expect(clean).toBeGreaterThan(0.2);
    expect(Math.abs(nonRelativity.estimate - clean)).toBeLessThan(0.05);
    expect(nonRelativity.low).toBeGreaterThan(0.1);
    expect(rise.high - rise.low).toBeGreaterThan(0);
  });

  test("drift compares late with early queries at the same distances", () => {
    const field = (score: (query: number, key: number) => number) => units(score, 0)[0];
    expect(
      drift(
        field((query, key) => query - key),
        tokens,
        0,
      ),
    ).toBeCloseTo(0, 12);
    expect(
      drift(
        field((query) => query),
        tokens,
        0,
      ),
    ).toBeCloseTo(8, 12); // queries 4 … 7 against 12 … 15
  });
});

describe("claims", () => {
  const random = new Random(9);
  const near = (estimate: number, half = 0.01): Interval => ({
    estimate,
    low: estimate - half,
    high: estimate + half,
    n: 20,
  });
  const reading = (mask: "causal" | "full", rope: boolean, layer: number, rise: number, absolute = 0): MaskReading => ({
    mask,
    rope,
    alpha: 0.5,
    layer,
    slope: near(rise, 0.0001),
    nonRelativity: near(absolute, 0.005),
  });
  const accuracies: Readonly<Record<number, number>> = { 256: 0.99, 1024: 0.95, 2048: 0.7, 4096: 0.1 };
  const answersOf = (length: number, tilt: number, accuracy: number) =>
    (["needles", "key-value"] as const).flatMap((task) =>
      Array.from({ length: 12 }, () => ({
        task,
        length,
        logProbability: Array.from({ length: DEPTHS }, (_, depth) => -1 + (tilt * depth) / 9 + 0.1 * random.normal()),
        correct: Array.from({ length: DEPTHS }, () => Math.min(1, accuracy + 0.02 * random.normal())),
      })),
    );
  const base: Evidence = {
    rotary: true,
    trainedLength: 2048,
    mask: [0, 1, 2].flatMap((layer) => [
      reading("causal", false, layer, layer === 0 ? 0.00001 : 0.002),
      reading("full", false, layer, 0.00001),
      reading("causal", true, layer, 0.002, 0.06),
      reading("full", true, layer, 0.002, 0.001),
    ]),
    nonRelativity: [near(0.2), near(0.3), near(0.01), near(0.4)],
    slopes: {
      trained: Array.from({ length: 10 }, () => [-1 + 0.1 * random.normal(), -0.5]),
      control: Array.from({ length: 6 }, () => [0.02 * random.normal(), 0]),
    },
    answers: Object.entries(accuracies).flatMap(([length, accuracy]) => answersOf(Number(length), 1, accuracy)),
    tails: Array.from({ length: 8 }, () => {
      const own = 3 + 0.5 * random.normal(); // texts differ far more than lengths do
      return new Map([
        [2048, own],
        [4096, own + 0.3 + 0.05 * random.normal()],
      ]);
    }),
  };
  const judge = (id: string, changes: Partial<Evidence> = {}) => {
    const claim = claims.find((one) => one.id === id);
    if (!claim) throw new Error(`no claim ${id}`);
    return claim.judge({ ...base, ...changes });
  };

  test("planted effects are found", () => {
    const outcomes = Object.fromEntries(claims.map(({ id }) => [id, judge(id).outcome]));
    expect(outcomes).toEqual(Object.fromEntries(claims.map(({ id }) => [id, "replicated"])));
  });

  test("a mask that does nothing, or a first layer that does as much, is not the claim", () => {
    const flat = base.mask.map((of) => ({ ...of, slope: near(0, 0.0001) }));
    expect(judge("mask-alone-favours-near-keys", { mask: flat }).outcome).toBe("not replicated");
    const early = base.mask.map((of) => (of.mask === "causal" ? { ...of, slope: near(0.002, 0.0001) } : of));
    expect(judge("mask-alone-favours-near-keys", { mask: early }).outcome).toBe("mixed");
    const unmasked = base.mask.map((of) => ({ ...of, nonRelativity: near(0.06, 0.005) }));
    expect(judge("mask-bends-rotary-scores", { mask: unmasked }).outcome).toBe("not replicated");
  });

  test("scores that follow the distance are not bent", () => {
    expect(judge("model-scores-are-not-relative", { nonRelativity: [near(0.01), near(0.02), near(0.3)] }).outcome).toBe(
      "not replicated",
    );
    expect(
      judge("near-keys-are-favoured", { slopes: { trained: base.slopes.control, control: base.slopes.control } })
        .outcome,
    ).toBe("not replicated");
  });

  test("flat or falling retrieval is not late, and one task of two is mixed", () => {
    const turned = (tilts: Readonly<Record<string, number>>) => ({
      answers: answersOf(2048, 0, 0.9).map((of) => ({
        ...of,
        logProbability: of.logProbability.map((value, depth) => value + (tilts[of.task] * depth) / 9),
      })),
    });
    expect(judge("late-facts-are-found-better", turned({ needles: -1, "key-value": -1 })).outcome).toBe(
      "not replicated",
    );
    expect(judge("late-facts-are-found-better", turned({ needles: 1, "key-value": -1 })).outcome).toBe("mixed");
    expect(lateMinusEarly([0, 0, 0, 9, 9, 9, 9, 1, 2, 3])).toBe(2);
  });

  test("the same accuracy at every length is no loss of it", () => {
    const answers = Object.keys(accuracies).flatMap((length) => answersOf(Number(length), 1, 0.9));
    expect(judge("longer-contexts-answer-worse", { answers }).outcome).toBe("not replicated");
    expect(judge("retrieval-ends-with-the-trained-length", { answers }).outcome).toBe("not replicated");
    const tails = base.tails.map(
      () =>
        new Map([
          [2048, 3],
          [4096, 2.9],
        ]),
    );
    expect(judge("loss-rises-past-the-trained-length", { tails }).outcome).toBe("not replicated");
  });

  test("what cannot be seen here is said to be untestable", () => {
    const wrong = { answers: Object.keys(accuracies).flatMap((length) => answersOf(Number(length), 1, 0.02)) };
    expect(judge("late-facts-are-found-better", wrong).outcome).toBe("not testable at this scale");
    expect(judge("retrieval-ends-with-the-trained-length", { rotary: false }).outcome).toBe(
      "not testable at this scale",
    );
    expect(judge("retrieval-ends-with-the-trained-length", { trainedLength: 8192 }).outcome).toBe(
      "not testable at this scale",
    );
    expect(judge("loss-rises-past-the-trained-length", { rotary: false }).outcome).toBe("not testable at this scale");
    expect(judge("model-scores-are-not-relative", { rotary: false }).outcome).toBe("not testable at this scale");
  });
});

describe("the experiment", () => {
  const small = {
    ...positionalBias.parameters,
    sequences: 40,
    documents: 3,
    controlDocuments: 2,
    tokens: 65,
    stretch: 32,
    stretches: 2,
    lengths: [200, 2000],
    contexts: [2, 2],
    perDepth: 1,
  };
  const records = lookups();
  const inputs = { lookups: records, texts: texts(3, 70), haystack: texts(4, 1200) };

  test("fills every table, ends at its total, and gives the same again", async () => {
    const first = await runSmall(positionalBias, small, inputs);
    expect([...first.tables.keys()].sort()).toEqual(positionalBias.tables.map(({ name }) => name).sort());
    expect(first.progress.at(-1)).toBeCloseTo(1, 6);
    expect([...first.progress].sort((a, b) => a - b)).toEqual(first.progress);
    for (const claim of positionalBias.claims) claim.judge(first.evidence);

    const contexts = first.tables.get("contexts") ?? [];
    expect(contexts.filter(({ length }) => length === 200).every(({ skipped }) => skipped !== null)).toBe(true);
    const retrieval = first.tables.get("retrieval") ?? [];
    expect(retrieval.filter(({ task }) => task === "key-value")).toHaveLength(DEPTHS);
    expect(mean(retrieval.map(({ accuracy }) => Number(accuracy)))).toBeLessThan(0.2); // untrained

    await expectCases(first, 6);

    if (full) expect((await runSmall(positionalBias, small, inputs)).tables).toEqual(first.tables);
  }, 120_000);

  test("leaves out what a table of learned positions cannot hold, and needs no start token", () => {
    const architecture = { positions: { kind: "learned", table: "", offset: 0 }, contextLength: 1000 } as const;
    const sizes = { lengths: [900, 1001], contexts: [2, 2], perDepth: 1 };
    const bare = characterTokenizer(null);
    const windows = windowsOf(inputs.haystack, 1001, 2, bare);
    const series = planRetrieval(factLists(records, "lookups"), windows, sizes, bare, { architecture });
    expect(series.map(({ task, length, contexts }) => [task, length, contexts.length])).toEqual([
      ["needles", 900, 2],
      ["needles", 1001, 0],
      ["key-value", 900, 2],
      ["key-value", 1001, 0],
    ]);
    expect(series[1].skipped).toMatch(/table of positions/);
    for (const { prompt } of series.flatMap(({ contexts }) => contexts)) {
      expect(Math.max(...(prompt.positions ?? []))).toBeLessThan(900);
    }
  });

  test("refuses records that do not serve", async () => {
    expect(factLists(records, "lookups").length).toBe(records.length);
    const bad = {
      ...inputs,
      lookups: [...records.slice(0, 2), { id: "x", format: "key-value", items: [{ key: "a" }, {}] }],
    };
    await expect(runSmall(positionalBias, small, bad)).rejects.toThrow(/"lookups", line 3, items\[0\]: field "value"/);
  });
});
