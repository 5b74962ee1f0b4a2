/** Which result stands for a job: the committed one where its key matches, or the store's. */
import { join, relative, resolve } from "node:path";
import { identify, type Job } from "./job.js";
import { messages } from "./messages.js";
import { bundledModel, resultsFolder, root, workFolder } from "./project.js";
import { differences, type Identity } from "./store/key.js";
import { CorruptResult, openResult, type Result } from "./store/result.js";
import { Store } from "./store/store.js";

export interface Standing {
  readonly job: Job;
  readonly identity: Identity;
  /** Absent where it has to be computed. */
  readonly result?: Result;
  /** The result that is nearest to it, where there is one. */
  readonly stale?: Result;
  /** What has changed since then. */
  readonly reason?: string;
}

export interface StandingOptions {
  readonly warn: (message: string) => void;
  /** Take a committed result from any device, so that those of a GPU are good on a machine without one. */
  readonly anyDevice?: boolean;
}

export function openStore(warn: (message: string) => void): Store {
  return new Store(workFolder, warn);
}

/** Where each job stands. Jobs whose input or model cannot be used reject their own promise. */
export async function standings(jobs: readonly Job[], options: StandingOptions): Promise<Promise<Standing>[]> {
  const store = openStore(options.warn);
  const committed = await Promise.all(jobs.map((job) => committedResult(job, options.warn)));
  const known = (await store.list()).concat(committed.flatMap((result) => result ?? []));
  const identities = identify(jobs);
  // The same job on the device that its committed result came from.
  const elsewhere = identify(
    jobs.map((job, i) =>
      options.anyDevice && job.model ? { ...job, device: committed[i]?.passport.keyParts.device ?? job.device } : job,
    ),
  );
  return jobs.map(async (job, i): Promise<Standing> => {
    const [identity, other] = await Promise.all([identities[i], elsewhere[i]]);
    const ready = committed[i];
    if (ready?.passport.key === other.key && (await isSound(ready, options.warn))) {
      return { job, identity: other, result: ready };
    }
    const result = await store.get(identity.key);
    return { job, identity, ...(result ? { result } : nearest(job, identity, known)) };
  });
}

/** The bundled model's results are committed; those of other models only lie in the store. */
async function committedResult(
  { experiment, model }: Job,
  warn: (message: string) => void,
): Promise<Result | undefined> {
  if (model !== undefined && resolve(model) !== bundledModel) return undefined;
  try {
    return await openResult(join(resultsFolder, experiment));
  } catch (error) {
    return corrupt(error, warn);
  }
}

async function isSound(result: Result, warn: (message: string) => void): Promise<boolean> {
  try {
    await result.verify();
    return true;
  } catch (error) {
    return corrupt(error, warn) !== undefined;
  }
}

function corrupt(error: unknown, warn: (message: string) => void): undefined {
  if (!(error instanceof CorruptResult)) throw error;
  warn(messages.ignoredResult(error.message));
  return undefined;
}

/** The result with the fewest changes to this one; of equally near ones, the latest. */
function nearest(
  { experiment, model }: Job,
  identity: Identity,
  known: readonly Result[],
): Pick<Standing, "stale" | "reason"> {
  const name = model === undefined ? undefined : modelName(model);
  const [found] = known
    .filter(({ passport }) => passport.experiment === experiment && passport.model?.name === name)
    .map((stale) => ({ stale, changes: differences(stale.passport, identity) }))
    .sort((a, b) => a.changes.length - b.changes.length || (a.stale.passport.date < b.stale.passport.date ? 1 : -1));
  return found ? { stale: found.stale, reason: found.changes.join(", ") } : {};
}

export function modelName(folder: string): string {
  return resolve(folder).split("/").at(-1) ?? folder;
}

/** Paths in passports are relative to the project where they lie in it. */
export function projectPath(path: string): string {
  const inside = relative(root, path);
  return inside.startsWith("..") ? path : inside;
}
