/** Cases computed again as a reader's browser does it, on the small checkpoint of these tests. */
import { expect } from "vitest";
import { measureQuestion, numberOf, questionOf } from "../../../components/lab/measured.js";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { openBackend } from "../../../loaders/devices.js";
import { fileSource } from "../../../loaders/files.js";
import type { Outcome } from "./subject.js";

/** Every published number comes out again from the tokens of its prompt alone. */
export async function expectCases({ tables }: Pick<Outcome, "tables">, prompts: number): Promise<void> {
  const [cases, tokens] = [tables.get("cases") ?? [], tables.get("case_tokens") ?? []];
  const model = await Model.load(
    await openCheckpoint(fileSource("test/golden/checkpoints/llama")),
    await openBackend("cpu", { threads: 1 }),
  );
  const names = new Set(cases.map(({ prompt }) => prompt));
  expect(names.size).toBe(prompts);
  for (const name of names) {
    const measured = await measureQuestion(model, questionOf(tokens.filter(({ prompt }) => prompt === name)));
    for (const row of cases.filter(({ prompt }) => prompt === name))
      expect(Math.abs(Number(row.value) - (numberOf(measured, row) ?? Number.NaN)), JSON.stringify(row)).toBeLessThan(
        5e-5,
      );
  }
  await model.release();
}
