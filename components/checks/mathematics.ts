/** Numbers of experiments that need no model: computed again in the page, from the functions that computed them. */
import { mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { type Criterion, capacity } from "../../engine/theory/associative-memory.js";
import { softmaxLine } from "../../engine/theory/distributed-memory.js";
import { fullRankLoss } from "../../engine/theory/head-rank.js";
import { relativeResiduals } from "../../engine/theory/rank-collapse.js";
import { countOf, firstGap, patterns, reached } from "../../engine/theory/sparse-reach.js";
import { exactAttention, largestError, tiledAttention, wholeAttention } from "../../engine/theory/streaming.js";
import { type Published, parameter, type Subject, type Subjects } from "../check-subjects.js";
import type { Row } from "../database.js";

/** The published run, as a computation needs it. */
interface Run {
  /** A number among its parameters. */
  given(name: string): number;
  /** The rows of the subject that is computed. */
  readonly rows: readonly Row[];
}

/** @param compute a subject that rows name @param size of one subject, in nouns */
function mathematics(
  noun: string,
  compute: (name: string, run: Run, advance: () => Promise<void>) => Promise<(row: Row) => number | undefined>,
  size?: (run: Run) => number,
): Subjects {
  return {
    noun,
    async open({ parameters, rows }: Published): Promise<readonly Subject[]> {
      const names = [...new Set(rows.map(({ subject }) => String(subject)))];
      return names.map((name) => {
        const run = {
          given: (of: string) => parameter(parameters, of),
          rows: rows.filter(({ subject }) => subject === name),
        };
        return { name, size: size?.(run), compute: (_, advance) => compute(name, run, advance) };
      });
    },
  };
}

/** The number of a subject: input 2, 4 points. */
const numbered = (name: string): number => Number(/\d+/.exec(name)?.[0]);

/** Subjects are arms with layer norms; values are the mean of log₁₀ ρ over stacks. */
export function collapse(): Subjects {
  const skips: Readonly<Record<string, boolean>> = { attention: false, "attention with skip": true };
  return mathematics(
    "stack",
    async (arm, { given }, advance) => {
      const [layers, tokens, width, heads] = ["layers", "tokens", "width", "heads"].map(given);
      const shape = { layers, tokens, width, heads, skip: skips[arm], mlp: "none", norm: true, sharpness: 1 } as const;
      const paths: number[][] = []; // stacks × [layers + 1]
      for (let stack = 0; stack < given("stacks"); ++stack) {
        await advance();
        paths.push(relativeResiduals(shape, given("seed") * 1000 + stack));
      }
      return ({ layer }) => mean(paths.map((path) => Math.log10(path[Number(layer)])));
    },
    ({ given }) => given("stacks"),
  );
}

/** Subjects are patterns; counts are exact. */
export function reach(): Subjects {
  return mathematics("pattern", async (name, { given }, advance) => {
    await advance();
    const states = reached(patterns[name](given("keys")), given("length"), given("layers"));
    return ({ what, layer }) => (what === "first gap" ? firstGap : countOf)(states[Number(layer)]);
  });
}

/** Subjects are radii: the line through the logarithm of the overlap of two balls. */
export function overlaps(): Subjects {
  return mathematics("line", async (name, { given }, advance) => {
    await advance();
    const { beta, r2 } = softmaxLine(given("bits"), numbered(name));
    return ({ what }) => (what === "inverse temperature" ? beta : r2);
  });
}

/** Subjects are repetitions; key sizes are drawn in their order, so that rows hold the first ones. */
export function capacities(): Subjects {
  const criteria: readonly Criterion[] = ["worst", "signs", "mean"]; // in the order of their random numbers
  return mathematics("repetition", async (name, { given, rows }, advance) => {
    await advance();
    const sizes = [...new Set(rows.map(({ key_size: size }) => Number(size)))].sort((a, b) => a - b);
    const found = new Map<string, readonly number[]>();
    for (const [index, criterion] of criteria.entries()) {
      const random = new Random((given("seed") * 1000 + numbered(name)) * criteria.length + index);
      const trials = given(criterion === "mean" ? "meanTrials" : "trials");
      found.set(
        criterion,
        sizes.map((size) => capacity(random, size, given("valueSize"), criterion, trials)),
      );
    }
    return ({ what, key_size: size }) => found.get(String(what))?.[sizes.indexOf(Number(size))];
  });
}

/** Subjects are random inputs; an output that is not finite has no error. */
export function streamingErrors(): Subjects {
  const allocate = (count: number) => new Float32Array(count);
  return mathematics("input", async (name, { given }, advance) => {
    await advance();
    const [length, size] = [given("errorLength"), given("errorSize")];
    const tiles = { queries: Math.sqrt(length), keys: Math.sqrt(length) };
    const inputsAt = (scale: number) => {
      const random = new Random(given("seed") * 1000 + numbered(name));
      const normals = (deviation: number) =>
        Float32Array.from({ length: length * size }, () => deviation * random.normal());
      const deviation = size ** -0.25;
      return { queries: normals(scale * deviation), keys: normals(deviation), values: normals(1), size };
    };
    return ({ what, scale }) => {
      const inputs = inputsAt(Number(scale));
      const output =
        what === "whole" ? wholeAttention(inputs, allocate) : tiledAttention(inputs, tiles, allocate, what === "tiles");
      return largestError(output, exactAttention(inputs));
    };
  });
}

/** Subjects are numbers of points; rows have a factor on the scores. */
export function lookups(): Subjects {
  return mathematics("case", async (points, { given }, advance) => {
    await advance();
    return ({ beta }) =>
      mean(
        Array.from({ length: given("batches") }, (_, at) =>
          fullRankLoss(numbered(points), given("fullWidth"), Number(beta), given("lookups"), given("seed") * 1000 + at),
        ),
      );
  });
}
