/** Part of the bundled model's weights, for a preview; a build writes them itself. */
import { parseArgs } from "node:util";
import { readWeights, weightsPart } from "../parts.js";

const { values } = parseArgs({ options: { part: { type: "string" } } });
process.stdout.write(weightsPart(await readWeights(), Number(values.part)));
