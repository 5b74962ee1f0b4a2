/** Answers the page's calls: each names a method of the laboratory, and gets its result or the sentence of its failure. */
import { UserError } from "../../engine/errors.js";
import type { Answer, Call } from "./calls.js";
import { Laboratory } from "./laboratory.js";

const laboratory = new Laboratory();

self.addEventListener("message", async ({ data }: MessageEvent<Call>) => {
  const reply = (answer: Answer) => self.postMessage(answer);
  try {
    reply({
      id: data.id,
      result: await perform(data, (done, total) => reply({ id: data.id, progress: { done, total } })),
    });
  } catch (error) {
    reply({ id: data.id, failure: describe(error) });
  }
});

function perform(call: Call, progress: (done: number, total: number) => void): Promise<unknown> {
  switch (call.method) {
    case "open":
      return laboratory.open(...call.args, progress);
    case "openFiles":
      return laboratory.openFiles(...call.args);
    case "run":
      return laboratory.run(...call.args);
    case "outlook":
      return laboratory.outlook();
    case "accelerate":
      return laboratory.accelerate(...call.args);
    case "look":
      return laboratory.look(...call.args);
    case "row":
      return laboratory.row(...call.args);
    case "draw":
      return laboratory.draw(...call.args);
    case "measureText":
      return laboratory.measureText(...call.args);
    case "measureQuestion":
      return laboratory.measureQuestion(...call.args);
    case "tokens":
      return laboratory.tokens(...call.args);
    case "forward":
      return laboratory.forward(...call.args);
    case "predict":
      return laboratory.predict(...call.args);
  }
}

function describe(error: unknown): NonNullable<Answer["failure"]> {
  const message = error instanceof Error ? error.message : String(error);
  const overtaken = error instanceof DOMException && error.name === "AbortError";
  return { overtaken, message: error instanceof UserError ? message : `The laboratory failed: ${message}` };
}
