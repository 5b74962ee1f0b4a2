/**
 * The catalogue joined with the results. A paper is measured where a fresh result judges a claim that names it; nothing
 * of this is written anywhere by hand.
 */
import { tableFromIPC } from "apache-arrow";
import type { Outcome, Scope } from "../experiment.js";
import { experimentIds, loadExperiment } from "../experiments/index.js";
import { type Plan, planFor } from "../runner/plan.js";
import { openResult, type Result } from "../store/result.js";
import { type Check, isRead, type Paper } from "./paper.js";

/** One row of the review, as `catalogue --json` prints it. */
export interface Row {
  readonly line: number;
  readonly slug: string;
  readonly status: "measured" | "planned";
  readonly verdict: Outcome | null;
  /** What part of the paper it is about, where no experiment tries the rest. */
  readonly scope: Scope | null;
  /** Names of the models that it was measured on; none where no model is needed. */
  readonly models: readonly string[];
  /** The experiment that says most about it, and the key of its result. */
  readonly experiment: string | null;
  readonly page: string;
  readonly key: string | null;
  /** 95 % interval and sample size of that experiment's first claim about the paper. */
  readonly interval: readonly [low: number, high: number] | null;
  readonly n: number | null;
  readonly definition: Check;
}

/** A claim that a result has judged. */
interface Judged {
  readonly result: Result;
  readonly scope: Scope | null;
  readonly outcome: Outcome;
  readonly low: number | null;
  readonly high: number | null;
  readonly n: number;
}

/**
 * Papers of which an experiment that is about several tries a part only. What it leaves out stands in its departures;
 * this says so beside the verdict, as long as no other experiment judges a claim of the paper.
 */
export const parts: Readonly<Record<string, { readonly experiment: string; readonly scope: Scope }>> = {
  "attention-rollout-flow": { experiment: "attention-rollout", scope: "without attention flow" },
  "bayesian-attention-mechanism": { experiment: "positional-bias", scope: "premise only" },
  duoattention: { experiment: "kv-policies", scope: "without its gates" },
  "token-aware-phase-attention": { experiment: "positional-bias", scope: "premise only" },
  "what-does-bert-look-at": { experiment: "entropy", scope: "one statement" },
};

export const pageOf = ({ slug }: Pick<Paper, "slug">) => `/papers/${slug}`;

/** Plans of all experiments on the bundled model, of which the fresh ones count. */
export async function allPlans(warn: (message: string) => void): Promise<Plan[]> {
  return planFor(await experimentIds(), {}, { warn, anyDevice: true });
}

/** Their results, those that are fresh. */
export async function freshResults(plans: readonly Plan[]): Promise<Result[]> {
  const opened = await Promise.all(plans.map(({ fresh }) => (fresh ? openResult(fresh) : undefined)));
  return opened.flatMap((result) => result ?? []);
}

export async function review(papers: readonly Paper[], results: readonly Result[]): Promise<Row[]> {
  const claims = await claimsByPaper(results);
  return papers.map((paper) => rowOf(paper, claims.get(paper.slug) ?? []));
}

async function claimsByPaper(results: readonly Result[]): Promise<Map<string, Judged[]>> {
  const found = new Map<string, Judged[]>();
  for (const result of results) {
    const { scope = null } = await loadExperiment(result.passport.experiment);
    for (const row of tableFromIPC(await result.table("verdicts")).toArray()) {
      const { paper, outcome, low, high, n } = row.toJSON();
      found.set(paper, [...(found.get(paper) ?? []), { result, scope, outcome, low, high, n }]);
    }
  }
  return found;
}

function rowOf(paper: Paper, claims: readonly Judged[]): Row {
  const { line, slug, checked: definition } = paper;
  const main = mainResult(claims);
  const first = claims.find(({ result }) => result === main);
  const models = claims.flatMap(({ result }) => result.passport.model?.name ?? []);
  return {
    line,
    slug,
    status: main ? "measured" : "planned",
    verdict: main ? together(claims.map(({ outcome }) => outcome)) : null,
    scope: scopeOf(paper, claims),
    models: [...new Set(models)].sort(),
    experiment: main?.passport.experiment ?? null,
    page: pageOf(paper),
    key: main?.passport.key ?? null,
    interval: typeof first?.low === "number" && typeof first.high === "number" ? [first.low, first.high] : null,
    n: first?.n ?? null,
    definition,
  };
}

/** The part of the paper that all its claims keep to; none where one does not, or where they differ. */
function scopeOf({ slug }: Pick<Paper, "slug">, claims: readonly Judged[]): Scope | null {
  const part = parts[slug];
  const isPart = claims.length > 0 && claims.every(({ result }) => result.passport.experiment === part?.experiment);
  if (isPart) return part.scope;
  const [only = null, ...others] = new Set(claims.map(({ scope }) => scope));
  return others.length > 0 ? null : only;
}

/** The result with most claims about the paper; of equals, one on a model. */
function mainResult(claims: readonly Judged[]): Result | undefined {
  const results = [...new Set(claims.map(({ result }) => result))];
  const count = (of: Result) => claims.filter(({ result }) => result === of).length;
  const onModel = ({ passport }: Result) => Number(passport.model !== undefined);
  return results.sort((a, b) => count(b) - count(a) || onModel(b) - onModel(a))[0];
}

/** The verdict on a paper: what its testable claims agree on, or mixed where they do not. */
export function together(outcomes: readonly Outcome[]): Outcome {
  const testable = new Set(outcomes.filter((outcome) => outcome !== "not testable at this scale"));
  const [only = "not testable at this scale", ...others] = testable;
  return others.length > 0 ? "mixed" : only;
}

/** A verdict as it is shown: with the part it is about, and whether the definition was read in the paper or its code. */
export function shownVerdict(verdict: Outcome, scope: Scope | null, paper: Pick<Paper, "checked">): string {
  return [verdict, scope, isRead(paper) ? null : "definition recalled"].filter((part) => part !== null).join(", ");
}
