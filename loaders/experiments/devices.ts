/**
 * Does another device give the same numbers? Method:
 * results that were computed on a processor were computed again on another device from the same inputs and weights, and
 * from the same code where the record does not name the files of it that changed in between,
 * and `observatory verify --with … --record` compared the two: every column of every table value by value, rows that
 * belong together by their names and whole numbers, and every claim's verdict. The records of that are inputs here,
 * because the device is not at hand wherever this is run. A column agrees where no value of it is farther from the stored
 * one than its declaration tolerates, which is 1e-4 of the value or of 1, whichever is larger, unless it says otherwise;
 * names, whole numbers and missing values must be equal, and no row may be without its like. A claim agrees where its
 * outcome is the same.
 *
 * Nothing here is a sample: columns and claims are counted, and the interval is the number itself. The comparison is that
 * of the results named in the table of runs; it is not repeated when one of them is computed anew.
 */
import {
  type AgreementRecord,
  agreementRecords,
  type ColumnRecord,
  type Origin,
  type RunRecord,
} from "../analysis/agreement.js";
import { exact } from "../analysis/exact.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const experiment = { kind: "text", meaning: "Name of the experiment" } as const;

const runs = table("runs", "One row per run: the stored result of each experiment, and the one computed again", {
  experiment,
  title: { kind: "text", meaning: "Title of the experiment" },
  run: { kind: "text", meaning: "stored: the result that pages showed then; again: the one it was compared with" },
  key: { kind: "text", meaning: "Key of the result" },
  device: { kind: "text", meaning: "What ran the model; none where there is no model" },
  hardware: { kind: "text", meaning: "The GPU as its driver names it; otherwise the processor" },
  description: { kind: "text", meaning: "Runtime, threads, adapter and driver, as the device names them" },
  error: {
    kind: "float64",
    meaning: "Largest distance from float64 on a small case",
    optional: true,
  },
  machine: { kind: "text", meaning: "Processor, cores, memory and system" },
  versions: { kind: "text", meaning: "Versions of Node and of this project" },
  commit: { kind: "text", meaning: "Commit of the checkout, where it was one", optional: true },
  clean: { kind: "flag", meaning: "Whether the checkout had no changes of its own", optional: true },
  date: { kind: "text", meaning: "When the computation began, ISO 8601 in UTC" },
  seconds: { kind: "float64", meaning: "Wall time", unit: "s" },
  peak_memory: { kind: "float64", meaning: "Peak memory of the process, without that of a GPU", unit: "bytes" },
  changes: {
    kind: "text",
    meaning: "Source files that differ between the two; missing where both are of the same code",
    optional: true,
  },
});

const columns = table("columns", "One row per column of a table: how far the two results are apart", {
  experiment,
  table: { kind: "text", meaning: "Table of the experiment" },
  column: { kind: "text", meaning: "Column of the table" },
  rows: { kind: "int32", meaning: "Pairs of rows that were compared" },
  unpaired: { kind: "int32", meaning: "Rows that have no like in the other result" },
  differing: { kind: "int32", meaning: "Pairs that are farther apart than is tolerated" },
  rule: {
    kind: "text",
    meaning:
      "declared: the column says what is tolerated; scaled: a share of the value, or of 1 if that is larger; equal: nothing is",
  },
  tolerance: { kind: "float64", meaning: "What is tolerated, by that rule" },
  absolute: { kind: "float64", meaning: "Largest difference of two numbers, in the column's unit" },
  relative: { kind: "float64", meaning: "Largest difference of two numbers, divided by the larger of their sizes" },
  share: {
    kind: "float64",
    meaning:
      "Largest difference, divided by what is tolerated there; missing where values differ that must be equal, or of which one is missing",
    optional: true,
  },
  place: { kind: "text", meaning: "Where that is, by the row's names and whole numbers", optional: true },
  stored: { kind: "text", meaning: "The stored value there", optional: true },
  again: { kind: "text", meaning: "The other value there", optional: true },
  minimum: { kind: "float64", meaning: "Smallest of the stored numbers", optional: true },
  maximum: { kind: "float64", meaning: "Largest of the stored numbers", optional: true },
  within: { kind: "flag", meaning: "Whether the column agrees" },
});

const verdict = { kind: "float64", optional: true } as const;

