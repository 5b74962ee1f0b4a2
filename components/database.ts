/** The page's database: DuckDB-WASM over the Arrow files of the page, one instance per page, nothing from a network. */
import * as duckdb from "@duckdb/duckdb-wasm";
import { type Field, type RecordBatch, Table } from "apache-arrow";
import { hashOf, namedIn } from "./answer-key.js";
import { arePrepared, isPreview, preparedAnswer } from "./answers.js";
import { checkedStream, readWhole } from "./arrow-check.js";
import { startWorker } from "./duckdb.js";
import { type Passport, parsePassport } from "./passport.js";
import { type OnProgress, untilComputed } from "./progress.js";
import { bind, type Parameters } from "./sql.js";
import { whenDrawn } from "./when-drawn.js";
import { whenUsed } from "./when-used.js";

export type Row = Readonly<Record<string, unknown>>;

export interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly meaning?: string;
  readonly unit?: string;
}

export interface TableInfo {
  readonly name: string;
  readonly meaning?: string;
  readonly columns: readonly ColumnInfo[];
  readonly passport?: Passport;
  /** Address of the Arrow file itself. */
  readonly href: string;
}

/** What a query gave. */
export interface Answer {
  readonly table: Table;
  readonly rows: readonly Row[];
  /** What the query took; nothing where the build had prepared the answer. */
  readonly milliseconds?: number;
  /** Whether these are all rows, and not the first of too many to draw. */
  readonly complete: boolean;
}

/** The exception-handling build in a module worker: needs no special headers from the server. */
async function open(worker: Worker): Promise<duckdb.AsyncDuckDB> {
  const db = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), worker);
  await db.instantiate("data:,"); // the worker knows its module by itself
  // Without the casts, round(1.234, 2) would arrive as 123 and count(*) as a BigInt.
  await db.open({ query: { castBigIntToDouble: true, castDecimalToDouble: true, castTimestampToDate: true } });
  const connection = await db.connect();
  await connection.query(CONFINED);
  await connection.close();
  performance.mark("database"); // from now on the page needs no network
  return db;
}

let instance: Promise<duckdb.AsyncDuckDB> | undefined;

/** The instance of the page. It has begun to start when its worker has. */
function pageInstance(): Promise<duckdb.AsyncDuckDB> {
  instance ??= open(startWorker());
  instance.catch(() => undefined); // reported to whoever queries
  return instance;
}

// Starting takes most of the time to the first chart: begin before the page asks.
if (!arePrepared) pageInstance();

