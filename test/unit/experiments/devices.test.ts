import { describe, expect, test } from "vitest";
import { UserError } from "../../../engine/errors.js";
import type { AgreementRecord, ClaimRecord, ColumnRecord, RunRecord } from "../../../loaders/analysis/agreement.js";
import { agreementRecords } from "../../../loaders/analysis/agreement.js";
import { devices } from "../../../loaders/experiments/devices.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const origin = (name: string) => ({
  key: name.repeat(8),
  device: { name, runtime: "runtime", threads: "1" },
  error: 1e-6,
  machine: { processor: "a processor", cores: "2" },
  versions: { node: "20" },
  date: "2026-01-01T00:00:00.000Z",
  seconds: 10,
  peakMemoryBytes: 1e9,
});

const run: RunRecord = {
  record: "run",
  experiment: "entropy",
  title: "Entropy",
  stored: { ...origin("cpu"), commit: "abc", clean: true },
  again: origin("webgpu"),
};

const column = (change: Partial<ColumnRecord> = {}): ColumnRecord => ({
  record: "column",
  experiment: "entropy",
  table: "heads",
  column: "entropy",
  rows: 10,
  unpaired: 0,
  differing: 0,
  rule: "scaled",
  tolerance: 1e-4,
  absolute: 1e-6,
  relative: 1e-6,
  share: 0.01,
  where: "layer 1, head 2",
  stored: 1,
  again: 1.000001,
  minimum: 0,
  maximum: 3,
  within: true,
  ...change,
});

const verdict = { outcome: "replicated", estimate: 0.5, low: 0.4, high: 0.6, n: 8 } as const;
const claim = (change: Partial<ClaimRecord["again"]> = {}): ClaimRecord => ({
  record: "claim",
  experiment: "entropy",
  claim: "it-is-wide",
  statement: "It is wide.",
  measure: "nats",
  stored: verdict,
  again: { ...verdict, estimate: 0.500001, ...change },
});

async function measured(records: readonly AgreementRecord[]) {
  const { batches, evidence } = await runPure(devices, {}, { records });
  return { batches, verdict: judged(devices, evidence)["same-numbers"] };
}

describe("two devices", () => {
  test("agree where every column is within its tolerance and every outcome the same", async () => {
    const { batches, verdict } = await measured([run, column(), column({ column: "layer", rule: "equal" }), claim()]);
    expect(verdict).toEqual({ outcome: "replicated", estimate: 1, low: 1, high: 1, n: 3 });
    expectDeclaredRows(devices, batches);
  });

  test("agree in part where a column is beyond its tolerance", async () => {
    const { verdict } = await measured([run, column(), column({ share: 2, differing: 1, within: false }), claim()]);
    expect(verdict).toMatchObject({ outcome: "mixed", n: 3 });
    expect(verdict.estimate).toBeCloseTo(2 / 3, 10);
  });

  test("do not where a claim comes out otherwise, however near the numbers are", async () => {
    const { batches, verdict } = await measured([run, column(), claim({ outcome: "mixed" })]);
    expect(verdict).toMatchObject({ outcome: "not replicated", estimate: 0.5, n: 2 });
    const rows = batches.find(({ table }) => table === "claims")?.rows;
    expect(rows).toMatchObject([{ same: false, stored_outcome: "replicated", again_outcome: "mixed" }]);
  });

  test("are told apart, with what each was", async () => {
    const { batches } = await measured([run, column(), claim()]);
    expect(batches.find(({ table }) => table === "runs")?.rows).toMatchObject([
      { run: "stored", device: "cpu", commit: "abc", clean: true, machine: "processor a processor, cores 2" },
      { run: "again", device: "webgpu", description: "runtime runtime, threads 1", commit: null, changes: null },
    ]);
  });

  test("may be of other code, whose files are named then", async () => {
    const { batches } = await measured([{ ...run, changes: ["engine/rope.ts", "engine/feeds.ts"] }, column(), claim()]);
    const { rows } = batches.find(({ table }) => table === "runs")!;
    expect(rows).toMatchObject([{ changes: "engine/rope.ts, engine/feeds.ts" }, {}]);
    expectDeclaredRows(devices, batches);
  });
});

test.each<[string, readonly unknown[], string]>([
  ["a line of no kind", [run, { record: "row" }], 'Input "records", line 2: field "record" must be one of run, column'],
  [
    "a field that is missing",
    [run, { ...column(), share: undefined, rows: 1 }].map((of) => JSON.parse(JSON.stringify(of))),
    'line 2: field "share" is missing',
  ],
  [
    "columns of a run that is not there",
    [run, column({ experiment: "sinks" })],
    'one line "run" for each experiment, but not for sinks',
  ],
  ["runs of one experiment twice", [run, run], "but not for entropy"],
])("%s is refused", (_, lines, sentence) => {
  const read = () => agreementRecords(lines, "records");
  expect(read).toThrow(UserError);
  expect(read).toThrow(sentence);
});
