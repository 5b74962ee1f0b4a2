/**
 * DuckDB's worker, with a WebAssembly module that travels compressed: static hosts refuse files as large as the module
 * and few compress it. It is inflated and compiled while it arrives, from the moment that the worker starts.
 */
import "@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js";

/** Whoever starts the worker gives the address as its name. */
const compiled = compile(self.name);
compiled.catch(() => undefined); // told to whoever instantiates

async function compile(address: string): Promise<WebAssembly.Module> {
  const { ok, status, body } = await fetch(address);
  if (!ok || !body) throw new Error(`The database could not be loaded: the server answered ${status}.`);
  const inflated = body.pipeThrough(new DecompressionStream("gzip"));
  return WebAssembly.compileStreaming(new Response(inflated, { headers: { "content-type": "application/wasm" } }));
}

/** The worker asks for its module by address, in this way and no other. */
WebAssembly.instantiateStreaming = async (_source, imports) => {
  const module = await compiled;
  return { module, instance: await WebAssembly.instantiate(module, imports) };
};
