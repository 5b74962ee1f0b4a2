/**
 * How many tokens can a row of softmax attention select before they look like any others? Method:
 * texts go through the model once. A row selects the N keys with its largest weights; its last rows stand for a context
 * of their length L, and shorter contexts are earlier rows. Over unit token embeddings x, the selected sum up to
 * s = Σ a_j x_j. The distance is Σ ‖a_i x_i − s‖ over all other keys, and a selected key is separable where it lies
 * nearer to s than each of these. The same with keys selected at random is chance; the critical N is the smallest of
 * those tried at which a Kolmogorov–Smirnov test over heads cannot tell mean distance from chance.
 * Sensitivity is how far the weights move, ‖softmax((l + ε v) ÷ T) − softmax(l ÷ T)‖ ÷ ε, with a random unit vector v:
 * mean over rows, the largest head. Beside it stands the exact norm of the Jacobian, the worst direction.
 * Controls are random weights, random tokens through the trained model, and for the sensitivity Gaussian scores with
 * each row's mean and variance. Texts are the independent units.
 *
 * Departures: a small model and short texts, where the paper has GPT-2's 144 heads and 1,024 tokens; fewer heads make
 * its test weaker and the critical N smaller. The test also sees that heads differ more than chance does. A few rows at
 * the end of each context, not all rows. The distance is reconstructed from the paper's text (the catalogue says how);
 * it is measured over unit embeddings throughout, and chance by drawing, not by the paper's closed form.
 */
