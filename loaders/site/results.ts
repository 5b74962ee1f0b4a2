/** The results behind the pages of a preview: cached for Framework where fresh, computed when a page asks for them. */
import { once } from "node:events";
import { watch } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../engine/errors.js";
import { forkModule } from "../fork.js";
import { fulfil } from "../fulfil.js";
import { messages } from "../messages.js";
import type { Plan } from "../plan.js";
import type { PlanOrder, PlanReply } from "../planner.js";
import { root } from "../project.js";
import { openResult, type Result } from "../store/result.js";
import { say } from "../terminal.js";
import { announceChange, cacheResult, emptyCache } from "./cache.js";

/** What the experiments are made of. Pages and components are Framework's to watch. */
const watched = ["engine", "loaders", "data", "package-lock.json"];

/** How long the disk must be quiet before a change is looked at. */
const quiet = 300; // ms

interface Entry {
  readonly plan: Plan;
  /** Ends the computation, because what it computes is no longer asked for. */
  readonly outdated: AbortController;
  /** Resolves with the names of the tables when they are in the cache. Rejects with a sentence where they cannot be. */
  ready?: Promise<readonly string[]>;
}

export class PreviewResults {
  readonly #model: string | undefined;
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, Entry>();

  private constructor(model: string | undefined, signal: AbortSignal) {
    this.#model = model;
    this.#signal = signal;
  }

  /** @throws {UserError} where the model cannot be used */
  static async open(model: string | undefined, signal: AbortSignal): Promise<PreviewResults> {
    const results = new PreviewResults(model, signal);
    await emptyCache();
    for (const plan of await planApart({ model })) results.#add(plan);
    return results;
  }

  /** Waits until a table is in the cache. Resolves with a sentence where it cannot be. */
  async failure(experiment: string, table: string): Promise<string | undefined> {
    const entry = this.#entries.get(experiment);
    if (!entry) return messages.unknownExperiment(experiment, undefined, [...this.#entries.keys()]);
    entry.ready ??= this.#compute(entry);
    try {
      const tables = await entry.ready;
      return tables.includes(table) ? undefined : messages.unknownTable(experiment, table, tables);
    } catch (error) {
      entry.ready = undefined; // the next request tries again
      const why = error instanceof Error ? error.message : String(error);
      return messages.noResult(experiment, entry.outdated.signal.aborted ? messages.changedMeanwhile(experiment) : why);
    }
  }

  #add(plan: Plan): void {
    const ready = plan.fresh ? openResult(plan.fresh).then(cache) : undefined;
    ready?.catch(() => undefined); // whoever asks for it is told
    this.#entries.set(plan.experiment, { plan, outdated: new AbortController(), ready });
  }

  async #compute({ plan, outdated }: Entry): Promise<readonly string[]> {
    const signal = AbortSignal.any([this.#signal, outdated.signal]);
    const outcome = (await fulfil([plan], { signal, plainProgress: true })).get(plan.experiment);
    if (!outcome || "failure" in outcome) throw new Error(outcome?.failure.message ?? "");
    return cache(outcome.result);
  }

  /** Looks at the project whenever it changes, until the returned function is called. */
  watch(): () => void {
    let timer: NodeJS.Timeout | undefined;
    let refreshed = Promise.resolve();
    const refresh = () => {
      refreshed = refreshed.then(() => this.#refresh()).catch((error: Error) => say(error.message));
    };
    const changed = () => {
      clearTimeout(timer);
      timer = setTimeout(refresh, quiet);
    };
    const watchers = watched.map((path) => watch(join(root, path), { recursive: true }, changed));
    return () => {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    };
  }

  async #refresh(): Promise<void> {
    const plans = await planApart({ model: this.#model });
    const changed = plans.filter((plan) => hasChanged(plan, this.#entries.get(plan.experiment)?.plan));
    if (changed.length === 0) return;
    for (const { experiment } of changed) this.#entries.get(experiment)?.outdated.abort();
    await announceChange();
    for (const plan of plans) if (plan.fresh || changed.includes(plan)) this.#add(plan); // others may be at work
  }
}

function hasChanged(now: Plan, before: Plan | undefined): boolean {
  return now.key !== before?.key || (now.key === undefined && now.reason !== before?.reason);
}

async function cache(result: Result | undefined): Promise<readonly string[]> {
  if (!result) throw new Error("it has just been removed");
  await cacheResult(result, new Date());
  return Object.keys(result.passport.tables);
}

/** Plans in a process of its own, which reads the code as it is now. */
async function planApart(order: PlanOrder): Promise<readonly Plan[]> {
  const child = forkModule("./planner.ts", "inherit");
  child.send(order);
  const replied = once(child, "message").then(([reply]: PlanReply[]) => reply);
  const ended = once(child, "exit").then((): never => {
    throw new Error(messages.cannotPlan);
  });
  const { plans, warnings, failure } = await Promise.race([replied, ended]);
  ended.catch(() => undefined); // it ends after its reply, too
  for (const warning of warnings) say(warning);
  if (failure) throw failure.badInput ? new UserError(failure.message) : new Error(failure.message);
  return plans;
}
