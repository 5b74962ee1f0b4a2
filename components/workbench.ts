/**
 * What lies under a chart: its rows, the query that made them and the spec that draws them, both open to editing, and
 * all of it to take away. It is built when a reader opens it; the editors are loaded then.
 */
import { addressOf } from "./anchor.js";
import type { Unit } from "./chart.js";
import type { Answer, TableInfo } from "./database.js";
import type { Editor } from "./editor.js";
import { element, uniqueId } from "./element.js";
import { count, number } from "./format.js";
import { WIDTHS } from "./picture.js";
import { rowsTable } from "./rows-table.js";
import { tableCard } from "./takeaway.js";

/** What a reader has changed; nothing where the chart is as it was published. */
export interface Edits {
  readonly sql?: string;
  readonly unit?: Unit;
}

/** What the chart shows at the moment. */
export interface Shown {
  readonly sql: string;
  readonly unit: () => Unit;
  readonly edits: Edits;
  /** The tables that the chart is about. */
  readonly own: readonly TableInfo[];
  readonly answer?: Answer;
  /** Why there is no answer. */
  readonly problem?: string;
}

export type Format = "csv" | "arrow" | "svg" | "png";

interface WorkbenchOptions {
  /** Of the figure. */
  readonly id: string;
  /** All tables that a query can ask for. */
  readonly tables: () => Promise<readonly TableInfo[]>;
  readonly onEdit: (edits: Edits) => void;
  /** `millimetres` is the width of a picture. */
  readonly onSave: (format: Format, millimetres: number) => void;
}

export class Workbench {
  readonly element = element("details", { class: "figure-data" }, element("summary", {}, "Data and query"));
  readonly #options: WorkbenchOptions;
  readonly #query = element("div", { class: "sql" });
  readonly #drawing = element("div", { class: "spec" });
  readonly #status = element("p", { class: "bench-status", role: "status" });
  readonly #rows = element("div");
  readonly #tables = element("div");
  readonly #link = element("a", {}, "Address of this state");
  #shown: Shown | undefined;
  #queryEditor: Editor | undefined;
  #drawingEditor: Editor | undefined;

  constructor(options: WorkbenchOptions) {
    this.#options = options;
    this.element.addEventListener("toggle", () => this.#open(), { once: true });
    this.element.addEventListener("toggle", () => this.#fill());
    this.#link.addEventListener("click", (event) => {
      event.preventDefault();
      history.replaceState(history.state, "", this.#link.href);
      this.#status.textContent = "The address of this page now leads to this state.";
    });
  }

  show(shown: Shown): void {
    this.#shown = shown;
    this.#fill();
  }

  /** Drops what a reader has written. */
  reset(): void {
    this.#queryEditor?.reset();
    this.#drawingEditor?.reset();
  }

  #open(): void {
    const button = (text: string, onclick: () => void) => element("button", { type: "button", onclick }, text);
    const width = uniqueId("width");
    const widths = WIDTHS.map((mm) => element("option", { value: mm }, `${mm} mm`));
    const select = element("select", { id: width }, ...widths);
    const save = (format: Format, text: string) =>
      button(text, () => this.#options.onSave(format, WIDTHS[select.selectedIndex]));
    const drawing = element("details", {}, element("summary", {}, "Drawing, in Vega-Lite"));
    drawing.append(
      this.#drawing,
      element(
        "p",
        { class: "bench-tools" },
        button("Draw", () => void this.#draw()),
        button("Published drawing", () => {
          this.#drawingEditor?.reset();
          this.#edit({ unit: undefined });
        }),
      ),
    );
    drawing.addEventListener("toggle", () => void this.#openDrawing(), { once: true });
    this.element.append(
      element(
        "p",
        { class: "downloads" },
        save("csv", "CSV"),
        save("arrow", "Arrow"),
        save("svg", "SVG"),
        save("png", "PNG"),
        element("label", { for: width }, "Width of a picture "),
        select,
      ),
      this.#query,
      element(
        "p",
        { class: "bench-tools" },
        button("Run", () => this.#run()),
        button("Published query", () => {
          this.#queryEditor?.reset();
          this.#edit({ sql: undefined });
        }),
        this.#link,
      ),
      this.#status,
      this.#rows,
      drawing,
      this.#tables,
    );
    void this.#openQuery();
  }

  #fill(): void {
    const shown = this.#shown;
    if (!shown || !this.element.open) return;
    const { sql, unit, answer, problem, own, edits } = shown;
    if (this.#queryEditor) {
      this.#queryEditor.follow(sql);
      this.#queryEditor.markQuery(problem);
    } else this.#query.replaceChildren(element("pre", { tabindex: 0 }, element("code", {}, sql)));
    this.#drawingEditor?.follow(textOf(unit()));
    this.#status.textContent = problem ?? (answer ? statusOf(answer) : "");
    this.#rows.replaceChildren(...(answer ? [rowsTable(answer.rows)] : []));
    this.#tables.replaceChildren(...own.map(tableCard));
    this.#link.href = addressOf(this.#options.id, {
      ...(edits.sql === undefined ? {} : { sql: edits.sql }),
      ...(edits.unit === undefined ? {} : { spec: JSON.stringify(edits.unit) }),
    });
  }

  async #openQuery(): Promise<void> {
    const { queryEditor } = await import("./editor.js");
    const tables = await this.#options.tables();
    const { sql = "" } = this.#shown ?? {};
    const options = { label: "Query, in SQL", text: sql, onRun: () => this.#run() };
    this.#queryEditor = queryEditor(options, tables);
    this.#query.replaceChildren(this.#queryEditor.element);
    this.#fill();
  }

  async #openDrawing(): Promise<void> {
    const { jsonEditor } = await import("./editor.js");
    const text = textOf(this.#shown?.unit() ?? {});
    this.#drawingEditor = jsonEditor({ label: "Drawing, in Vega-Lite", text, onRun: () => void this.#draw() });
    this.#drawing.replaceChildren(this.#drawingEditor.element);
  }

  #run(): void {
    if (this.#queryEditor) this.#edit({ sql: this.#queryEditor.text });
  }

  /** Draws what the reader wrote, where it is a drawing. */
  async #draw(): Promise<void> {
    const editor = this.#drawingEditor;
    if (!editor) return;
    const { drawingOf } = await import("./drawing.js");
    const drawing = await drawingOf(editor.text);
    if ("unit" in drawing) return this.#edit({ unit: drawing.unit });
    editor.markValue(drawing.path, drawing.message);
    this.#status.textContent = drawing.message;
  }

  #edit(edits: Edits): void {
    this.#status.textContent = "Running …";
    this.#options.onEdit({ ...this.#shown?.edits, ...edits });
  }
}

function statusOf({ rows, milliseconds, complete }: Answer): string {
  const cut = complete ? "" : "; more are not drawn";
  const time = milliseconds === undefined ? ", prepared with this page" : ` in ${number(milliseconds, 2)} ms`;
  return `${count(rows.length, "row")}${time}${cut}.`;
}

function textOf(unit: Unit): string {
  return JSON.stringify(unit, null, 2);
}
