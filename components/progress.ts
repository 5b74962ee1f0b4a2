/** What is shown in the place of a chart while a preview computes its result. A published site never asks for any. */
import { element } from "./element.js";

export interface Progress {
  readonly state: "computing" | "failed" | "ready";
  readonly done: number;
  readonly total: number;
  /** Seconds left, where there is an estimate. */
  readonly left?: number;
  readonly message: string;
  /** Peak of the computing process, in bytes. */
  readonly memory: number;
  /** The last lines that it wrote. */
  readonly log: readonly string[];
}

export type OnProgress = (progress: Progress) => void;

const interval = 500; // ms

/** Asks at `address` how far a computation is, until it has ended. @throws where the signal aborts */
export async function untilComputed(address: string, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
  for (;;) {
    const response = await fetch(address, { signal });
    if (!response.ok) return; // whoever asks for the result now is told why there is none
    const progress: Progress = await response.json();
    if (progress.state !== "computing") return;
    onProgress(progress);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

export class ProgressView {
  readonly element = element("div", { class: "figure-progress", hidden: true });
  readonly #sentence = element("p");
  readonly #bar = element("progress", { "aria-label": "How far the computation is" });
  readonly #log = element("samp"); // not a pre, which Framework gives a button
  readonly #details = element("details", {}, element("summary", {}, "What it wrote"), this.#log);

  constructor() {
    this.element.append(this.#sentence, this.#bar, this.#details);
  }

  show(progress: Progress): void {
    const { done, total, log } = progress;
    this.element.hidden = false;
    this.#sentence.textContent = sentence(progress);
    if (total > 0) this.#bar.value = done / total;
    this.#log.textContent = log.join("\n");
    this.#log.scrollTop = this.#log.scrollHeight; // the latest
    this.#details.hidden = log.length === 0;
  }

  hide(): void {
    this.element.hidden = true;
  }
}

/** "Being computed: 40 %, about 2 min left, 0.4 GiB. text 12" */
export function sentence({ done, total, left, message, memory }: Progress): string {
  if (total === 0) return `Being computed: ${message || "it begins"}.`;
  const parts = [
    `${Math.floor((100 * done) / total)} %`,
    ...(left === undefined
      ? []
      : [`about ${left < 90 ? `${Math.ceil(left)} s` : `${Math.round(left / 60)} min`} left`]),
    ...(memory > 0 ? [`${(memory / 2 ** 30).toFixed(1)} GiB`] : []),
  ];
  return `Being computed: ${parts.join(", ")}. ${message}`.trim();
}
