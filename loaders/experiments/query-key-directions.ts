/**
 * How many directions does a head need to attend? Method:
 * the score of a query at i and a key at j is x̃_iᵀ Ω x̃_j, with x̃ the normed input of the layer, a 1 appended where
 * projections have a bias, and Ω = W_Qᵀ R W_K of rank d, where R is the rotation by their distance. The singular value
 * decomposition Ω = Σ_k s_k u_k v_kᵀ makes the score a sum of d terms t_k = s_k (x̃_i · u_k)(v_k · x̃_j). The
 * directions of a pair are the shortest prefix of the terms, sorted from the largest, whose sum reaches the score (from
 * the smallest where the score is negative). A head fires where much of its attention is on one token that is not the
 * first, with a score of at least 0. Controls are other pairs of the same head at the same distance that do not fire,
 * the same firings in a random orthogonal basis of the head's dimensions, and pairs of a model with random weights.
 *
 * On random tokens that come twice, the directions with which heads look at what followed the earlier copy (induction)
 * are traced to their source: the output o of every head of an earlier layer at j adds Σ_k sign(x̃_i · u_k) √s_k v_k · o/σ_j
 * over the directions of the firing, σ_j being the scale of the norm. It is measured how much of all that adds up comes
 * from heads that attend to the token before; which heads these are was found on other sequences. As many other
 * directions of the same firing are the control. Texts, and sequences, are the independent units.
 *
 * Departures: the paper's model has learned positions, so that a head has one Ω; with rotary encoding it has one for each
 * distance. Ordinary text and repeated random tokens stand in for its prompts, which this model is too small to solve;
 * only the source side is traced, over one edge, and signals are not removed. That fewer than all directions suffice is
 * partly built in, since terms of both signs are summed; hence the controls.
 */
