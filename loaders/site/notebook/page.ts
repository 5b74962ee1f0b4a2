/**
 * What a built page shows when it is opened, found without a browser: its cells run in Node, with the site's own chart
 * builders and formats, its database in Node, and every control at its first value.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { RecordBatchReader } from "apache-arrow";
import { parse } from "parse5";
import { sha256 } from "../../store/hash.js";
import { attribute, elements, textOf } from "../html.js";
import type { NodeAnswer, NodeDatabase, Row } from "./database.js";
import type { Shown, ShownControl, ShownFigure, ShownLive, ShownVerdicts } from "./shown.js";

/** The parts of a passport that a citation names. */
export interface CitedPassport {
  readonly experiment: string;
  readonly key: string;
  readonly date: string;
  readonly commit?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** What a query of the page gave. */
export interface PageAnswer extends NodeAnswer {
  readonly sql: string;
  /** By the query and the files that it reads, as the page's components reckon it. */
  readonly key: string;
}

export interface PageContent {
  /** What each cell shows, by its id, in the order of the page. */
  readonly cells: ReadonlyMap<string, readonly Shown[]>;
  /** Addresses of the Arrow files, relative to the page, by the name of their table. */
  readonly tables: ReadonlyMap<string, string>;
  /** Every query that it asks at first. */
  readonly answers: readonly PageAnswer[];
  /** One for each run whose results the page shows. */
  readonly passports: readonly CitedPassport[];
}

/** A cell as Framework compiles it. */
interface Cell {
  readonly id: string;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly body: (...inputs: unknown[]) => unknown;
}

/** What pages give to `figure`; components/figure.ts describes it. */
interface FigureOptions {
  readonly id: string;
  readonly table: string | readonly string[];
  readonly claim: string | ((rows: readonly Row[]) => string);
  readonly sql: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly spec: object | ((surroundings: object) => object);
  readonly height?: number;
  readonly note?: string;
  readonly select?: { readonly value: unknown };
  readonly compact?: boolean;
}

/** The functions of the site that are run as they are, because they need no document. */
interface SiteFunctions {
  bind(sql: string, parameters?: FigureOptions["params"]): string;
  outdent(sql: string): string;
  complete(unit: object, sheet: object): object;
  together(text: string): string;
  passportLine(passport: object): string;
  namedIn(sql: string, tables: Iterable<string>): string[];
  answerKey(sql: string, files: ReadonlyMap<string, string>): Promise<string>;
}

type Names = Readonly<Record<string, unknown>>;

/** Components that need no document. What the engine has needs none either. */
const PURE = ["agreement", "format", "palette", "specs", "triangle"];

/** Pixels: the width of a cell's output. */
const WIDTH = 640;

/** Stands for whatever has no meaning without a document. */
const inert: object = new Proxy(() => inert, {
  get: (_, name) => {
    if (name === Symbol.toPrimitive) return () => "";
    if (name === Symbol.iterator) return () => [][Symbol.iterator]();
    return name === "then" ? undefined : inert;
  },
});

/** With what browsers have, and Node from version 21 on. */
class BrowserMap<K, V> extends Map<K, V> {
  static groupBy<K, V>(values: Iterable<V>, keyOf: (value: V, index: number) => K): Map<K, V[]> {
    const groups = new Map<K, V[]>();
    let index = 0;
    for (const value of values) {
      const key = keyOf(value, index++);
      groups.set(key, [...(groups.get(key) ?? []), value]);
    }
    return groups;
  }
}

/** Reads one page of the site in `folder`. @throws {Error} where one of its cells fails */
export async function readPage(folder: string, file: string, db: NodeDatabase): Promise<PageContent> {
  const scripts = [...elements(parse(await readFile(join(folder, file), "utf8")))];
  const modules = scripts.filter((element) => attribute(element, "type") === "module").map(textOf);
  const code = modules.find((text) => /^define\(/m.test(text)) ?? "";
  const parts = ["sql", "complete", "format", "passport", "answer-key"].map((name) => siteModule(folder, name));
  const functions = Object.assign({}, ...(await Promise.all(parts))) as SiteFunctions;
  return new Page(folder, db, functions).run(code);
}

async function siteModule(folder: string, name: string): Promise<object> {
  const components = join(folder, "_import/components");
  const file = (await readdir(components)).find((file) => file.startsWith(`${name}.`));
  if (!file) throw new Error(`The site has no module ${name}.`);
  return import(pathToFileURL(join(components, file)).href);
}

class Page {
  readonly #folder: string;
  readonly #db: NodeDatabase;
  readonly #site: SiteFunctions;
  readonly #files = new Map<string, string>();
  readonly #tables = new Map<string, string>();
  readonly #hashes = new Map<string, string>();
  readonly #passports = new Map<string, CitedPassport>();
  readonly #passportOf = new Map<string, CitedPassport>(); // by table
  readonly #answers = new Map<string, NodeAnswer>();
  readonly #results = new Map<Cell, Promise<unknown>>();
  readonly #shown = new Map<Cell, Shown[]>();
  readonly #owners = new Map<string, Cell>();

  constructor(folder: string, db: NodeDatabase, site: SiteFunctions) {
    this.#folder = folder;
    this.#db = db;
    this.#site = site;
  }

  async run(code: string): Promise<PageContent> {
    const cells: Cell[] = [];
    const text = code.replace(/^import \{.*$/gm, "").replaceAll("import(", "load(");
    new Function("define", "registerFile", "load", "Map", text)(
      (cell: Cell) => cells.push(cell),
      (name: string, { path }: { path: string }) => this.#files.set(name, path),
      (address: string) => this.#load(address),
      BrowserMap,
    );
    for (const cell of cells) for (const name of cell.outputs ?? []) this.#owners.set(name, cell);
    for (const cell of cells) await this.#result(cell);
    const shown = new Map(cells.map((cell) => [cell.id, this.#shown.get(cell) ?? []]));
    const answers = [...this.#answers].map(async ([sql, answer]) => {
      const files = this.#site
        .namedIn(sql, this.#tables.keys())
        .map((name) => [name, this.#hashes.get(name)!] as const);
      return { ...answer, sql, key: await this.#site.answerKey(sql, new Map(files)) };
    });
    return {
      cells: shown,
      tables: this.#tables,
      answers: await Promise.all(answers),
      passports: [...this.#passports.values()],
    };
  }

  #query(sql: string): readonly Row[] {
    const answer = this.#answers.get(sql) ?? this.#db.query(sql);
    this.#answers.set(sql, answer);
    return answer.rows;
  }

  #result(cell: Cell): Promise<unknown> {
    const result = this.#results.get(cell) ?? this.#runCell(cell);
    this.#results.set(cell, result);
    return result;
  }

  async #runCell(cell: Cell): Promise<unknown> {
    const own: Shown[] = [];
    this.#shown.set(cell, own);
    const display = (value: unknown) => {
      own.push(...shownOf(value));
      return value;
    };
    const builtIn: Names = {
      display,
      view: (control: { value?: unknown }) => {
        display(control);
        return control.value;
      },
      FileAttachment: (name: string) => ({ href: this.#files.get(name) }),
      width: WIDTH,
      dark: false,
    };
    const inputs = (cell.inputs ?? []).map(async (name) => {
      const owner = this.#owners.get(name);
      return owner ? ((await this.#result(owner)) as Names)[name] : (builtIn[name] ?? inert);
    });
    return cell.body(...(await Promise.all(inputs)));
  }

  async #load(address: string): Promise<unknown> {
    const [, room, name] = /_import\/(\w+)\/(.*)\.[0-9a-f]{8}\.js$/.exec(address) ?? [];
    const load = () => import(pathToFileURL(join(this.#folder, address)).href);
    if (room === "engine" || PURE.includes(name)) return load();
    if (name === "papers") return filtered(await load());
    return this.#replaced[name] ?? inert;
  }

  /** Modules that show something, by what a notebook shows in its place. */
  readonly #replaced: Names = {
    database: { database: (files: Readonly<Record<string, string>>) => this.#database(files) },
    figure: { figure: (options: FigureOptions) => this.#figure(options) },
    verdicts: {
      verdicts: () => this.#verdicts(["verdicts"]),
      verdictLists: (_: unknown, sources: readonly { readonly table: string }[]) =>
        this.#verdicts(sources.map(({ table }) => table)),
    },
    live: { live: (options: LiveOptions) => this.#live(options) },
    controls: { slider, choice, toggle },
  };

  async #database(files: Readonly<Record<string, string>>): Promise<object> {
    const passports = new Map<string, CitedPassport>();
    for (const [name, href] of Object.entries(files)) {
      const bytes = await readFile(join(this.#folder, href));
      this.#db.insert(name, bytes);
      this.#tables.set(name, href);
      this.#hashes.set(name, sha256(bytes));
      const metadata = RecordBatchReader.from(bytes).open().schema.metadata.get("passport");
      if (metadata === undefined) continue;
      const passport = JSON.parse(metadata) as CitedPassport;
      const same = this.#passports.get(passport.key) ?? passport; // tables of one run have one
      this.#passports.set(passport.key, same);
      this.#passportOf.set(name, same);
      passports.set(name, passport);
    }
    return {
      query: async (sql: string, values?: FigureOptions["params"]) => this.#query(this.#site.bind(sql, values)),
      parameters: async (name: string) => passports.get(name)?.parameters ?? {},
      key: async (name: string) => passports.get(name)?.key,
    };
  }

  #figure(options: FigureOptions): ShownFigure & { value: unknown } {
    const { id, table, claim, sql, params, spec, height, note, select, compact } = options;
    const bound = this.#site.bind(this.#site.outdent(sql.trim()), params);
    const rows = this.#query(bound);
    const unit = typeof spec === "function" ? spec({ width: WIDTH, mode: "light", rows }) : spec;
    const tables = typeof table === "string" ? [table] : table;
    const passports = new Set(tables.flatMap((name) => this.#passportOf.get(name) ?? []));
    return {
      kind: "figure",
      id,
      claim: this.#site.together(typeof claim === "string" ? claim : claim(rows)),
      note: note && this.#site.together(note),
      sql: bound,
      rows,
      spec: this.#site.complete(unit, { width: WIDTH, height, mode: "light" }),
      height,
      foot: [...Array.from(passports, this.#site.passportLine), ...(compact ? [] : ["Data and query"])],
      value: select?.value,
    };
  }

  #live({ id, rows, claim, height, note }: LiveOptions): ShownLive {
    const { together } = this.#site;
    return { kind: "live", id, claim: together(claim(rows)), height, note: note && together(note) };
  }

  #verdicts(tables: readonly string[]): ShownVerdicts {
    return { kind: "verdicts", rows: tables.flatMap((table) => this.#query(`SELECT * FROM "${table}"`)) };
  }
}

/** What of the catalogue needs no document; its filters ask for everything at first. */
const filtered = ({ condition, stateBars, everything }: Names): Names =>
  orInert({ condition, stateBars, paperFilters: () => ({ value: everything }) });

const orInert = (own: Names): Names =>
  new Proxy(own, { get: (_, name) => own[String(name)] ?? (name === "then" ? undefined : inert) });

const KINDS: ReadonlySet<string> = new Set<Shown["kind"]>(["figure", "live", "verdicts", "control"]);

function shownOf(value: unknown): Shown[] {
  if (typeof value === "string" || typeof value === "number") return [{ kind: "text", text: String(value) }];
  if (typeof value !== "object" || value === null || !("kind" in value)) return [];
  return KINDS.has(String(value.kind)) ? [value as Shown] : [];
}

/** What pages give to `live`; components/live.ts describes it. */
type LiveOptions = Pick<FigureOptions, "id" | "height" | "note"> & {
  readonly rows: readonly Row[];
  readonly claim: (rows: readonly Row[]) => string;
};

/** What pages give to controls; components/controls.ts describes it. */
interface ControlOptions {
  readonly label: string;
  readonly min?: number;
  readonly options?: readonly unknown[];
  readonly value?: unknown;
  readonly format?: (value: unknown) => string;
  readonly as?: "radio" | "menu";
}

function slider({ label, min, value = min, format = String }: ControlOptions): ShownControl {
  return { kind: "control", control: "slider", label, options: [], text: format(value), value };
}

function choice({ label, options = [], value = options[0], format = String, as }: ControlOptions): ShownControl {
  const control = as ?? (options.length <= 4 ? "radio" : "menu");
  return { kind: "control", control, label, options: options.map((one) => format(one)), text: format(value), value };
}

function toggle({ label, value = false }: ControlOptions): ShownControl {
  return { kind: "control", control: "toggle", label, options: [], text: "", value };
}