import type { Forward } from "../../engine/forward.js";
import { bootstrap, type Interval, mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { unitVectors } from "../../engine/theory/matrix.js";
import { byWeight, gramOf, type Separation, separations } from "../../engine/theory/selection.js";
import { cooled, jacobianNorm, response } from "../../engine/theory/sensitivity.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { toldApart } from "../analysis/kolmogorov-smirnov.js";
import { requireAtLeast } from "../analysis/parameters.js";
import { slope } from "../analysis/slope.js";
import { documentsOf } from "../analysis/texts.js";
import type { Claim, Experiment, Outcome } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  documents: 16,
  /** Contexts, rising: the last is the length of the texts. */
  lengths: [32, 64, 128, 256, 512],
  /** Rows at the end of each context. */
  rows: 2,
  /** Random selections of each row. */
  draws: 3,
  /** Level of the test that the critical N rests on. */
  alpha: 0.01,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

/** Selected keys, N; in each context those that leave some unselected. */
const sizes = [1, 2, 3, 5, 8, 12, 16, 20, 32, 48, 64, 96, 128, 192, 256, 384];
const temperatures = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
/** ε. */
const steps = [0.001, 0.1, 10];

/** Of N, which claims compare: few, where the paper's curves bend, and many. */
const [few, bend, many] = [5, 20, 64];
/** Of N, where the paper's separability stops to fall. */
const knee = 16;
/** At most as warm, sensitivity is claimed to follow 1 ÷ T. */
const cold = 0.1;

export const conditions = ["trained", "random tokens", "random weights"] as const;
export type Condition = (typeof conditions)[number];
const choices = ["largest weights", "random"] as const;
type Choice = (typeof choices)[number];

const selection = table("selection", "What rows of attention select, by context and number of selected keys", {
  condition: { kind: "text", meaning: "The model, the model on random tokens, or random weights" },
  chosen: { kind: "text", meaning: "How keys are selected: by their weights, or at random" },
  length: { kind: "int32", meaning: "Keys in view at the last row, L" },
  size: { kind: "int32", meaning: "Selected keys, N" },
  distance: { kind: "float32", meaning: "Σ ‖a_i x_i − s‖ over all other keys, mean over rows, heads and texts" },
  distance_low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts" },
  distance_high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts" },
  separable: { kind: "float32", meaning: "Share of selected keys that are separable, mean over rows, heads and texts" },
  separable_low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts" },
  separable_high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts" },
});

const critical = table("critical", "From how many selected keys on heads cannot be told from chance", {
  condition: { kind: "text", meaning: "The model, the model on random tokens, or random weights" },
  length: { kind: "int32", meaning: "Keys in view at the last row, L" },
  estimate: { kind: "float32", meaning: "Critical N ÷ L, mean over texts" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts" },
});

const sensitivity = table("sensitivity", "How far weights move where scores move a little", {
  condition: {
    kind: "text",
    meaning: "Where scores come from; Gaussian ones have each trained row's mean and variance",
  },
  direction: { kind: "text", meaning: "random, or the worst: the exact norm of the Jacobian" },
  step: { kind: "float32", meaning: "ε; 0 for the exact limit" },
  temperature: { kind: "float32", meaning: "T, by which scores are divided" },
  estimate: { kind: "float32", meaning: "Mean over rows, largest head, mean over texts" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts" },
});

/** What the claims are judged on, of one text. */
export interface Measures {
  /** Exponent of the distance over L. */
  readonly growth: number;
  /** Exponent of the distance over N, to the bend minus beyond. */
  readonly flattening: number;
  /** ln distance − ln chance, with few keys minus with many. */
  readonly fading: number;
  /** Critical N ÷ L. */
  readonly critical: number;
  /** One selected key is told from chance. */
  readonly selects: boolean;
  /** Share of separable keys where the paper's curve levels off. */
  readonly separable: number;
  /** Fall of that share per doubling of N, to the knee minus beyond. */
  readonly levelling: number;
  /** Exponent of the sensitivity over T in the cold. */
  readonly cooling: number;
}

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** // texts */
  readonly trained: readonly Measures[];
  /** Separable share with random weights. // texts */
  readonly untrained: readonly number[];
}

const paper = "limits-of-normalization";

const over = (values: readonly number[], { seed, resamples }: Evidence): Interval =>
  bootstrap(values, mean, { seed, resamples });

/** The paper's law is an exponent. */
function near(exponent: number, { low, high }: Interval): Outcome {
  if (low >= exponent - 0.25 && high <= exponent + 0.25) return "replicated";
  return high < exponent - 0.25 || low > exponent + 0.25 ? "not replicated" : "mixed";
}

const nearRule = (low: string, high: string) =>
  `Replicated where the 95 % interval lies between ${low} and ${high}; not replicated where it lies wholly outside; otherwise mixed.`;

function below(ceiling: number, { low, high }: Interval): Outcome {
  if (high < ceiling) return "replicated";
  return low > ceiling ? "not replicated" : "mixed";
}

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "distance-grows-with-context",
    paper,
    statement: "With five selected keys, the distance of all others from them grows in proportion to the context.",
    measure: "exponent of the distance over the number of keys in view, mean over texts (1: in proportion)",
    rule: nearRule("0.75", "1.25"),
    judge: (evidence) => {
      const interval = over(
        evidence.trained.map(({ growth }) => growth),
        evidence,
      );
      return { ...interval, outcome: near(1, interval) };
    },
  },
  {
    id: "distance-flattens",
    paper,
    statement: "In a long context, the distance stops growing beyond some twenty selected keys.",
    measure: "exponent of the distance over selected keys, from 1 to 20 minus from 20 to 64, mean over texts",
    rule: positiveRule("0.1"),
    judge: (evidence) => {
      const interval = over(
        evidence.trained.map(({ flattening }) => flattening),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.1) };
    },
  },
  {
    id: "selection-fades",
    paper,
    statement: "The more keys are selected, the more they look like random ones.",
    measure: "logarithm of distance ÷ chance, with 5 selected keys minus with 64, mean over texts",
    rule: positiveRule("0.1"),
    judge: (evidence) => {
      const interval = over(
        evidence.trained.map(({ fading }) => fading),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.1) };
    },
  },
  {
    id: "critical-number-is-small",
    paper,
    statement: "A small share of the context is enough for heads not to be told from chance.",
    measure: "critical number of selected keys ÷ context, mean over texts (the paper: some 0.06)",
    rule: "Not replicated where in most texts not even one selected key can be told from chance, so that there is nothing to lose. Otherwise replicated where the 95 % interval lies below 0.1, not replicated where it lies above, and mixed where it does neither.",
    judge: (evidence) => {
      const { trained } = evidence;
      const interval = over(
        trained.map((of) => of.critical),
        evidence,
      );
      const selects = mean(trained.map((of) => Number(of.selects))) > 0.5;
      return { ...interval, outcome: selects ? below(0.1, interval) : "not replicated" };
    },
  },
  {
    id: "not-all-are-separable",
    paper,
    statement: "Only a part of the selected keys is geometrically separable.",
    measure: "share of separable keys among 16 selected, mean over heads and texts (the paper: at most 0.7 to 0.85)",
    rule: "Replicated where the 95 % interval lies below 0.85, not replicated where it lies above, and mixed where it does neither.",
    judge: (evidence) => {
      const interval = over(
        evidence.trained.map(({ separable }) => separable),
        evidence,
      );
      return { ...interval, outcome: below(0.85, interval) };
    },
  },
  {
    id: "separability-levels-off",
    paper,
    statement: "That share falls until some sixteen keys are selected, and then levels off.",
    measure: "its fall per doubling of the selected keys, from 1 to 16 minus from 16 to 64, mean over texts",
    rule: positiveRule("0.02"),
    judge: (evidence) => {
      const interval = over(
        evidence.trained.map(({ levelling }) => levelling),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.02) };
    },
  },
  {
    id: "training-separates",
    paper,
    statement: "Training makes selected keys separable.",
    measure: "share of separable keys among 16 selected, the model minus random weights, mean over texts",
    rule: `${positiveRule("0.05")} The control is ours.`,
    judge: (evidence) => {
      const interval = over(
        evidence.trained.map(({ separable }, text) => separable - evidence.untrained[text]),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
  {
    id: "cold-is-sensitive",
    paper,
    statement: "Low temperatures inflate gradients, as one over the temperature.",
    measure: "exponent of the largest head's sensitivity over temperatures up to 0.1, ε = 0.001, mean over texts",
    rule: nearRule("−1.25", "−0.75"),
    judge: (evidence) => {
      const interval = over(
        evidence.trained.map(({ cooling }) => cooling),
        evidence,
      );
      return { ...interval, outcome: near(-1, interval) };
    },
  },
];

export const normalizationLimits: Experiment<Parameters, Evidence> = {
  id: "normalization-limits",
  title: "Limits of normalization",
  question: "How many tokens can a row of softmax attention select before they look like any others?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl" },
  tables: [selection, critical, sensitivity],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { lengths, rows, draws, seed, resamples } = given;
    requireAtLeast({ rows, draws, lengths }, { rows: 1, draws: 1, lengths: few + rows });
    requireAtLeast({ lengths: lengths.slice(-1) }, { lengths: many + rows });
    const model = await context.model();
    const control = await context.control();
    const tokens = Math.max(...lengths);
    const texts = documentsOf(inputs.texts, await context.tokenizer(), model, { ...given, tokens });
    const found: Record<Condition, Found[]> = { trained: [], "random tokens": [], "random weights": [] };
    const gaussian: Pick<Found, "responses">[] = [];
    for (const [text, { id, ids }] of texts.entries()) {
      const random = new Random(seed * 1000 + text);
      const drawn = ids.map((token, at) => (at === 0 ? token : random.int(model.architecture.vocabulary)));
      for (const [which, condition] of conditions.entries()) {
        signal.throwIfAborted();
        progress(text * conditions.length + which, texts.length * conditions.length, `${id}, ${condition}`);
        const read = { trained: ids, "random tokens": drawn, "random weights": ids }[condition];
        const of = await rowsOf(condition === "random weights" ? control : model, read);
        const scores = lastScores(of, given);
        found[condition].push({ heads: selectedBy(of, given, random), responses: responsesOf(scores, random) });
        if (condition !== "trained") continue;
        const likewise = scores.map((head) => head.map((row) => gaussianLike(row, random)));
        gaussian.push({ responses: responsesOf(likewise, random) });
      }
    }
    const interval = (values: readonly number[]) => bootstrap(values, mean, { seed, resamples });
    for (const condition of conditions) {
      yield batch(selection, selectionRows(condition, found[condition], given, interval));
      yield batch(critical, criticalRows(condition, found[condition], given, interval));
      yield batch(sensitivity, sensitivityRows(condition, found[condition], interval));
    }
    yield batch(sensitivity, sensitivityRows("Gaussian scores", gaussian, interval));
    return {
      seed,
      resamples,
      trained: found.trained.map((of) => measuresOf(of, given)),
      untrained: found["random weights"].map((of) => measuresOf(of, given).separable),
    };
  },
};

