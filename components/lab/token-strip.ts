/** The text as tokens, each as dark as the chosen query attends to it. */
import { element, uniqueId } from "../element.js";
import { turnOf } from "../turns.js";

/** Tokens that are laid out together; groups out of view cost nothing. */
const together = 256;
const newline = "↵";

/** Steps of the keys that move the choice. */
const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10 };

export class TokenStrip {
  readonly element: HTMLElement;
  readonly #choose: (query: number) => void;
  readonly #prefix = uniqueId("token");
  #tokens: HTMLElement[] = [];
  #query = 0;

  constructor(choose: (query: number) => void) {
    this.#choose = choose;
    this.element = element("div", {
      class: "lab-tokens",
      role: "listbox",
      tabindex: 0,
      "aria-label": "Tokens: choose the query with the arrow keys",
      onclick: (event) => this.#clicked(event),
      onkeydown: (event) => this.#pressed(event as KeyboardEvent),
    });
  }

  /** Group by group, and the page answers between them; ends early where another text is shown meanwhile. */
  async show(names: readonly string[], hasStart: boolean): Promise<void> {
    const tokens: HTMLElement[] = [];
    this.#tokens = tokens;
    this.element.replaceChildren();
    for (let start = 0; start < names.length; start += together) {
      if (start > 0) await turnOf(this.element);
      if (this.#tokens !== tokens) return;
      const group = element("div", { role: "group", "aria-label": `Tokens from ${start}` });
      for (const name of names.slice(start, start + together)) {
        const token = this.#token(tokens.length, name);
        token.classList.toggle("start", hasStart && tokens.length === 0);
        tokens.push(token);
        group.append(token, ...(name.includes(newline) ? ["\n"] : []));
      }
      this.element.append(group);
    }
  }

  #token(index: number, name: string): HTMLElement {
    const id = `${this.#prefix}-${index}`;
    return element("span", { role: "option", id, "data-index": index, "aria-selected": "false" }, name);
  }

  /** @param shades 0 to 1 for each token */
  paint(query: number, shades: ArrayLike<number>): void {
    this.#tokens[this.#query]?.setAttribute("aria-selected", "false");
    this.#query = query;
    this.#tokens[query]?.setAttribute("aria-selected", "true");
    this.element.setAttribute("aria-activedescendant", `${this.#prefix}-${query}`);
    this.#reveal(this.#tokens[query]);
    this.#tokens.forEach((token, i) => {
      const shade = `${Math.round(shades[i] * 100)}%`;
      if (token.dataset.shade === shade) return;
      token.dataset.shade = shade;
      token.style.setProperty("--shade", shade);
    });
  }

  /** Scrolls the strip and never the page. */
  #reveal(token: HTMLElement | undefined): void {
    if (!token) return;
    const { top, bottom } = token.getBoundingClientRect();
    const frame = this.element.getBoundingClientRect();
    if (top < frame.top) this.element.scrollTop -= frame.top - top;
    if (bottom > frame.bottom) this.element.scrollTop += bottom - frame.bottom;
  }

  #clicked({ target }: Event): void {
    const index = target instanceof HTMLElement ? target.dataset.index : undefined;
    if (index !== undefined) this.#choose(Number(index));
  }

  #pressed(event: KeyboardEvent): void {
    const last = this.#tokens.length - 1;
    const to = event.key === "Home" ? 0 : event.key === "End" ? last : this.#query + (steps[event.key] ?? Number.NaN);
    if (Number.isNaN(to) || last < 0) return;
    event.preventDefault();
    const query = Math.min(last, Math.max(0, to));
    this.#choose(query);
  }
}

/** How a token is called in sentences and on its own: what has no shape of its own is named. */
export function tokenName(text: string, isStart: boolean): string {
  if (isStart) return "start";
  return text.replaceAll("\n", newline).replaceAll("\t", "⇥");
}
