/**
 * Answers to what a page asks before its own database has started, from one that already runs beside the preview; a
 * built site has them prepared.
 */
import type { ChildProcess } from "node:child_process";
import { forkModule } from "../runner/fork.js";
import { sha256 } from "../store/hash.js";
import type { Question, Reply } from "./answerer.js";

/** Whoever waits longer asks the database of the page. */
const patience = 5000; // ms

interface Answerer {
  readonly child: ChildProcess;
  /** Hashes of the tables that it has, by their names. */
  readonly tables: Map<string, string>;
  readonly waiting: Map<number, (stream: Uint8Array | undefined) => void>;
}

export class PreviewAnswers {
  #answerer: Answerer | undefined;
  #asked = 0;

  /** Its process takes a moment to start. */
  start(): void {
    this.#answerer ??= this.#fork();
  }

  /** An Arrow IPC stream; none where there is no answer in time. */
  async answer(sql: string, tables: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array | undefined> {
    this.#answerer ??= this.#fork();
    const { child, tables: known, waiting } = this.#answerer;
    const hashes = new Map(Array.from(tables, ([name, bytes]) => [name, sha256(bytes)]));
    const news = new Map([...tables].filter(([name]) => known.get(name) !== hashes.get(name)));
    for (const [name, hash] of hashes) known.set(name, hash);
    const id = ++this.#asked;
    const reply = new Promise<Uint8Array | undefined>((resolve) => waiting.set(id, resolve));
    child.send({ id, sql, tables: news } satisfies Question);
    const late = setTimeout(() => child.kill("SIGKILL"), patience);
    return reply.finally(() => clearTimeout(late));
  }

  close(): void {
    this.#answerer?.child.kill("SIGKILL");
  }

  #fork(): Answerer {
    const child = forkModule("loaders/site/answerer.ts", "inherit", { serialization: "advanced" });
    const waiting: Answerer["waiting"] = new Map();
    child.on("message", ({ id, stream }: Reply) => {
      waiting.get(id)?.(stream);
      waiting.delete(id);
    });
    const ended = () => {
      if (this.#answerer?.child === child) this.#answerer = undefined; // the next question starts another
      for (const resolve of waiting.values()) resolve(undefined);
    };
    child.once("close", ended).on("error", ended); // of one that could not be started, or a question to one that ended
    return { child, tables: new Map(), waiting };
  }
}