import type { Architecture } from "../../engine/architecture.js";
import { UserError } from "../../engine/errors.js";
import { bootstrap, mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { normals } from "../../engine/theory/matrix.js";
import { leadingTerms } from "../../engine/theory/score-directions.js";
import { singularValues } from "../../engine/theory/singular-values.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { documentsOf } from "../analysis/texts.js";
import { vectorsOf } from "../analysis/vectors.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";
import {
  drawFirings,
  drawInductions,
  drawOther,
  headsOf,
  type Roles,
  rolesOf,
  termsIn,
  termsOf,
} from "./query-key-directions/heads.js";
import { sourceRows, type Trace, type Traced, tracedBy, traceOf } from "./query-key-directions/trace.js";

const parameters = {
  documents: 12,
  tokens: 128,
  /** A head fires where its attention is at least this. */
  firing: 0.5,
  /** Firings of a head that are drawn from a text, and from a sequence. */
  perHead: 4,
  /** Pairs of the untrained model that are drawn from a text. */
  untrained: 24,
  /** Repeated sequences that find heads with a role, others that are traced, and the length of what is repeated. */
  ranking: 6,
  sequences: 12,
  period: 48,
  /** A head has a role where its mean attention is above this. */
  threshold: 0.3,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const conditions = ["firing", "not firing", "random basis", "random weights"] as const;
export type Condition = (typeof conditions)[number];

const counts = table("counts", "How many directions a score needs", {
  condition: {
    kind: "text",
    meaning:
      "firing; not firing: other pairs of the same heads at the same distances; random basis: firings in another basis; random weights: pairs of the untrained model",
  },
  directions: { kind: "int32", meaning: "Directions in the shortest prefix that reaches the score" },
  share: { kind: "float32", meaning: "Share of the pairs that need so many" },
});

const heads = table("heads", "The same by head", {
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0" },
  firings: { kind: "int32", meaning: "Firings that were drawn" },
  firing: { kind: "float32", meaning: "Directions of a firing, mean", optional: true },
  other: { kind: "float32", meaning: "Directions of other pairs at the same distances, mean", optional: true },
});

const sources = table("sources", "Where the signal that induction heads follow comes from", {
  layer: { kind: "int32", meaning: "Layer of the source, from 0" },
  head: { kind: "int32", meaning: "Head, from 0" },
  previous: { kind: "float32", meaning: "Its mean attention on the token before" },
  traced: {
    kind: "float32",
    meaning: "Its share of what heads of earlier layers add along a firing's directions, mean over firings",
    optional: true,
  },
  others: { kind: "float32", meaning: "The same along as many other directions", optional: true },
});

/** Directions that the pairs of one text need, as shares of all directions. */
type Needed = Readonly<Record<Condition, readonly number[]>>;

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  readonly texts: readonly Needed[];
  /** Empty where no head has one of the two roles. */
  readonly sequences: readonly Traced[];
}

const paper = "sparse-attention-decomposition";

/** "Between 1 and about 20 of 64". */
const few = 20 / 64;

/** Mean over the pairs of all texts; texts without any say nothing. */
const meanNeeded = (texts: readonly Needed[], condition: Condition): number =>
  mean(texts.flatMap((of) => of[condition]));

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "few-directions-suffice",
    paper,
    statement: "Nearly all firings of a head need at most about a third of its directions.",
    measure: "share of firings that need at most 20/64 of the directions",
    rule: "Replicated where the whole 95 % interval over texts is above 0.9, not replicated where all of it is below 0.5, mixed otherwise.",
    judge: ({ texts, seed, resamples }) => {
      const share = (drawn: readonly Needed[]) =>
        mean(drawn.flatMap(({ firing }) => firing.map((needed) => Number(needed <= few))));
      const interval = bootstrap(texts, share, { seed, resamples });
      const outcome = interval.low > 0.9 ? "replicated" : interval.high < 0.5 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
  {
    id: "fewer-than-without-firing",
    paper,
    statement: "A firing needs fewer directions than other pairs of the same head do.",
    measure: "share of the directions that a score needs: pairs that do not fire minus firings",
    rule: positiveRule("0.02"),
    judge: (evidence) => fewer(evidence, "not firing"),
  },
  {
    id: "fewer-than-in-any-basis",
    paper,
    statement: "That is because of the directions, and not of summing terms of both signs.",
    measure: "share of the directions that a firing needs: in a random basis minus in the singular one",
    rule: positiveRule("0.02"),
    judge: (evidence) => fewer(evidence, "random basis"),
  },
  {
    id: "directions-lead-to-the-source",
    paper,
    statement:
      "What induction heads follow along these directions was written by heads that attend to the token before.",
    measure: "share of the signal that previous-token heads add, minus their share of the heads of earlier layers",
    rule: `${positiveRule("0.05")} Not testable where no head has one of the two roles.`,
    judge: (evidence) => source(evidence, ({ traced, chance }) => traced - chance),
  },
  {
    id: "other-directions-do-not",
    paper,
    statement: "Other directions of the same heads do not lead there.",
    measure: "share of the signal that previous-token heads add: along the firing's directions minus along others",
    rule: `${positiveRule("0.05")} Not testable where no head has one of the two roles.`,
    judge: (evidence) => source(evidence, ({ traced, others }) => traced - others),
  },
];

function fewer({ texts, seed, resamples }: Evidence, than: Condition) {
  const difference = (drawn: readonly Needed[]) => meanNeeded(drawn, than) - meanNeeded(drawn, "firing");
  const interval = bootstrap(texts, difference, { seed, resamples });
  return { ...interval, outcome: expectPositive(interval, 0.02) };
}

function source({ sequences, seed, resamples }: Evidence, gain: (of: Traced) => number) {
  if (sequences.length === 0) {
    return {
      estimate: Number.NaN,
      low: Number.NaN,
      high: Number.NaN,
      n: 0,
      outcome: "not testable at this scale",
    } as const;
  }
  const interval = bootstrap(sequences.map(gain), mean, { seed, resamples });
  return { ...interval, outcome: expectPositive(interval, 0.05) };
}

export const queryKeyDirections: Experiment<Parameters, Evidence> = {
  id: "query-key-directions",
  title: "Directions of queries and keys",
  question: "How many directions does a head need to attend, and where does their content come from?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl" },
  tables: [counts, heads, sources],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { seed, resamples, ranking, sequences, period } = given;
    const model = await context.model();
    const { architecture } = model;
    const { layers, heads: width, vocabulary } = architecture;
    requireBilinear(architecture);
    const tokenizer = await context.tokenizer();
    const texts = documentsOf(inputs.texts, tokenizer, model, given);
    const work = 2 * texts.length + ranking + sequences;
    let done = 0;
    const advance = (message: string) => {
      signal.throwIfAborted();
      progress(done++, work, message);
    };
    const random = new Random(seed);
    const directions = await headsOf(model);
    const found: { head: number; condition: Condition; needed: number; text: number }[] = [];
    const size = architecture.headSize;
    for (const [text, { ids }] of texts.entries()) {
      advance("firings in text");
      const read = await vectorsOf(model, ids);
      for (const [head, of] of directions.entries()) {
        const basis = singularValues(normals(random, size * size), size).left; // a random orthogonal basis
        for (const pair of drawFirings(read, head, given, random)) {
          const note = (condition: Condition, terms: Float64Array) =>
            found.push({ head, condition, needed: leadingTerms(terms).length, text });
          note("firing", termsOf(of, read, head, pair));
          note("random basis", termsIn(basis, read, head, pair));
          const other = drawOther(read, head, pair, given, random);
          if (other) note("not firing", termsOf(of, read, head, other));
        }
      }
    }
    const control = await context.control();
    const untrained = await headsOf(control);
    for (const [text, { ids }] of texts.entries()) {
      advance("random weights");
      const read = await vectorsOf(control, ids);
      for (let i = 0; i < given.untrained; ++i) {
        const head = random.int(layers * width);
        const query = 1 + random.int(ids.length - 1);
        const terms = termsOf(untrained[head], read, head, { query, key: random.int(query + 1) });
        found.push({ head, condition: "random weights", needed: leadingTerms(terms).length, text });
      }
    }
    await control.release();
    yield batch(
      counts,
      conditions.flatMap((condition) => {
        const of = found.filter((pair) => pair.condition === condition);
        return Array.from({ length: size }, (_, i) => ({
          condition,
          directions: i + 1,
          share: of.length > 0 ? of.filter(({ needed }) => needed === i + 1).length / of.length : 0,
        }));
      }),
    );
    yield batch(
      heads,
      directions.map((_, at) => {
        const of = (condition: Condition) =>
          found.flatMap((pair) => (pair.head === at && pair.condition === condition ? [pair.needed] : []));
        const [firing, other] = [of("firing"), of("not firing")];
        return {
          layer: Math.floor(at / width),
          head: at % width,
          firings: firing.length,
          firing: firing.length > 0 ? mean(firing) : null,
          other: other.length > 0 ? mean(other) : null,
        };
      }),
    );

    const start = tokenizer.startToken === undefined ? [] : [tokenizer.startToken];
    const twice = () => {
      const drawn = Array.from({ length: period }, () => random.int(vocabulary));
      return Int32Array.from([...start, ...drawn, ...drawn]);
    };
    const known: Roles[] = [];
    for (let i = 0; i < ranking; ++i) {
      advance("roles of heads");
      known.push(rolesOf(await vectorsOf(model, twice()), period));
    }
    const role = (of: keyof Roles) => directions.map((_, head) => mean(known.map((roles) => roles[of][head])));
    const [previous, induction] = [role("previous"), role("induction")];
    const followers = induction.flatMap((score, head) => (score > given.threshold ? [head] : []));
    const writers = previous.flatMap((score, head) => (score > given.threshold ? [head] : []));
    const traces: Trace[][] = []; // sequences × firings
    for (let i = 0; i < sequences; ++i) {
      advance("sources of firings");
      const read = await vectorsOf(model, twice());
      traces.push(
        followers.flatMap((head) =>
          drawInductions(read, head, given, random).map((pair) => traceOf(directions, read, head, pair, random)),
        ),
      );
    }
    yield batch(sources, sourceRows(traces.flat(), previous, width));
    return {
      seed,
      resamples,
      texts: texts.map((_, text) => {
        const of = (condition: Condition) =>
          found.flatMap((pair) => (pair.text === text && pair.condition === condition ? [pair.needed / size] : []));
        return {
          firing: of("firing"),
          "not firing": of("not firing"),
          "random basis": of("random basis"),
          "random weights": of("random weights"),
        };
      }),
      sequences: traces.flatMap((of) => tracedBy(of, writers)),
    };
  },
};

/** Scores are products of linear maps of the normed input only where nothing else comes between. @throws UserError */
function requireBilinear({ blocks, family }: Architecture): void {
  for (const [layer, { attention }] of blocks.entries()) {
    if (!attention.queryNorm && !attention.keyNorm && !attention.clip) continue;
    throw new UserError(
      `${queryKeyDirections.id} splits scores into singular directions of weights, but layer ${layer} of this ${family} model norms or clips its queries and keys: take a model that does not.`,
    );
  }
}
