/** Passes over one text, or one context with questions, with the whole cache and with what each policy leaves of it. */
import type { Architecture } from "../../../engine/architecture.js";
import type { Forward, Prompt, Request } from "../../../engine/forward.js";
import type { Random } from "../../../engine/random.js";
import type { Context } from "../positional-bias/contexts.js";
import {
  basisOf,
  type Choice,
  type Chooser,
  choose,
  type Directions,
  keysOf,
  ranksOf,
  type Selector,
  selecting,
  selectors,
} from "./low-rank.js";
import {
  type Answered,
  activeFrom,
  answersOf,
  coveredBy,
  type HeadTraits,
  heldBy,
  lossOf,
  traitsOf,
} from "./measure.js";
import {
  byPolicy,
  keptOf,
  keptShare,
  matrixOf,
  type Policy,
  policies,
  type Setting,
  type Sizes,
  seen,
  survivalsOf,
} from "./policies.js";
import { activityOf, recurring } from "./recurrence.js";
import { type Chosen, type Mask, masked, matched } from "./retrieval.js";
import { type Base, continued, keyValueHeadOf, type Survival, staged } from "./stages.js";

/** Runs a model over a prompt, and counts it. */
export type Run = (prompt: Prompt, request: Request, message: string) => Promise<Forward>;

export interface Plan extends Setting {
  readonly architecture: Architecture;
  /** None: nothing is masked. */
  readonly masked?: Chosen;
  /** Directions in which queries select keys, and the share of them that is used; none: nothing is selected. */
  readonly selecting?: { readonly directions: Directions; readonly share: number };
}

/** Shares of keys that are attended again after a silence. // silences × [layers · heads] */
export interface Recurrence {
  readonly real: readonly (readonly number[])[];
  /** Each key's activities at random times. */
  readonly shuffled: readonly (readonly number[])[];
}

/** Queries that a silence must exceed to be told: one, or the window. */
export const silences = ({ window }: { readonly window: number }): number[] => [1, window];

function recurrenceOf(forward: Forward, keys: number, { sizes, random }: Setting): Recurrence {
  const { attention } = forward;
  if (!attention) throw new Error("Recurrence needs attention.");
  const [layers, heads, , stride] = attention.dims;
  const shares = (order?: Random) => {
    const activities = Array.from({ length: layers * heads }, (_, head) =>
      activityOf(matrixOf(attention, head), { keys, stride, threshold: activeFrom(keys) }, order),
    );
    return silences(sizes).map((beyond) => activities.map((activity) => recurring(activity, beyond)));
  };
  return { real: shares(), shuffled: shares(random) };
}

/** With heads masked: those with the highest retrieval scores, and as many others. */
export type Masked<T> = Readonly<Record<Mask, { readonly retrieval: T; readonly random: T }>>;

async function underMasks<T>(prompt: Prompt, plan: Plan, read: (prompt: Prompt) => Promise<T>) {
  if (!plan.masked) return undefined;
  const { heads } = plan.masked;
  const others = matched(plan.masked, plan.shape.heads, plan.random);
  const under = async (mask: Mask) => ({
    retrieval: await read(masked(prompt, heads, mask, plan.shape)),
    random: await read(masked(prompt, others, mask, plan.shape)),
  });
  return { uniform: await under("uniform"), silent: await under("silent") };
}

/** What every reading of the end says, under each policy's cuts. */
async function underPolicies<T>(
  base: Base,
  survivals: Record<Policy, Survival>,
  plan: Plan,
  read: (prompt: Prompt, policy: Policy) => Promise<readonly T[]>,
): Promise<Record<Policy, readonly T[]>> {
  const cuts = new Map<Policy, readonly T[]>();
  for (const policy of policies) {
    const prompt = staged(base, survivals[policy], plan.sizes.evicted.length, plan.shape);
    cuts.set(policy, await read(prompt, policy));
  }
  return byPolicy((policy) => cuts.get(policy) ?? []);
}

/** What the end says where each of its queries selects as many keys of the context as a cut leaves, cut by cut. */
async function underSelectors<T>(
  base: Base,
  { selecting: by, sizes, architecture }: Plan,
  read: (prompt: Prompt, selector: Selector) => Promise<T>,
): Promise<Record<Selector, readonly T[]> | undefined> {
  if (!by) return undefined;
  const under = async (selector: Selector) => {
    const chooser = { directions: by.directions[basisOf[selector]], share: by.share };
    const cuts: T[] = [];
    for (const keep of keptOf(base.tokens, sizes)) {
      cuts.push(await read(selecting(base, keep, chooser, architecture), selector));
    }
    return cuts;
  };
  return { "low-rank keys": await under("low-rank keys"), "random directions": await under("random directions") };
}

