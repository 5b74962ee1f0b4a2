/** The tables of the basin experiment, and what fills them. */
import { bootstrap, mean, wilson } from "../../../engine/interval.js";
import { ResampledMean } from "../../analysis/resampled-mean.js";
import { batch, table } from "../../table.js";
import { BASIN, basinRatio, massOf, meanRow, queries, shares } from "./attention.js";
import { type Answer, type Lists, type Order, orders, perRecord, useCorrelation } from "./claims.js";

const list = {
  format: { kind: "text", meaning: "documents: numbered sentences; key-value: lines" },
  condition: {
    kind: "text",
    meaning:
      "intact (the first token left out of every item); first token counted (with the first item); first token hidden (from all later ones); no delimiters; random weights",
  },
  items: { kind: "int32", meaning: "Length of the list", unit: "items" },
} as const;

const attention = {
  query: {
    kind: "text",
    meaning: "question: mean over the question's tokens; answer: the position that predicts the answer",
  },
  layer: { kind: "int32", meaning: "Layer, from 0" },
} as const;

const interval = {
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over records" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over records" },
} as const;

export const prompts = table("prompts", "The lists that were measured", {
  ...list,
  records: { kind: "int32", meaning: "Records measured", unit: "records" },
  skipped: {
    kind: "int32",
    meaning: "Records left out because they hold fewer items or exceed a table of positions",
    unit: "records",
  },
  questions: { kind: "int32", meaning: "Questions asked over all records", unit: "questions" },
  tokens: { kind: "float32", meaning: "Mean length of the list without the questions", unit: "tokens" },
  shortest: { kind: "int32", meaning: "Shortest item, delimiters included", unit: "tokens" },
  longest: { kind: "int32", meaning: "Longest item, delimiters included", unit: "tokens" },
  unequal: { kind: "int32", meaning: "Records in which not all items are of one length", unit: "records" },
});

export const profiles = table("profiles", "Item attention by position, mean over the heads of a layer", {
  ...list,
  ...attention,
  position: { kind: "int32", meaning: "Position in the list, from 1" },
  share: { kind: "float32", meaning: "Item attention A_j, scaled to a sum of 1 over the list" },
  ...interval,
  asked: { kind: "float32", meaning: "Attention on the item there, not scaled, when it is asked for", optional: true },
  other: {
    kind: "float32",
    meaning: "Attention on the item there, not scaled, when another is asked for",
    optional: true,
  },
});

export const heads = table(
  "heads",
  "Item attention by position for each head; conditions intact and first token hidden",
  {
    ...list,
    ...attention,
    head: { kind: "int32", meaning: "Head, from 0" },
    position: { kind: "int32", meaning: "Position in the list, from 1" },
    share: { kind: "float32", meaning: "Item attention of the head, scaled to a sum of 1 over the list" },
  },
);

export const depths = table("depths", "Depth of the basin by layer", {
  ...list,
  ...attention,
  ratio: { kind: "float32", meaning: "min(A_1, A_n) ÷ mean of the items between" },
  ...interval,
  start: { kind: "float32", meaning: "A_1 ÷ mean of the items between" },
  end: { kind: "float32", meaning: "A_n ÷ mean of the items between" },
  basin: { kind: "flag", meaning: `Whether the ratio exceeds ${BASIN}` },
  records: { kind: "int32", meaning: "Records behind the interval", unit: "records" },
});

export const uses = table("uses", "How well the item at each position is used when it is asked for", {
  ...list,
  position: { kind: "int32", meaning: "Position of the asked item, from 1" },
  log_probability: { kind: "float32", meaning: "Mean log-probability of its answer", unit: "nats" },
  log_probability_low: { ...interval.low, unit: "nats" },
  log_probability_high: { ...interval.high, unit: "nats" },
  accuracy: { kind: "float32", meaning: "Share of questions of which every answer token was the most likely one" },
  accuracy_low: { kind: "float32", meaning: "Lower end of the 95 % Wilson interval" },
  accuracy_high: { kind: "float32", meaning: "Upper end of the 95 % Wilson interval" },
  questions: { kind: "int32", meaning: "Questions", unit: "questions" },
});

export const correlations = table("correlations", "Does attention predict use, over positions within a record?", {
  ...list,
  ...attention,
  correlation: {
    kind: "float32",
    meaning: "Spearman correlation of A_gold with the answer's log-probability, mean over records",
  },
  ...interval,
  records: { kind: "int32", meaning: "Records behind the interval", unit: "records" },
});

export const answers = table(
  "answers",
  "One question per record, format and length of the main lists, in different orders",
  {
    record: { kind: "text", meaning: "Id of the record" },
    order: { kind: "text", meaning: "How the list is ordered; best: the item that is asked for" },
    round: { kind: "int32", meaning: "Repetition, from 1; 0 where there is only one" },
    position: { kind: "int32", meaning: "Position of the asked item, from 1" },
    log_probability: { kind: "float32", meaning: "Log-probability of the answer", unit: "nats" },
    correct: { kind: "flag", meaning: "Whether every answer token was the most likely one" },
  },
);

export const effects = table("effects", "What each order is worth; random orders and sorting by round", {
  order: { kind: "text", meaning: "As in answers; random is the mean of its rounds unless a round is given" },
  round: {
    kind: "int32",
    meaning: "Round; missing: the order as a whole (sorting: after its last round)",
    optional: true,
  },
  position: { kind: "float32", meaning: "Mean position of the asked item, from 1" },
  log_probability: { kind: "float32", meaning: "Mean log-probability of the answer", unit: "nats" },
  log_probability_low: { ...interval.low, unit: "nats" },
  log_probability_high: { ...interval.high, unit: "nats" },
  gain: {
    kind: "float32",
    meaning: "Log-probability above the mean of the random orders, paired by record",
    unit: "nats",
  },
  gain_low: { ...interval.low, unit: "nats" },
  gain_high: { ...interval.high, unit: "nats" },
  accuracy: { kind: "float32", meaning: "Share of right answers" },
  records: { kind: "int32", meaning: "Records behind the intervals", unit: "records" },
});

