/** The published site: built into a staging folder, checked, and only then put in the place of the last good one. */
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { experimentIds } from "../experiments/index.js";
import { messages } from "../messages.js";
import { projectPath, siteCache, siteConfig, siteOutput, workFolder } from "../project.js";
import { fulfil } from "../runner/fulfil.js";
import { planFor } from "../runner/plan.js";
import { withLock } from "../store/lock.js";
import type { Result } from "../store/result.js";
import { absent } from "../store/system.js";
import { say, untilInterrupted } from "../terminal.js";
import { attachedExperiments, fillCache, foreignData } from "./cache.js";
import { siteDefects } from "./check.js";
import { cacheDatabaseModule } from "./database-module.js";
import { prepareFramework } from "./framework.js";
import { publishable } from "./html.js";

const staging = join(workFolder, "site");
const previous = join(workFolder, "site-before");

/** Throws where a result or a page is not as it should be; the last good site then stays as it is. */
export async function buildSite({ model }: { readonly model?: string }, debug: boolean): Promise<void> {
  const signal = untilInterrupted();
  const onWait = () => say(messages.otherBuild);
  await withLock(join(workFolder, "locks/build.lock"), () => build(model, debug, signal), { signal, onWait });
  say(messages.built(projectPath(siteOutput)));
}

async function build(model: string | undefined, debug: boolean, signal: AbortSignal): Promise<void> {
  await restoreLast();
  const results = await collectResults(model, debug, signal);
  await fillCache(results);
  await cacheDatabaseModule();
  await render(debug);
  await polishPages();
  signal.throwIfAborted();
  const foreign = (await foreignData(staging, results)).map(messages.foreignData);
  const defects = [...foreign, ...(await siteDefects(staging))];
  if (defects.length > 0) throw new Error(messages.siteDefects(defects));
  await publish();
}

async function render(debug: boolean): Promise<void> {
  prepareFramework(debug);
  const { readConfig } = await import("@observablehq/framework/dist/config.js");
  const { build, FileBuildEffects } = await import("@observablehq/framework/dist/build.js");
  const config = await readConfig(siteConfig);
  config.output = staging;
  const logger = { log: console.log, warn: console.warn, error: say };
  await build({ config }, new FileBuildEffects(staging, siteCache, { logger, output: process.stdout }));
}

/** What the pages attach. @throws {UserError} where a page asks for what no experiment has */
async function collectResults(model: string | undefined, debug: boolean, signal: AbortSignal): Promise<Result[]> {
  const ids = await attachedExperiments(await experimentIds());
  const plans = await planFor(ids, { model }, { warn: say, anyDevice: true });
  const outcomes = [...(await fulfil(plans, { signal, debug }))];
  const failed = outcomes.flatMap(([id, outcome]) => ("failure" in outcome ? id : []));
  if (failed.length > 0) throw new Error(messages.missingResults(failed));
  return outcomes.flatMap(([, outcome]) => ("result" in outcome ? outcome.result : []));
}

async function polishPages(): Promise<void> {
  const files = await readdir(staging, { recursive: true });
  const read = (file: string) => readFile(join(staging, file), "utf8");
  for (const file of files.filter((name) => name.endsWith(".html"))) {
    await writeFile(join(staging, file), await publishable(file, read));
  }
}

async function publish(): Promise<void> {
  await rm(previous, { recursive: true, force: true });
  await rename(siteOutput, previous).catch(absent);
  await rename(staging, siteOutput);
}

/** A build that was killed between the two renames of `publish` leaves no site, and the last one beside it. */
async function restoreLast(): Promise<void> {
  const exists = (await readdir(siteOutput).catch(absent)) !== undefined;
  if (!exists) await rename(previous, siteOutput).catch(absent);
}
