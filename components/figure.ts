/**
 * A claim with the chart that answers it: caption, chart, text summary, the rows as a table, the SQL that made them,
 * downloads of exactly what is drawn, and the passport of the data.
 */
import { fragment, reveal } from "./anchor.js";
import { Chart, type Spec } from "./chart.js";
import type { Answer, Database, Row, TableInfo } from "./database.js";
import { describe } from "./describe.js";
import { element } from "./element.js";
import { together } from "./format.js";
import { passportElement, warning } from "./passport.js";
import { type OnProgress, ProgressView } from "./progress.js";
import { type Selection, Selector } from "./selection.js";
import { bind, outdent, type Parameters } from "./sql.js";
import { arrow, csv, save } from "./takeaway.js";
import { turnOf } from "./turns.js";
import { type Edits, type Format, Workbench } from "./workbench.js";

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

export interface Figure extends HTMLElement {
  /** The selected values, where `select` is given. */
  value?: Selection["value"];
}

class FigureView {
  readonly element: Figure;
  readonly #chart: Chart;
  readonly #caption = element("figcaption");
  readonly #progress = new ProgressView();
  readonly #message = element("p", { class: "figure-message", role: "status", hidden: true });
  readonly #edited = element("p", { class: "banner edited", role: "status", hidden: true });
  readonly #foot = element("div", { class: "figure-foot" });
  readonly #workbench: Workbench;
  readonly #onAddress = () => void this.#followAddress();
  #options: FigureOptions;
  #edits: Edits = {};
  #sql = "";
  #answer: Answer | undefined;
  #tables: readonly TableInfo[] = [];
  #turn = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: FigureOptions) {
    const { id, height, select, compact } = options;
    this.#options = options;
    this.#chart = new Chart(height, (error) => this.#show(reason(error)));
    this.#workbench = new Workbench({
      id,
      tables: () => this.#options.db.tables(),
      onEdit: (edits) => this.#edit(edits),
      onSave: (format, millimetres) => void this.#save(format, millimetres),
    });
    this.element = element("figure", { class: "figure", id });
    this.element.append(
      this.#caption,
      this.#edited,
      this.#chart.element,
      this.#progress.element,
      this.#message,
      this.#foot,
    );
    if (select) this.#selectable(select);
    else this.#chart.element.setAttribute("role", "img");
    if (compact) return;
    addEventListener("hashchange", this.#onAddress);
    void this.#followAddress();
  }

  /** A control that is dragged runs its cell faster than the query: only the latest run that waits gets its turn. */
  update(options: FigureOptions): void {
    const turn = ++this.#turn;
    this.element.setAttribute("aria-busy", "true");
    if (turn === 1)
      this.#write(typeof options.claim === "string" ? options.claim : announced(options.id), options.note);
    this.#running = this.#running.then(async () => {
      if (turn !== this.#turn) return;
      await this.#run(options);
      if (turn === this.#turn) this.element.removeAttribute("aria-busy");
    });
  }

  /** Runs the query and shows its rows; a query that fails or finds nothing becomes a sentence. */
  async #run(options: FigureOptions): Promise<void> {
    this.#options = options;
    const { db, sql, params } = options;
    const onProgress: OnProgress = (progress) => {
      this.#chart.element.hidden = true;
      this.#message.hidden = true;
      this.#write(typeof options.claim === "string" ? options.claim : "", options.note); // no claim of the result before
      this.#foot.replaceChildren();
      this.#progress.show(progress);
    };
    try {
      this.#sql = bind(outdent(sql.trim()), params);
      const answer = await (this.#edits.sql === undefined ? db.answer(this.#sql, onProgress) : db.ask(this.#edits.sql));
      await turnOf(this.element);
      this.#answer = answer;
      this.#show(this.#answer.rows.length ? undefined : "No rows match these settings.");
    } catch (error) {
      this.#answer = undefined;
      this.#show(reason(error));
    }
    await this.#fillFoot();
  }

  /** What stands under the chart changes only with the data files, so that what is open stays open. */
  async #fillFoot(): Promise<void> {
    const { db, table, compact } = this.#options;
    const names = typeof table === "string" ? [table] : table;
    const found = await Promise.allSettled(names.map((name) => db.table(name)));
    const tables = found.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const isSame = tables.length === this.#tables.length && tables.every((of, i) => of === this.#tables[i]);
    if (isSame && this.#foot.hasChildNodes()) return;
    this.#tables = tables;
    this.#foot.replaceChildren(...passportsOf(tables), ...(compact ? [] : [this.#workbench.element]));
    this.#fillWorkbench();
  }

  #fillWorkbench(problem?: string): void {
    if (this.#options.compact) return;
    const unit = () => this.#chart.unit;
    const sql = this.#edits.sql ?? this.#sql;
    this.#workbench.show({ sql, unit, edits: this.#edits, own: this.#tables, answer: this.#answer, problem });
  }

  get #rows(): readonly Row[] {
    return this.#answer?.rows ?? [];
  }

  /** The sentence of the page, or, where a reader has changed the query, that it is not the page's any more. */
  get #claim(): string {
    const { claim } = this.#options;
    if (this.#edits.sql !== undefined) return "What a changed query gives.";
    if (typeof claim === "string") return claim;
    return this.#rows.length ? claim(this.#rows) : "";
  }

  #write(claim: string, note: string | undefined): void {
    this.#caption.replaceChildren(
      element("p", { class: "claim" }, together(claim)),
      ...(note ? [element("p", { class: "note" }, together(note))] : []),
    );
  }

  #show(problem: string | undefined): void {
    const { note, spec, summary } = this.#options;
    const isOwn = this.#edits.sql === undefined;
    this.#progress.hide();
    this.#message.hidden = problem === undefined;
    this.#message.textContent = problem ?? "";
    this.#chart.element.hidden = problem !== undefined;
    this.#write(this.#claim, isOwn ? note : undefined);
    if (problem === undefined) {
      this.#chart.element.setAttribute("aria-label", summary && isOwn ? summary(this.#rows) : describe(this.#rows));
      this.#chart.update(this.#rows, this.#edits.unit ?? spec);
    }
    this.#fillWorkbench(problem);
  }

  #selectable(select: Selection): void {
    const selector = new Selector(
      this.#chart,
      select,
      () => this.#rows,
      () => {
        this.element.value = selector.value;
        this.element.dispatchEvent(new Event("input", { bubbles: true })); // Framework's views listen to it
      },
    );
    this.element.value = selector.value;
    this.element.append(selector.announcement);
  }

  /** Runs what a reader wrote in the place of the published query or drawing, and says so. */
  #edit(edits: Edits): void {
    this.#edits = edits;
    const isEdited = edits.sql !== undefined || edits.unit !== undefined;
    this.#notice(
      isEdited ? "Changed by a reader: not as it was published." : undefined,
      "Back to the published chart",
      {},
    );
    this.update(this.#options);
  }

  /** A line above the chart, with a button that leads to other edits. */
  #notice(text: string | undefined, action: string, edits: Edits): void {
    this.#edited.hidden = text === undefined;
    const onclick = () => {
      this.#workbench.reset();
      this.#edit(edits);
    };
    const button = element("button", { type: "button", onclick }, action);
    this.#edited.replaceChildren(...(text === undefined ? [] : [`${text} `, button]));
  }

  /**
   * An address can hold edits. A query runs at once, because it can do no harm; a drawing is offered, because one that
   * means harm could keep the page busy.
   */
  async #followAddress(): Promise<void> {
    const { id, state } = fragment();
    if (id !== this.#options.id) return;
    const [sql, spec] = [state.get("sql") ?? undefined, state.get("spec")];
    if (sql !== undefined) this.#edit({ sql });
    if (sql !== undefined || spec !== null) this.#workbench.element.open = true;
    if (spec === null) return;
    const drawing = await drawingFrom(spec);
    if ("unit" in drawing)
      this.#notice("The address of this page holds another drawing of this chart.", "Draw it", {
        sql,
        unit: drawing.unit,
      });
    else
      this.#notice(`The drawing in the address cannot be used: ${drawing.message}`, "Back to the published chart", {});
  }

  async #save(format: Format, millimetres: number): Promise<void> {
    const { id } = this.#options;
    if (!this.#answer) return;
    save(`${id}.${format}`, await this.#file(format, this.#answer, millimetres));
  }

  async #file(format: Format, { rows, table }: Answer, millimetres: number): Promise<Blob> {
    const passports = this.#tables.flatMap(({ passport }) => passport ?? []);
    switch (format) {
      case "csv":
        return csv(rows);
      case "arrow":
        return arrow(table, {
          claim: this.#claim,
          sql: this.#edits.sql ?? this.#sql,
          passports: JSON.stringify(passports),
        });
      default: {
        const keys = [...new Set(passports.map(({ key }) => key))].join(", ");
        const caption = { title: this.#claim, description: `${describe(rows)} Results: ${keys}.` };
        return this.#chart.image(format, millimetres, caption);
      }
    }
  }

  dispose(): void {
    removeEventListener("hashchange", this.#onAddress);
    this.#chart.dispose();
  }
}

/** The sentence that the build wrote into the page: it stands until the rows have come. */
const announced = (id: string) => document.querySelector(`[data-figure="${CSS.escape(id)}"] .claim`)?.textContent ?? "";

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The check of drawings, with its schema, is loaded when one is to be checked. */
async function drawingFrom(text: string) {
  const { drawingOf } = await import("./drawing.js");
  return drawingOf(text);
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
