/** Starts the database's worker. Pages load this module before all others, because starting takes longest. */
import { FileAttachment } from "observablehq:stdlib";

const name = FileAttachment("../data/duckdb.wasm.gzip").href; // the worker's name is the address of its module

export function startWorker(): Worker {
  return new Worker(import.meta.resolve("./duckdb-worker.js"), { type: "module", name });
}

export const worker = startWorker();
