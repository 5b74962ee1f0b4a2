/** Puts the bundled model, and the texts that readers can check on it, into Framework's cache, for the pages that run it. */
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { modelDescription, partNumbers, weightsPart } from "../lab/parts.js";
import { textsToCheck } from "../lab/texts.js";
import { siteCache } from "../project.js";
import { writeFlushed } from "../store/system.js";

/** Dated so that equal models make equal pages: Framework writes the dates of files into them. */
export async function cacheLabModel(): Promise<void> {
  const write = async (name: string, bytes: Uint8Array) => {
    const file = join(siteCache, "data/lab", name);
    await writeFlushed(file, bytes);
    await utimes(file, 0, 0);
  };
  await write("model.json", new TextEncoder().encode(await modelDescription()));
  await write("texts.json", new TextEncoder().encode(await textsToCheck()));
  for (const part of partNumbers) await write(`weights/${part}.bin`, await weightsPart(part));
}
