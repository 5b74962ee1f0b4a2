/**
 * A claim with the chart that answers it: caption, chart, text summary, the rows as a table, the SQL that made them,
 * downloads of exactly what is drawn, and the passport of the data.
 */
import { reveal } from "./anchor.js";
import { Chart, type Spec } from "./chart.js";
import type { Database, Row, TableInfo } from "./database.js";
import { element } from "./element.js";
import { number } from "./format.js";
import { passportElement, warning } from "./passport.js";
import { ProgressView } from "./progress.js";
import { bind, type Parameters } from "./sql.js";
import { csv, rowsTable, save, sqlText, tableCard } from "./takeaway.js";

export interface FigureOptions {
  readonly db: Database;
  /** Unique on the page: anchor, file name of downloads, and what lets a cell that runs again update in place. */
  readonly id: string;
  /** The table, or tables, whose passport stands under the chart. */
  readonly table: string | readonly string[];
  /** What the chart shows, as a sentence; computed from rows where it holds numbers. */
  readonly claim: string | ((rows: readonly Row[]) => string);
  readonly sql: string;
  readonly params?: Parameters;
  /** Vega-Lite without data, or a function of width, mode and rows; see specs.ts. */
  readonly spec: Spec;
  /** Pixels, axes and legend included. */
  readonly height?: number;
  /** How to read the chart, or what it does not show. */
  readonly note?: string;
  /** Overrides the generated description for screen readers. */
  readonly summary?: (rows: readonly Row[]) => string;
  /** Fields of a mark that a click selects; makes the figure a view whose value holds them. */
  readonly select?: Selection;
  /** Without table, SQL, downloads and passport: for the home page. */
  readonly compact?: boolean;
}

export interface Selection {
  /** Parameter of the spec that holds the selected values. */
  readonly param: string;
  readonly value: Readonly<Record<string, number | string>>;
}

export interface Figure extends HTMLElement {
  /** The selected values, where `select` is given. */
  value?: Selection["value"];
}

/** Along which axis an arrow key moves, and whether with or against it. */
const ARROWS: Readonly<Record<string, readonly ["x" | "y", 1 | -1]>> = {
  ArrowLeft: ["x", -1],
  ArrowRight: ["x", 1],
  ArrowDown: ["y", -1],
  ArrowUp: ["y", 1],
};

class FigureView {
  readonly element: Figure;
  readonly #chart: Chart;
  readonly #caption = element("figcaption");
  readonly #progress = new ProgressView();
  readonly #message = element("p", { class: "figure-message", role: "status", hidden: true });
  readonly #details = element("details", { class: "figure-data" });
  readonly #foot = element("div", { class: "figure-foot" });
  #options: FigureOptions;
  #rows: readonly Row[] = [];
  #sql = "";
  #tables: readonly TableInfo[] = [];
  #turn = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: FigureOptions) {
    this.#options = options;
    this.#chart = new Chart(options.height);
    this.element = element("figure", { class: "figure", id: options.id });
    this.element.append(this.#caption, this.#chart.element, this.#progress.element, this.#message, this.#foot);
    this.#details.addEventListener("toggle", () => this.#fillDetails());
    if (options.select) this.#selectable(options.select);
    else this.#chart.element.setAttribute("role", "img");
  }

  /** A control that is dragged runs its cell faster than the query: only the latest run that waits gets its turn. */
  update(options: FigureOptions): void {
    const turn = ++this.#turn;
    this.element.setAttribute("aria-busy", "true");
    if (turn === 1) this.#write(typeof options.claim === "string" ? options.claim : "", options.note);
    this.#running = this.#running.then(async () => {
      if (turn !== this.#turn) return;
      await this.#run(options);
      if (turn === this.#turn) this.element.removeAttribute("aria-busy");
    });
  }

