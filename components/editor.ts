/** Editors of queries and specs, with highlighting, completion and errors at their place. Loaded when one is opened. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting, syntaxTree } from "@codemirror/language";
import { type Diagnostic, linter, setDiagnostics } from "@codemirror/lint";
import type { Extension, Text } from "@codemirror/state";
import { drawSelection, EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { TableInfo } from "./database.js";
import { element } from "./element.js";

type SyntaxNode = ReturnType<typeof syntaxTree>["topNode"];

export interface EditorOptions {
  readonly label: string;
  readonly text: string;
  /** What is wrong with a text by its grammar alone. */
  readonly lint?: (view: EditorView) => Diagnostic[];
  /** Ctrl or Cmd with Enter. */
  readonly onRun: () => void;
}

/** Colours are the page's, so that they follow its light and dark. */
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--bad)" },
  { tag: tags.propertyName, color: "var(--accent)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", borderRadius: "6px", fontSize: "var(--tiny)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5", maxHeight: "24rem" },
  ".cm-content": { padding: "0.75rem 0.5rem", caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused": { outline: "2px solid var(--accent)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--line) !important" },
  ".cm-tooltip": { backgroundColor: "var(--background)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--background)" },
  ".cm-completionDetail": { color: "var(--muted)" },
  "li[aria-selected] .cm-completionDetail": { color: "var(--background)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
});

export class Editor {
  readonly element: HTMLElement;
  readonly #view: EditorView;
  /** What was last put here by the page, and not by the reader. */
  #given: string;
  /** What the page marked in a text: it stands as long as that text does. */
  #marked: { readonly doc?: Text; readonly diagnostics: readonly Diagnostic[] } = { diagnostics: [] };

  constructor({ label, text, lint = () => [], onRun }: EditorOptions, language: Extension) {
    this.#given = text;
    const run = () => {
      onRun();
      return true; // handled
    };
    this.#view = new EditorView({
      doc: text,
      extensions: [
        // Tab is left to move the focus on, as it does everywhere else.
        keymap.of([
          { key: "Mod-Enter", run },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          ...completionKeymap,
        ]),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({ activateOnTyping: true }),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label }),
        syntaxHighlighting(colours),
        look,
        language,
        linter((view) => [...lint(view), ...(view.state.doc === this.#marked.doc ? this.#marked.diagnostics : [])]),
      ],
    });
    this.element = element("div", { class: "editor" }, this.#view.dom);
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Takes over what the page shows, unless the reader has begun to write something else. */
  follow(text: string): void {
    const untouched = this.text === this.#given;
    this.#given = text;
    if (untouched) this.reset();
  }

  /** Back to what the page shows. */
  reset(): void {
    if (this.#given !== this.text)
      this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: this.#given } });
    this.#mark([]);
  }

  /** Marks what DuckDB complains of: its messages end with the line, and a caret below the place. */
  markQuery(message: string | undefined): void {
    const { doc } = this.#view.state;
    const [, line, quoted, before] = /LINE (\d+): (.*)\n( *)\^/.exec(message ?? "") ?? [];
    if (message === undefined || line === undefined) {
      this.#mark([]);
      return;
    }
    const at = doc.line(Math.min(Number(line), doc.lines));
    const excerpt = quoted.replace(/^\.\.\./, "").replace(/\.\.\.$/, "");
    const column = before.length - `LINE ${line}: `.length - (quoted.startsWith("...") ? 3 : 0);
    const from = Math.min(at.from + Math.max(0, at.text.indexOf(excerpt)) + Math.max(0, column), doc.length);
    const to = Math.min(at.to, from + Math.max(1, /^\w*/.exec(doc.sliceString(from, at.to))?.[0].length ?? 1));
    this.#mark([{ from, to, severity: "error", message: message.split("\n")[0] }]);
  }

  /** Marks a value of JSON by the names and indices that lead to it. */
  markValue(path: readonly string[], message: string): void {
    const { doc } = this.#view.state;
    let node = syntaxTree(this.#view.state).topNode.firstChild;
    for (const step of path) {
      const next: SyntaxNode | null | undefined =
        node?.name === "Array" ? valuesOf(node)[Number(step)] : node && propertyOf(node, step, doc);
      if (!next) break;
      node = next;
    }
    const { from, to } = node ?? { from: 0, to: doc.length };
    this.#mark([{ from, to, severity: "error", message }]);
  }

  /** The linter, which runs some time after a change, would take away what it does not know of. */
  #mark(diagnostics: readonly Diagnostic[]): void {
    this.#marked = { doc: this.#view.state.doc, diagnostics };
    this.#view.dispatch(setDiagnostics(this.#view.state, diagnostics));
  }
}

function valuesOf(array: SyntaxNode): SyntaxNode[] {
  const values: SyntaxNode[] = [];
  for (let child = array.firstChild; child; child = child.nextSibling)
    if (/^(?:True|False|Null|Number|String|Object|Array)$/.test(child.name)) values.push(child);
  return values;
}

/** The value of an object's property. */
function propertyOf(object: SyntaxNode, name: string, doc: Text): SyntaxNode | null | undefined {
  const property = object.getChildren("Property").find(({ firstChild }) => {
    return firstChild && doc.sliceString(firstChild.from, firstChild.to) === JSON.stringify(name);
  });
  return property?.lastChild;
}

/** An editor of SQL that completes the names of these tables and of their columns. */
export function queryEditor(options: EditorOptions, tables: readonly TableInfo[]): Editor {
  const schema = Object.fromEntries(
    tables.map(({ name, columns }) => [
      name,
      columns.map((column) => ({
        label: column.name,
        type: "property",
        detail: column.unit ?? column.type,
        info: column.meaning,
      })),
    ]),
  );
  return new Editor(options, sql({ dialect: PostgreSQL, schema, upperCaseKeywords: true }));
}

/** An editor of JSON that marks what does not parse. */
export function jsonEditor(options: EditorOptions): Editor {
  return new Editor({ ...options, lint: jsonParseLinter() }, json());
}
