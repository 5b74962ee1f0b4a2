/** The experiments are the files of this folder: adding one is adding a file that exports it under its file's name. */
import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Experiment } from "../experiment.js";
import { root } from "../project.js";

const folder = join(root, "loaders/experiments");

/** Of this module and those beside it: they may be translated. */
const extension = extname(import.meta.url);

export async function experimentIds(): Promise<string[]> {
  const files = await readdir(folder, { withFileTypes: true });
  return files
    .filter((file) => file.isFile() && file.name.endsWith(".ts") && file.name !== "index.ts")
    .map(({ name }) => name.slice(0, -".ts".length))
    .sort();
}

/** Loads one experiment's module and no other, so that a broken one stops only itself. */
export async function loadExperiment(id: string): Promise<Experiment> {
  const module: Readonly<Record<string, unknown>> = await import(new URL(id + extension, import.meta.url).href);
  const found = Object.values(module).find((value) => isExperiment(value) && value.id === id);
  if (!found) throw new Error(`loaders/experiments/${id}.ts exports no experiment with the id ${id}`);
  return found as Experiment;
}

function isExperiment(value: unknown): value is Experiment {
  return typeof value === "object" && value !== null && "id" in value && "run" in value && "claims" in value;
}
