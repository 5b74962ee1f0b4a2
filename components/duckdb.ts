/** The database's worker. */
import { FileAttachment } from "observablehq:stdlib";

const name = FileAttachment("../data/duckdb.wasm.gzip").href; // the worker's name is the address of its module

export function startWorker(): Worker {
  return new Worker(import.meta.resolve("./duckdb-worker.js"), { type: "module", name });
}