/** data/entropy/heads.arrow, without the content hash that the build puts into names. */
function fileName(href: string): string {
  const path = new URL(href, document.baseURI).pathname;
  return path.replace(/^.*\/_file\//, "").replace(/\.[0-9a-f]{8}(\.\w+)$/, "$1");
}

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** 'Binder Error: Referenced column "x" not found!' and lines of the query: what it says, without its kind and place. */
const sentence = (message: string) => message.split("\n")[0].replace(/^\w+ Error: /, "");

const notUsable = (href: string, error: unknown) =>
  new Error(`The data file ${fileName(href)} could not be used: ${reason(error)}`);

/** The Arrow file's bytes; a loader that failed answers with its message, which is worth more than "status 500". */
async function fetchBytes(href: string, onProgress: OnProgress, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  // A preview then answers 202 at once for what it has to compute; a site has loaded the file ahead, without headers.
  const headers: HeadersInit = isPreview ? { prefer: "respond-async" } : {};
  const response = await fetch(href, { headers, signal });
  if (response.status === 202) {
    await untilComputed(response.headers.get("location") ?? "", onProgress, signal);
    return fetchBytes(href, onProgress, signal);
  }
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  const message = response.headers.get("content-type")?.startsWith("text/plain") ? await response.text() : "";
  throw new Error(message.trim() || `the server answered ${response.status}`);
}

function describe(field: Field): ColumnInfo {
  return {
    name: field.name,
    type: String(field.type),
    meaning: field.metadata.get("meaning"),
    unit: field.metadata.get("unit"),
  };
}

type Plain = { toJSON(): unknown; toArray?(): Iterable<unknown> };

/** Lists and structs of DuckDB's answers as arrays and objects. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const { toArray, toJSON } = value as Plain;
  if (toArray) return Array.from(toArray.call(value), plain);
  return toJSON ? toJSON.call(value) : value;
}

/** Queries may be a reader's, or come with the address: none reaches beyond the tables of the page. */
const CONFINED = `
  SET autoload_known_extensions = false;
  SET enable_external_access = false;
  SET lock_configuration = true`;

/** Of a query that a reader wrote: how long it may take, and how many rows are drawn. */
const PATIENCE = 8_000; // ms
const MOST_ROWS = 100_000;

function rowsOf(batch: RecordBatch | Table): Row[] {
  const columns = batch.schema.fields.map((field, i) => [field.name, batch.getChildAt(i)!] as const);
  return Array.from({ length: batch.numRows }, (_, i) =>
    Object.fromEntries(columns.map(([name, vector]) => [name, plain(vector.get(i))])),
  );
}

/** Rows are made when they are asked for: all answers of a page are there before its first chart is drawn. */
function answerOf(table: Table, known: Pick<Answer, "milliseconds" | "complete">): Answer {
  let rows: readonly Row[] | undefined;
  return {
    table,
    get rows() {
      rows ??= rowsOf(table);
      return rows;
    },
    ...known,
  };
}

/** A file of the page that has arrived and was found whole. */
interface DataFile {
  readonly whole: Table;
  readonly info: TableInfo;
  readonly hash: string;
}

/** DuckDB with the tables of a page, each there when its promise resolves. */
interface Running {
  readonly connection: Promise<duckdb.AsyncDuckDBConnection>;
  readonly inserted: ReadonlyMap<string, Promise<void>>;
}

export class Database {
  readonly #addresses: Readonly<Record<string, string>>;
  readonly #open: () => Promise<duckdb.AsyncDuckDB>;
  readonly #files = new Map<string, Promise<DataFile>>();
  /** Who waits for a table that a preview computes. */
  readonly #waiting = new Map<string, Set<OnProgress>>();
  readonly #closed = new AbortController();
  #running: Running | undefined;
  #isStarted = false;
  /** Where queries of readers run, once there is one: DuckDB cannot be stopped, but its worker can. */
  #sandbox: Database | undefined;

  /** Begins to load every file; queries wait for the tables that they name and for no other. */
  constructor(addresses: Readonly<Record<string, string>>, open = pageInstance) {
    this.#addresses = addresses;
    this.#open = open;
    for (const [name, href] of Object.entries(addresses)) this.#files.set(name, this.#load(name, href));
    // Whoever asks for a table or sends a query is told; until then a rejection must not count as unhandled.
    for (const promise of this.#files.values()) promise.catch(() => undefined);
    if (!arePrepared || open !== pageInstance) this.#start();
  }

  async #load(name: string, href: string): Promise<DataFile> {
    try {
      const bytes = await fetchBytes(href, this.#tell(name), this.#closed.signal);
      const whole = readWhole(bytes);
      const { schema } = whole;
      const info = {
        name,
        meaning: schema.metadata.get("meaning"),
        columns: schema.fields.map(describe),
        passport: parsePassport(schema.metadata.get("passport")),
        href,
      };
      return { whole, info, hash: arePrepared ? await hashOf(bytes) : "" };
    } catch (error) {
      throw notUsable(href, error);
    }
  }

  /** Starts DuckDB and inserts every file. */
  #start(): Running {
    if (this.#running) return this.#running;
    const connection = this.#open().then((db) => db.connect());
    const inserted = [...this.#files].map(([name, file]) => [name, this.#insert(name, file, connection)] as const);
    this.#running = { connection, inserted: new Map(inserted) };
    const parts = [connection, ...this.#running.inserted.values()];
    for (const promise of parts) promise.catch(() => undefined);
    Promise.allSettled(parts).then(() => {
      this.#isStarted = true;
    });
    return this.#running;
  }

  /** Inserts a file as a table, replacing an older one, because cells run again. */
  async #insert(
    name: string,
    file: Promise<DataFile>,
    connected: Promise<duckdb.AsyncDuckDBConnection>,
  ): Promise<void> {
    const [{ whole, info }, connection] = await Promise.all([file, connected]);
    try {
      await connection.query(`DROP TABLE IF EXISTS "${name}"`);
      await connection.insertArrowFromIPCStream(checkedStream(whole), { name, create: true });
    } catch (cause) {
      throw notUsable(
        info.href,
        new Error("the database cannot take its columns; delete it and let its loader write it again", { cause }),
      );
    }
  }

  /** What is known about a table. Rejects with a sentence where its file could not be used. */
  async table(name: string): Promise<TableInfo> {
    const file = this.#files.get(name);
    if (!file) throw new Error(`This page has no table ${name}.`);
    return (await file).info;
  }

  /** The parameters of the run that wrote a table; none where its file could not be used. */
  async parameters(name: string): Promise<Readonly<Record<string, unknown>>> {
    const table = await this.table(name).catch(() => undefined);
    const parameters = table?.passport?.parameters;
    return typeof parameters === "object" && parameters !== null ? { ...parameters } : {};
  }

  /** The key of the result that a table is of; none where its file could not be used. */
  async key(name: string): Promise<string | undefined> {
    return (await this.table(name).catch(() => undefined))?.passport?.key;
  }

  #tell(name: string): OnProgress {
    const waiting = new Set<OnProgress>();
    this.#waiting.set(name, waiting);
    return (progress) => {
      for (const listener of waiting) listener(progress);
    };
  }

  /**
   * Rows as plain objects with numbers. `$name` in the SQL stands for the parameter of that name. `onProgress` hears of
   * tables that a preview has to compute first.
   */
  async query(sql: string, parameters?: Parameters, onProgress?: OnProgress): Promise<readonly Row[]> {
    return (await this.answer(bind(sql, parameters), onProgress)).rows;
  }

  /** The answer to a query of the page's own, which fails where the tables are not those that it was written for. */
  async answer(sql: string, onProgress?: OnProgress): Promise<Answer> {
    const files = await this.#filesIn(sql, onProgress);
    const prepared = await this.#prepared(sql, files);
    if (prepared) return answerOf(prepared, { complete: true });
    const { connection, inserted } = this.#start();
    await Promise.all([...files.keys()].map((name) => inserted.get(name)));
    const open = await connection;
    const began = performance.now();
    const table = await open.query(sql).catch((cause) => {
      throw new Error(`The data do not answer the question of this page: ${sentence(reason(cause))}`, { cause });
    });
    return answerOf(table, { milliseconds: performance.now() - began, complete: true });
  }

  /** DuckDB then starts when the reader may ask something next. */
  async #prepared(sql: string, files: ReadonlyMap<string, DataFile>): Promise<Table | undefined> {
    if (!arePrepared || this.#isStarted) return undefined;
    const asked = new Map([...files].map(([name, { info, hash }]) => [name, { href: info.href, hash }]));
    const found = await preparedAnswer(sql, asked);
    if (found) whenDrawn(() => whenUsed(() => this.#closed.signal.aborted || this.#start()));
    return found;
  }

  async #filesIn(sql: string, onProgress: OnProgress = () => {}): Promise<ReadonlyMap<string, DataFile>> {
    const named = namedIn(sql, this.#files.keys());
    for (const name of named) this.#waiting.get(name)?.add(onProgress);
    try {
      return new Map(await Promise.all(named.map(async (name) => [name, await this.#files.get(name)!] as const)));
    } finally {
      for (const name of named) this.#waiting.get(name)?.delete(onProgress);
    }
  }

  /**
   * Runs one query that a reader wrote, in a database of its own. It can read the tables of the page and nothing else; it
   * is stopped when it takes too long, and its rows are cut where they would be too many to draw.
   */
  async ask(sql: string): Promise<Answer> {
    if (!this.#sandbox) {
      const instance = open(startWorker());
      this.#sandbox = new Database(this.#addresses, () => instance);
    }
    const sandbox = this.#sandbox;
    const { connection, inserted } = sandbox.#start();
    await Promise.all([connection, ...namedIn(sql, inserted.keys()).map((name) => inserted.get(name))]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(async () => {
        this.#sandbox = undefined;
        reject(new Error(`The query was stopped after ${PATIENCE / 1000} seconds.`));
        await (await sandbox.#open()).terminate();
      }, PATIENCE);
    });
    return Promise.race([sandbox.#readOnly(sql), late]).finally(() => clearTimeout(timer));
  }

  async #readOnly(sql: string): Promise<Answer> {
    const connection = await (await this.#open()).connect();
    try {
      await connection.query("BEGIN TRANSACTION READ ONLY");
      await (await connection.prepare(sql)).close(); // refuses all but one statement
      const began = performance.now();
      const reader = await connection.send(sql, true);
      const batches: RecordBatch[] = [];
      for (let count = 0; count <= MOST_ROWS; count += batches[batches.length - 1].numRows) {
        const { done, value } = await reader.next();
        if (done) break;
        batches.push(value);
      }
      const milliseconds = performance.now() - began;
      const all = new Table(reader.schema, batches);
      const table = all.slice(0, MOST_ROWS);
      return answerOf(table, { milliseconds, complete: table.numRows === all.numRows });
    } finally {
      await connection.close();
    }
  }

  /** What is known about every table whose file could be used. */
  async tables(): Promise<TableInfo[]> {
    const found = await Promise.allSettled(this.#files.values());
    return found.flatMap((result) => (result.status === "fulfilled" ? [result.value.info] : []));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    if (this.#sandbox) await (await this.#sandbox.#open()).terminate();
    if (this.#running) await (await this.#running.connection).close();
  }
}

/**
 * One table per name, from the addresses of Arrow files: `{heads: FileAttachment("data/entropy/heads.arrow").href}`.
 * (Framework takes an attachment without a member to mean `.arrow()`, which it would fetch from a CDN.) It is there at
 * once, so that the page is too; a file that fails costs only the charts that need it, and they say why. The connection
 * closes when `invalidation` resolves; the instance stays for the page.
 */
export function database(files: Readonly<Record<string, string>>, invalidation?: Promise<unknown>): Database {
  const db = new Database(files);
  invalidation?.then(() => db.close());
  return db;
}
