/** `node loaders/start.mjs FILE …` runs one of our TypeScript modules as a program. */
import { realpathSync } from "node:fs";
import { relative } from "node:path";
import { load, root } from "./compiled.mjs";

process.argv.splice(1, 1);
await load(relative(root, realpathSync(process.argv[1]))); // Framework knows loaders as src/data
