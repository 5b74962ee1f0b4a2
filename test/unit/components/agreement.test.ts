/** What the figures of agreement say of a comparison, by the pages' own database. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  changesBetween,
  claimAgreement,
  columnAgreement,
  comparedRuns,
  standing,
} from "../../../components/agreement.js";
import type { Row } from "../../../components/database.js";
import { bind } from "../../../components/sql.js";
import type { AgreementRecord, ClaimRecord, ColumnRecord } from "../../../loaders/analysis/agreement.js";
import { devices } from "../../../loaders/experiments/devices.js";
import { Encoder } from "../../../loaders/runner/encoder.js";
import { runPure } from "../experiments/pure.js";
import { openDuckDb } from "../loaders/duckdb.js";
import { draw } from "./draw.js";

const origin = (name: string, hardware: Record<string, string>) => ({
  key: `${name}0123456789`,
  device: { name, ...hardware },
  error: null,
  machine: { processor: "a processor" },
  versions: { node: "20" },
  date: "2026-01-02T00:00:00.000Z",
  seconds: 12,
  peakMemoryBytes: 1e9,
});

const runOf = (experiment: string): AgreementRecord => ({
  record: "run",
  experiment,
  title: experiment,
  stored: origin("cpu", {}),
  again: origin("webgpu", { adapter: "a GPU" }),
});

const column = (experiment: string, name: string, change: Partial<ColumnRecord> = {}): ColumnRecord => ({
  record: "column",
  experiment,
  table: "heads",
  column: name,
  rows: 10,
  unpaired: 0,
  differing: 0,
  rule: "scaled",
  tolerance: 1e-4,
  absolute: 0,
  relative: 0,
  share: 0,
  where: null,
  stored: null,
  again: null,
  minimum: 0,
  maximum: 1,
  within: true,
  ...change,
});

const claim = (experiment: string, name: string, change: Partial<ClaimRecord["again"]> = {}): ClaimRecord => {
  const stored = { outcome: "replicated", estimate: 0.5, low: 0.4, high: 0.6, n: 8 } as const;
  return {
    record: "claim",
    experiment,
    claim: name,
    statement: "",
    measure: "",
    stored,
    again: { ...stored, ...change },
  };
};

const far = { share: 0.25, absolute: 2.5e-5, where: "layer 1", stored: 1, again: 1.000025 };
const records: AgreementRecord[] = [
  runOf("near"),
  column("near", "layer", { rule: "equal" }),
  column("near", "entropy", far),
  claim("near", "wide", { estimate: 0.5005 }),
  claim("near", "deep"),
  runOf("far"),
  column("far", "entropy", { ...far, share: 7, differing: 3, within: false }),
  column("far", "head", { rule: "equal", share: null, differing: 2, within: false }),
  column("far", "received", { unpaired: 1, within: false }),
  column("far", "mass"),
  claim("far", "wide", { outcome: "mixed", estimate: 0.45 }),
  claim("far", "none", { estimate: null, low: null, high: null }),
  runOf("equal"),
  column("equal", "entropy"),
  column("equal", "mass"),
  claim("equal", "wide"),
];

let db: Awaited<ReturnType<typeof openDuckDb>>;
beforeAll(async () => {
  db = await openDuckDb();
  const { batches } = await runPure(devices, {}, { records });
  for (const table of devices.tables) {
    const encoder = new Encoder("devices", table);
    for (const { table: name, rows } of batches) if (name === table.name) encoder.append(rows);
    db.insert(`gpu_${table.name}`, encoder.finish(new Map()));
  }
});

function shown({ sql, params, claim, spec }: ReturnType<typeof columnAgreement>) {
  const rows: Row[] = db.query(bind(sql, params));
  return { rows, claim: typeof claim === "string" ? claim : claim(rows), spec };
}

describe("columns", () => {
  test("that agree are said to, with the farthest of them", () => {
    const { claim, rows } = shown(columnAgreement("near"));
    expect(claim).toBe(
      "All 2 columns agree within their tolerance, 1 of them in every value. Farthest apart is heads.entropy, by 25\u00a0% of what is tolerated.",
    );
    expect(rows.map(({ name, drawn }) => [name, drawn])).toEqual([["heads.entropy", 0.25]]);
  });

  test("that do not are named, and drawn even where nothing measures their distance", () => {
    const { claim, rows } = shown(columnAgreement("far"));
    expect(claim).toBe(
      "1 of 4 columns agree within their tolerance, 1 of them in every value. Beyond it: heads.head (2 of 10 values not equal); heads.received (1 row without its like); heads.entropy (7 times what is tolerated, 3 of 10 values).",
    );
    expect(rows.map(({ name, state, drawn }) => [name, state, drawn])).toEqual([
      ["heads.head", "beyond", 21],
      ["heads.received", "beyond", 21],
      ["heads.entropy", "beyond", 7],
      ["heads.mass", "within", 1e-6],
    ]);
  });

  test("that are equal are said to be", () => {
    expect(shown(columnAgreement("equal")).claim).toBe("All 2 columns are equal in every value.");
  });
});

describe("claims", () => {
  test("that come out the same are said to, with the largest distance", () => {
    const { claim, rows } = shown(claimAgreement("near"));
    expect(claim).toBe(
      "All 2 claims come out the same on both. Their estimates are at most 0.005 half-widths of an interval apart (wide).",
    );
    expect(rows.map(({ claim, device }) => `${claim} ${device}`)).toEqual([
      "deep cpu",
      "deep webgpu",
      "wide cpu",
      "wide webgpu",
    ]);
    expect(rows[2]).toMatchObject({ distance: 0, distance_low: -1, distance_high: 1, estimate: 0.5 });
  });

  test("that come out otherwise are named", () => {
    expect(shown(claimAgreement("far")).claim).toBe(
      "1 of 2 claims come out the same on both; otherwise on the second: wide (mixed). Their estimates are at most 0.5 half-widths of an interval apart (wide).",
    );
  });
});

test("the runs are told apart", () => {
  const rows = db.query("SELECT * FROM gpu_runs WHERE experiment = 'near' ORDER BY run");
  expect(comparedRuns(rows)).toBe(
    "cpu (a processor, 2026-01-02, 12 s, key cpu01234) and webgpu (a GPU, 2026-01-02, 12 s, key webgpu01)",
  );
});

test("whether the page shows what was compared is said", () => {
  const rows = db.query("SELECT * FROM gpu_runs WHERE experiment = 'near'");
  expect(standing(rows, "cpu0123456789")).toBe("The first is what this page shows.");
  expect(standing(rows, "0123456789")).toBe(
    "This page shows neither: its result was computed again since, with key 01234567, and has not been compared with a GPU.",
  );
  expect(standing(rows, undefined)).toBe("");
});

test("what differs in the code of the two is named, where something does", () => {
  const rows = db.query("SELECT * FROM gpu_runs WHERE experiment = 'near'");
  expect(changesBetween(rows)).toBe("");
  expect(changesBetween(rows.map((row) => ({ ...row, changes: "engine/rope.ts, engine/feeds.ts" })))).toBe(
    "Between the two, 2 files of the code changed: engine/rope.ts, engine/feeds.ts.",
  );
});

test.each(["near", "far", "equal"])("the drawings of %s warn of nothing", async (experiment) => {
  for (const options of [columnAgreement(experiment), claimAgreement(experiment)]) {
    const { rows, spec } = shown(options);
    expect((await draw(spec, [...rows])).warnings).toEqual([]);
  }
});
