/**
 * The catalogue joined with the results. A paper is measured where a fresh result judges a claim that names it; nothing
 * of this is written anywhere by hand.
 */
import { tableFromIPC } from "apache-arrow";
import type { Outcome } from "../experiment.js";
import { experimentIds } from "../experiments/index.js";
import { type Plan, planFor } from "../runner/plan.js";
import { openResult, type Result } from "../store/result.js";
import { type Check, isRead, type Paper } from "./paper.js";

/** One row of the review, as `catalogue --json` prints it. */
export interface Row {
  readonly line: number;
  readonly slug: string;
  readonly status: "measured" | "planned";
  readonly verdict: Outcome | null;
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
  readonly outcome: Outcome;
  readonly low: number | null;
  readonly high: number | null;
  readonly n: number;
}

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
    for (const row of tableFromIPC(await result.table("verdicts")).toArray()) {
      const { paper, outcome, low, high, n } = row.toJSON();
      found.set(paper, [...(found.get(paper) ?? []), { result, outcome, low, high, n }]);
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
    models: [...new Set(models)].sort(),
    experiment: main?.passport.experiment ?? null,
    page: pageOf(paper),
    key: main?.passport.key ?? null,
    interval: typeof first?.low === "number" && typeof first.high === "number" ? [first.low, first.high] : null,
    n: first?.n ?? null,
    definition,
  };
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

/** A verdict as it is shown: where the definition was not read in the paper or its code, it says so. */
export function shownVerdict(verdict: Outcome, paper: Pick<Paper, "checked">): string {
  return isRead(paper) ? verdict : `${verdict}, definition recalled`;
}
