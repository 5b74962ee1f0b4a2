import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { files, generate, type Text } from "../../../loaders/prompts/texts.js";

const text = (id: string, source: string, length: number): Text => ({
  id,
  source,
  package: "p",
  licence: "l",
  text: Array.from({ length: length / 100 }, (_, i) => `${id} ${i} ${"x".repeat(90)}`).join("\n\n"),
});

test("the committed texts are what their generator makes of the held-out documents", async () => {
  for (const [file, contents] of Object.entries(files)) expect(await contents()).toBe(await readFile(file, "utf8"));
});

test("texts are windows of equal length that start at a paragraph, one per document", () => {
  const documents = Array.from({ length: 12 }, (_, i) => text(`d${i}`, `s${i % 3}`, i < 6 ? 2000 : 9000));
  const texts = generate(documents);
  expect(texts.map(({ text: { length } }) => length)).toEqual(texts.map(() => 3600));
  expect(new Set(texts.map(({ id }) => id)).size).toBe(6); // the short documents are left out
  for (const { id, text: window } of texts) expect(window).toMatch(new RegExp(`^${id} \\d+ x`));
});

test("sources take turns, so that the first texts differ as much as they can", () => {
  const documents = [..."aaaaaaab"].map((source, i) => text(`d${i}`, source, 9000));
  expect(
    new Set(
      generate(documents)
        .slice(0, 2)
        .map(({ source }) => source),
    ),
  ).toEqual(new Set(["a", "b"]));
});
