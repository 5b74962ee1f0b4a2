import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
const { values } = parseArgs({ options: { experiment: { type: "string" }, table: { type: "string" } } });
process.stdout.write(await readFile(`data/results/${values.experiment}/${values.table}.arrow`));
