/** Turns plans into results: takes those that stand, computes the rest, and says on stderr what is worth knowing. */
import { messages } from "../messages.js";
import { projectPath, workFolder } from "../project.js";
import { defaultBound, recent } from "../store/collect.js";
import type { Failure } from "../store/failures.js";
import { openResult } from "../store/result.js";
import { Store } from "../store/store.js";
import { color, say } from "../terminal.js";
import { neededKeys } from "./needed.js";
import type { Plan } from "./plan.js";
import { progressDisplay } from "./progress.js";
import { type Outcome, type RunOptions, runJobs } from "./run.js";

/** Runs jobs somewhere: in processes of this machine, or through a scheduler of many. */
export type Runner = typeof runJobs;

export interface FulfilOptions extends Pick<RunOptions, "signal" | "parallel" | "machine"> {
  readonly runner?: Runner;
  /** Cores, and threads, of each job instead of what its experiment declares. */
  readonly threads?: number;
  /** Compute what stands, too. */
  readonly again?: boolean;
  /** Where results are stored; the project's store unless they are only to be compared with it. */
  readonly folder?: string;
  /** Lines and no block, because others write to the terminal too. */
  readonly plainProgress?: boolean;
  readonly debug?: boolean;
  readonly onEvent?: RunOptions["onEvent"];
}

/** One outcome per plan, by experiment and in their order. Throws an AbortError where it was interrupted. */
export async function fulfil(plans: readonly Plan[], options: FulfilOptions): Promise<Map<string, Outcome>> {
  const { signal, again = false, debug = false, folder = workFolder } = options;
  for (const plan of plans) say(planLine(plan, again));
  const due = plans.filter(({ job, fresh }) => job && (again || !fresh));
  const computed = due.length > 0 ? await compute(due, options) : undefined;
  signal.throwIfAborted();
  const outcomes = new Map<string, Outcome>();
  for (const plan of plans) {
    const outcome = computed?.get(plan.experiment) ?? (await standing(plan));
    if (outcome) outcomes.set(plan.experiment, outcome);
  }
  for (const [experiment, outcome] of outcomes)
    if ("failure" in outcome) sayFailure(experiment, outcome.failure, debug);
  if (due.length > 0 && folder === workFolder) await makeRoom(outcomes);
  return outcomes;
}

/** What there is without computing: a result, or why there can be none. */
async function standing({ job, fresh, reason = "" }: Plan): Promise<Outcome | undefined> {
  if (!job) return { failure: { message: reason, badInput: false, log: [] } };
  const result = fresh ? await openResult(fresh) : undefined;
  return result && { result };
}

async function compute(plans: readonly Plan[], options: FulfilOptions): Promise<Map<string, Outcome>> {
  const { signal, again = false, threads, plainProgress, debug, folder = workFolder, onEvent } = options;
  const store = new Store(folder, say);
  await store.sweep();
  const jobs = plans.flatMap(({ job }) => job ?? []).map((job) => withCores(job, threads));
  const display = progressDisplay(jobs, plainProgress);
  const run = options.runner ?? runJobs;
  try {
    const runAll = () =>
      run(jobs, {
        folder,
        parallel: options.parallel,
        machine: options.machine,
        again,
        signal,
        onEvent: (job, event) => {
          onEvent?.(job, event);
          display.update(job, event);
          if (event.type === "warning") display.say(event.message);
          if (event.type === "log" && debug) display.say(`${job.experiment}: ${event.line}`);
        },
      });
    const outcomes = await store.whileInUse(runAll);
    const byExperiment = new Map([...outcomes].map(([job, outcome]) => [job.experiment, outcome]));
    if (!signal.aborted) await rememberFailures(store, plans, byExperiment);
    return byExperiment;
  } finally {
    display.close();
    if (signal.aborted) await store.sweep(); // of what was about to be written
  }
}

function withCores<J extends NonNullable<Plan["job"]>>(job: J, cores: number | undefined): J {
  return cores === undefined ? job : { ...job, resources: { ...job.resources, cores } };
}

async function rememberFailures(
  { failures }: Store,
  plans: readonly Plan[],
  outcomes: ReadonlyMap<string, Outcome>,
): Promise<void> {
  for (const { experiment, key } of plans) {
    const outcome = outcomes.get(experiment);
    if (!key || !outcome) continue;
    if ("failure" in outcome) await failures.remember(key, outcome.failure);
    else await failures.forget(key);
  }
}

/** A store that has grown over its bound gives up what has not been used for longest, but nothing of the last week. */
async function makeRoom(outcomes: ReadonlyMap<string, Outcome>): Promise<void> {
  const own = [...outcomes.values()].flatMap((outcome) => ("result" in outcome ? outcome.result.passport.key : []));
  const store = new Store(workFolder, say);
  const { dropped, freed } = await store.collect(defaultBound, () => neededKeys(store, own), recent);
  if (dropped.length > 0) say(messages.collected(dropped.length, freed));
}

function planLine({ experiment, job, fresh, reason }: Plan, again: boolean): string {
  if (!job) return messages.broken(experiment);
  if (fresh && again) return messages.freshAgain(experiment);
  return fresh ? messages.fresh(experiment, projectPath(fresh)) : messages.toCompute(experiment, reason);
}

function sayFailure(experiment: string, { message, stack, log }: Failure, debug: boolean): void {
  for (const line of log) say(color.dim(`  ${line}`));
  say(`${color.red(`${experiment} failed`)}: ${debug && stack ? stack : message}`);
}