/** Attention of one text, and what its unit embeddings have in common. */
interface Read {
  readonly attention: NonNullable<Forward["attention"]>; // [layers, heads, queries, keys]
  readonly gram: Float64Array; // [tokens, tokens]
}

async function rowsOf(model: Model, ids: Int32Array): Promise<Read> {
  const { attention, residual } = await model.forward({ ids }, { attention: true, vectors: true });
  if (!attention || !residual) throw new Error("the model reported no attention or no residual stream");
  const width = residual.dims[2];
  const embeddings = Float64Array.from(residual.data.subarray(0, ids.length * width)); // [tokens, width]
  for (let start = 0; start < embeddings.length; start += width) {
    const vector = embeddings.subarray(start, start + width);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value ** 2, 0));
    for (let c = 0; c < width; ++c) vector[c] /= length;
  }
  return { attention, gram: gramOf(embeddings, width) };
}

/** By direction and step, then by temperature: the largest head. */
type Responses = readonly (readonly number[])[];

/** What is measured on one text. */
interface Found {
  /** Mean over rows, by context, choice, size and head. */
  readonly heads: readonly Readonly<Record<Choice, readonly (readonly Separation[])[]>>[];
  readonly responses: Responses;
}

const sizesIn = (length: number, { rows }: Parameters) => sizes.filter((size) => size <= length - rows);

