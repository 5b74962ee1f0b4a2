/**
 * Running text for the experiments on entropy and sinks: one window per held-out document, sources taken in turn, so
 * that the first N records are as different from each other as N can be.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "../../engine/random.js";
import { dataFolder } from "../project.js";

export interface Text {
  readonly id: string;
  readonly source: string;
  readonly package: string;
  readonly licence: string;
  readonly text: string;
}

const heldoutFile = join(dataFolder, "texts/heldout.jsonl");

/** About 1,000 tokens of the bundled tokenizer: enough for 512 split, 128 scored and a denser tokenizer. */
const CHARACTERS = 3600;
const RECORDS = 64;
const SEED = 2;

/** A window of a document that starts at a paragraph, drawn among those that leave it its full length. */
function window(text: string, random: Random): string {
  const starts = [0];
  for (const { index, 0: gap } of text.matchAll(/\n\n+/g)) {
    if (index + gap.length + CHARACTERS <= text.length) starts.push(index + gap.length);
  }
  const start = random.pick(starts);
  return text.slice(start, start + CHARACTERS);
}

export function generate(documents: readonly Text[]): Text[] {
  const random = new Random(SEED);
  const long = random.shuffle(documents).filter(({ text }) => text.length >= CHARACTERS);
  const sources = [...new Set(long.map(({ source }) => source))];
  const bySource = sources.map((name) => long.filter(({ source }) => source === name));
  const turns = Math.max(...bySource.map((of) => of.length));
  return Array.from({ length: turns }, (_, turn) => bySource.flatMap((of) => of.slice(turn, turn + 1)))
    .flat()
    .slice(0, RECORDS)
    .map((document) => ({ ...document, text: window(document.text, random) }));
}

/** What `observatory prompts` writes: contents by path. */
export const files = {
  [join(dataFolder, "prompts/texts.jsonl")]: async () => {
    const lines = (await readFile(heldoutFile, "utf8")).trimEnd().split("\n");
    const texts = generate(lines.map((line): Text => JSON.parse(line)));
    return texts.map((text) => `${JSON.stringify(text)}\n`).join("");
  },
};
