import { expect, test } from "vitest";
import { byteSize, meter } from "../../../loaders/meter.js";

function watched(isTTY: boolean, done = 0, warmUp = 0) {
  let now = 0;
  const written: string[] = [];
  const out = { isTTY, write: (text: string) => written.push(text) };
  const state = (amount: number, rate: number) => `${byteSize(amount)}, ${byteSize(rate)}/s`;
  const gauge = meter("pull a/b", 1e9, { state, done, warmUp, out, clock: () => now });
  const at = (seconds: number, amount: number) => {
    now = 1000 * seconds;
    gauge.update(amount);
  };
  return { written, at, gauge };
}

test("what is done within two seconds is not talked about", () => {
  const { written, at, gauge } = watched(false);
  at(1, 5e8);
  at(1.9, 1e9);
  gauge.close();
  expect(written).toEqual([]);
});

test("a longer one says how far it is, how fast, and how long it will take, without what was there before", () => {
  const { written, at } = watched(false, 4e8);
  at(2, 5e8);
  at(3, 5.5e8);
  at(12, 7e8);
  expect(written).toEqual(["pull a/b: 500 MB, 50 MB/s, 10 s left\n", "pull a/b: 700 MB, 25 MB/s, 12 s left\n"]);
});

test("what comes first may wait for a start, and then has no part in the rate", () => {
  const { written, at } = watched(false, 0, 2);
  at(1, 1e6);
  at(5, 2e6);
  at(15, 5.02e8);
  expect(written).toEqual(["pull a/b: 2.0 MB, 0 B/s\n", "pull a/b: 502 MB, 50 MB/s, 10 s left\n"]);
});

test("a terminal has one line, which is redrawn and wiped at the end", () => {
  const { written, at, gauge } = watched(true);
  at(2, 1e8);
  at(2.5, 2e8);
  gauge.close();
  expect(written).toHaveLength(3);
  for (const text of written) expect(text.startsWith("\r\x1b[K")).toBe(true);
  expect(written.join("")).not.toContain("\n");
});

test("sizes are short", () => {
  expect([0, 999, 1000, 1234, 34_567_890, 5.6e9, 2e15].map(byteSize)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.2 kB",
    "35 MB",
    "5.6 GB",
    "2000 TB",
  ]);
});
