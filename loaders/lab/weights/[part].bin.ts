/** Part of the bundled model's weights, for a preview; a build writes them itself. */
import { parseArgs } from "node:util";
import { weightsPart } from "../parts.js";

const { values } = parseArgs({ options: { part: { type: "string" } } });
process.stdout.write(await weightsPart(Number(values.part)));
