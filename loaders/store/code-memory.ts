/**
 * What is known of code, remembered: bundling takes half of the time of a command that computes nothing. A bundle is a
 * function of the files in the rooms that it is made from, of their names, and of the bundler; while all of those are
 * as they were, so is it.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { sha256 } from "./hash.js";
import { absent, filesBelow, replaceFile, unwritten } from "./system.js";

const rooms = ["engine", "loaders"];

/** The bundler itself takes longer to load than all that is asked here. */
const { version } = createRequire(import.meta.url)("esbuild/package.json");

export interface CodeFound<T> {
  readonly found: T;
  /** Every file that was read for it, from the root. */
  readonly inputs: readonly string[];
}

export interface CodeMemory {
  /** The folder of the project, which holds the rooms. */
  readonly root: string;
  /** Where to remember. */
  readonly cache: string;
}

/** @param question what `find` depends on beside the files: one answer is kept for each */
export async function remembered<T>(
  question: unknown,
  { root, cache }: CodeMemory,
  find: () => Promise<CodeFound<T>>,
): Promise<T> {
  const asked = JSON.stringify(question);
  const file = join(cache, sha256(asked).slice(0, 16));
  const state = await stateOf(root);
  const sumOf = (answer: string) => sha256(`${asked}\n${state}\n${answer}`);
  const [sum, known] = ((await readFile(file, "utf8").catch(absent)) ?? "").split("\n");
  if (known !== undefined && sum === sumOf(known)) return JSON.parse(known);
  const { found, inputs } = await find();
  const inRooms = inputs.every((input) => rooms.some((room) => input.startsWith(`${room}/`)));
  if (inRooms && (await stateOf(root)) === state) {
    const answer = JSON.stringify(found);
    await replaceFile(file, `${sumOf(answer)}\n${answer}`).catch(unwritten);
  }
  return found;
}

/** A hash of the bundler's version and of every file that it could take something from. */
async function stateOf(root: string): Promise<string> {
  const inRooms = rooms.map(async (room) => (await filesBelow(join(root, room))).map((file) => join(room, file)));
  const files = ["package.json", ...(await Promise.all(inRooms)).flat()];
  const hashes = files.map(async (file) => {
    const content = await readFile(join(root, file)).catch(absent);
    return `${file} ${content && sha256(content)}`;
  });
  return sha256([version, ...(await Promise.all(hashes))].join("\n"));
}
