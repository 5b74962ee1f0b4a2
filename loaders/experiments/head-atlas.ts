/**
 * An atlas of heads. Method:
 * sequences of random tokens that are repeated once are read, and for every head it is measured how much attention
 * queries of the second half put on the token before, on the same token in the first half (duplicate), on the token
 * after that one (induction), and on the first token of all. The same is done where the second half is other random
 * tokens, which leaves nothing to repeat, and with random weights, which have learned nothing. Sequences are the
 * independent units.
 *
 * Departures: the survey collects roles from many papers; here are the four that attention itself shows, on one small
 * model. Retrieval, copying and the effects of ablation are left to other experiments.
 */
import { bootstrap, mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { ResampledMean } from "../analysis/resampled-mean.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  sequences: 24,
  /** Length of the part that is repeated. */
  period: 64,
  /** A head has a role where its mean attention is above this. */
  threshold: 0.3,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const roles = ["previous token", "duplicate token", "induction", "first token"] as const;
export type Role = (typeof roles)[number];
export const conditions = ["repeated", "not repeated", "random weights"] as const;
export type Condition = (typeof conditions)[number];

const heads = table("heads", "How much of each role every head has", {
  condition: {
    kind: "text",
    meaning:
      "repeated: random tokens twice; not repeated: other random tokens in the second half; random weights: the untrained model on repeated tokens",
  },
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0" },
  role: { kind: "text", meaning: "Where the attention goes" },
  estimate: { kind: "float32", meaning: "Mean attention of queries in the second half, over sequences" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over sequences" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over sequences" },
});

/** Attention by sequence and head, layer by layer. // sequences × [layers · heads] */
type Scores = readonly (readonly number[])[];

export interface Evidence extends Parameters {
  readonly layers: number;
  readonly scores: Readonly<Record<Condition, Readonly<Record<Role, Scores>>>>;
}

/** Mean over sequences. // [layers · heads] */
const perHead = (scores: Scores): number[] => scores[0].map((_, head) => mean(scores.map((of) => of[head])));
const best = (scores: Scores): number => Math.max(...perHead(scores));

/** The largest share of heads that any role has. */
function largestShare(scores: Readonly<Record<Role, Scores>>, threshold: number, drawn: readonly number[]): number {
  const shares = roles.map((role) => {
    const held = perHead(drawn.map((sequence) => scores[role][sequence])).map((score) => Number(score > threshold));
    return mean(held);
  });
  return Math.max(...shares);
}

/** Mean depth of a role from 0, the first layer, to 1, the last: heads count by their attention. */
function depth(scores: Scores, layers: number): number {
  const attention = perHead(scores);
  const perLayer = attention.length / layers;
  const sum = attention.reduce((total, score) => total + score, 0);
  return attention.reduce((total, score, head) => total + score * Math.floor(head / perLayer), 0) / sum / (layers - 1);
}

const paper = "attention-heads-survey";
const indices = (scores: Scores) => scores.map((_, sequence) => sequence);

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "roles-are-sparse",
    paper,
    statement: "Each role is held by few heads.",
    measure: "share of heads with a mean attention above the threshold, for the role that most heads have",
    rule: "Replicated where the whole 95 % interval over sequences is below 0.25, not replicated where all of it is above 0.5, mixed otherwise; not testable where no head has a role.",
    judge: ({ scores: { repeated }, threshold, seed, resamples }) => {
      const units = indices(repeated["first token"]);
      const interval = bootstrap(units, (drawn) => largestShare(repeated, threshold, drawn), { seed, resamples });
      if (interval.estimate === 0) return { ...interval, outcome: "not testable at this scale" };
      const outcome = interval.high < 0.25 ? "replicated" : interval.low > 0.5 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
  {
    id: "previous-token-before-induction",
    paper,
    statement: "Roles follow an order of depth: attention to the token before comes earlier than induction.",
    measure: "mean depth of induction minus that of attention to the token before, from 0 (first layer) to 1 (last)",
    rule: positiveRule("0.05"),
    judge: ({ scores: { repeated }, layers, seed, resamples }) => {
      const of = (role: Role, drawn: readonly number[]) =>
        depth(
          drawn.map((sequence) => repeated[role][sequence]),
          layers,
        );
      const difference = (drawn: readonly number[]) => of("induction", drawn) - of("previous token", drawn);
      const interval = bootstrap(indices(repeated.induction), difference, { seed, resamples });
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
  {
    id: "roles-are-learned",
    paper,
    statement: "Training makes the roles: random weights have no induction head.",
    measure: "attention of the best induction head, the model minus random weights",
    rule: positiveRule("0.1"),
    judge: (evidence) => gain(evidence, "random weights"),
  },
  {
    id: "induction-needs-repetition",
    paper,
    statement: "An induction head follows what is repeated, and not a distance.",
    measure: "attention of the best induction head, repeated tokens minus others at the same distance",
    rule: positiveRule("0.1"),
    judge: (evidence) => gain(evidence, "not repeated"),
  },
];

function gain({ scores, seed, resamples }: Evidence, control: Condition) {
  const [repeated, other] = [scores.repeated.induction, scores[control].induction];
  const difference = (drawn: readonly number[]) =>
    best(drawn.map((sequence) => repeated[sequence])) - best(drawn.map((sequence) => other[sequence]));
  const interval = bootstrap(indices(repeated), difference, { seed, resamples });
  return { ...interval, outcome: expectPositive(interval, 0.1) };
}

export const headAtlas: Experiment<Parameters, Evidence> = {
  id: "head-atlas",
  title: "Atlas of heads",
  question: "Which heads look at the token before, at copies, after copies, or at the first token?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: {},
  tables: [heads],
  claims,
  async *run({ parameters: given, progress, signal, ...context }) {
    const { sequences, period, seed } = given;
    const trained = await context.model();
    const models = { repeated: trained, "not repeated": trained, "random weights": await context.control() };
    const { startToken } = await context.tokenizer();
    const { layers, heads: width, vocabulary } = trained.architecture;
    const random = new Random(seed);
    const draw = () => Int32Array.from({ length: period }, () => random.int(vocabulary));
    const prompts = Array.from({ length: sequences }, () => {
      const [first, other] = [draw(), draw()];
      const start = startToken === undefined ? [] : [startToken];
      return {
        twice: Int32Array.from([...start, ...first, ...first]),
        once: Int32Array.from([...start, ...first, ...other]),
      };
    });
    const scores: Partial<Record<Condition, Record<Role, number[][]>>> = {};
    for (const [index, condition] of conditions.entries()) {
      const found: Record<Role, number[][]> = {
        "previous token": [],
        "duplicate token": [],
        induction: [],
        "first token": [],
      };
      for (const [done, { twice, once }] of prompts.entries()) {
        signal.throwIfAborted();
        progress(index * sequences + done, conditions.length * sequences, condition);
        const attention = await rolesOf(models[condition], condition === "not repeated" ? once : twice, period);
        for (const role of roles) found[role].push(attention[role]);
      }
      scores[condition] = found;
      const means = new ResampledMean(sequences, { seed });
      yield batch(
        heads,
        roles.flatMap((role) =>
          Array.from({ length: layers * width }, (_, at) => {
            const { estimate, low, high } = means.of(found[role].map((of) => of[at]));
            return { condition, layer: Math.floor(at / width), head: at % width, role, estimate, low, high };
          }),
        ),
      );
    }
    return { ...given, layers, scores: scores as Evidence["scores"] };
  },
};

/** Mean attention of the queries in the second half on each role's key. // [layers · heads] per role */
async function rolesOf(model: Model, ids: Int32Array, period: number): Promise<Record<Role, number[]>> {
  const second = ids.length - period; // first query of the second half
  const keyOf: Readonly<Record<Role, (query: number) => number>> = {
    "previous token": (query) => query - 1,
    "duplicate token": (query) => query - period,
    induction: (query) => query - period + 1,
    "first token": () => 0,
  };
  const targets = roles.map((role) => ids.map((_, query) => (query < second ? -1 : keyOf[role](query))));
  const { pattern } = await model.forward({ ids }, { targets });
  if (!pattern) throw new Error("the model reported no attention at the targets");
  const [layers, width] = pattern.dims; // [layers, heads, roles, queries]
  const of = (role: number) =>
    Array.from({ length: layers * width }, (_, head) => {
      const row = (head * roles.length + role) * ids.length;
      return mean(pattern.data.subarray(row + second, row + ids.length));
    });
  return {
    "previous token": of(0),
    "duplicate token": of(1),
    induction: of(2),
    "first token": of(3),
  };
}
