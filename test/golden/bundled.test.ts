/** The bundled model does what it is shipped for. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { inductionTargets, meanDefined, previousTargets } from "../../engine/metrics/patterns.js";
import { entropy, meanDistance } from "../../engine/metrics/rows.js";
import { received, receivedPerQuery, shareAbove } from "../../engine/metrics/sinks.js";
import { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { openTokenizer, type Tokenizer } from "../../engine/tokenizer.js";
import { fileSource } from "../../loaders/files.js";
import { backend, devices, field, largestError, rowOf, shown } from "./golden.js";

const path = (name: string): string => fileURLToPath(new URL(`../../data/${name}`, import.meta.url));

let model: Model;
let tokenizer: Tokenizer;
let heldOut: Int32Array[];

beforeAll(async () => {
  const source = fileSource(path("models/observatory-8m"));
  model = await Model.load(await openCheckpoint(source), await backend("cpu"));
  tokenizer = await openTokenizer(source);
  const lines = readFileSync(path("texts/heldout.jsonl"), "utf8").trim().split("\n");
  const step = Math.ceil(lines.length / 24);
  heldOut = lines
    .filter((_, i) => i % step === 0)
    .map((line) => tokenizer.prompt(JSON.parse(line).text).subarray(0, 512));
});

afterAll(() => model.release());

function eachHead(visit: (layer: number, head: number) => void): void {
  const { layers, heads } = model.architecture;
  for (let layer = 0; layer < layers; layer++) for (let head = 0; head < heads; head++) visit(layer, head);
}

/** A value per head. */
function perHead(of: (layer: number, head: number) => number): number[] {
  const values: number[] = [];
  eachHead((layer, head) => values.push(of(layer, head)));
  return values;
}

test("held-out text: loss at most 3.3 nats per token", async () => {
  let total = 0;
  let tokens = 0;
  for (const ids of heldOut) {
    const logProbability = field(await model.forward({ ids }, { logits: "loss" }), "logProbability");
    total -= logProbability.reduce((a, b) => a + b, 0);
    tokens += logProbability.length;
  }
  console.info(`held-out loss ${(total / tokens).toFixed(3)} nats over ${tokens} tokens`);
  expect(total / tokens).toBeLessThan(3.3);
});

test("repeated random tokens: an induction head of at least 0.7, and a previous-token head", async () => {
  const random = new Random(11);
  const once = Array.from({ length: 100 }, () => 300 + random.int(7000));
  const ids = Int32Array.of(tokenizer.startToken ?? 0, ...once, ...once);
  const targets = [inductionTargets(ids), previousTargets(ids.length)];
  const pattern = field(await model.forward({ ids }, { targets }), "pattern");
  const induction = Math.max(...perHead((layer, head) => meanDefined(rowOf(pattern, layer, head, 0))));
  const previous = Math.max(...perHead((layer, head) => meanDefined(rowOf(pattern, layer, head, 1))));
  console.info(`best induction score ${induction.toFixed(3)}, best previous-token score ${previous.toFixed(3)}`);
  expect(induction).toBeGreaterThan(0.7);
  expect(previous).toBeGreaterThan(0.5);
});

test("the first token of a text: more than 0.3 of the attention in at least 8 of 64 heads", async () => {
  const sums = new Float64Array(64);
  for (const ids of heldOut) {
    const received = field(
      await model.forward({ ids }, { queryGroups: [new Float32Array(ids.length).fill(1)] }),
      "received",
    );
    perHead((layer, head) => receivedPerQuery(rowOf(received, layer, head, 0))[0]).forEach((value, i) => {
      sums[i] += value / heldOut.length;
    });
  }
  const heads = shareAbove(sums) * sums.length;
  console.info(`first token over 0.3 in ${heads} heads`);
  expect(heads).toBeGreaterThanOrEqual(8);
});

test.each(devices)("statistics of a real text on %s equal those of its own rows", async (device) => {
  const other = await Model.load(model.checkpoint, await backend(device));
  const ids = heldOut[0].subarray(0, 300);
  const tokens = ids.length;
  const out = await other.forward(
    { ids },
    { attention: true, rows: true, queryGroups: [new Float32Array(tokens).fill(1)] },
  );
  await other.release();
  const largest = { entropy: 0, meanDistance: 0, received: 0 };
  eachHead((layer, head) => {
    const rows = Array.from(ids, (_, query) =>
      rowOf(field(out, "attention"), layer, head, query).subarray(0, query + 1),
    );
    const note = (name: keyof typeof largest, error: number) => {
      largest[name] = Math.max(largest[name], error);
    };
    const row = (name: "entropy" | "meanDistance") => rowOf(field(out, name), layer, head);
    note(
      "entropy",
      largestError(
        row("entropy"),
        rows.map((values) => entropy.reference(values)),
      ),
    );
    note("meanDistance", largestError(row("meanDistance"), rows.map(meanDistance.reference), true));
    const perQuery = receivedPerQuery(rowOf(field(out, "received"), layer, head, 0));
    note("received", largestError(perQuery, received.reference(rows)));
  });
  console.table({ [device]: shown(largest) });
  for (const error of Object.values(largest)) expect(error).toBeLessThan(1e-4);
});
