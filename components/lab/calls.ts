/** Calls of the page to the worker, and the worker's answers. */
import type { Forward, Prompt, Request } from "../../engine/forward.js";
import type { HeadPlace } from "../../engine/metrics/columns.js";
import type { Addresses } from "./delivery.js";
import type { Acceleration, Candidate, Opened, Run } from "./laboratory.js";
import type { QuestionCase, QuestionMeasures, TextCase, TextMeasures } from "./measured.js";
import type { Settings } from "./settings.js";
import type { Drawing, Shading } from "./shading.js";

/** Arguments and result of every method. */
export interface Methods {
  open: { args: [Addresses]; result: Opened };
  openFiles: { args: [string, ReadonlyMap<string, File>]; result: Opened };
  run: { args: [string, Settings, HeadPlace]; result: Run };
  outlook: { args: []; result: string };
  accelerate: { args: [number]; result: Acceleration };
  look: { args: [HeadPlace]; result: undefined };
  row: { args: [number, Shading]; result: { readonly attention: Float32Array; readonly shades: Float32Array } };
  draw: { args: [Drawing]; result: ImageData };
  measureText: { args: [TextCase]; result: TextMeasures };
  measureQuestion: { args: [QuestionCase]; result: QuestionMeasures };
  tokens: { args: [string]; result: Int32Array };
  forward: { args: [Prompt, Request]; result: Forward };
  predict: { args: [number]; result: readonly Candidate[] };
}

export type Method = keyof Methods;

export type Call = {
  [M in Method]: { readonly id: number; readonly method: M; readonly args: Methods[M]["args"] };
}[Method];

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly progress?: { readonly done: number; readonly total: number };
  readonly failure?: { readonly message: string; readonly overtaken: boolean };
}

/** What a newer call has made pointless. */
export class Overtaken extends Error {}

export class Caller {
  readonly #worker = new Worker(import.meta.resolve("./worker.js"), { type: "module" });
  readonly #open = new Map<number, (answer: Answer) => void>();
  #next = 0;

  constructor() {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#open.get(data.id)?.(data));
    this.#worker.addEventListener("error", ({ message }) => {
      const failure = {
        message: `The laboratory's worker ended: ${message || "it could not be loaded"}.`,
        overtaken: false,
      };
      for (const [id, take] of [...this.#open]) take({ id, failure });
    });
  }

  /** Rejects with the sentence of what failed, or with `Overtaken`. */
  call<M extends Method>(
    method: M,
    args: Methods[M]["args"],
    progress?: (done: number, total: number) => void,
  ): Promise<Methods[M]["result"]> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, (answer) => {
        if (answer.progress) return progress?.(answer.progress.done, answer.progress.total);
        this.#open.delete(id);
        const { failure } = answer;
        if (failure) reject(failure.overtaken ? new Overtaken() : new Error(failure.message));
        else resolve(answer.result as Methods[M]["result"]);
      });
      this.#worker.postMessage({ id, method, args });
    });
  }

  close(): void {
    this.#worker.terminate();
  }
}
