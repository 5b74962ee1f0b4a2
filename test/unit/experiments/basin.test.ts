import { describe, expect, test } from "vitest";
import { UserError } from "../../../engine/errors.js";
import { Random } from "../../../engine/random.js";
import { arrange, listPrompt } from "../../../loaders/analysis/list-prompt.js";
import { factLists } from "../../../loaders/analysis/records.js";
import {
  basinLayer,
  basinRatio,
  goldShare,
  requestFor,
  shares,
  type Unit,
  unitOf,
} from "../../../loaders/experiments/basin/attention.js";
import {
  type Answer,
  type Condition,
  claims,
  type Evidence,
  type Lists,
} from "../../../loaders/experiments/basin/claims.js";
import { descending, endsFirst, place } from "../../../loaders/experiments/basin/order.js";
import { basin } from "../../../loaders/experiments/basin.js";
import { records } from "../../../loaders/prompts/records.js";
import { full } from "../../full.js";
import { expectCases } from "./cases.js";
import { characterTokenizer, runSmall } from "./subject.js";

const lists = factLists(records(), "records");
const tokenizer = characterTokenizer();

describe("lists", () => {
  test("ask for every position equally often over the records, and shuffle contents", () => {
    const random = new Random(1);
    const asked = new Map<number, number>();
    const firsts = new Set<string>();
    for (let turn = 0; turn < 20; ++turn) {
      const arrangement = arrange(lists[turn], { count: 10, questions: 4, turn }, random);
      expect(arrangement?.items).toHaveLength(10);
      expect(new Set(arrangement?.items.map(({ text }) => text)).size).toBe(10);
      for (const position of arrangement?.asked ?? []) asked.set(position, (asked.get(position) ?? 0) + 1);
      firsts.add(arrangement?.items[0].text ?? "");
    }
    expect([...asked.values()]).toEqual(Array(10).fill(8));
    expect(firsts.size).toBeGreaterThan(15);
    expect(arrange(lists[0], { count: 21, questions: 1, turn: 0 }, random)).toBeUndefined();
  });

  test("put distractors around what can be asked for", () => {
    const list = {
      id: "x",
      format: "documents" as const,
      items: [{ text: "a", question: "a?", answer: "1" }, { text: "b" }, { text: "c" }],
    };
    for (let turn = 0; turn < 3; ++turn) {
      const arrangement = arrange(list, { count: 3, questions: 10, turn }, new Random(turn));
      expect(arrangement?.asked).toEqual([turn]);
      expect(arrangement?.items[turn].text).toBe("a");
    }
  });

  test("know the tokens of each item, with delimiters and without", () => {
    const arrangement = arrange(lists[0], { count: 5, questions: 2, turn: 1 }, new Random(3));
    if (!arrangement) throw new Error("twenty items are enough for five");
    for (const delimiters of [true, false]) {
      const { prompt, spans } = listPrompt(arrangement, tokenizer, { delimiters });
      spans.forEach(({ first, end }, i) => {
        const { text } = arrangement.items[i];
        expect(tokenizer.decode(prompt.ids.subarray(first, end))).toBe(
          delimiters ? `Document ${i + 1}: ${text}\n` : ` ${text}`,
        );
      });
      const { keySegments = [] } = requestFor({ prompt, spans, questions: [] });
      expect(keySegments).toHaveLength(6);
      const covered = keySegments.reduce((sum, weights) => sum + weights.reduce((a, b) => a + b, 0), 0);
      expect(covered).toBe(spans[4].end); // the first token and every item, once
    }
  });

  test("leave the first token out of the first item where no start token stands before it", () => {
    const arrangement = arrange(lists[0], { count: 5, questions: 1, turn: 0 }, new Random(3));
    if (!arrangement) throw new Error("twenty items are enough for five");
    const prompt = listPrompt(arrangement, characterTokenizer(null));
    const [first, item] = requestFor(prompt).keySegments ?? [];
    expect([first[0], first[1], item[0], item[1]]).toEqual([1, 0, 0, 1]);
  });
});

