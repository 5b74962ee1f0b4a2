/** `node loaders/start.mjs FILE …` runs one of our TypeScript modules as a program. */
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "./compiled.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
process.argv.splice(1, 1);
await load(relative(root, resolve(process.argv[1])));
