/** Starts the database's worker: at once, unless the build has prepared what the page asks at first. */
import { FileAttachment } from "observablehq:stdlib";

const name = FileAttachment("../data/duckdb.wasm.gzip").href; // the worker's name is the address of its module

export function startWorker(): Worker {
  return new Worker(import.meta.resolve("./duckdb-worker.js"), { type: "module", name });
}

// Pages without prepared answers load this module before all others, because starting takes longest.
let started = document.querySelector("link[data-answers]") ? undefined : startWorker();

/** The worker of the page itself. */
export function pageWorker(): Worker {
  started ??= startWorker();
  return started;
}
