/** The published site: built into a staging folder, checked, and only then put in the place of the last good one. */
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { UserError } from "../../engine/errors.js";
import { benchmarkTable } from "../bench/table.js";
import { cacheCatalogue, fillPages } from "../catalogue/pages.js";
import { experimentIds } from "../experiments/index.js";
import { memoized } from "../memoized.js";
import { messages } from "../messages.js";
import { meter } from "../meter.js";
import { projectPath, siteCache, siteOutput, siteStaging, workFolder } from "../project.js";
import { fulfil } from "../runner/fulfil.js";
import { type Plan, planFor } from "../runner/plan.js";
import { withLock } from "../store/lock.js";
import { openResult } from "../store/result.js";
import { absent } from "../store/system.js";
import { say, untilInterrupted } from "../terminal.js";
import { writeAnswers } from "./answers.js";
import { attachedExperiments, cacheData, fillCache, foreignData, type Published } from "./cache.js";
import { siteDefects } from "./check.js";
import { compressedDatabaseModule } from "./database-module.js";
import { prepareFramework, rememberLookUps } from "./framework.js";
import { publishable } from "./html.js";
import { cacheLabModel } from "./lab-model.js";
import { cacheLibraries } from "./libraries.js";
import { joinModules } from "./modules.js";
import type { PageContent } from "./notebook/page.js";
import { hasCharts, isNotebook, readPages, writeNotebooks } from "./notebook/write.js";
import { publish, restoreLast } from "./publish.js";
import { writeSearchIndex } from "./search.js";

const staging = join(siteStaging, "next");

/** Translated where this module is. */
const configuration = fileURLToPath(new URL(`../../observablehq.config${extname(import.meta.url)}`, import.meta.url));

export interface BuildOptions {
  readonly model?: string;
  /** Compute what is stale or missing first. */
  readonly run?: boolean;
  /** Publish stale results, marked as such. */
  readonly allowStale?: boolean;
}

/** Throws where a result or a page is not as it should be; the last good site then stays as it is. */
export async function buildSite(options: BuildOptions, debug: boolean): Promise<void> {
  const signal = untilInterrupted();
  const onWait = () => say(messages.otherBuild);
  await withLock(join(workFolder, "locks/build.lock"), () => build(options, debug, signal), { signal, onWait });
  say(messages.built(projectPath(siteOutput)));
}

async function build(options: BuildOptions, debug: boolean, signal: AbortSignal): Promise<void> {
  await restoreLast();
  await fillPages();
  const results = await collectResults(options, debug, signal);
  await fillCache(results);
  await cacheCatalogue(results.flatMap((published) => ("stale" in published ? [] : published.result)));
  const measured = await benchmarkTable().catch(absent);
  if (measured) await cacheData("benchmarks.arrow", measured);
  await cacheData("duckdb.wasm.gzip", await compressedDatabaseModule());
  await cacheLabModel();
  await cacheLibraries();
  await render(debug, signal);
  const pages = await builtPages();
  const contents = await readPages(staging, await chartsAmong(pages));
  await polishPages(pages, contents);
  await writeNotebooks(staging, contents);
  signal.throwIfAborted();
  const foreign = (await foreignData(staging, results)).map(messages.foreignData);
  const defects = [...foreign, ...(await siteDefects(staging))];
  if (defects.length > 0) throw new Error(messages.siteDefects(defects));
  await publish(staging);
}

async function render(debug: boolean, signal: AbortSignal): Promise<void> {
  await prepareFramework(debug);
  const { readConfig } = await import("@observablehq/framework/dist/config.js");
  const { build, FileBuildEffects } = await import("@observablehq/framework/dist/build.js");
  const config = await readConfig(configuration);
  config.output = staging;
  rememberLookUps(config.loaders);
  const logger = { log: console.log, warn: console.warn, error: say };
  let steps = 0;
  for await (const _ of config.paths()) steps += 2; // each page is loaded, and later rendered
  const state = (done: number) => `${Math.floor((100 * done) / steps)} %`;
  const progress = meter("Rendering", steps, { state, warmUp: 3 }); // the second page waits for what pages import
  let done = 0;
  // Framework cannot be stopped, but names each page and file before its turn.
  const output = {
    write(text: string) {
      signal.throwIfAborted();
      if (/^(?:load \S+ |render .+)$/.test(stripVTControlCharacters(text))) progress.update(done++);
      process.stdout.write(text);
    },
  };
  try {
    await build({ config }, new FileBuildEffects(staging, siteCache, { logger, output }));
  } finally {
    progress.close();
  }
}

/** What the pages attach. @throws {UserError} where that does not exist, or may not be published */
async function collectResults(options: BuildOptions, debug: boolean, signal: AbortSignal): Promise<Published[]> {
  const ids = await attachedExperiments(await experimentIds());
  const plans = await planFor(ids, { model: options.model }, { warn: say, anyDevice: true });
  if (options.run) return computed(plans, debug, signal);
  const found = await Promise.all(plans.map((plan) => standing(plan, options.allowStale ?? false)));
  const refused = plans.flatMap((plan, i) =>
    found[i] ? [] : messages.notFresh(plan.experiment, plan.stale, plan.reason),
  );
  if (refused.length > 0) throw new UserError(messages.notPublished(refused));
  return found.flatMap((published) => published ?? []);
}

async function standing({ fresh, stale, reason }: Plan, allowStale: boolean): Promise<Published | undefined> {
  const folder = fresh ?? (allowStale ? stale : undefined);
  const result = folder && (await openResult(folder));
  if (!result) return undefined;
  if (fresh) return { result };
  say(messages.publishedStale(result.passport.experiment, reason ?? ""));
  return { result, stale: reason };
}

async function computed(plans: readonly Plan[], debug: boolean, signal: AbortSignal): Promise<Published[]> {
  const outcomes = [...(await fulfil(plans, { signal, debug }))];
  const failed = outcomes.flatMap(([id, outcome]) => ("failure" in outcome ? id : []));
  if (failed.length > 0) throw new Error(messages.missingResults(failed));
  return outcomes.flatMap(([, outcome]) => ("result" in outcome ? outcome : []));
}

async function builtPages(): Promise<string[]> {
  return (await readdir(staging, { recursive: true })).filter((name) => name.endsWith(".html")).sort();
}

async function chartsAmong(pages: readonly string[]): Promise<string[]> {
  const have = await Promise.all(pages.map(hasCharts));
  return pages.filter((_, i) => have[i]);
}

async function polishPages(pages: readonly string[], contents: ReadonlyMap<string, PageContent>): Promise<void> {
  const site = {
    read: (file: string) => readFile(join(staging, file), "utf8"),
    size: memoized(async (file) => (await stat(join(staging, file))).size),
  };
  await writeSearchIndex(staging, pages);
  const answers = await writeAnswers(staging, contents);
  const modules = await joinModules(staging, pages);
  for (const page of pages) {
    const content = contents.get(page);
    const prepared = content && { content, answers: answers.get(page)!, notebook: await isNotebook(page) };
    await writeFile(join(staging, page), await publishable(page, site, modules.get(page), prepared));
  }
}