/** A unit in which every query of a layer sees the items by that layer's weights, the asked one `boost` times as much. */
function planted(
  record: string,
  weights: readonly (readonly number[])[],
  { boost = 1, first = 0.5, use = (_: number) => -0.1 } = {},
): Unit {
  const items = weights[0].length;
  const probes = Array.from({ length: items }, (_, position) => {
    const rows = weights.flatMap((layer) => [
      first,
      ...layer.map((weight, j) => (j === position ? boost : 1) * weight * 0.05),
    ]);
    const mass = Float64Array.from(rows);
    return {
      position,
      logProbability: use(position),
      correct: use(position) > -1,
      mass: { question: mass, answer: mass },
    };
  });
  return { record, layers: weights.length, heads: 1, items, probes };
}

const flat = [1, 1, 1, 1, 1, 1];
const bowl = [3, 1, 1, 1, 1, 2];
const rise = [0.5, 1, 1.5, 2, 2.5, 3];

describe("item attention", () => {
  test("is the mass on each item, mean over the question's tokens and heads, scaled to 1", () => {
    const arrangement = { format: "documents" as const, items: [], asked: [1] };
    const question = { start: 2, answer: 4, end: 5 };
    // One layer, two heads, [first token, item 1, item 2], five queries of which 2 and 3 ask.
    const data = Float32Array.from(
      [
        [0, 0, 0.2, 0.4, 0],
        [0, 0, 0.1, 0.3, 0],
        [0, 0, 0.3, 0.1, 0],
        [0, 0, 0.0, 0.2, 0],
        [0, 0, 0.4, 0.4, 0],
        [0, 0, 0.2, 0.2, 0],
      ].flat(),
    );
    const forward = {
      tokens: 5,
      beyondTrainedLength: false,
      mass: { data, dims: [1, 2, 3, 5] },
      logProbability: Float32Array.of(0, 0, 0, -0.5),
      correct: Uint8Array.of(0, 0, 0, 1),
    };
    const unit = unitOf(
      "r",
      arrangement,
      { prompt: { ids: new Int32Array(5) }, questions: [question], spans: [] },
      forward,
    );
    expect(unit.probes[0]).toMatchObject({ position: 1, logProbability: -0.5, correct: true });
    const items = [(0.2 + 0.4) / 2, (0.2 + 0.2) / 2]; // head 0: 0.2 and 0.2; head 1: 0.4 and 0.2
    const total = items[0] + items[1];
    for (const [j, share] of shares(unit, { query: "question" }).entries()) {
      expect(share).toBeCloseTo(items[j] / total, 6);
    }
    expect(shares(unit, { query: "answer", head: 0 })[0]).toBeCloseTo(0.3 / 0.4, 6);
    expect(goldShare(unit, unit.probes[0], { query: "answer", head: 1 })).toBeCloseTo(0.2 / 0.6, 6);
    const counted = shares(unit, { query: "question" }, true);
    expect(counted[0]).toBeCloseTo((items[0] + 0.2) / (total + 0.2), 6);
  });

  test("ratio and layer of the basin", () => {
    expect(basinRatio(bowl)).toBe(2);
    expect(basinRatio(rise)).toBeLessThan(1);
    expect(basinLayer([flat, rise, bowl, bowl])).toBe(2);
    expect(basinLayer([rise, flat])).toBe(1); // none passes: the closest
  });

  test("the first token, counted with the first item, makes a basin of a flat profile", () => {
    const unit = planted("r", [flat], { first: 0.5 });
    expect(basinRatio(shares(unit, { query: "question" }))).toBeCloseTo(1, 6);
    expect(shares(unit, { query: "question" }, true)[0]).toBeGreaterThan(0.6);
  });
});

test("orders put the most relevant item where they say", () => {
  expect(descending([0.1, 0.5, 0.5, 0.2])).toEqual([1, 2, 3, 0]);
  expect(endsFirst(5)).toEqual([0, 4, 1, 3, 2]);
  expect(place(["best", "second", "third"], [2, 0, 1])).toEqual(["second", "third", "best"]);
});

