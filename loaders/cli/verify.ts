import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { loadExperiment } from "../experiments/index.js";
import { messages } from "../messages.js";
import { workFolder } from "../project.js";
import { fulfil } from "../runner/fulfil.js";
import { type Plan, planFor } from "../runner/plan.js";
import { type TableChange, tableChange } from "../store/compare.js";
import { openResult, type Result } from "../store/result.js";
import { Store } from "../store/store.js";
import { exitCodes, say, untilInterrupted } from "../terminal.js";
import { changeLines } from "./changes.js";
import { deviceOf } from "./device.js";
import { chosenExperiments } from "./experiments.js";

interface VerifyFlags {
  readonly model?: string;
  readonly device?: string;
}

/** Computes results again, beside the store, and says whether they are the same; returns the code to exit with. */
export async function verify(names: readonly string[], flags: VerifyFlags, debug: boolean): Promise<number> {
  const signal = untilInterrupted();
  const ids = await chosenExperiments(names);
  const target = await deviceOf(flags.device);
  const plans = await planFor(ids, { model: flags.model }, { warn: say, anyDevice: true });
  await mkdir(join(workFolder, "verify"), { recursive: true });
  const folder = await mkdtemp(join(workFolder, "verify/run-"));
  const due = plans.flatMap(({ job, fresh, ...plan }) =>
    job && fresh ? { ...plan, job: job.device ? { ...job, ...target } : job, reason: messages.toVerify } : [],
  );
  try {
    return await new Store(workFolder, say).whileInUse(async () => {
      const outcomes = await fulfil(due, { signal, folder, debug });
      let sound = true;
      for (const plan of plans) {
        const outcome = outcomes.get(plan.experiment);
        const again = outcome && "result" in outcome ? outcome.result : undefined;
        const { lines, same } = await report(plan, again);
        for (const line of lines) console.log(line);
        sound &&= same;
      }
      return sound ? exitCodes.ok : exitCodes.failed;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function report(
  { experiment, fresh, stale, reason }: Plan,
  again: Result | undefined,
): Promise<{ lines: string[]; same: boolean }> {
  const stored = fresh && (await openResult(fresh));
  if (!stored) {
    const state = stale ? `stale, because ${reason}` : (reason ?? "missing");
    return { lines: [`${experiment}: not verified: its result is ${state}`], same: false };
  }
  if (!again) return { lines: [`${experiment}: not verified: it could not be computed again`], same: false };
  const changes = await changesOf(experiment, stored, again);
  const lines = changes.flatMap(changeLines);
  const how = `on ${deviceName(again)}${deviceName(stored) === deviceName(again) ? "" : ` (stored: ${deviceName(stored)})`}`;
  if (lines.length > 0) return { lines: [`${experiment}: differs ${how}`, ...lines], same: false };
  const bytes = ({ passport }: Result) => JSON.stringify(Object.values(passport.tables).map(({ sha256 }) => sha256));
  const exact = bytes(stored) === bytes(again) ? "byte for byte" : "within the tolerance of every column";
  return { lines: [`${experiment}: the same ${exact}, ${how}`], same: true };
}

async function changesOf(experiment: string, stored: Result, again: Result): Promise<TableChange[]> {
  const { tables } = await loadExperiment(experiment);
  const names = Object.keys(stored.passport.tables);
  const changes = names.map(async (name) => {
    const columns = tables.find((table) => table.name === name)?.columns ?? {};
    return tableChange(name, await stored.table(name), await again.table(name), (column) => columns[column]?.tolerance);
  });
  return (await Promise.all(changes)).flatMap((change) => change ?? []);
}

function deviceName({ passport }: Result): string {
  return passport.device?.name ?? "the processor";
}
