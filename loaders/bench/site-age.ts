/** Whether a built site is older than what it is made of: then what is measured is not what stands in the checkout. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { absent } from "../store/system.js";

/** Files and folders, below the project's root, that a site is made of. Links lead to what is here anyway. */
const sources = [
  "components",
  "data/catalogue.json",
  "data/results",
  "engine",
  "loaders/lab",
  "loaders/site",
  "observablehq.config.ts",
  "package-lock.json",
  "src",
];

/** @param builtAt milliseconds @returns the path of the latest source that was changed after that, below `root` */
export async function changedSince(builtAt: number, root: string): Promise<string | undefined> {
  let [latest, found]: [number, string | undefined] = [builtAt, undefined];
  const look = async (path: string): Promise<void> => {
    const state = await stat(join(root, path)).catch(absent);
    if (state?.isDirectory()) {
      for (const entry of await readdir(join(root, path), { withFileTypes: true })) {
        const isOwn = (entry.isFile() || entry.isDirectory()) && !entry.name.startsWith(".");
        if (isOwn) await look(join(path, entry.name));
      }
    } else if (state && state.mtimeMs > latest) [latest, found] = [state.mtimeMs, path];
  };
  for (const source of sources) await look(source);
  return found;
}
