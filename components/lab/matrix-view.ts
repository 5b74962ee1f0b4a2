/** The matrix of a head: keys to the right, queries downwards, with zoom. The worker draws; this shows and steers. */
import { element } from "../element.js";
import { along, palettes } from "../palette.js";
import { mode } from "../theme.js";
import type { Drawing } from "./shading.js";

/** Pixels of each side at most; each shows the largest attention of the cells that it covers. */
const mostPixels = 640;
/** Cells that are shown at least. */
const smallest = 8;

export type View = Pick<Drawing, "left" | "top" | "size" | "pixels" | "colours">;

export interface MatrixViewOptions {
  /** Asks for the picture of this view. */
  readonly draw: (view: View) => void;
  readonly choose: (query: number) => void;
  /** The pointer is over this cell, or over none. */
  readonly point: (cell: { readonly query: number; readonly key: number } | undefined) => void;
}

export class MatrixView {
  readonly element: HTMLElement;
  readonly #canvas = element("canvas", { class: "marks" });
  readonly #frame: HTMLElement;
  readonly #options: MatrixViewOptions;
  #tokens = 1;
  #left = 0;
  #top = 0;
  #size = 1;

  constructor(options: MatrixViewOptions) {
    this.#options = options;
    this.#frame = element(
      "div",
      { class: "lab-matrix", role: "group", tabindex: 0, "aria-roledescription": "zoomable picture" },
      this.#canvas,
    );
    const button = (label: string, text: string, act: () => void) =>
      element("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
    this.element = element(
      "div",
      {},
      this.#frame,
      element(
        "p",
        { class: "lab-buttons" },
        button("Zoom in", "+", () => this.#zoom(0.5)),
        button("Zoom out", "−", () => this.#zoom(2)),
        button("Show the whole matrix", "whole", () => this.#zoom(Number.POSITIVE_INFINITY)),
      ),
    );
    this.#frame.addEventListener("keydown", (event) => this.#pressed(event));
    this.#listen();
  }

  /** Begins with the whole matrix; call `redraw` where only its content has changed. */
  show(tokens: number): void {
    if (tokens !== this.#tokens) [this.#tokens, this.#left, this.#top, this.#size] = [tokens, 0, 0, tokens];
    this.redraw();
  }

  redraw(): void {
    const width = Math.round(this.#frame.clientWidth * devicePixelRatio);
    const pixels = Math.max(16, Math.min(mostPixels, width));
    const colours = Uint8Array.from(along(palettes[mode()].sequential, 128).flatMap(bytesOf));
    this.#options.draw({ left: this.#left, top: this.#top, size: this.#size, pixels, colours });
  }

  /** @param caption what a listener hears instead */
  paint(image: ImageData, caption: string): void {
    this.#canvas.width = image.width;
    this.#canvas.height = image.height;
    this.#canvas.getContext("2d")?.putImageData(image, 0, 0);
    const [first, last] = [Math.floor(this.#top), Math.min(this.#tokens, Math.ceil(this.#top + this.#size)) - 1];
    this.#frame.setAttribute(
      "aria-label",
      `${caption} Queries ${first} to ${last}. Plus and minus zoom, arrow keys move, 0 shows the whole.`,
    );
  }

  #zoom(factor: number, atX = 0.5, atY = 0.5): void {
    const size = Math.min(this.#tokens, Math.max(Math.min(smallest, this.#tokens), this.#size * factor));
    this.#move(this.#left + (this.#size - size) * atX, this.#top + (this.#size - size) * atY, size);
  }

  #move(left: number, top: number, size = this.#size): void {
    const inside = (start: number) => Math.min(this.#tokens - size, Math.max(0, start));
    [this.#left, this.#top, this.#size] = [inside(left), inside(top), size];
    this.redraw();
  }

  #pressed(event: KeyboardEvent): void {
    const step = this.#size / 4;
    const acts: Record<string, () => void> = {
      "+": () => this.#zoom(0.5),
      "=": () => this.#zoom(0.5),
      "-": () => this.#zoom(2),
      "0": () => this.#zoom(Number.POSITIVE_INFINITY),
      ArrowLeft: () => this.#move(this.#left - step, this.#top),
      ArrowRight: () => this.#move(this.#left + step, this.#top),
      ArrowUp: () => this.#move(this.#left, this.#top - step),
      ArrowDown: () => this.#move(this.#left, this.#top + step),
    };
    const act = event.ctrlKey || event.metaKey ? undefined : acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #listen(): void {
    const place = ({ clientX, clientY }: MouseEvent) => {
      const { left, top, width, height } = this.#canvas.getBoundingClientRect();
      return { x: (clientX - left) / width, y: (clientY - top) / height };
    };
    const cellAt = (event: MouseEvent) => {
      const { x, y } = place(event);
      const [key, query] = [Math.floor(this.#left + x * this.#size), Math.floor(this.#top + y * this.#size)];
      return key >= 0 && query >= 0 && key <= query && query < this.#tokens ? { query, key } : undefined;
    };
    let held: { x: number; y: number; left: number; top: number; moved: boolean } | undefined;
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      held = { ...place(event), left: this.#left, top: this.#top, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) return this.#options.point(cellAt(event));
      const { x, y } = place(event);
      held.moved ||= Math.hypot(x - held.x, y - held.y) > 0.01;
      if (held.moved) this.#move(held.left - (x - held.x) * this.#size, held.top - (y - held.y) * this.#size);
    });
    canvas.addEventListener("pointerup", (event) => {
      const cell = held && !held.moved ? cellAt(event) : undefined;
      held = undefined;
      if (cell) this.#options.choose(cell.query);
    });
    canvas.addEventListener("pointerleave", () => this.#options.point(undefined));
    canvas.addEventListener("dblclick", (event) => this.#zoom(0.5, place(event).x, place(event).y));
  }
}

const bytesOf = (hex: string): number[] => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