/** The conditions of a plan's tables: the first token can be counted with the first item after the fact. */
function views({ condition, ...of }: Lists): { name: string; counted: boolean }[] {
  const own = { ...of, name: condition, counted: false };
  return condition === "intact" ? [own, { ...own, name: "first token counted", counted: true }] : [own];
}

export function* attentionTables(of: Lists) {
  const { format, items, condition, units } = of;
  const resampled = new ResampledMean(units.length);
  const positions = Array.from({ length: items }, (_, j) => j);
  for (const { name, counted } of views(of)) {
    const key = { format, condition: name, items };
    for (const query of queries) {
      for (let layer = 0; layer < units[0].layers; ++layer) {
        const where = { query, layer };
        const rows = units.map((unit) => shares(unit, where, counted));
        const average = meanRow(rows);
        const split = (asked: boolean, j: number) => {
          const chosen = units.flatMap((unit) =>
            unit.probes
              .filter(({ position }) => (position === j) === asked)
              .map((probe) => massOf(unit, probe, where)[j + 1]),
          );
          return chosen.length > 0 ? mean(chosen) : null;
        };
        yield batch(
          profiles,
          positions.map((j) => {
            const { estimate, low, high } = resampled.of(rows.map((row) => row[j]));
            const unscaled = { asked: split(true, j), other: split(false, j) };
            return { ...key, query, layer, position: j + 1, share: estimate, low, high, ...unscaled };
          }),
        );
        const {
          estimate: ratio,
          low,
          high,
          n,
        } = bootstrap(rows, (sample) => basinRatio(meanRow(sample)), { resamples: 500 });
        const middle = mean(average.slice(1, -1));
        const [start, end] = [average[0] / middle, average[items - 1] / middle];
        yield batch(depths, [{ ...key, query, layer, ratio, low, high, start, end, basin: ratio > BASIN, records: n }]);
        if (counted || (condition !== "intact" && condition !== "first token hidden")) continue;
        for (let head = 0; head < units[0].heads; ++head) {
          const profile = meanRow(units.map((unit) => shares(unit, { ...where, head })));
          yield batch(
            heads,
            positions.map((j) => ({ ...key, query, layer, head, position: j + 1, share: profile[j] })),
          );
        }
      }
    }
  }
}

export function* useTables({ format, condition, items, units }: Lists) {
  const key = { format, condition, items };
  const probes = units.flatMap((unit) => unit.probes);
  const resampled = new ResampledMean(units.length);
  const rows = Array.from({ length: items }, (_, position) => {
    const here = probes.filter((probe) => probe.position === position);
    const own = units.map(
      ({ probes: of }) => of.find((probe) => probe.position === position)?.logProbability ?? Number.NaN,
    );
    const use = resampled.of(own);
    const accuracy = wilson(here.filter(({ correct }) => correct).length, here.length);
    return {
      ...key,
      position: position + 1,
      log_probability: use.estimate,
      log_probability_low: use.low,
      log_probability_high: use.high,
      accuracy: accuracy.estimate,
      accuracy_low: accuracy.low,
      accuracy_high: accuracy.high,
      questions: here.length,
    };
  });
  yield batch(
    uses,
    rows.filter(({ questions }) => questions > 0),
  );
  for (const query of queries) {
    for (let layer = 0; layer < units[0].layers; ++layer) {
      const { estimate, low, high, n } = resampled.of(units.map((unit) => useCorrelation(unit, { query, layer })));
      if (n > 1) yield batch(correlations, [{ ...key, query, layer, correlation: estimate, low, high, records: n }]);
    }
  }
}

export function* orderTables(given: readonly Answer[]) {
  yield batch(
    answers,
    given.map(({ position, logProbability, ...of }) => ({
      ...of,
      position: position + 1,
      log_probability: logProbability,
    })),
  );
  const last = Math.max(...given.map(({ round }) => round));
  const baseline = [...perRecord(given, "random", ({ logProbability }) => logProbability).values()];
  const resampled = new ResampledMean(baseline.length);
  const row = (order: Order, round: number | null, of: readonly Answer[]) => {
    const values = [...perRecord(of, order, ({ logProbability }) => logProbability).values()];
    const use = resampled.of(values);
    const gain = resampled.of(values.map((value, i) => value - baseline[i]));
    return {
      order,
      round,
      position: 1 + mean([...perRecord(of, order, ({ position }) => position).values()]),
      log_probability: use.estimate,
      log_probability_low: use.low,
      log_probability_high: use.high,
      gain: gain.estimate,
      gain_low: gain.low,
      gain_high: gain.high,
      accuracy: mean([...perRecord(of, order, ({ correct }) => Number(correct)).values()]),
      records: values.length,
    };
  };
  const whole = (order: Order) => given.filter(({ round }) => order !== "attention sorting" || round === last);
  yield batch(
    effects,
    orders.map((order) => row(order, null, whole(order))),
  );
  for (const order of ["random", "attention sorting"] as const) {
    for (let round = 1; round <= last; ++round) {
      yield batch(effects, [
        row(
          order,
          round,
          given.filter((answer) => answer.round === round),
        ),
      ]);
    }
  }
}
