/** Where things lie. Every path below is absolute, so that commands work from any folder. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

export const experimentsFolder = join(root, "loaders/experiments");
export const dataFolder = join(root, "data");
export const resultsFolder = join(dataFolder, "results");
export const bundledModel = join(dataFolder, "models/observatory-8m");
export const lockfile = join(root, "package-lock.json");

/** Everything that can be deleted without losing more than time. */
export const workFolder = join(root, ".observatory");

export const siteSource = join(root, "src");
export const siteConfig = join(root, "observablehq.config.ts");
export const siteCache = join(siteSource, ".observablehq/cache");
export const siteOutput = join(root, "dist");