/** The keys up to a query, of a head counted over all layers. */
function weightsOf({ attention: { data, dims } }: Read, head: number, query: number): Float32Array {
  const [, , queries, keys] = dims;
  const at = (head * queries + query) * keys;
  return data.subarray(at, at + query + 1);
}

const headsOf = ({ attention: { dims } }: Read) => Array.from({ length: dims[0] * dims[1] }, (_, head) => head);

/** The last rows of a context, of a head. */
const lastRows = (read: Read, head: number, length: number, { rows }: Parameters) =>
  Array.from({ length: rows }, (_, row) => weightsOf(read, head, length - 1 - row));

function selectedBy(read: Read, given: Parameters, random: Random): Found["heads"] {
  return given.lengths.map((length) => {
    const within = sizesIn(length, given);
    const separated = (weights: Float32Array, order: readonly number[]) =>
      separations(weights, read.gram, order, within);
    const byHead = headsOf(read).map((head) => {
      const rows = lastRows(read, head, length, given);
      const draws = Array.from({ length: given.draws }, () => rows).flat();
      return {
        "largest weights": averaged(rows.map((weights) => separated(weights, byWeight(weights)))),
        random: averaged(draws.map((weights) => separated(weights, random.shuffle([...weights.keys()])))),
      };
    });
    const bySize = (choice: Choice) => within.map((_, size) => byHead.map((of) => of[choice][size]));
    return { "largest weights": bySize("largest weights"), random: bySize("random") };
  });
}

/** Scores in the longest context. // heads × rows × [keys] */
function lastScores(read: Read, given: Parameters): Float64Array[][] {
  const length = read.attention.dims[2];
  return headsOf(read).map((head) => lastRows(read, head, length, given).map(scoresOf));
}

/** Size by size. */
function averaged(rows: readonly (readonly Separation[])[]): Separation[] {
  return rows[0].map((_, size) => ({
    distance: mean(rows.map((row) => row[size].distance)),
    separable: mean(rows.map((row) => row[size].separable)),
  }));
}

/** Scores up to a constant; weights that are too small for float32 are taken for the smallest that is not. */
function scoresOf(weights: Float32Array): Float64Array {
  return Float64Array.from(weights, (weight) => Math.log(Math.max(weight, 2 ** -126)));
}

function gaussianLike(scores: Float64Array, random: Random): Float64Array {
  const centre = mean(scores);
  const deviation = Math.sqrt(mean(scores.map((score) => (score - centre) ** 2)));
  return scores.map(() => centre + deviation * random.normal());
}

