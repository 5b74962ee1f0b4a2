import { describe, expect, test } from "vitest";
import { tensorsOf } from "../../../engine/architecture.js";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { Random } from "../../../engine/random.js";
import { randomCheckpoint, weightsFile } from "../../../engine/random-weights.js";
import { openBackend } from "../../../loaders/devices.js";
import { fileSource } from "../../../loaders/files.js";
import { bundledFolder, goldenFiles, goldenFolder, memorySource } from "./memory-source.js";

const golden = (name: string) => openCheckpoint(fileSource(goldenFolder(name)));
const deviation = (values: Float32Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);

describe("random weights", () => {
  test("are the same for the same seed, in any order, and others for another", async () => {
    const checkpoint = await golden("llama");
    const [a, b] = [randomCheckpoint(checkpoint, 1), randomCheckpoint(checkpoint, 1)];
    const names = [...tensorsOf(checkpoint.architecture).keys()];
    const forwards = await Promise.all(names.map((name) => a.tensor(name)));
    const backwards = (await Promise.all(names.toReversed().map((name) => b.tensor(name)))).toReversed();
    expect(forwards).toEqual(backwards);
    expect(a.hashes).toEqual(b.hashes);
    const other = randomCheckpoint(checkpoint, 2);
    expect(other.hashes.weights).not.toBe(a.hashes.weights);
    expect(await other.tensor(names[0])).not.toEqual(forwards[0]);
  });

  test("follow the family's initialiser", async () => {
    const { tensor } = randomCheckpoint(await golden("gpt2"), 3);
    expect((await tensor("transformer.h.0.ln_1.weight")).every((x) => x === 1)).toBe(true);
    expect((await tensor("transformer.h.0.ln_1.bias")).every((x) => x === 0)).toBe(true);
    expect((await tensor("transformer.h.0.attn.c_attn.bias")).every((x) => x === 0)).toBe(true);
    expect(deviation(await tensor("transformer.h.0.mlp.c_fc.weight"))).toBeCloseTo(0.02, 3);
    expect(deviation(await tensor("transformer.h.0.mlp.c_proj.weight"))).toBeCloseTo(0.02 / Math.sqrt(6), 3);
  });

  test("written to a folder are read again, and say what they are", async () => {
    const control = randomCheckpoint(await golden("llama"), 7);
    const files = { ...(await goldenFiles("llama")), "model.safetensors": await weightsFile(control) };
    const read = await openCheckpoint(memorySource(files));
    expect(read.control).toBe("random weights, seed 7, normal(0, 0.02)");
    for (const name of tensorsOf(control.architecture).keys()) {
      expect(await read.tensor(name)).toEqual(await control.tensor(name));
    }
  });

  test("know nothing: the loss of the bundled model's control is near ln 8192", async () => {
    const control = randomCheckpoint(await openCheckpoint(fileSource(bundledFolder)), 1);
    const model = await Model.load(control, await openBackend("cpu"));
    const random = new Random(5);
    const ids = Int32Array.from({ length: 200 }, () => random.int(8192));
    const { logProbability = new Float32Array() } = await model.forward({ ids }, { logits: "loss" });
    const loss = -logProbability.reduce((a, b) => a + b) / logProbability.length;
    expect(Math.abs(loss - Math.log(8192))).toBeLessThan(0.1);
    await model.release();
  });
});
