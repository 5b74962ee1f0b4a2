/** What holds for every architecture whatever its weights: random controls, and lengths beyond the trained one. */
import { describe, expect, test } from "vitest";
import { UserError } from "../../engine/errors.js";
import { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { randomCheckpoint } from "../../engine/random-weights.js";
import { architectures, backend, field, goldenCheckpoint } from "./golden.js";

describe.each(architectures)("%s", (name) => {
  test("with random weights knows nothing: its loss is that of guessing", async () => {
    const control = randomCheckpoint(await goldenCheckpoint(name), 1);
    const model = await Model.load(control, await backend("cpu"));
    const { vocabulary } = model.architecture;
    const random = new Random(2);
    const ids = Int32Array.from({ length: 20 }, () => random.int(vocabulary));
    const logProbability = field(await model.forward({ ids }, { logits: "loss" }), "logProbability");
    const loss = -logProbability.reduce((a, b) => a + b) / logProbability.length;
    expect(Math.abs(loss - Math.log(vocabulary))).toBeLessThan(0.1);
    await model.release();
  });

  test("beyond the trained length runs and says so, or is refused where positions are learned", async () => {
    const model = await Model.load(await goldenCheckpoint(name), await backend("cpu"));
    const { positions, contextLength, vocabulary } = model.architecture;
    const within = (length: number) => Int32Array.from({ length }, (_, i) => i % vocabulary);
    const longest = await model.forward({ ids: within(Math.min(contextLength, 100)) }, { rows: true });
    expect(longest.beyondTrainedLength).toBe(false);
    const ids = within(contextLength + 1);
    if (positions.kind === "learned") {
      const refusal = `The prompt reaches position ${contextLength}, but the model's table of learned positions ends at ${contextLength - 1}.`;
      await expect(model.forward({ ids }, { rows: true })).rejects.toThrow(new UserError(refusal));
    } else if (contextLength < 1000) {
      const beyond = await model.forward({ ids }, { rows: true });
      expect(beyond.beyondTrainedLength).toBe(true);
      expect(field(beyond, "entropy").data.every(Number.isFinite)).toBe(true);
    }
    await model.release();
  });
});
