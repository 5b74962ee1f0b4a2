/**
 * The results behind the pages of a preview. They are handed out by us and not by Framework, whose cache neither knows
 * what a result depends on nor which preview it belongs to.
 */
import { once } from "node:events";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../engine/errors.js";
import { freshResults } from "../catalogue/review.js";
import { servedCatalogue } from "../catalogue/table.js";
import { messages } from "../messages.js";
import { projectPath, root } from "../project.js";
import { forkModule } from "../runner/fork.js";
import { fulfil } from "../runner/fulfil.js";
import type { Job } from "../runner/job.js";
import type { Plan } from "../runner/plan.js";
import type { PlanOrder, PlanReply } from "../runner/planner.js";
import { apply, estimate, type Line, queued } from "../runner/progress.js";
import type { RunEvent } from "../runner/run.js";
import { Machine, machineCapacity } from "../runner/schedule.js";
import { openResult, type Result } from "../store/result.js";
import { say } from "../terminal.js";
import { servedTable } from "./cache.js";
import { TreeWatch } from "./watch.js";

/** What the experiments are made of. Pages and components are Framework's to watch. */
const watched = ["engine", "loaders", "data", "package-lock.json"];

/** How long the disk must be quiet before a change is looked at. */
const quiet = 300; // ms

const loader = join(root, "loaders/[experiment]/[table].arrow.ts");

/** How long who does not want to wait has to, for results that are there already. */
const patience = 300; // ms

/** For how long a failure is the answer; whoever asks later has it tried again. */
const retry = 5000; // ms

const linesKept = 20;

interface Entry {
  readonly plan: Plan;
  /** Ends the computation, because what it computes is no longer asked for. */
  readonly outdated: AbortController;
  readonly line: Line;
  readonly log: string[];
  result?: Promise<Result>;
  /** Whether the result is asked for and not there. */
  isPending: boolean;
  failed?: { readonly time: number; readonly message: string };
}

/** What a page is told of a result that it waits for. */
export interface Progress {
  /** `ready` to be asked for, which starts a computation that has not begun. */
  readonly state: "computing" | "failed" | "ready";
  readonly done: number;
  readonly total: number;
  /** Seconds left, where there is an estimate. */
  readonly left?: number;
  readonly message: string;
  /** Peak of the computing process, in bytes. */
  readonly memory: number;
  /** The last lines that it wrote. */
  readonly log: readonly string[];
}

export class PreviewResults {
  readonly #model: string | undefined;
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, Entry>();
  /** Pages ask for many results at once. */
  readonly #machine = new Machine(machineCapacity());

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
    this.#entries.set(plan.experiment, {
      plan,
      outdated: new AbortController(),
      line: queued(),
      log: [],
      isPending: false,
    });
  }

  /**
   * A table, computed where it is missing; undefined for who does not want to wait for that. Throws an Error with a
   * sentence for the page where it cannot be had.
   */
  async table(experiment: string, name: string, waits: boolean): Promise<Uint8Array | undefined> {
    const entry = this.#entry(experiment);
    if (entry.failed && Date.now() - entry.failed.time > retry) {
      entry.result = undefined;
      entry.failed = undefined;
    }
    entry.result ??= this.#begin(entry);
    const result = await (waits ? entry.result : Promise.race([entry.result, sleep(patience)]));
    if (!result) return undefined;
    const tables = Object.keys(result.passport.tables);
    if (!tables.includes(name)) throw new Error(messages.unknownTable(experiment, name, tables));
    return servedTable({ result }, name);
  }

  /** How far the computation of a result is. */
  progress(experiment: string): Progress {
    const { line, log, isPending, failed } = this.#entry(experiment);
    return {
      state: failed ? "failed" : isPending ? "computing" : "ready",
      done: line.done,
      total: line.total,
      left: estimate(line),
      message: failed?.message ?? line.message,
      memory: line.memory,
      log,
    };
  }

  #entry(experiment: string): Entry {
    const entry = this.#entries.get(experiment);
    if (!entry) throw new Error(messages.unknownExperiment(experiment, undefined, [...this.#entries.keys()]));
    return entry;
  }

  /** The catalogue of papers, joined with what is fresh. */
  async catalogue(): Promise<Uint8Array> {
    return servedCatalogue(await freshResults([...this.#entries.values()].map(({ plan }) => plan)));
  }

  #begin(entry: Entry): Promise<Result> {
    const { experiment } = entry.plan;
    const fail = (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      const outdated = entry.outdated.signal.aborted;
      const message = messages.noResult(experiment, outdated ? messages.changedMeanwhile(experiment) : why);
      entry.failed = { time: Date.now(), message };
      throw new Error(message);
    };
    entry.isPending = true;
    const result = this.#resultOf(entry)
      .catch(fail)
      .finally(() => {
        entry.isPending = false;
      });
    result.catch(() => undefined); // whoever asks next is told
    return result;
  }

  async #resultOf({ plan, outdated, line, log }: Entry): Promise<Result> {
    const stored = plan.fresh && (await openResult(plan.fresh));
    if (stored) return stored;
    const signal = AbortSignal.any([this.#signal, outdated.signal]);
    const onEvent = (_: Job, event: RunEvent) => {
      apply(line, event);
      if (event.type === "log") log.push(event.line);
      if (log.length > linesKept) log.shift();
    };
    const outcomes = await fulfil([plan], { signal, machine: this.#machine, plainProgress: true, onEvent });
    const outcome = outcomes.get(plan.experiment);
    if (outcome && "result" in outcome) return outcome.result;
    throw new Error(outcome?.failure.message);
  }

  /** Looks at the project whenever it changes, until the returned function is called. */
  watch(): () => void {
    let timer: NodeJS.Timeout | undefined;
    let refreshed = Promise.resolve();
    const refresh = () => {
      tree.follow();
      refreshed = refreshed.then(() => this.#refresh()).catch((error: Error) => say(error.message));
    };
    const paths = [...watched.map((path) => join(root, path)), ...(this.#model === undefined ? [] : [this.#model])];
    const tree = new TreeWatch({
      paths,
      changed: () => {
        clearTimeout(timer);
        timer = setTimeout(refresh, quiet);
      },
      lost: (folder, code) => say(messages.notWatched(projectPath(folder), code)),
    });
    return () => {
      clearTimeout(timer);
      tree.close();
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
  const child = forkModule("loaders/runner/planner.ts", "inherit");
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
