/** The last failure of each key, so that a status tells it and a page shows it until something changes. */

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { absent, replaceFile, unwritten } from "./system.js";

export interface Failure {
  readonly message: string;
  readonly stack?: string;
  /** Something given cannot be used; otherwise it is a defect. */
  readonly badInput: boolean;
  /** The last lines that the job's process wrote. */
  readonly log: readonly string[];
}

export class Failures {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = join(folder, "failures");
  }

  #file(key: string): string {
    return join(this.#folder, `${key}.json`);
  }

  async remember(key: string, { message, badInput, log }: Failure): Promise<void> {
    await replaceFile(this.#file(key), JSON.stringify({ message, badInput, log })).catch(unwritten);
  }

  async forget(key: string): Promise<void> {
    await rm(this.#file(key), { force: true });
  }

  async last(key: string): Promise<Failure | undefined> {
    const text = await readFile(this.#file(key), "utf8").catch(absent);
    return text === undefined ? undefined : (JSON.parse(text) as Failure);
  }
}