  /** Runs the query and shows its rows; a query that fails or finds nothing becomes a sentence. */
  async #run(options: FigureOptions): Promise<void> {
    this.#options = options;
    try {
      this.#sql = bind(options.sql, options.params).trim();
      this.#rows = await options.db.query(this.#sql, undefined, (progress) => {
        this.#chart.element.hidden = true;
        this.#message.hidden = true;
        this.#progress.show(progress);
      });
      this.#show(this.#rows.length ? undefined : "No rows match these settings.");
    } catch (error) {
      this.#rows = [];
      this.#show(error instanceof Error ? error.message : String(error));
    }
    await this.#fillFoot();
    this.#fillDetails();
  }

  /** What stands under the chart changes only with the data files, so that what is open stays open. */
  async #fillFoot(): Promise<void> {
    const { db, table, compact } = this.#options;
    const names = typeof table === "string" ? [table] : table;
    const found = await Promise.allSettled(names.map((name) => db.table(name)));
    const tables = found.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    if (tables.every((of, i) => of === this.#tables[i]) && this.#foot.hasChildNodes()) return;
    this.#tables = tables;
    this.#foot.replaceChildren(...passportsOf(tables), ...(compact ? [] : [this.#details]));
  }

  #write(claim: string, note: string | undefined): void {
    this.#caption.replaceChildren(
      element("p", { class: "claim" }, claim),
      ...(note ? [element("p", { class: "note" }, note)] : []),
    );
  }

  #show(problem: string | undefined): void {
    const { claim, note, spec, summary } = this.#options;
    this.#progress.hide();
    this.#message.hidden = problem === undefined;
    this.#message.textContent = problem ?? "";
    this.#chart.element.hidden = problem !== undefined;
    this.#write(typeof claim === "string" ? claim : this.#rows.length ? claim(this.#rows) : "", note);
    if (problem !== undefined) return;
    this.#chart.element.setAttribute("aria-label", summary ? summary(this.#rows) : describe(this.#rows));
    this.#chart.update(this.#rows, spec);
  }

  /** A click, or the arrow keys on the focused chart, move the selection; Framework sees an `input` event. */
  #selectable({ param, value }: Selection): void {
    const fields = Object.keys(value);
    const chart = this.#chart.element;
    const set = (next: Selection["value"]) => {
      this.element.value = next;
      this.#chart.signal(param, next);
      this.element.dispatchEvent(new Event("input", { bubbles: true }));
    };
    this.element.value = value;
    this.#chart.signal(param, value);
    this.#chart.onClick((datum) => {
      if (fields.every((field) => field in datum))
        set(Object.fromEntries(fields.map((field) => [field, datum[field] as number | string])));
    });
    chart.tabIndex = 0;
    chart.setAttribute("role", "group");
    chart.setAttribute("aria-roledescription", "chart, arrow keys select");
    chart.addEventListener("keydown", (event) => {
      const [channel, step] = ARROWS[event.key] ?? [];
      const axis = channel && this.#chart.axis(channel);
      if (!axis || !this.element.value || !fields.includes(axis.field)) return;
      event.preventDefault();
      const all = this.#rows.map((row) => row[axis.field] as number | string);
      const values = [...new Set(all)].sort((a, b) => (a < b ? -1 : 1));
      const next = values[values.indexOf(this.element.value[axis.field]) + step * axis.towards];
      if (next !== undefined) set({ ...this.element.value, [axis.field]: next });
    });
  }

  #fillDetails(): void {
    const summary = this.#details.firstElementChild ?? element("summary", {}, "Data and query");
    if (!this.#details.open) {
      this.#details.replaceChildren(summary);
      return;
    }
    const { id } = this.#options;
    this.#details.replaceChildren(
      summary,
      element(
        "p",
        { class: "downloads" },
        element("button", { type: "button", onclick: () => save(`${id}.csv`, csv(this.#rows)) }, "CSV"),
        element("button", { type: "button", onclick: () => this.#save("svg") }, "SVG"),
        element("button", { type: "button", onclick: () => this.#save("png") }, "PNG"),
      ),
      sqlText(this.#sql),
      rowsTable(this.#rows),
      ...this.#tables.map(tableCard),
    );
  }

  async #save(type: "svg" | "png"): Promise<void> {
    save(`${this.#options.id}.${type}`, await this.#chart.image(type));
  }

  dispose(): void {
    this.#chart.dispose();
  }
}

/** Identical passports, of tables written by the same run, are shown once. */
function passportsOf(tables: readonly TableInfo[]): Node[] {
  const distinct = new Map(tables.map(({ passport }) => [passport?.key, passport]));
  return [...distinct.values()].flatMap((passport) => {
    if (!passport) return [];
    const alarm = warning(passport);
    const banner = alarm ? [element("p", { class: "banner", role: "note" }, alarm)] : [];
    return [...banner, passportElement(passport)];
  });
}

/** What a listener hears instead of the chart: how much there is, and the range of each number. */
function describe(rows: readonly Row[]): string {
  const parts = Object.keys(rows[0] ?? {}).map((name) => {
    const values = rows.map((row) => row[name]);
    const numbers = values.filter((value) => typeof value === "number" && Number.isFinite(value)) as number[];
    if (numbers.length)
      return `${name} from ${number(numbers.reduce((a, b) => Math.min(a, b)))} to ${number(numbers.reduce((a, b) => Math.max(a, b)))}`;
    const names = [...new Set(values.map(String))];
    return names.length > 8 ? `${names.length} values of ${name}` : `${name}: ${names.join(", ")}`;
  });
  return `Chart of ${rows.length} rows: ${parts.join("; ")}.`;
}

const figures = new Map<string, FigureView>();

/**
 * The figure of that id: the same element when its cell runs again, so that what is open stays open and nothing jumps.
 * It is there at once, with the room that its chart will take, and fills when its rows come. Hand it to `display`, or
 * to `view` where `select` is given.
 */
export function figure(options: FigureOptions, invalidation?: Promise<unknown>): Figure {
  const view = figures.get(options.id) ?? new FigureView(options);
  if (!figures.has(options.id)) {
    figures.set(options.id, view);
    reveal(view.element);
  }
  view.update(options);
  // A cell that is deleted, not run again, leaves its figure off the page: dispose of it then.
  invalidation?.then(() =>
    setTimeout(() => {
      if (view.element.isConnected || figures.get(options.id) !== view) return;
      figures.delete(options.id);
      view.dispose();
    }, 1000),
  );
  return view.element;
}
