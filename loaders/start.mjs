/** `node loaders/start.mjs FILE …` runs one of our TypeScript modules as a program. */
import { realpathSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "./compiled.mjs";

const root = realpathSync(fileURLToPath(new URL("..", import.meta.url)));
process.argv.splice(1, 1);
await load(relative(root, realpathSync(process.argv[1]))); // Framework knows loaders as src/data
