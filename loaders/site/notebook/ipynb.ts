/**
 * A page as a Jupyter notebook: its text, its queries as code that reads the same Arrow files, and its charts as outputs.
 * @see https://nbformat.readthedocs.io/en/latest/format_description.html
 */
import { createHash } from "node:crypto";
import { type Part, verdictText } from "./content.js";
import type { PageContent } from "./page.js";
import type { ShownFigure } from "./shown.js";

/** What JupyterLab 4 draws; a Vega-Lite of version 6 with the parts that our charts use is one of version 5, too. */
const VEGA_LITE = "application/vnd.vegalite.v5+json";

/** A chart of more rows is drawn when its cell is run, and not stored in the notebook. */
const MOST_ROWS = 5000;

export function notebook(parts: readonly Part[], { tables }: PageContent): string {
  const setup = parts.some(({ kind }) => kind === "figure") ? [code(setupOf(tables), [])] : [];
  const [title, ...rest] = parts.flatMap(cellsOf);
  const cells = [title, ...setup, ...rest].map((cell, i) => ({ id: idOf(cell, i), ...cell }));
  const kernelspec = { display_name: "Python 3", language: "python", name: "python3" };
  const metadata = { kernelspec, language_info: { name: "python" } };
  return `${JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }, null, 1)}\n`;
}

interface Cell {
  readonly cell_type: "markdown" | "code";
  readonly source: readonly string[];
  readonly [name: string]: unknown;
}

function cellsOf(part: Part): Cell[] {
  switch (part.kind) {
    case "text":
      return [markdown(part.text)];
    case "verdicts":
      return [markdown(verdictText(part))];
    case "figure":
      return [markdown(`**${part.claim}**${part.note ? `\n\n${part.note}` : ""}`), figure(part)];
  }
}

function figure({ sql, spec, rows }: ShownFigure): Cell {
  const source = `show(${python(sql)}, ${python(JSON.stringify(spec, null, 1))})`;
  const whole = {
    ...spec,
    $schema: "https://vega.github.io/schema/vega-lite/v5.json",
    data: { name: "rows", values: rows },
  };
  const chart = rows.length > MOST_ROWS ? {} : { [VEGA_LITE]: whole };
  const data = { ...chart, "text/plain": `${rows.length} rows` };
  return code(source, [{ output_type: "display_data", metadata: {}, data }]);
}

/** Reads the tables as they lie in a copy of the site, or at its address. */
function setupOf(tables: ReadonlyMap<string, string>): string {
  const reads = [...tables].map(([name, href]) => `duckdb.register("${name}", read("${href.replace(/^\.\//, "")}"))`);
  return `# pip install duckdb pandas pyarrow
import io, json, pathlib, urllib.request
import duckdb
import pyarrow as pa
from IPython.display import display

SITE = "."  # the folder of a copy of the site, or its address

def read(path):
    """The table at a path of the site: an Arrow IPC stream."""
    if SITE.startswith("http"):
        data = urllib.request.urlopen(f"{SITE.rstrip('/')}/{path}").read()
    else:
        data = pathlib.Path(SITE, path).read_bytes()
    return pa.ipc.open_stream(io.BytesIO(data)).read_all()

def show(sql, spec):
    """Draws the rows of a query by a Vega-Lite spec, and returns them."""
    rows = duckdb.sql(sql).df()
    chart = json.loads(spec)
    chart["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json"
    chart["data"] = {"name": "rows", "values": json.loads(rows.to_json(orient="records"))}
    display({"${VEGA_LITE}": chart, "text/plain": f"{len(rows)} rows"}, raw=True)
    return rows

${reads.join("\n")}`;
}

/** A text as a literal of Python: readable where that is possible. JSON's escapes are Python's. */
function python(text: string): string {
  return /["\\]{3}|\\|"$/.test(text) ? JSON.stringify(text) : `"""${text}"""`;
}

function markdown(text: string): Cell {
  return { cell_type: "markdown", metadata: {}, source: lines(text) };
}

function code(text: string, outputs: readonly object[]): Cell {
  return { cell_type: "code", metadata: {}, execution_count: null, source: lines(text), outputs };
}

const lines = (text: string) => text.split(/(?<=\n)/);

/** The same content at the same place gives the same id. */
function idOf({ source }: Cell, index: number): string {
  return createHash("sha256")
    .update(`${index}\n${source.join("")}`)
    .digest("hex")
    .slice(0, 8);
}
