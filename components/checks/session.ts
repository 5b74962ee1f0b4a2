/** The bundled model in a worker of a check, opened when the check first asks for it. */
import type { Forward, Prompt, Request } from "../../engine/forward.js";
import { number } from "../format.js";
import { bundledModel } from "../lab/bundled.js";
import { Caller } from "../lab/calls.js";
import type { Opened } from "../lab/laboratory.js";
import type { Passport } from "../passport.js";

/** What cannot be known without more than the page has. */
export class CannotRun extends Error {}

/** Whether the passport's key is made of this hash among others. */
export const isMadeOf = (passport: Passport | undefined, hash: string): boolean =>
  JSON.stringify(passport?.keyParts ?? null).includes(`"${hash}"`);

/** The model as a check sees it. */
export interface CheckedModel {
  readonly caller: Caller;
  readonly shape: Opened;
  /** Start token first, where the model was trained with one. */
  tokens(text: string): Promise<Int32Array>;
  forward(prompt: Prompt, request: Request): Promise<Forward>;
}

export class Session {
  readonly #passport: Passport | undefined;
  readonly #say: (text: string) => void;
  #caller: Caller | undefined;
  #model: Promise<CheckedModel> | undefined;
  #device = "In JavaScript, in double precision.";

  constructor(passport: Passport | undefined, say: (text: string) => void) {
    this.#passport = passport;
    this.#say = say;
  }

  /** What has computed. */
  get device(): string {
    return this.#device;
  }

  /** @throws {CannotRun} where the published result is of another model */
  model(): Promise<CheckedModel> {
    this.#model ??= this.#open();
    return this.#model;
  }

  async #open(): Promise<CheckedModel> {
    const caller = new Caller();
    this.#caller = caller;
    const shape = await caller.call("open", [bundledModel], (done, total) => {
      this.#say(`Loading the model: ${number(Math.round((100 * done) / total))} %`);
    });
    if (!isMadeOf(this.#passport, shape.weights))
      throw new CannotRun(`the published result is of other weights than ${shape.name}, which this site carries.`);
    this.#device = shape.device;
    return {
      caller,
      shape,
      tokens: (text) => caller.call("tokens", [text]),
      forward: (prompt, request) => caller.call("forward", [prompt, request]),
    };
  }

  close(): void {
    this.#caller?.close();
  }
}
