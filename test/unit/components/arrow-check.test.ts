import { readFileSync } from "node:fs";
import { Table, tableToIPC, vectorFromArray } from "apache-arrow";
import { expect, test } from "vitest";
import { checkedStream, readWhole } from "../../../components/arrow-check.js";
import { Random } from "../../../engine/random.js";

const whole = readFileSync(new URL("../../../data/results/entropy/split.arrow", import.meta.url));

test("a sound file is read as it is", () => {
  const table = readWhole(whole);
  expect(table.numRows).toBeGreaterThan(100);
  const again = readWhole(checkedStream(table));
  expect(again.toArray().map(String)).toEqual(table.toArray().map(String));
});

test("a table of every kind of column is read", () => {
  const columns = {
    whole: vectorFromArray([1, 2, null]),
    text: vectorFromArray(["a", "a", "b"]),
    truth: vectorFromArray([true, null, false]),
    list: vectorFromArray([[1, 2], [4], [3]]),
  };
  expect(readWhole(tableToIPC(new Table(columns), "stream")).numRows).toBe(3);
});

test("a file with any wrong bytes is read or refused, in our words and at once", () => {
  const random = new Random(1);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 400; ++i) {
    const bytes = Buffer.from(whole);
    const spoilt =
      i % 4 === 0 ? Buffer.concat([bytes.subarray(0, random.int(bytes.length)), bytes.subarray(-8)]) : bytes;
    if (spoilt === bytes) for (let n = 0; n < 1 << (i % 8); ++n) bytes[random.int(bytes.length - 8)] = random.int(256);
    const outcome = outcomeOf(spoilt);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  for (const outcome of outcomes.keys()) expect(outcome).toMatch(/^(read|(it|what it|a column) [\w ]+(; .*)?)$/);
  expect(outcomes.size).toBeGreaterThan(2);
});

function outcomeOf(bytes: Uint8Array): string {
  try {
    checkedStream(readWhole(bytes));
    return "read";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
