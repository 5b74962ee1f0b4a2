/** A process that answers a preview's queries. A query cannot be stopped, but its process can. */
import { NodeDatabase } from "./notebook/database.js";

export interface Question {
  readonly id: number;
  readonly sql: string;
  /** Those that it has not had before. */
  readonly tables: ReadonlyMap<string, Uint8Array>;
}

export interface Reply {
  readonly id: number;
  /** An Arrow IPC stream; none where the query fails. */
  readonly stream?: Uint8Array;
}

const database = NodeDatabase.open();
database.then((db) => db.confine());

process.on("disconnect", () => process.exit(1));
process.on("message", (question: Question) => void answer(question));

async function answer({ id, sql, tables }: Question): Promise<void> {
  const db = await database;
  for (const [name, bytes] of tables) db.insert(name, bytes);
  process.send?.({ id, stream: streamOf(db, sql) } satisfies Reply);
}

function streamOf(db: NodeDatabase, sql: string): Uint8Array | undefined {
  try {
    return db.query(sql).stream;
  } catch {
    return undefined; // the page's own database says why
  }
}
