/** Where things lie. Every path below is absolute, so that commands work from any folder. */
import { existsSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { pulledModel } from "./hub/cache.js";

/** The nearest folder that is a package: this module may lie in a translation or a bundle of our code. */
export const root = packageOf(dirname(fileURLToPath(import.meta.url)));

function packageOf(folder: string): string {
  return existsSync(join(folder, "package.json")) ? join(folder, "/") : packageOf(dirname(folder));
}

export const dataFolder = join(root, "data");
export const resultsFolder = join(dataFolder, "results");
export const bundledModel = join(dataFolder, "models/observatory-8m");

/** Everything that can be deleted without losing more than time. */
export const workFolder = join(root, ".observatory");

export const siteSource = join(root, "src");
export const siteConfig = join(root, "observablehq.config.ts");
export const siteCache = join(siteSource, ".observablehq/cache");
export const siteOutput = join(root, "dist");
/** Where sites are built and put aside: beside the site, because folders take each other's place on one disk only. */
export const siteStaging = join(root, ".dist");

export function modelName(folder: string): string {
  return pulledModel(folder)?.name ?? basename(resolve(folder));
}

/** Relative to the project where the path lies in it, for messages. */
export function projectPath(path: string): string {
  return isInside(path) ? relative(root, path) : path;
}

/** For passports, which are published: tells nothing of the rest of the machine. */
export function publicPath(path: string): string {
  return isInside(path) ? relative(root, path) : basename(path);
}

function isInside(path: string): boolean {
  return !relative(root, path).startsWith("..");
}
