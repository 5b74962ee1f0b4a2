/** Puts the bundled model, and the texts that readers can check on it, into Framework's cache, for the pages that run it. */
import { modelDescription, partNumbers, readWeights, weightsPart } from "../lab/parts.js";
import { textsToCheck } from "../lab/texts.js";
import { cacheData } from "./cache.js";

export async function cacheLabModel(): Promise<void> {
  const weights = await readWeights();
  await cacheData("lab/model.json", new TextEncoder().encode(await modelDescription(weights)));
  await cacheData("lab/texts.json", new TextEncoder().encode(await textsToCheck()));
  for (const part of partNumbers) await cacheData(`lab/weights/${part}.bin`, weightsPart(weights, part));
}