const claimed = table("claims", "One row per claim: what it came to in both results", {
  experiment,
  claim: { kind: "text", meaning: "The claim's name in the experiment" },
  statement: { kind: "text", meaning: "The claim in our words" },
  measure: { kind: "text", meaning: "What the estimate is, with its unit" },
  stored_outcome: { kind: "text", meaning: "What the rule says of the stored result" },
  stored_estimate: { ...verdict, meaning: "The measure in the stored result" },
  stored_low: { ...verdict, meaning: "Lower end of its 95 % interval" },
  stored_high: { ...verdict, meaning: "Upper end of its 95 % interval" },
  again_outcome: { kind: "text", meaning: "What the rule says of the other result" },
  again_estimate: { ...verdict, meaning: "The measure in the other result" },
  again_low: { ...verdict, meaning: "Lower end of its 95 % interval" },
  again_high: { ...verdict, meaning: "Upper end of its 95 % interval" },
  same: { kind: "flag", meaning: "Whether the outcomes are the same" },
});

export type Evidence = readonly AgreementRecord[];

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "same-numbers",
    paper: "none",
    statement: "Another device gives the same numbers.",
    measure: "share of the columns of all tables, and of the claims' outcomes, that agree",
    rule: "Replicated where every column is within its tolerance and every claim has the same outcome; mixed where every claim has the same outcome, but some column is beyond its tolerance; otherwise not replicated.",
    judge: (records) => {
      const agreeing = records.filter(agrees);
      const counted = records.filter(({ record }) => record !== "run");
      const outcomes = records.filter(({ record }) => record === "claim");
      const outcome =
        agreeing.length === counted.length ? "replicated" : outcomes.every(agrees) ? "mixed" : "not replicated";
      return { ...exact(agreeing.length / counted.length, counted.length), outcome };
    },
  },
];

function agrees(record: AgreementRecord): boolean {
  if (record.record === "column") return record.within;
  return record.record === "claim" && record.stored.outcome === record.again.outcome;
}

export const devices: Experiment<Record<string, never>, Evidence> = {
  id: "devices",
  title: "The same on another device",
  question: "Does a GPU give the numbers that a processor gives?",
  papers: [],
  subject: "records",
  parameters: {},
  inputs: { records: "devices/webgpu.jsonl" },
  tables: [runs, columns, claimed],
  claims,
  async *run({ inputs, progress }) {
    const records = agreementRecords(inputs.records, "records");
    for (const [done, record] of records.entries()) {
      progress(done, records.length, record.experiment);
      if (record.record === "run") yield batch(runs, [runRow(record, "stored"), runRow(record, "again")]);
      else if (record.record === "column") yield batch(columns, [columnRow(record)]);
      else {
        const { stored, again } = record;
        yield batch(claimed, [
          {
            experiment: record.experiment,
            claim: record.claim,
            statement: record.statement,
            measure: record.measure,
            stored_outcome: stored.outcome,
            stored_estimate: stored.estimate,
            stored_low: stored.low,
            stored_high: stored.high,
            again_outcome: again.outcome,
            again_estimate: again.estimate,
            again_low: again.low,
            again_high: again.high,
            same: agrees(record),
          },
        ]);
      }
    }
    return records;
  },
};

function runRow({ experiment, title, changes, ...sides }: RunRecord, run: "stored" | "again") {
  const { key, device, error, machine, versions, commit, clean, date, seconds, peakMemoryBytes }: Origin = sides[run];
  const { name = "none", ...description } = device ?? {};
  return {
    experiment,
    title,
    run,
    key,
    device: name,
    hardware: description.adapter ?? machine.processor ?? "unknown",
    description: listed(description),
    error,
    machine: listed(machine),
    versions: listed(versions),
    commit: commit ?? null,
    clean: clean ?? null,
    date,
    seconds,
    peak_memory: peakMemoryBytes,
    changes: changes?.join(", ") ?? null,
  };
}

const listed = (named: Readonly<Record<string, string>>) =>
  Object.entries(named)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

function columnRow({ record: _, where, stored, again, ...numbers }: ColumnRecord) {
  return { ...numbers, place: where, stored: text(stored), again: text(again) };
}

const text = (value: ColumnRecord["stored"]) => (value === null ? null : String(value));
