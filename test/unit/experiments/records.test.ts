import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { UserError } from "../../../engine/errors.js";
import { openTokenizer } from "../../../engine/tokenizer.js";
import { askAll, score } from "../../../loaders/analysis/questions.js";
import { asking, delimited, factLists, isAsked } from "../../../loaders/analysis/records.js";
import { fileSource } from "../../../loaders/files.js";
import { bundledModel } from "../../../loaders/project.js";
import { files, lookups, records } from "../../../loaders/prompts/records.js";
import { characterTokenizer } from "./subject.js";

describe("generated records", () => {
  test.each(Object.entries(files))("%s is what the generator writes", async (file, generate) => {
    expect(await readFile(file, "utf8")).toBe(generate());
  });

  test("another seed gives other records", () => {
    expect(records(2)).not.toEqual(records(1));
  });

  test("can all be read, and no answer is also asked about in its record", () => {
    for (const list of [...factLists(records(), "records"), ...factLists(lookups(), "lookups")]) {
      const asked = list.items.filter(isAsked);
      expect(asked).toHaveLength(list.items.length);
      for (const { text, answer } of asked) expect(text).toContain(answer);
      if (list.format === "documents" && list.items.length === 20) {
        const answers = new Set(asked.map(({ answer }) => answer));
        expect(answers.size).toBe(20);
        for (const { question } of asked)
          for (const word of question.split(/[ ?]/)) expect(answers.has(word)).toBe(false);
      }
    }
  });

  test("no key of the long contexts occurs twice", () => {
    const keys = factLists(lookups(), "lookups")
      .filter(({ format }) => format === "key-value")
      .flatMap(({ items }) => items.map(({ question }) => question));
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("have items of one length under the bundled tokenizer, whatever their number", async () => {
    const tokenizer = await openTokenizer(fileSource(bundledModel));
    const unequal = factLists(records(), "records").filter(({ format, items }) => {
      const lengths = items.map(({ text }, i) => tokenizer.encode(delimited(format, text, i + 1)).length);
      return Math.min(...lengths) < Math.max(...lengths);
    });
    expect(unequal.map(({ id }) => id)).toEqual([]);
  });
});

describe("records of a user", () => {
  const good = {
    id: "a",
    format: "documents",
    items: [{ text: "A is b.", question: "What is a?", answer: "b" }, { text: "C is d." }],
  };

  test("may hold items that only distract", () => {
    expect(factLists([good], "x")[0].items.map(isAsked)).toEqual([true, false]);
  });

  test.each([
    ["id", { ...good, id: "" }, /line 2: field "id"/],
    ["format", { ...good, format: "list" }, /line 2: field "format" must be "documents" or "key-value", not "list"/],
    ["items", { ...good, items: [] }, /line 2: field "items" must be a list of at least 2/],
    ["text", { ...good, items: [{ text: "A." }, { text: 3 }] }, /line 2, items\[1\]: field "text"/],
    [
      "answer",
      { ...good, items: [good.items[0], { text: "C.", question: "c?" }] },
      /line 2, items\[1\]: field "answer"/,
    ],
    ["question", { ...good, items: [good.items[1], good.items[1]] }, /line 2: no item has a "question"/],
    ["twice", { ...good, items: [good.items[0], good.items[0]] }, /line 2: field "items" asks "What is a\?" twice/],
    [
      "key",
      { ...good, format: "key-value", items: [{ key: "k", value: "v" }, { value: "w" }] },
      /items\[1\]: field "key"/,
    ],
    ["object", ["text"], /line 2: must be an object/],
  ])("are refused where %s is wrong, with line and field", (_, bad, message) => {
    expect(() => factLists([good, bad], "mine")).toThrow(UserError);
    expect(() => factLists([good, bad], "mine")).toThrow(message);
  });
});

describe("questions in one pass", () => {
  const tokenizer = characterTokenizer();
  const context = tokenizer.prompt("k: v\n");

  test("are pieces that start at the end of the context and end with their answers", () => {
    const { prompt, questions } = askAll(
      context,
      [
        { text: "\nk:", answer: "v" },
        { text: "\nkk:", answer: "vv" },
      ],
      tokenizer,
    );
    expect(tokenizer.decode(prompt.ids.subarray(context.length))).toBe("\nk: v\nkk: vv");
    const at = context.length;
    expect([...(prompt.positions ?? [])].slice(at)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6].map((i) => at + i));
    expect([...(prompt.pieces ?? [])]).toEqual([...Array(at).fill(0), ...Array(5).fill(1), ...Array(7).fill(2)]);
    expect(questions).toEqual([
      { start: at, answer: at + 3, end: at + 5 },
      { start: at + 5, answer: at + 9, end: at + 12 },
    ]);
  });

  test("are scored over all tokens of the answer", () => {
    const forward = {
      tokens: 6,
      beyondTrainedLength: false,
      logProbability: Float32Array.of(-9, -9, -1, -2, -9),
      correct: Uint8Array.of(0, 0, 1, 1, 0),
    };
    expect(score(forward, { start: 1, answer: 3, end: 5 })).toEqual({ logProbability: -3, correct: true });
    expect(score(forward, { start: 1, answer: 3, end: 6 }).correct).toBe(false);
  });

  test("follow the formats on which the bundled model was trained", () => {
    expect(delimited("documents", "A.", 3)).toBe("Document 3: A.\n");
    expect(asking("documents", "Why?")).toBe("\nQuestion: Why?\nAnswer:");
    expect(delimited("key-value", "k: v", 3) + asking("key-value", "k:")).toBe("k: v\n\nk:");
  });
});
