/** Which results the store must keep, whatever its size. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { experimentIds } from "../experiments/index.js";
import { resultsFolder } from "../project.js";
import { CorruptResult, openResult } from "../store/result.js";
import type { Store } from "../store/store.js";
import { absent } from "../store/system.js";
import { planFor } from "./plan.js";

/**
 * The keys of the committed results and of those that the experiments have as they are now; of an experiment that is
 * broken nobody knows which, so all that there are. And the others given.
 * @throws {UserError} where the bundled model cannot be used
 */
export async function neededKeys(store: Store, others: readonly string[] = []): Promise<Set<string>> {
  const names = (await readdir(resultsFolder).catch(absent)) ?? [];
  const committed = await Promise.all(names.map((name) => openResult(join(resultsFolder, name)).catch(ignoreCorrupt)));
  const plans = await planFor(await experimentIds(), {}, { warn: () => {}, anyDevice: true });
  const broken = new Set(plans.filter(({ key }) => key === undefined).map(({ experiment }) => experiment));
  const kept = broken.size === 0 ? [] : (await store.list()).filter(({ passport }) => broken.has(passport.experiment));
  return new Set([
    ...others,
    ...plans.flatMap(({ key }) => key ?? []),
    ...[...committed, ...kept].flatMap((result) => result?.passport.key ?? []),
  ]);
}

function ignoreCorrupt(error: unknown): undefined {
  if (!(error instanceof CorruptResult)) throw error;
  return undefined;
}
