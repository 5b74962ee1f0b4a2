/** The experiments are the files of this folder: adding one is adding a file that exports it under its file's name. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Experiment } from "../experiment.js";

const folder = fileURLToPath(new URL(".", import.meta.url));

export async function experimentIds(): Promise<string[]> {
  const files = await readdir(folder, { withFileTypes: true });
  return files
    .filter((file) => file.isFile() && file.name.endsWith(".ts") && file.name !== "index.ts")
    .map(({ name }) => name.slice(0, -".ts".length))
    .sort();
}

/** Loads one experiment's module and no other, so that a broken one stops only itself. */
export async function loadExperiment(id: string): Promise<Experiment> {
  const module: Readonly<Record<string, unknown>> = await import(pathToFileURL(join(folder, `${id}.ts`)).href);
  const found = Object.values(module).find((value) => isExperiment(value) && value.id === id);
  if (!found) throw new Error(`loaders/experiments/${id}.ts exports no experiment with the id ${id}`);
  return found as Experiment;
}

function isExperiment(value: unknown): value is Experiment {
  return typeof value === "object" && value !== null && "id" in value && "run" in value && "claims" in value;
}
