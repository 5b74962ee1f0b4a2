/**
 * The results behind the pages of a preview. They are handed out by us and not by Framework, whose cache neither knows
 * what a result depends on nor which preview it belongs to.
 */
import { once } from "node:events";
import { watch } from "node:fs";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { root } from "../project.js";
import { forkModule } from "../runner/fork.js";
import { fulfil } from "../runner/fulfil.js";
import type { Plan } from "../runner/plan.js";
import type { PlanOrder, PlanReply } from "../runner/planner.js";
import { openResult, type Result } from "../store/result.js";
import { say } from "../terminal.js";
import { servedTable } from "./cache.js";

/** What the experiments are made of. Pages and components are Framework's to watch. */
const watched = ["engine", "loaders", "data", "package-lock.json"];

/** How long the disk must be quiet before a change is looked at. */
const quiet = 300; // ms

const loader = join(root, "loaders/[experiment]/[table].arrow.ts");

interface Entry {
  readonly plan: Plan;
  /** Ends the computation, because what it computes is no longer asked for. */
  readonly outdated: AbortController;
  result?: Promise<Result>;
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
    for (const plan of await planApart({ model })) results.#add(plan);
    return results;
  }

  #add(plan: Plan): void {
    this.#entries.set(plan.experiment, { plan, outdated: new AbortController() });
  }

  /** A table, computed where it is missing. Throws an Error with a sentence for the page where it cannot be had. */
  async table(experiment: string, name: string): Promise<Uint8Array> {
    const entry = this.#entries.get(experiment);
    if (!entry) throw new Error(messages.unknownExperiment(experiment, undefined, [...this.#entries.keys()]));
    try {
      entry.result ??= this.#resultOf(entry);
      const result = await entry.result;
      const tables = Object.keys(result.passport.tables);
      if (!tables.includes(name)) return Promise.reject(new Error(messages.unknownTable(experiment, name, tables)));
      return await servedTable({ result }, name);
    } catch (error) {
      entry.result = undefined; // the next request tries again
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        messages.noResult(experiment, entry.outdated.signal.aborted ? messages.changedMeanwhile(experiment) : why),
      );
    }
  }

  async #resultOf({ plan, outdated }: Entry): Promise<Result> {
    const stored = plan.fresh && (await openResult(plan.fresh));
    if (stored) return stored;
    const signal = AbortSignal.any([this.#signal, outdated.signal]);
    const outcome = (await fulfil([plan], { signal, plainProgress: true })).get(plan.experiment);
    if (outcome && "result" in outcome) return outcome.result;
    throw new Error(outcome?.failure.message);
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
    for (const plan of changed) {
      this.#entries.get(plan.experiment)?.outdated.abort();
      this.#add(plan);
    }
    await announceChange();
  }
}

/** Touches the data loader, upon which Framework tells open pages to fetch their data again. */
async function announceChange(): Promise<void> {
  await utimes(loader, new Date(), new Date());
}

function hasChanged(now: Plan, before: Plan | undefined): boolean {
  return now.key !== before?.key || (now.key === undefined && now.reason !== before?.reason);
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
