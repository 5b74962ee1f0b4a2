/**
 * The lab: the reader's text through a model in the reader's browser, and what its attention does. The worker computes
 * and draws; the page only shows, so that it never stands still.
 */
import type { HeadPlace } from "../../engine/metrics/columns.js";
import { choice } from "../controls.js";
import { element, uniqueId } from "../element.js";
import { count, number, percent, probability } from "../format.js";
import { onModeChange } from "../theme.js";
import { turnOf } from "../turns.js";
import { bundledModel } from "./bundled.js";
import { Caller, Overtaken } from "./calls.js";
import { chosenFolder, type Dropped, droppedFolder } from "./dropped.js";
import { examples } from "./examples.js";
import { HeadGrid } from "./head-grid.js";
import { Interventions } from "./interventions.js";
import type { Opened, Run } from "./laboratory.js";
import { Latest } from "./latest.js";
import { MatrixView, type View } from "./matrix-view.js";
import { candidateList, layerTable, summaryOf } from "./outcome.js";
import type { Shading } from "./shading.js";
import { TokenStrip, tokenName } from "./token-strip.js";

const longestText = 30_000; // characters
/** How long the reader rests before the text is taken. */
const rest = 500; // ms
const megabytes = (bytes: number) => number(Math.round(bytes / 1e5) / 10);

