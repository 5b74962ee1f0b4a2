/** The texts that readers can check: the first of those that the experiments on running text use. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dataFolder } from "../project.js";
import { sha256 } from "../store/code.js";

/** Few enough for a minute on a slow machine. */
const texts = 3;

/** With the hash of the whole file, which passports name: components/check.ts has the type. */
export async function textsToCheck(): Promise<string> {
  const whole = await readFile(join(dataFolder, "prompts/texts.jsonl"), "utf8");
  const records = whole.split("\n", texts).map((line) => JSON.parse(line));
  return JSON.stringify({ sha256: sha256(whole), records });
}
