import { join, resolve } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { bundledModel, projectPath, resultsFolder, workFolder } from "../project.js";
import { fulfil } from "../runner/fulfil.js";
import type { JobOptions } from "../runner/job.js";
import { planFor } from "../runner/plan.js";
import { type Outcome, runJobs } from "../runner/run.js";
import { runOnSlurm } from "../runner/slurm.js";
import { withLock } from "../store/lock.js";
import { exitCodes, say, untilInterrupted } from "../terminal.js";
import { deviceOf } from "./device.js";
import { chosenExperiments } from "./experiments.js";
import { verdictLines } from "./verdicts.js";

interface RunFlags extends Omit<JobOptions, "device" | "adapter"> {
  readonly device?: string;
  readonly jobs?: number;
  readonly threads?: number;
  readonly fresh?: boolean;
  readonly save?: boolean;
  readonly out?: string;
  readonly runner?: "local" | "slurm";
}

/** Runs the named experiments, or all; returns the code to exit with. */
export async function run(names: readonly string[], flags: RunFlags, debug: boolean): Promise<number> {
  const ids = await chosenExperiments(names);
  await refuseContradictions(ids, flags);
  const { model, prompts, set } = flags;
  const jobOptions = { model, prompts, set, ...(await deviceOf(flags.device)) };
  const plans = await planFor(ids, jobOptions, { warn: say, anyDevice: flags.device === undefined });
  const outcomes = await fulfil(plans, {
    signal: untilInterrupted(),
    runner: flags.runner === "slurm" ? runOnSlurm : runJobs,
    parallel: flags.jobs,
    threads: flags.threads,
    again: flags.fresh,
    debug,
  });
  for (const [id, outcome] of outcomes) {
    if ("failure" in outcome) continue;
    const folders = [
      ...(flags.save ? [join(resultsFolder, id)] : []),
      ...(flags.out ? [join(resolve(flags.out), id)] : []),
    ];
    const lock = join(workFolder, "locks", `${id}.copy.lock`);
    await withLock(lock, () => Promise.all(folders.map((folder) => outcome.result.copyTo(folder))));
    for (const line of await verdictLines(outcome.result)) console.log(line);
    console.log(
      `  ${folders
        .concat(folders.length === 0 ? outcome.result.folder : [])
        .map(projectPath)
        .join(", ")}\n`,
    );
  }
  return exitCodeOf([...outcomes.values()]);
}

async function refuseContradictions(
  ids: readonly string[],
  { save, model, prompts, set = {} }: RunFlags,
): Promise<void> {
  if (prompts !== undefined && ids.length !== 1) throw new UserError(messages.promptsForOne);
  const isBundled = model === undefined || resolve(model) === bundledModel;
  if (save && !(isBundled && prompts === undefined && Object.keys(set).length === 0)) {
    throw new UserError(messages.saveIsForDefaults);
  }
}

function exitCodeOf(outcomes: readonly Outcome[]): number {
  const failures = outcomes.flatMap((outcome) => ("failure" in outcome ? outcome.failure : []));
  if (failures.length === 0) return exitCodes.ok;
  return failures.every(({ badInput }) => badInput) ? exitCodes.badInput : exitCodes.failed;
}
