import { describe, expect, test } from "vitest";
import { halfOctaves } from "../../../loaders/analysis/bins.js";
import { type Evidence, longContext, type Reading } from "../../../loaders/experiments/long-context.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const bins = halfOctaves(64, 16_382);
const trainedLength = 1024;
const heads = 6;

/** Six stretches that differ a little. The first two heads have a sink. */
function evidence(of: {
  loss: (position: number) => number;
  entropy: (position: number) => number;
  sink: (position: number) => number;
}): Evidence {
  const centre = ({ low, high }: { low: number; high: number }) => (low + high) / 2 + 1;
  const readings = Array.from({ length: 6 }, (_, i): Reading => {
    const little = 0.002 * i;
    const all = (value: number) => Array.from({ length: heads }, () => value + little);
    return {
      loss: bins.map((bin) => of.loss(centre(bin)) + little),
      entropy: bins.map((bin) => all(of.entropy(centre(bin)))),
      first: bins.map((bin) => all(0.01).map((value, head) => (head < 2 ? of.sink(centre(bin)) + little : value))),
      distance: bins.map(() => all(0.3)),
      shares: [],
    };
  });
  return { ...longContext.parameters, resamples: 200, bins, trainedLength, readings };
}

describe("claims on lengths beyond the trained one", () => {
  test("find a loss that rises, entropy that goes on growing and sinks that stay", () => {
    const found = judged(
      longContext,
      evidence({
        loss: (position) => (position > trainedLength ? 4 : 3),
        entropy: (position) => 0.5 * Math.log2(position),
        sink: () => 0.6,
      }),
    );
    for (const { id } of longContext.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["loss-beyond"].estimate).toBeCloseTo(1);
    expect(found["entropy-beyond"].estimate).toBeCloseTo(0);
  });

  test("find none where the loss stays, entropy grows twice as fast and sinks go", () => {
    const found = judged(
      longContext,
      evidence({
        loss: () => 3,
        entropy: (position) => 0.5 * Math.log2(position) * (position > trainedLength ? 2 : 1),
        sink: (position) => (position > trainedLength ? 0.1 : 0.6),
      }),
    );
    for (const { id } of longContext.claims) expect(found[id].outcome, id).toBe("not replicated");
    expect(found["entropy-beyond"].estimate).toBeCloseTo(0.5);
  });

  test("say nothing where texts are short or no head has a sink", () => {
    const short = { ...evidence({ loss: () => 3, entropy: () => 1, sink: () => 0.6 }), trainedLength: 16_000 };
    for (const { outcome } of Object.values(judged(longContext, short))) {
      expect(outcome).toBe("not testable at this scale");
    }
    const none = judged(longContext, evidence({ loss: () => 3, entropy: () => 1, sink: () => 0.1 }));
    expect(none["sinks-beyond"].outcome).toBe("not testable at this scale");
  });
});

const parameters = { ...longContext.parameters, tokens: 200, stretches: 2, lengths: [100, 200, 400], parts: 4 };

test("shares of the attention add up to all of it, and profiles agree with the rows", async () => {
  const { tables, evidence: found } = await runSmall(longContext, parameters, { haystack: texts(4, 250) });
  expectDeclaredRows(
    longContext,
    [...tables].map(([table, rows]) => ({ table, rows })),
  );
  for (const { shares, entropy } of found.readings) {
    expect(shares).toHaveLength(2); // the third length is longer than the texts
    for (const share of shares.flat()) expect(share.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
    expect(Math.max(...entropy.flat())).toBeLessThan(Math.log(200));
  }
  const rows = tables.get("heads") ?? [];
  for (const { entropy, uniform } of rows) expect(Number(entropy)).toBeLessThanOrEqual(Number(uniform) + 1e-4);
});

test("texts that are too short are refused with what to do", async () => {
  await expect(runSmall(longContext, parameters, { haystack: texts(1, 250) })).rejects.toThrow(
    /needs two stretches of 200 tokens, but the texts give 1; take --set tokens=/,
  );
});
