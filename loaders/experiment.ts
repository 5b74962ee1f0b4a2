/**
 * What an experiment is. One file reads top to bottom like the method section of a paper: question, parameters,
 * inputs, tables, `run`, and the claims with the rule that decides each, written before any result.
 * It knows nothing about files, caches, devices or pages.
 */
import type { Model } from "../engine/model.js";
import type { Tokenizer } from "../engine/tokenizer.js";
import type { Batch, Table } from "./table.js";

export type Outcome = "replicated" | "not replicated" | "mixed" | "not testable at this scale";

export interface Judgement {
  readonly outcome: Outcome;
  readonly estimate: number;
  /** 95 % interval. */
  readonly low: number;
  readonly high: number;
  /** Independent units behind the interval (prompts, documents, seeds), not tokens. */
  readonly n: number;
}

/** One testable statement. `rule` says in words what `judge` computes; both are fixed before the result is seen. */
export interface Claim<Evidence> {
  readonly id: string;
  /** Slug in the catalogue of papers, or `none` where no paper makes the claim. */
  readonly paper: string;
  readonly statement: string;
  /** What `estimate` is, with its unit. */
  readonly measure: string;
  readonly rule: string;
  /** Where claim or rule were written or changed after a trial had been seen: what was seen, in a sentence. */
  readonly revised?: string;
  judge(evidence: Evidence): Judgement;
}

export type Parameters = Readonly<Record<string, number | string | boolean | readonly (number | string)[]>>;

export interface Context<P extends Parameters> {
  readonly parameters: P;
  model(): Promise<Model>;
  /** The same architecture with freshly initialised weights (seeded): the control that has learned nothing. */
  control(): Promise<Model>;
  tokenizer(): Promise<Tokenizer>;
  /** Parsed lines of the JSONL inputs, by the names declared in `inputs`. */
  readonly inputs: Readonly<Record<string, readonly unknown[]>>;
  progress(done: number, total: number, message?: string): void;
  readonly signal: AbortSignal;
}

/** What a job needs of a machine, for the scheduler; what is left out is one core, and a GPU where the device is one. */
export interface Resources {
  readonly cores?: number;
  /** GiB at the peak. */
  readonly memory?: number;
  readonly gpus?: number;
}

/**
 * Mathematics of the paper that needs no trained model; weights that are random; texts that are made up; and where only
 * some of its claims are tried: a premise and not what it proposes, one statement of several, or all but a named part.
 */
export type Scope =
  | "exact part"
  | "random weights"
  | "synthetic texts"
  | "premise only"
  | "one statement"
  | "without its gates"
  | "without attention flow";

export interface Experiment<P extends Parameters = Parameters, Evidence = unknown> {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  /** Slugs in the catalogue of papers. */
  readonly papers: readonly string[];
  /** What part of its papers it tries, where it leaves out the rest: shown with their verdicts. */
  readonly scope?: Scope;
  /** `model`: runs on a checkpoint, which is part of its key. `records`: reads committed records only. */
  readonly subject: "model" | "records";
  readonly parameters: P;
  /** JSONL files below data/, by the name that `run` knows them by. The first is what `--prompts` replaces. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Environment variables that can change its numbers; `run` may read no others. */
  readonly environment?: readonly string[];
  readonly resources?: Resources;
  readonly tables: readonly Table[];
  readonly claims: readonly Claim<Evidence>[];
  /** Yields rows as they are ready, and returns what the claims are judged on. */
  run(context: Context<P>): AsyncGenerator<Batch, Evidence>;
}
