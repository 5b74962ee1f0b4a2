import { describe, expect, test } from "vitest";
import { UserError } from "../../../engine/errors.js";
import { readRun } from "../../../loaders/experiments/training/records.js";
import { claims, training } from "../../../loaders/experiments/training.js";
import type { Batch } from "../../../loaders/table.js";

interface Plan {
  readonly variant: string;
  readonly seed: number;
  /** Attention to the first token of all four heads, per checkpoint. */
  readonly sink: readonly number[];
}

const perHead = (value: number) => [
  [value, value],
  [value, value],
];

function recordsOf({ variant, seed, sink }: Plan): object[] {
  const tokens = 1000 * (sink.length - 1);
  return [
    {
      record: "passport",
      variant,
      seed,
      steps: 10 * (sink.length - 1),
      tokens,
      context: 64,
      parameters: 100,
      device: "GPU",
      driver: "1",
      torch: "2",
    },
    ...sink.map((mass, i) => ({
      record: "checkpoint",
      step: 10 * i,
      tokens: 1000 * i,
      heldout_loss: 9 - i,
      entropy: perHead(2),
      sink_mass: perHead(mass),
      previous_token_mass: perHead(0.1),
      induction: perHead(0.2),
      duplicate_token_mass: perHead(0.1),
      null_mass: perHead(0),
      value_norm_ratio: perHead(1),
      key_norm_ratio: perHead(1),
      residual_norm_ratio: [1, 1],
    })),
    { record: "curve", step: 50, tokens: 1000, loss: 8, learning_rate: 0.001, context: 64 },
    { record: "loss_by_position", window: 128, first: 64, end: 128, windows: 2, loss: 5, standard_error: 0.1 },
    { record: "attention_by_position", window: 128, first: 0, end: 1, entropy: perHead(0), sink_mass: perHead(1) },
    {
      record: "mass_by_distance",
      window: 64,
      octaves: [[0, 1]],
      mass: [
        [[0.5], [0.5]],
        [[0.5], [0.5]],
      ],
    },
    { record: "retrieval", task: "documents", length: 64, depth: 0.5, n: 4, correct: 3 },
    { record: "end", training_seconds: 1, heldout_loss_f16: 5 },
  ];
}

/** Runs the experiment on made records; `sinkOf` says how attention to the first token grows in each run. */
async function run(sinkOf: (variant: string, seed: number) => readonly number[]) {
  const inputs = Object.fromEntries(
    Object.keys(training.inputs).map((name) => {
      const [variant, ...rest] = name === "main" ? ["rope"] : name.split("-");
      const seed = Number(rest.at(-1) ?? 0);
      return [name, recordsOf({ variant, seed, sink: sinkOf(variant, seed) })];
    }),
  );
  const never = () => Promise.reject(new Error("records need no model"));
  const steps = training.run({
    parameters: training.parameters,
    model: never,
    control: never,
    tokenizer: never,
    inputs,
    progress: () => {},
    signal: new AbortController().signal,
  });
  const batches: Batch[] = [];
  let step = await steps.next();
  for (; !step.done; step = await steps.next()) batches.push(step.value);
  const evidence = step.value;
  return { batches, judged: Object.fromEntries(claims.map((claim) => [claim.id, claim.judge(evidence)])) };
}

describe("claims on training", () => {
  test("find sinks that training makes early, and that an extra zero logit prevents", async () => {
    const { judged } = await run((variant, seed) =>
      variant === "softmax1"
        ? [0.01, 0.02, 0.03, 0.03, 0.03, 0.03, 0.03]
        : [0.01, 0.35, 0.5, 0.5, 0.5, 0.5, 0.5 + seed / 100],
    );
    expect(judged["sinks-are-learned"]).toMatchObject({ outcome: "replicated", estimate: 1, n: 4 });
    expect(judged["sinks-come-early"]).toMatchObject({ outcome: "replicated", estimate: expect.closeTo(1 / 6) });
    expect(judged["sinks-need-the-sum"]).toMatchObject({ outcome: "replicated", estimate: expect.closeTo(0.49), n: 3 });
    expect(judged["sinks-come-early-longer"]).toMatchObject({ outcome: "replicated", n: 3 });
    expect(judged["sinks-need-the-sum-longer"]).toMatchObject({ outcome: "replicated", estimate: 1, n: 3 });
  });

  test("find nothing where no head becomes a sink and the softmax makes no difference", async () => {
    const { judged } = await run((_, seed) => [0.01, 0.02, 0.02 + seed / 1000]);
    expect(judged["sinks-are-learned"]).toMatchObject({ outcome: "not replicated", estimate: 0 });
    expect(judged["sinks-come-early"].outcome).toBe("not testable at this scale");
    expect(judged["sinks-need-the-sum"].outcome).toBe("not replicated");
    expect(judged["sinks-need-the-sum-longer"].outcome).toBe("not replicated");
  });

  test("call late sinks late, and sinks before training no product of it", async () => {
    const late = await run(() => [0.01, 0.02, 0.02, 0.5]);
    expect(late.judged["sinks-come-early"]).toMatchObject({ outcome: "not replicated", estimate: 1 });
    const built = await run((_, seed) => (seed === 3 ? [0.4, 0.5] : [0.01, 0.5]));
    expect(built.judged["sinks-are-learned"].outcome).toBe("mixed");
  });
});

test("every declared table gets rows with the declared columns", async () => {
  const { batches } = await run(() => [0, 0.5]);
  for (const { name, columns } of training.tables) {
    const rows = batches.filter((batch) => batch.table === name).flatMap((batch) => batch.rows);
    expect(rows.length, name).toBeGreaterThan(0);
    expect(Object.keys(rows[0]).sort(), name).toEqual(Object.keys(columns).sort());
  }
});

test("records that do not serve are refused with run, line and field", () => {
  const records = recordsOf({ variant: "rope", seed: 1, sink: [0, 1] });
  expect(() => readRun("rope-1", [...records.slice(0, 2), { record: "curve", step: 1 }])).toThrow(
    new UserError('training/rope-1.jsonl, line 3: field "tokens" is missing.'),
  );
  expect(() => readRun("rope-1", [{ record: "noise" }])).toThrow('"noise" is not a kind of record');
  expect(() => readRun("rope-1", records.slice(1))).toThrow('must hold one "passport" record, but holds 0');
});