class Lab {
  readonly element: HTMLElement;
  readonly #caller = new Caller();
  readonly #text = element("textarea", { id: uniqueId("text"), rows: 4, maxlength: longestText, spellcheck: "false" });
  /** The first entry stands for every text that is no example. */
  readonly #example = element(
    "select",
    { id: uniqueId("example") },
    element("option", { disabled: true, hidden: true }, "Your own text"),
    ...examples.map(({ name }) => element("option", {}, name)),
  );
  readonly #status = element("p", { class: "note", role: "status" });
  readonly #progress = element("progress", { "aria-label": "Model loaded", max: 1, value: 0 });
  readonly #problem = element("p", { class: "figure-message", role: "alert", hidden: true });
  /** What there is to say of WebGPU. */
  readonly #device = element("p", { class: "note", role: "status" });
  readonly #speed = element("p", { class: "note" });
  readonly #summary = element("div", { "aria-live": "polite" }, summaryOf());
  readonly #looks = element("p", { class: "claim" });
  readonly #cell = element("p", { class: "note" });
  readonly #expects = element("div", {});
  readonly #layers = element("div", {
    class: "lab-scroll",
    role: "region",
    tabindex: 0,
    "aria-label": "Layers",
  });
  readonly #strip = new TokenStrip((query) => this.#ask(query));
  readonly #grid = new HeadGrid((place) => this.#turnTo(place));
  readonly #matrix = new MatrixView({
    draw: (view) => this.#draw(view),
    choose: (query) => this.#ask(query),
    point: (cell) => this.#point(cell),
  });
  readonly #switches = new Interventions(() => this.#compute());
  readonly #metric = element("select", { id: uniqueId("metric"), onchange: () => this.#showGrid() });
  readonly #scale = choice<Shading["scale"]>({ label: "Shades", options: ["linear", "log"], value: "linear" });
  readonly #first = choice<Shading["first"]>({ label: "First token", options: ["shown", "hidden", "renormalised"] });
  readonly #work = {
    row: new Latest(),
    matrix: new Latest(),
    point: new Latest(),
    expect: new Latest(),
    look: new Latest(),
  };
  #opened: Opened | undefined;
  #run: Run | undefined;
  #place: HeadPlace = { layer: 0, head: 0 };
  #query = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.element = element("div", { class: "lab", "aria-busy": "true" }, this.#input(), this.#problem, this.#view());
    this.#text.value = new URLSearchParams(location.search).get("text")?.slice(0, longestText) ?? examples[0].text;
    this.#nameText();
    this.#text.addEventListener("input", () => {
      this.#nameText();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#compute(), rest);
    });
    for (const shading of [this.#scale, this.#first]) shading.addEventListener("input", () => this.#shade());
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      const { items } = event.dataTransfer ?? {};
      if (items) this.#try(async () => this.#openOwn(await droppedFolder(items)));
    });
    this.#try(() => this.#open());
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#caller.close();
  }

  #input(): HTMLElement {
    const choose = this.#example;
    choose.addEventListener("change", () => {
      this.#text.value = examples[choose.selectedIndex - 1].text;
      this.#compute();
    });
    const folder = element("input", { id: uniqueId("folder"), type: "file", webkitdirectory: true });
    folder.addEventListener("change", () => {
      if (folder.files?.length) this.#try(() => this.#openOwn(chosenFolder(folder.files as FileList)));
    });
    const faster = element("button", { type: "button", onclick: () => this.#accelerate() }, "Try WebGPU");
    return element(
      "section",
      { class: "lab-input", "aria-label": "Text and model" },
      element("div", {}, element("label", { for: this.#text.id }, "Your text"), this.#text),
      element(
        "div",
        {},
        element("div", { class: "control menu" }, element("label", { for: choose.id }, "Or an example"), choose),
        this.#status,
        this.#progress,
        this.#speed,
        this.#device,
        element(
          "details",
          {},
          element("summary", {}, "Another device or model"),
          element("p", { class: "lab-buttons" }, faster),
          element(
            "label",
            { for: folder.id },
            "A folder of a Hugging Face decoder: choose it, or drop it anywhere here",
          ),
          folder,
        ),
      ),
    );
  }

  /** The menu of examples says whether the text is one. */
  #nameText(): void {
    this.#example.selectedIndex = 1 + examples.findIndex(({ text }) => text === this.#text.value);
  }

  #view(): HTMLElement {
    const section = (name: string, heading: string, ...children: Node[]) =>
      element("section", { class: `lab-${name}` }, element("h2", {}, heading), ...children);
    const shading = element("div", { class: "lab-row" }, this.#scale, this.#first);
    const metric = element("label", { for: this.#metric.id }, "Coloured by");
    return element(
      "div",
      {},
      this.#summary,
      element(
        "div",
        { class: "lab-columns" },
        element(
          "div",
          {},
          section("looks", "What a token looks at", this.#looks, this.#strip.element, shading),
          section("cells", "The whole matrix of this head", this.#cell, this.#matrix.element),
          section("layers", "Layer by layer", this.#layers),
        ),
        element(
          "div",
          {},
          section(
            "heads",
            "Every head",
            element("div", { class: "control menu" }, metric, this.#metric),
            this.#grid.element,
          ),
          section("switches", "Change the model", this.#switches.element),
          section("next", "What it expects next", this.#expects),
        ),
      ),
    );
  }

  async #open(): Promise<void> {
    this.#status.textContent = "Loading the model …";
    const opened = await this.#caller.call("open", [bundledModel], (done, total) => {
      this.#progress.value = done / total;
      this.#status.textContent = `Loading the model: ${megabytes(done)} of ${megabytes(total)} MB`;
    });
    this.#take(opened);
    await this.#compute();
  }

  /** The reader's own model; where it cannot be used, the one before it stays. */
  async #openOwn({ name, files }: Dropped): Promise<void> {
    this.element.setAttribute("aria-busy", "true");
    this.#take(await this.#caller.call("openFiles", [name, files]));
    await this.#compute();
  }

  /** Asks before it loads another 17 MB of runtime. */
  async #accelerate(): Promise<void> {
    const run = this.#run;
    if (!run) return;
    this.element.setAttribute("aria-busy", "true");
    this.#device.textContent = "Loading, checking and timing it …";
    await this.#try(async () => {
      const { used, sentence } = await this.#caller.call("accelerate", [run.milliseconds]);
      this.#device.textContent = used ? "" : sentence;
      if (used && this.#opened) this.#describe({ ...this.#opened, device: sentence });
      await this.#compute();
    });
  }

  #take(opened: Opened): void {
    this.#opened = opened;
    this.#place = { layer: Math.min(3, opened.layers - 1), head: 0 };
    this.#progress.hidden = true;
    this.#describe(opened);
    this.#try(async () => {
      this.#device.textContent = await this.#caller.call("outlook", []);
    });
  }

  #describe({ name, family, layers, heads, device }: Opened): void {
    this.#status.textContent = `${name} (${family}, ${layers} layers of ${count(heads, "head")}) on your machine. ${device}`;
  }

  /** Runs the text with the settings as they are, and shows everything anew. */
  async #compute(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.#opened) return;
    const { layers, heads } = this.#opened;
    this.element.setAttribute("aria-busy", "true");
    await this.#try(async () => {
      const text = this.#text.value;
      const run = await this.#caller.call("run", [text, this.#switches.settings, this.#place]);
      const sameText = run.tokens.join("\0") === this.#run?.tokens.join("\0");
      this.#run = run;
      this.#remember(text);
      if (!sameText) {
        this.#query = run.tokens.length - 1;
        await this.#strip.show(
          run.tokens.map((token, i) => this.#name(token, i)),
          run.hasStart,
        );
        if (run !== this.#run) return; // a newer text has come meanwhile, and is shown
      }
      this.#switches.turnTo(this.#place, heads);
      this.#fillMetrics(run);
      this.#showGrid();
      this.#speed.textContent = speedOf(run);
      this.#summary.replaceChildren(summaryOf(run));
      this.#layers.replaceChildren(layerTable(run.byLayer.slice(0, layers)));
      await turnOf(this.element);
      if (run !== this.#run) return;
      this.#matrix.show(run.tokens.length);
      await this.#showRow();
      await this.#showExpected();
      this.element.removeAttribute("aria-busy");
    });
  }

  #ask(query: number): void {
    this.#query = query;
    this.#try(() => this.#showRow());
    this.#try(() => this.#showExpected());
  }

  #turnTo(place: HeadPlace): void {
    if (!this.#opened) return;
    this.#place = place;
    this.#grid.select(place);
    this.#switches.turnTo(place, this.#opened.heads);
    if (this.#switches.settings.scope !== "all heads") {
      this.#compute();
      return;
    }
    this.element.setAttribute("aria-busy", "true");
    this.#try(() =>
      this.#work.look.do(async () => {
        await this.#caller.call("look", [this.#place]);
        this.#matrix.redraw();
        await this.#showRow();
        this.element.removeAttribute("aria-busy");
      }),
    );
  }

  #shade(): void {
    this.#matrix.redraw();
    this.#try(() => this.#showRow());
  }

  get #shading(): Shading {
    return { scale: this.#scale.value, first: this.#first.value };
  }

  #showRow(): Promise<void> {
    return this.#work.row.do(async () => {
      const query = this.#query;
      const { attention, shades } = await this.#caller.call("row", [query, this.#shading]);
      this.#strip.paint(query, shades);
      this.#looks.textContent = this.#lookSentence(query, attention);
    });
  }

  #showExpected(): Promise<void> {
    return this.#work.expect.do(async () => {
      const query = this.#query;
      const candidates = await this.#caller.call("predict", [query]);
      const loss = this.#run?.losses[query + 1];
      const came =
        loss === undefined ? "" : ` What came, ${this.#quoted(query + 1)}, had ${probability(Math.exp(-loss))}.`;
      this.#expects.replaceChildren(
        element("p", { class: "note" }, `After ${this.#quoted(query)} (token ${query}).${came}`),
        candidateList(candidates, (text) => tokenName(text, false)),
      );
    });
  }

  #draw(view: View): void {
    const { layer, head } = this.#place;
    this.#try(() =>
      this.#work.matrix.do(async () => {
        const image = await this.#caller.call("draw", [{ ...view, ...this.#shading }]);
        this.#matrix.paint(image, `Attention of layer ${layer}, head ${head}.`);
        if (!this.#cell.textContent) this.#point(undefined);
      }),
    );
  }

  #point(cell: { readonly query: number; readonly key: number } | undefined): void {
    if (!cell || !this.#run || cell.query >= this.#run.tokens.length) {
      this.#cell.textContent =
        "Queries downwards, keys to the right. Point at a cell to read it, click to choose its query.";
      return;
    }
    this.#try(() =>
      this.#work.point.do(async () => {
        const { attention } = await this.#caller.call("row", [cell.query, this.#shading]);
        this.#cell.textContent = `${this.#quoted(cell.query)} (token ${cell.query}) puts ${probability(attention[cell.key])} on ${this.#quoted(cell.key)} (token ${cell.key}).`;
      }),
    );
  }

  #fillMetrics({ metrics }: Run): void {
    if (this.#metric.options.length === metrics.length) return;
    this.#metric.replaceChildren(...metrics.map(({ metric }) => element("option", { value: metric.id }, metric.name)));
  }

  #showGrid(): void {
    if (!this.#run || !this.#opened) return;
    const { layers, heads } = this.#opened;
    const { metric, values } = this.#run.metrics[this.#metric.selectedIndex];
    this.#grid.show({ layers, heads, metric, values, silenced: this.#switches.settings.silenced });
    this.#grid.select(this.#place);
  }

  #lookSentence(query: number, attention: Float32Array): string {
    const best = Array.from(attention.keys())
      .sort((a, b) => attention[b] - attention[a])
      .slice(0, 3)
      .filter((key) => attention[key] >= 0.01);
    const targets = best.map((key) => `${percent(attention[key])} on ${key === query ? "itself" : this.#quoted(key)}`);
    const { layer, head } = this.#place;
    return `In layer ${layer}, head ${head}, ${this.#quoted(query)} (token ${query}) puts ${targets.join(", ")}.`;
  }

  #name(token: string, i: number): string {
    return tokenName(token, i === 0 && this.#run?.hasStart === true);
  }

  #quoted(i: number): string {
    const name = this.#name(this.#run?.tokens[i] ?? "", i);
    return i === 0 && this.#run?.hasStart ? "the start" : `“${name.trim() || name}”`;
  }

  /** The address leads back to what is shown, as long as it is short. */
  #remember(text: string): void {
    const url = new URL(location.href);
    if (text === examples[0].text || text.length > 1500) url.searchParams.delete("text");
    else url.searchParams.set("text", text);
    history.replaceState(history.state, "", url);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      this.#problem.hidden = true;
      await work();
    } catch (error) {
      if (error instanceof Overtaken) return;
      this.#problem.hidden = false;
      this.#problem.textContent = error instanceof Error ? error.message : String(error);
      this.element.removeAttribute("aria-busy");
    }
  }

  /** Colours are the theme's. */
  recolour(): void {
    this.#showGrid();
    this.#matrix.redraw();
  }
}

function speedOf({ tokens, milliseconds, cutFrom, beyondTrainedLength }: Run): string {
  const cut = cutFrom ? ` Only the first ${number(tokens.length)} of ${count(cutFrom, "token")} are shown.` : "";
  const beyond = beyondTrainedLength ? " The text is longer than the model was trained on." : "";
  return `${count(tokens.length, "token")} in ${number(milliseconds / 1000, 2)} s.${cut}${beyond}`;
}

/** The lab as an element. The worker ends when `invalidation` resolves. */
export function lab(invalidation?: Promise<unknown>): HTMLElement {
  const it = new Lab();
  const stop = onModeChange(() => it.recolour());
  invalidation?.then(() => {
    stop();
    it.dispose();
  });
  return it.element;
}