/** @param scores heads × rows × [keys] */
function responsesOf(scores: readonly (readonly Float64Array[])[], random: Random): number[][] {
  const directions = scores.map((rows) => rows.map((row) => unitVectors(random, 1, row.length)));
  const largest = (of: (row: Float64Array, direction: Float64Array) => number) =>
    Math.max(...scores.map((rows, head) => mean(rows.map((row, i) => of(row, directions[head][i])))));
  return [
    temperatures.map((temperature) => largest((row) => jacobianNorm(cooled(row, temperature), temperature))),
    ...steps.map((step) =>
      temperatures.map((temperature) => largest((row, direction) => response(row, direction, temperature, step))),
    ),
  ];
}

/** The smallest N that is not told from chance; the context where all are. */
function criticalNumber({ heads }: Pick<Found, "heads">, context: number, given: Parameters): number {
  const { "largest weights": chosen, random } = heads[context];
  const distances = (of: readonly Separation[]) => of.map(({ distance }) => distance);
  const at = chosen.findIndex((of, size) => !toldApart(distances(of), distances(random[size]), given.alpha));
  return at < 0 ? given.lengths[context] : sizes[at];
}

export function measuresOf(found: Found, given: Parameters): Measures {
  const last = given.lengths.length - 1;
  const average = (context: number, choice: Choice, size: number, of: keyof Separation) =>
    mean(found.heads[context][choice][sizes.indexOf(size)].map((head) => head[of]));
  const distance = (size: number, choice: Choice = "largest weights") =>
    Math.log(average(last, choice, size, "distance"));
  const separable = (size: number) => average(last, "largest weights", size, "separable");
  const exponent = (from: number, to: number) => (distance(to) - distance(from)) / Math.log(to / from);
  const fall = (from: number, to: number) => (separable(from) - separable(to)) / Math.log2(to / from);
  const number = criticalNumber(found, last, given);
  const chilled = temperatures.filter((temperature) => temperature <= cold);
  return {
    growth: slope(
      given.lengths.map(Math.log),
      given.lengths.map((_, context) => Math.log(average(context, "largest weights", few, "distance"))),
    ),
    flattening: exponent(1, bend) - exponent(bend, many),
    fading: distance(few) - distance(few, "random") - (distance(many) - distance(many, "random")),
    critical: number / given.lengths[last],
    selects: number > 1,
    separable: separable(knee),
    levelling: fall(1, knee) - fall(knee, many),
    cooling: slope(
      chilled.map(Math.log),
      chilled.map((temperature) => Math.log(found.responses[1][temperatures.indexOf(temperature)])),
    ),
  };
}

type Summary = (values: readonly number[]) => Interval;

function selectionRows(condition: Condition, found: readonly Found[], given: Parameters, interval: Summary) {
  return given.lengths.flatMap((length, context) =>
    choices.flatMap((chosen) =>
      sizesIn(length, given).map((size, at) => {
        const of = (measure: keyof Separation) =>
          interval(found.map(({ heads }) => mean(heads[context][chosen][at].map((head) => head[measure]))));
        const [distance, separable] = [of("distance"), of("separable")];
        return {
          ...{ condition, chosen, length, size },
          distance: distance.estimate,
          distance_low: distance.low,
          distance_high: distance.high,
          separable: separable.estimate,
          separable_low: separable.low,
          separable_high: separable.high,
        };
      }),
    ),
  );
}

function criticalRows(condition: Condition, found: readonly Found[], given: Parameters, interval: Summary) {
  return given.lengths.map((length, context) => {
    const { estimate, low, high } = interval(found.map((of) => criticalNumber(of, context, given) / length));
    return { condition, length, estimate, low, high };
  });
}

function sensitivityRows(
  condition: Condition | "Gaussian scores",
  found: readonly Pick<Found, "responses">[],
  interval: Summary,
) {
  return [0, ...steps].flatMap((step, kind) =>
    temperatures.map((temperature, at) => {
      const { estimate, low, high } = interval(found.map(({ responses }) => responses[kind][at]));
      return { condition, direction: kind === 0 ? "worst" : "random", step, temperature, estimate, low, high };
    }),
  );
}
