/** The record of a comparison: how far every column and every claim of two computations of a result are apart. */
import { tableFromIPC } from "apache-arrow";
import type { AgreementRecord, ClaimRecord, ColumnRecord, Origin, Verdict } from "../analysis/agreement.js";
import type { ColumnDistance, TableDistance } from "../store/compare.js";
import type { Passport } from "../store/passport.js";
import type { Result } from "../store/result.js";

/**
 * @param distances of each table, by its name
 * @param changes what differs between the two besides the device
 */
export async function recordsOf(
  stored: Result,
  again: Result,
  distances: ReadonlyMap<string, TableDistance>,
  changes: readonly string[] = [],
): Promise<AgreementRecord[]> {
  const { experiment, title } = stored.passport;
  const columns = [...distances].flatMap(([table, { columns, unpaired }]) =>
    columns.map((distance) => columnRecord(experiment, table, unpaired, distance)),
  );
  const run = { record: "run", experiment, title, stored: originOf(stored), again: originOf(again) } as const;
  return [changes.length > 0 ? { ...run, changes } : run, ...columns, ...(await claimRecords(stored, again))];
}

function originOf({ passport }: Result): Origin {
  const { key, device, accuracy, machine, versions, commit, clean, date, seconds, peakMemoryBytes }: Passport =
    passport;
  const error = accuracy?.largest ?? null;
  return { key, device, error, machine, versions, commit, clean, date, seconds, peakMemoryBytes };
}

function columnRecord(
  experiment: string,
  table: string,
  unpaired: number,
  { column, of, differing, tolerance, absolute, relative, share, farthest, range }: ColumnDistance,
): ColumnRecord {
  return {
    record: "column",
    experiment,
    table,
    column,
    rows: of,
    unpaired,
    differing,
    rule: tolerance.scaled ? "scaled" : tolerance.by > 0 ? "declared" : "equal",
    tolerance: tolerance.by,
    absolute,
    relative,
    share: Number.isFinite(share) ? share : null,
    where: farthest?.where ?? null,
    stored: value(farthest?.before),
    again: value(farthest?.now),
    minimum: range?.[0] ?? null,
    maximum: range?.[1] ?? null,
    within: differing === 0 && unpaired === 0,
  };
}

/** JSON would make null of numbers that are not finite without a word. */
function value(of: unknown): ColumnRecord["stored"] {
  if (of === null || of === undefined) return null;
  if (typeof of === "string" || typeof of === "boolean") return of;
  return Number.isFinite(of) ? Number(of) : String(of);
}

interface VerdictRow extends Verdict {
  readonly claim: string;
  readonly statement: string;
  readonly measure: string;
}

async function claimRecords(stored: Result, again: Result): Promise<ClaimRecord[]> {
  const found = new Map((await verdictsOf(again)).map((row) => [row.claim, row]));
  return (await verdictsOf(stored)).flatMap(({ claim, statement, measure, ...row }) => {
    const other = found.get(claim);
    const names = { experiment: stored.passport.experiment, claim, statement, measure };
    return other ? { record: "claim", ...names, stored: verdictOf(row), again: verdictOf(other) } : [];
  });
}

async function verdictsOf(result: Result): Promise<VerdictRow[]> {
  return tableFromIPC(await result.table("verdicts"))
    .toArray()
    .map((row) => row.toJSON());
}

const verdictOf = ({ outcome, estimate, low, high, n }: Verdict): Verdict => ({ outcome, estimate, low, high, n });
