import { expect, test } from "vitest";
import { type Progress, sentence } from "../../../components/progress.js";

const progress: Progress = { state: "computing", done: 0, total: 0, message: "", memory: 0, log: [] };

test("how far a computation is becomes a sentence", () => {
  expect(sentence(progress)).toBe("Being computed: it begins.");
  expect(sentence({ ...progress, message: "another process computes it" })).toBe(
    "Being computed: another process computes it.",
  );
  expect(sentence({ ...progress, done: 1, total: 3, left: 12.2, message: "text 1", memory: 2 ** 29 })).toBe(
    "Being computed: 33 %, about 13 s left, 0.5 GiB. text 1",
  );
  expect(sentence({ ...progress, done: 2, total: 2, left: 300 })).toBe("Being computed: 100 %, about 5 min left.");
});
