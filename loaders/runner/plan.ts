/**
 * What stands and what has to be computed: for each experiment the committed result where its key matches, or the
 * store's, or what has changed since the nearest one. Plain data, so that another process can make it.
 */
import { join, resolve } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { bundledModel, modelName, resultsFolder, workFolder } from "../project.js";
import { differences, type Identity, some } from "../store/key.js";
import { CorruptResult, openResult, type Result } from "../store/result.js";
import { Store } from "../store/store.js";
import { identify, type Job, type JobOptions, jobOf } from "./job.js";

export interface Plan {
  readonly experiment: string;
  /** Absent where the experiment is broken. */
  readonly job?: Job;
  readonly key?: string;
  /** Folder of the result, where it is fresh. */
  readonly fresh?: string;
  /** Folder of the result that is nearest to it, where it is not. */
  readonly stale?: string;
  /** What has changed since the stale result, or what is broken. */
  readonly reason?: string;
}

export interface PlanOptions {
  readonly warn: (message: string) => void;
  /** Take a committed result from any device, so that those of a GPU are good on a machine without one. */
  readonly anyDevice?: boolean;
}

/**
 * One plan per experiment. One that is broken does not stop the others.
 * @throws {UserError} where an option or the model cannot be used
 */
export async function planFor(ids: readonly string[], jobOptions: JobOptions, options: PlanOptions): Promise<Plan[]> {
  const made = await Promise.allSettled(ids.map((id) => jobOf(id, jobOptions)));
  const jobs = made.flatMap((job) => (job.status === "fulfilled" ? job.value : []));
  const planned = new Map((await planJobs(jobs, options)).map((plan) => [plan.experiment, plan]));
  return made.map((job, i) => (job.status === "rejected" ? broken(ids[i], job.reason) : planned.get(ids[i])!));
}

async function planJobs(jobs: readonly Job[], { warn, anyDevice = false }: PlanOptions): Promise<Plan[]> {
  const store = new Store(workFolder, warn);
  const committed = await Promise.all(jobs.map((job) => committedResult(job, warn)));
  let listed: Promise<Result[]> | undefined; // not read where everything is fresh
  const known = async () => {
    listed ??= store.list();
    return (await listed).concat(committed.flatMap((result) => result ?? []));
  };
  // Each job, and the same job on the device that its committed result came from.
  const abroad = jobs.map((job, i) => ({
    ...job,
    device: job.device && (committed[i]?.passport.keyParts.device ?? job.device),
  }));
  const identities = await identify([...jobs, ...(anyDevice ? abroad : jobs)]);
  return Promise.all(
    jobs.map(async (job, i): Promise<Plan> => {
      const [here, there] = [identities[i], identities[jobs.length + i]];
      if (here.status === "rejected") return broken(job.experiment, here.reason);
      const ready = committed[i];
      if (
        ready &&
        there.status === "fulfilled" &&
        ready.passport.key === there.value.key &&
        (await isSound(ready, warn))
      ) {
        return { experiment: job.experiment, job, key: there.value.key, fresh: ready.folder };
      }
      const stored = await store.get(here.value.key);
      // What has changed since a result of another device is told of that device, not of the two.
      const now = (result: Result) => (result === ready && there.status === "fulfilled" ? there.value : here.value);
      const state = stored ? { fresh: stored.folder } : nearest(job, now, await known());
      return { experiment: job.experiment, job, key: here.value.key, ...state };
    }),
  );
}

function broken(experiment: string, reason: unknown): Plan {
  if (reason instanceof UserError) throw reason;
  return { experiment, reason: reason instanceof Error ? reason.message : String(reason) };
}

/** The bundled model's results are committed; those of other models only lie in the store. */
async function committedResult({ experiment, model }: Job, warn: PlanOptions["warn"]): Promise<Result | undefined> {
  if (model !== undefined && resolve(model) !== bundledModel) return undefined;
  try {
    return await openResult(join(resultsFolder, experiment));
  } catch (error) {
    return ignoreCorrupt(error, warn);
  }
}

async function isSound(result: Result, warn: PlanOptions["warn"]): Promise<boolean> {
  try {
    await result.verify();
    return true;
  } catch (error) {
    return ignoreCorrupt(error, warn) !== undefined;
  }
}

function ignoreCorrupt(error: unknown, warn: PlanOptions["warn"]): undefined {
  if (!(error instanceof CorruptResult)) throw error;
  warn(messages.ignoredResult(error.message));
  return undefined;
}

/** The result with the fewest changes to what it would be now; of equally near ones, the latest. */
function nearest(
  { experiment, model }: Job,
  now: (result: Result) => Identity,
  known: readonly Result[],
): Pick<Plan, "stale" | "reason"> {
  const name = model === undefined ? undefined : modelName(model);
  const [found] = known
    .filter(({ passport }) => passport.experiment === experiment && passport.model?.name === name)
    .map((stale) => ({ stale, changes: differences(stale.passport, now(stale)) }))
    .filter(({ changes }) => changes.length > 0) // one without any is corrupt, or it would be fresh
    .sort((a, b) => a.changes.length - b.changes.length || (a.stale.passport.date < b.stale.passport.date ? 1 : -1));
  return found ? { stale: found.stale.folder, reason: some(found.changes, 4) } : {};
}
