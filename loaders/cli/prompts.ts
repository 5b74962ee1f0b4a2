import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { projectPath, root } from "../project.js";
import { writeFlushed } from "../store/system.js";

const generators = join(root, "loaders/prompts");

/** What each module of loaders/prompts exports as `files`: contents by path, always the same. */
type Files = Readonly<Record<string, () => string | Promise<string>>>;

export async function writePrompts(): Promise<void> {
  for (const name of (await readdir(generators)).sort()) {
    const { files }: { files: Files } = await import(pathToFileURL(join(generators, name)).href);
    for (const [file, generate] of Object.entries(files)) {
      await writeFlushed(file, await generate());
      console.log(projectPath(file));
    }
  }
}
