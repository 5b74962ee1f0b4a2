import { rm } from "node:fs/promises";
import { join } from "node:path";
import { messages } from "../messages.js";
import { workFolder } from "../project.js";
import { neededKeys } from "../runner/needed.js";
import { defaultBound, recent } from "../store/collect.js";
import { Store } from "../store/store.js";
import { say } from "../terminal.js";

/** What verifications and Slurm's tasks leave where they are killed. */
const leftovers = ["verify", "slurm"];

/** Drops results that neither the committed ones nor the experiments as they are now refer to. */
export async function gc({ keep = defaultBound }: { readonly keep?: number }): Promise<void> {
  const store = new Store(workFolder, say);
  await store.sweep();
  await store.discardCorrupt();
  const busy = await store.isInUse();
  if (busy) say(messages.storeInUse);
  else for (const name of leftovers) await rm(join(workFolder, name), { recursive: true, force: true });
  const { dropped, freed, kept } = await store.collect(keep, () => neededKeys(store), busy ? recent : 0);
  for (const key of dropped) console.log(key);
  say(messages.collected(dropped.length, freed));
  if (kept > keep) say(messages.stillKept(kept, keep));
}