describe("claims", () => {
  const random = new Random(4);
  const noisy = (weights: readonly number[], amount = 0.05) =>
    weights.map((weight) => weight * (1 + amount * random.normal()));
  const units = (of: () => Unit) => Array.from({ length: 24 }, of);
  const record = (() => {
    let n = 0;
    return () => `r${n++}`;
  })();

  function evidence(conditions: Partial<Record<Condition, () => Unit>>, answers: readonly Answer[] = []): Evidence {
    const given = Object.entries(conditions).map(
      ([condition, of]): Lists => ({
        format: "documents",
        condition: condition as Condition,
        items: 6,
        units: units(of),
      }),
    );
    return { lists: given, main: { format: "documents", items: 6 }, answers };
  }

  const judge = (id: string, of: Evidence) => {
    const claim = claims.find((one) => one.id === id);
    if (!claim) throw new Error(`no claim ${id}`);
    return claim.judge(of);
  };

  const unit =
    (weights: readonly number[], options = {}) =>
    () =>
      planted(record(), [noisy(rise), noisy(weights)], options);

  test("a planted basin is found, a flat or rising profile is not", () => {
    expect(judge("basin", evidence({ intact: unit(bowl) }))).toMatchObject({ outcome: "replicated", n: 12 });
    expect(judge("basin", evidence({ intact: unit(flat) })).outcome).toBe("not replicated");
    expect(judge("basin", evidence({ intact: unit(rise) })).outcome).toBe("not replicated");
    expect(judge("basin", evidence({ intact: unit(bowl) })).estimate).toBeCloseTo(2, 1);
  });

  test("a basin that goes with the first token is the sink's", () => {
    const of = (weights: readonly number[]) => evidence({ intact: unit(bowl), "first token hidden": unit(weights) });
    expect(judge("basin-without-sink", of(bowl)).outcome).toBe("replicated");
    expect(judge("basin-without-sink", of(flat)).outcome).toBe("not replicated");
  });

  test("a shape that contents decide is told from one that survives them", () => {
    expect(judge("shape-survives-contents", evidence({ intact: unit(bowl) })).outcome).toBe("replicated");
    const contents = () => planted(record(), [noisy(flat, 0.4)]);
    expect(judge("shape-survives-contents", evidence({ intact: contents })).outcome).not.toBe("replicated");
  });

  test("delimiters matter where the ratio falls without them", () => {
    const of = (weights: readonly number[]) => evidence({ intact: unit(bowl), "no delimiters": unit(weights) });
    expect(judge("delimiters", of(flat)).outcome).toBe("replicated");
    expect(judge("delimiters", of(bowl)).outcome).toBe("not replicated");
    expect(judge("delimiters", evidence({ intact: unit(bowl) })).outcome).toBe("not testable at this scale");
  });

  test("attention predicts use where both are high at the same positions", () => {
    const agreeing = unit(rise, { use: (position: number) => -0.6 + 0.1 * position });
    expect(judge("attention-predicts-use", evidence({ intact: agreeing })).outcome).toBe("replicated");
    const opposed = unit(rise, { use: (position: number) => -0.1 * (1 + position) });
    expect(judge("attention-predicts-use", evidence({ intact: opposed })).outcome).toBe("not replicated");
    const wrong = unit(rise, { use: (position: number) => -6 + 0.1 * position });
    expect(judge("attention-predicts-use", evidence({ intact: wrong })).outcome).toBe("not testable at this scale");
  });

  test("late and relevant items are told apart", () => {
    expect(judge("late-items-get-more", evidence({ intact: unit(rise) })).outcome).toBe("replicated");
    expect(judge("late-items-get-more", evidence({ intact: unit([3, 2.5, 2, 1.5, 1, 0.5]) })).outcome).not.toBe(
      "replicated",
    );
    expect(judge("relevant-items-get-more", evidence({ intact: unit(rise, { boost: 2 }) })).outcome).toBe("replicated");
    expect(judge("relevant-items-get-more", evidence({ intact: unit(rise, { boost: 0.5 }) })).outcome).toBe(
      "not replicated",
    );
  });

  test("an order is judged against random orders of the same record", () => {
    const answers = (gain: number, position: number): Answer[] =>
      Array.from({ length: 24 }, (_, r) => {
        const base = -1 - random.next(); // records differ far more than orders do
        const answer = { record: `r${r}`, correct: true };
        return [1, 2].flatMap((round): Answer[] => [
          { ...answer, order: "random", round, position: random.int(6), logProbability: base + 0.01 * random.normal() },
          { ...answer, order: "attention sorting", round, position, logProbability: base + gain },
          { ...answer, order: "attention rank", round: 0, position, logProbability: base + gain },
        ]);
      }).flat();
    const of = (gain: number, position: number) => evidence({ intact: unit(bowl) }, answers(gain, position));
    expect(judge("attention-rank", of(0.2, 5))).toMatchObject({ outcome: "replicated", n: 24 });
    expect(judge("attention-rank", of(0.2, 5)).estimate).toBeCloseTo(0.2, 2);
    expect(judge("attention-rank", of(-0.2, 5)).outcome).toBe("not replicated");
    expect(judge("sorting-by-attention", of(0.2, 5)).outcome).toBe("replicated");
    expect(judge("sorting-by-attention", of(-0.2, 5)).outcome).toBe("mixed"); // later, but worse
    expect(judge("sorting-by-attention", of(-0.2, 0)).outcome).toBe("not replicated");
  });
});

