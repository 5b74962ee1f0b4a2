/** The pages' database in Node: the same DuckDB, over the same Arrow files. */
import { createRequire } from "node:module";
import * as duckdb from "@duckdb/duckdb-wasm/blocking";
import { databaseModuleFile } from "../database-module.js";

const require = createRequire(import.meta.url);

/** The copy of Arrow that DuckDB's tables are made of: modules and CommonJS have one each. */
const { tableToIPC }: typeof import("apache-arrow") = require("apache-arrow");

export interface NodeAnswer {
  readonly rows: readonly Row[];
  /** The same as an Arrow IPC stream. */
  readonly stream: Uint8Array;
}

export type Row = Readonly<Record<string, unknown>>;

export class NodeDatabase {
  readonly #connection: duckdb.DuckDBConnection;

  private constructor(connection: duckdb.DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(): Promise<NodeDatabase> {
    const bundle = { mainModule: await databaseModuleFile(), mainWorker: "" };
    const db = await duckdb.createDuckDB({ mvp: bundle, eh: bundle }, new duckdb.VoidLogger(), duckdb.NODE_RUNTIME);
    await db.instantiate(() => {});
    db.open({ query: { castBigIntToDouble: true, castDecimalToDouble: true, castTimestampToDate: true } });
    return new NodeDatabase(db.connect());
  }

  /** From now on no query reaches beyond the tables. */
  confine(): void {
    this.#connection.query("SET enable_external_access = false");
    this.#connection.query("SET lock_configuration = true");
  }

  /** Replaces a table of that name, which an earlier page had. */
  insert(name: string, stream: Uint8Array): void {
    this.#connection.query(`DROP TABLE IF EXISTS "${name}"`);
    this.#connection.insertArrowFromIPCStream(stream.slice(), { name, create: true });
  }

  query(sql: string): NodeAnswer {
    const table = this.#connection.query(sql);
    const columns = table.schema.fields.map((field, i) => [field.name, table.getChildAt(i)!] as const);
    const rows = Array.from({ length: table.numRows }, (_, i) =>
      Object.fromEntries(columns.map(([name, vector]) => [name, plain(vector.get(i))])),
    );
    return { rows, stream: tableToIPC(table, "stream") };
  }
}

/** Lists and structs as JSON has them. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "object" && value !== null ? JSON.parse(JSON.stringify(value)) : value;
}