export interface TextReading {
  /** Loss with the whole cache, and under each policy's cuts. */
  readonly whole: number;
  readonly cut: Record<Policy, readonly number[]>; // cuts
  /** Loss where each query selects as many keys. */
  readonly selected?: Record<Selector, readonly number[]>; // cuts
  /** Share of all keys and values that is kept. */
  readonly kept: Record<Policy, readonly number[]>; // cuts
  /** Attention of later queries on kept keys ÷ that on the context. */
  readonly covered: Record<Policy, readonly Float64Array[]>; // cuts × [layers · heads]
  readonly traits: HeadTraits;
  /** Components that hold 90 % of the variance of the keys ÷ head size, after and before position encoding. // [layers · heads] */
  readonly ranks: { readonly after: readonly number[]; readonly before: readonly number[] };
  readonly recurrence: Recurrence;
  readonly masked?: Masked<number>;
  /** What few dimensions choose, by what asked for it. // layers · heads × cuts */
  readonly choices: readonly (readonly (readonly Choice[])[])[];
}

export async function readText(
  run: Run,
  ids: Int32Array,
  tokens: number,
  plan: Plan,
  choosers: readonly Chooser[],
): Promise<TextReading> {
  const { sizes, shape, architecture } = plan;
  const base = continued(ids, tokens);
  const request: Request = { attention: true, norms: true, rows: true, vectors: true, logits: "loss" };
  const forward = await run(base.prompt, request, "texts, whole cache");
  const survivals = survivalsOf(seen(forward, tokens, activeFrom(tokens), shape), plan);
  const cuts = sizes.evicted.map((_, i) => i + 1);
  const ranks = (encoded: boolean) => {
    const of = ranksOf(keysOf(forward, tokens, architecture, encoded), architecture.headSize);
    return Array.from({ length: shape.layers * shape.heads }, (_, head) => of[keyValueHeadOf(head, shape)]);
  };
  return {
    whole: lossOf(forward, base),
    kept: byPolicy((policy) => cuts.map((cut) => keptShare(survivals[policy], cut))),
    covered: byPolicy((policy) => cuts.map((cut) => coveredBy(survivals[policy], cut, forward, tokens, shape))),
    traits: traitsOf(forward, tokens, shape),
    ranks: { after: ranks(true), before: ranks(false) },
    recurrence: recurrenceOf(forward, tokens, plan),
    choices: choose(forward, tokens, choosers, keptOf(tokens, sizes), architecture),
    cut: await underPolicies(base, survivals, plan, async (prompt, policy) => {
      const result = await run(prompt, { logits: "loss" }, `texts, ${policy}`);
      return cuts.map((_, reading) => lossOf(result, base, reading));
    }),
    selected: await underSelectors(base, plan, async (prompt, selector) =>
      lossOf(await run(prompt, { logits: "loss" }, `texts, ${selector}`), base),
    ),
    masked: await underMasks(base.prompt, plan, async (prompt) =>
      lossOf(await run(prompt, { logits: "loss" }, "texts, heads masked"), base),
    ),
  };
}

export interface ContextReading {
  readonly whole: Answered;
  readonly cut: Record<Policy, readonly Answered[]>; // cuts
  readonly selected?: Record<Selector, readonly Answered[]>; // cuts
  /** Share of the answers whose first token is kept. */
  readonly held: Record<Policy, readonly Float64Array[]>; // cuts × [layers · heads]
  readonly masked?: Masked<Answered>;
  readonly recurrence: Recurrence;
}

export async function readContext(run: Run, context: Context, plan: Plan): Promise<ContextReading> {
  const { task, tokens, answers } = context;
  const request: Request = { attention: true, norms: true, logits: "loss" };
  const forward = await run(context.prompt, request, `${task}, whole cache`);
  const survivals = survivalsOf(seen(forward, tokens, activeFrom(tokens), plan.shape), plan);
  return {
    whole: answersOf(forward, context),
    held: byPolicy((policy) => plan.sizes.evicted.map((_, i) => heldBy(survivals[policy], i + 1, answers, plan.shape))),
    recurrence: recurrenceOf(forward, tokens, plan),
    cut: await underPolicies(context, survivals, plan, async (prompt, policy) => {
      const result = await run(prompt, { logits: "loss" }, `${task}, ${policy}`);
      return plan.sizes.evicted.map((_, reading) => answersOf(result, context, reading));
    }),
    selected: await underSelectors(context, plan, async (prompt, selector) =>
      answersOf(await run(prompt, { logits: "loss" }, `${task}, ${selector}`), context),
    ),
    masked: await underMasks(context.prompt, plan, async (prompt) =>
      answersOf(await run(prompt, { logits: "loss" }, `${task}, heads masked`), context),
    ),
  };
}

/** Passes that one text or context takes; under random weights no heads are masked and no keys selected. */
export const passes = (condition: "trained" | "random weights", { evicted }: Pick<Sizes, "evicted">): number =>
  1 + policies.length + (condition === "trained" ? selectors.length * evicted.length + 4 : 0);