describe("the experiment", () => {
  const small = {
    ...basin.parameters,
    records: 4,
    controlRecords: 4,
    items: [3, 5],
    mainItems: 5,
    questions: 2,
    rounds: 1,
  };
  const inputs = { records: records() };

  test("fills every table, ends at its total, and gives the same again", async () => {
    const first = await runSmall(basin, small, inputs);
    expect([...first.tables.keys()].sort()).toEqual(basin.tables.map(({ name }) => name).sort());
    expect(first.progress.at(-1)).toBeCloseTo(1, 2);
    expect([...first.progress].sort((a, b) => a - b)).toEqual(first.progress);
    for (const claim of basin.claims) claim.judge(first.evidence);

    const profiles = first.tables.get("profiles") ?? [];
    const sums = new Map<string, number>();
    for (const { format, condition, items, query, layer, share } of profiles) {
      const key = [format, condition, items, query, layer].join();
      sums.set(key, (sums.get(key) ?? 0) + Number(share));
    }
    for (const sum of sums.values()) expect(sum).toBeCloseTo(1, 5);

    await expectCases(first, 4);

    const answers = first.tables.get("answers") ?? [];
    const positions = (order: string) => answers.filter((row) => row.order === order).map(({ position }) => position);
    expect(positions("best first")).toEqual([1, 1, 1, 1]);
    expect(positions("best last")).toEqual([5, 5, 5, 5]);

    if (full) expect((await runSmall(basin, small, inputs)).tables).toEqual(first.tables);
  }, 60_000);

  test("runs without a start token", async () => {
    const { tables } = await runSmall(basin, small, inputs, { tokenizer: characterTokenizer(null) });
    expect(tables.get("prompts")?.every(({ records }) => records === 4)).toBe(true);
  }, 60_000);

  test("stops when asked to", async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(runSmall(basin, small, inputs, { signal: stop.signal })).rejects.toThrow(/abort/i);
  });

  test("refuses records that do not serve", async () => {
    await expect(runSmall(basin, small, { records: [{ id: "a" }] })).rejects.toThrow(/line 1: field "format"/);
    const short = [
      {
        id: "a",
        format: "key-value",
        items: [
          { key: "a", value: "b" },
          { key: "c", value: "d" },
        ],
      },
    ];
    const run = runSmall(basin, small, { records: short });
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(/no four records of one format hold 3 items or more and fit/);
  });
});
