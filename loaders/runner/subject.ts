/** What an experiment on a model is given: the model, its untrained control and its tokenizer, each opened when asked for. */
import type { Backend } from "../../engine/backend.js";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { Model } from "../../engine/model.js";
import { randomCheckpoint } from "../../engine/random-weights.js";
import { openTokenizer } from "../../engine/tokenizer.js";
import type { Context } from "../experiment.js";
import { fileSource } from "../files.js";

/** Every control of a result is initialised from this seed. */
const controlSeed = 0;

export function openSubject(folder: string, backend: Backend): Pick<Context<never>, "model" | "control" | "tokenizer"> {
  const source = fileSource(folder);
  const checkpoint = once(() => openCheckpoint(source));
  return {
    model: once(async () => Model.load(await checkpoint(), backend)),
    control: once(async () => Model.load(randomCheckpoint(await checkpoint(), controlSeed), backend)),
    tokenizer: once(() => openTokenizer(source)),
  };
}

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open();
    return opened;
  };
}
