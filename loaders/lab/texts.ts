/** The texts that readers can check: those that the experiments on running text use. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dataFolder } from "../project.js";
import { sha256 } from "../store/hash.js";

/** With the hash of their file, which passports name: components/check-subjects.ts has the type. */
export async function textsToCheck(): Promise<string> {
  const whole = await readFile(join(dataFolder, "prompts/texts.jsonl"), "utf8");
  const records = whole
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return JSON.stringify({ sha256: sha256(whole), records });
}
