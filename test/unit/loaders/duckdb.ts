/** The database of the pages, run in Node. */
import * as duckdb from "@duckdb/duckdb-wasm/blocking";
import { databaseModuleFile } from "../../../loaders/site/database-module.js";

export async function openDuckDb() {
  const bundle = { mainModule: await databaseModuleFile(), mainWorker: "" };
  const db = await duckdb.createDuckDB({ mvp: bundle, eh: bundle }, new duckdb.VoidLogger(), duckdb.NODE_RUNTIME);
  await db.instantiate(() => {});
  db.open({ query: { castBigIntToDouble: true, castDecimalToDouble: true } });
  const connection = db.connect();
  return {
    insert: (name: string, stream: Uint8Array) =>
      connection.insertArrowFromIPCStream(stream.slice(), { name, create: true }),
    query: (sql: string) =>
      connection
        .query(sql)
        .toArray()
        .map((row) => row.toJSON()),
  };
}
