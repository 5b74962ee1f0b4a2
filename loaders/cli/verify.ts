import { access, constants, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../../engine/errors.js";
import type { AgreementRecord } from "../analysis/agreement.js";
import { loadExperiment } from "../experiments/index.js";
import { messages } from "../messages.js";
import { projectPath, workFolder } from "../project.js";
import { fulfil } from "../runner/fulfil.js";
import { identify, type Job } from "../runner/job.js";
import { type Plan, planFor } from "../runner/plan.js";
import { type TableDistance, tableDistance } from "../store/compare.js";
import { differences, filesChanged, isOfOtherCode, some } from "../store/key.js";
import { CorruptResult, openResult, passportFile, type Result } from "../store/result.js";
import { Store } from "../store/store.js";
import { absent, errorCode, replaceFile } from "../store/system.js";
import { exitCodes, say, untilInterrupted } from "../terminal.js";
import { changeLines } from "./changes.js";
import { deviceOf } from "./device.js";
import { chosenExperiments } from "./experiments.js";
import { recordsOf } from "./record.js";

interface VerifyFlags {
  readonly model?: string;
  readonly device?: string;
  /** Where results lie that were computed elsewhere, to be compared instead of computing again. */
  readonly with?: string;
  /** Take those of other code too. */
  readonly otherCode?: boolean;
  /** File for the comparison, as JSON lines. */
  readonly record?: string;
}

/** What came of one experiment. */
interface Report {
  readonly experiment: string;
  readonly lines: readonly string[];
  readonly same: boolean;
  /** Absent where nothing could be compared. */
  readonly records?: readonly AgreementRecord[];
}

/**
 * Compares stored results with others of the same computations, which are made now or were made elsewhere, and says
 * whether they are the same; returns the code to exit with.
 * @throws {UserError} where the others cannot be compared
 */
export async function verify(names: readonly string[], flags: VerifyFlags, debug: boolean): Promise<number> {
  if (flags.with !== undefined && flags.device !== undefined) throw new UserError(messages.withNoDevice);
  if (flags.with === undefined && flags.otherCode) throw new UserError(messages.otherCodeWith);
  const record = flags.record === undefined ? undefined : resolve(flags.record);
  if (record !== undefined) await refuseUnwritable(record);
  const reports = await (flags.with === undefined ? again(names, flags, debug) : elsewhere(names, flags.with, flags));
  for (const { lines } of reports) for (const line of lines) console.log(line);
  if (record !== undefined) await writeRecord(record, reports);
  return reports.every(({ same }) => same) ? exitCodes.ok : exitCodes.failed;
}

/** Computes results again, beside the store. */
async function again(names: readonly string[], flags: VerifyFlags, debug: boolean): Promise<Report[]> {
  const signal = untilInterrupted();
  const target = await deviceOf(flags.device);
  const plans = await plansOf(names, flags);
  await mkdir(join(workFolder, "verify"), { recursive: true });
  const folder = await mkdtemp(join(workFolder, "verify/run-"));
  const due = plans.flatMap(({ job, fresh, ...plan }) =>
    job && fresh ? { ...plan, job: job.device ? { ...job, ...target } : job, reason: messages.toVerify } : [],
  );
  try {
    return await new Store(workFolder, say).whileInUse(async () => {
      const outcomes = await fulfil(due, { signal, folder, debug });
      const results = plans.map(({ experiment }) => {
        const outcome = outcomes.get(experiment);
        return outcome && "result" in outcome ? outcome.result : undefined;
      });
      return Promise.all(plans.map((plan, i) => report(plan, results[i])));
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Takes the results that `run --out` wrote into a folder. */
async function elsewhere(names: readonly string[], folder: string, flags: VerifyFlags): Promise<Report[]> {
  const plans = await plansOf(names.length > 0 ? names : await resultsIn(folder), flags);
  const results = await Promise.all(plans.map(({ experiment }) => resultIn(folder, experiment)));
  const changes = await refuseOthers(plans, results, flags.otherCode);
  return Promise.all(plans.map((plan, i) => report(plan, results[i], changes.get(plan.experiment))));
}

async function plansOf(names: readonly string[], { model }: VerifyFlags): Promise<Plan[]> {
  return planFor(await chosenExperiments(names), { model }, { warn: say, anyDevice: true });
}

/** Names of the experiments whose results lie in a folder. @throws {UserError} where there is none */
async function resultsIn(folder: string): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true }).catch(noFolder)) ?? [];
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const passports = await Promise.all(names.map((name) => stat(join(folder, name, passportFile)).catch(absent)));
  const found = names.filter((_, i) => passports[i]).sort();
  if (found.length === 0) throw new UserError(messages.noResultsIn(folder));
  return found;
}

const noFolder = (error: unknown) => (errorCode(error) === "ENOTDIR" ? undefined : absent(error));

/** A result that is whole. @throws {UserError} where it is missing or corrupt */
async function resultIn(folder: string, experiment: string): Promise<Result> {
  try {
    const result = await openResult(join(folder, experiment));
    if (!result) throw new UserError(messages.notIn(folder, experiment));
    await result.verify();
    return result;
  } catch (error) {
    if (error instanceof CorruptResult) throw new UserError(messages.corruptIn(experiment, error.message));
    throw error;
  }
}

/**
 * @returns what changed since, by experiment, for results of other code where these are taken
 * @throws {UserError} where a result is not of the very code, inputs and model that stand here, on whatever device
 */
async function refuseOthers(
  plans: readonly Plan[],
  results: readonly Result[],
  otherCode = false,
): Promise<Map<string, readonly string[]>> {
  const given = plans.flatMap(({ job }, i) => (job ? { job: onDeviceOf(job, results[i]), result: results[i] } : []));
  const identities = await identify(given.map(({ job }) => job));
  const changed = new Map<string, readonly string[]>();
  for (const [i, { job, result }] of given.entries()) {
    const identity = identities[i];
    if (identity.status === "rejected") throw identity.reason;
    if (identity.value.key === result.passport.key) continue;
    const changes = differences(result.passport, identity.value);
    if (otherCode && isOfOtherCode(result.passport, identity.value)) {
      changed.set(job.experiment, filesChanged(result.passport, identity.value));
      continue;
    }
    throw new UserError(messages.notComparable(job.experiment, result.folder, some(changes, 4)));
  }
  return changed;
}

function onDeviceOf(job: Job, { passport }: Result): Job {
  return job.device ? { ...job, device: passport.keyParts.device ?? job.device } : job;
}

async function report(
  { experiment, fresh, stale, reason }: Plan,
  again: Result | undefined,
  changes?: readonly string[],
): Promise<Report> {
  const stored = fresh && (await openResult(fresh));
  if (!stored) {
    const state = stale ? `stale, because ${reason}` : (reason ?? "missing");
    return { experiment, lines: [`${experiment}: not verified: its result is ${state}`], same: false };
  }
  if (!again) {
    return { experiment, lines: [`${experiment}: not verified: it could not be computed again`], same: false };
  }
  const distances = await distancesOf(experiment, stored, again);
  const lines = [...distances.values()].flatMap(({ change }) => (change ? changeLines(change) : []));
  const records = await recordsOf(stored, again, distances, changes);
  const code = changes ? `, computed by other code (${some(changes, 3)})` : "";
  const how = `on ${deviceName(again)}${deviceName(stored) === deviceName(again) ? "" : ` (stored: ${deviceName(stored)})`}${code}`;
  if (lines.length > 0) {
    return { experiment, lines: [`${experiment}: differs ${how}`, ...lines], same: false, records };
  }
  const bytes = ({ passport }: Result) => JSON.stringify(Object.values(passport.tables).map(({ sha256 }) => sha256));
  const exact = bytes(stored) === bytes(again) ? "byte for byte" : "within the tolerance of every column";
  return { experiment, lines: [`${experiment}: the same ${exact}, ${how}`], same: true, records };
}

async function distancesOf(experiment: string, stored: Result, again: Result): Promise<Map<string, TableDistance>> {
  const { tables } = await loadExperiment(experiment);
  const found = Object.keys(stored.passport.tables).map(async (name) => {
    const columns = tables.find((table) => table.name === name)?.columns ?? {};
    const tolerance = (column: string) => columns[column]?.tolerance;
    return [name, tableDistance(name, await stored.table(name), await again.table(name), tolerance)] as const;
  });
  return new Map(await Promise.all(found));
}

function deviceName({ passport }: Result): string {
  return passport.device?.name ?? "the processor";
}

/** @throws {UserError} where nothing can be written to the file */
async function refuseUnwritable(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await access(dirname(file), constants.W_OK);
    if ((await stat(file).catch(absent))?.isDirectory()) throw new UserError(messages.badRecord(file, "EISDIR"));
  } catch (error) {
    const code = errorCode(error);
    throw code === undefined ? error : new UserError(messages.badRecord(file, code));
  }
}

/** Of all or of none: a record that lacks an experiment would look as if it agreed. */
async function writeRecord(file: string, reports: readonly Report[]): Promise<void> {
  const missing = reports.filter(({ records }) => !records).map(({ experiment }) => experiment);
  if (missing.length > 0) return say(messages.noRecord(projectPath(file), missing));
  const lines = reports.flatMap(({ records = [] }) => records.map((record) => `${JSON.stringify(record)}\n`));
  await replaceFile(file, lines.join(""));
  say(messages.recorded(projectPath(file)));
}
