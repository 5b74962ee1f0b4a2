/** What the page of benchmarks says beside the measured times. */
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { parsePassport, passportLine } from "../../../components/passport.js";
import { benchmarkTable, nearness } from "../../../loaders/bench/table.js";

const ceilings = { copy_gb_per_s: 1000, webgpu_copy_gb_per_s: 500, float32_tflops: 50, bfloat16_tflops: 500 };
const layer = { name: "rows", dtype: "f32", T: 1000, heads: 10, headSize: 50, ours_ms: 1 } as const;

test("a layer's time is held against the card's rates, by what it multiplies and moves", () => {
  // 10 heads · 1000² / 2 pairs · 50 products and sums; 10 · 1000 rows of queries and of keys, 200 bytes each, and 20 more
  const pytorch = { pytorch_eager_ms: null, pytorch_eager_dtype: null, pytorch_peak_mb: null, sdpa_ms: null };
  const measured = { ...layer, ...pytorch, pytorch_out_of_memory: false, samples_ms: [], peak_mb: null, error: null };
  expect(nearness(measured, ceilings)).toEqual({
    tflops: 0.5,
    of_matrix: 0.01,
    of_copy: expect.closeTo(0.0042, 10),
  });
  const half = nearness({ ...measured, name: "rows+columns", dtype: "f16" }, ceilings);
  expect(half).toEqual({ tflops: 1, of_matrix: 0.002, of_copy: expect.closeTo(0.0044, 10) });
  expect(nearness(measured, { ...ceilings, copy_gb_per_s: null, float32_tflops: null })).toMatchObject({
    of_matrix: null,
    of_copy: expect.closeTo(0.0084, 10),
  });
  expect(nearness({ ...measured, name: "model" }, ceilings)).toEqual({ tflops: null, of_matrix: null, of_copy: null });
});

test("the committed measurements are within the card's rates", async () => {
  const rows = tableFromIPC(await benchmarkTable()).toArray();
  for (const { name, of_matrix, of_copy } of rows) {
    if (name === "model") continue;
    expect(of_matrix).toBeLessThan(1);
    expect(of_copy).toBeLessThan(0.01);
  }
});

test("under the figures stands which card was measured, and from what", async () => {
  const { metadata } = tableFromIPC(await benchmarkTable()).schema;
  const passport = parsePassport(metadata.get("passport"));
  expect(passport && passportLine(passport)).toMatch(
    /^NVIDIA \S.* · commit [0-9a-f]{7}( with changes)? · key [0-9a-f]{8} · \d{4}-/,
  );
});
