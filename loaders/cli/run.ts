import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { Device } from "../../engine/backend.js";
import { UserError } from "../../engine/errors.js";
import { fulfil } from "../fulfil.js";
import type { JobOptions } from "../job.js";
import { messages } from "../messages.js";
import { planFor } from "../plan.js";
import { bundledModel, projectPath, resultsFolder } from "../project.js";
import type { Outcome } from "../run.js";
import { exitCodes, say, untilInterrupted } from "../terminal.js";
import { chosenExperiments } from "./experiments.js";
import { assignment, device, wholeNumber } from "./options.js";
import { verdictLines } from "./verdicts.js";

interface RunFlags extends JobOptions {
  readonly device?: Device;
  readonly jobs?: number;
  readonly threads?: number;
  readonly fresh?: boolean;
  readonly save?: boolean;
  readonly out?: string;
}

export function addRun(program: Command): void {
  program
    .command("run")
    .description("run experiments, and print what their claims came to")
    .argument("[experiment...]", "which; default all")
    .option("--model <folder>", "a Hugging Face checkpoint (default: the bundled model)")
    .option("--prompts <file>", "JSONL records instead of the experiment's first input")
    .option("--device <name>", "cpu, wasm or auto", device)
    .option("--set <name=value>", "another value for a parameter; may be repeated", assignment)
    .option("--jobs <n>", "experiments at a time (default: one per core)", wholeNumber("--jobs"))
    .option("--threads <n>", "threads of each experiment (default: 1)", wholeNumber("--threads"))
    .option("--fresh", "compute again what is already there")
    .option("--save", "keep the results in data/results, from where they are committed")
    .option("--out <folder>", "copy the results there, one folder per experiment")
    .action(async (names: readonly string[], flags: RunFlags) => {
      process.exitCode = await run(names, flags, Boolean(program.opts().debug));
    });
}

async function run(names: readonly string[], flags: RunFlags, debug: boolean): Promise<number> {
  const ids = await chosenExperiments(names);
  await refuseContradictions(ids, flags);
  const plans = await planFor(ids, flags, { warn: say, anyDevice: flags.device === undefined });
  const outcomes = await fulfil(plans, {
    signal: untilInterrupted(),
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
    for (const folder of folders) await outcome.result.copyTo(folder);
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
