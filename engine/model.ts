/** A decoder on a device: token sequences in, statistics of its attention out. */
import { type Architecture, tensorsOf } from "./architecture.js";
import type { Backend, InferenceSession, Tensor } from "./backend.js";
import type { Checkpoint } from "./checkpoint.js";
import { decoderGraph } from "./decoder.js";
import { UserError } from "./errors.js";
import { feedsOf } from "./feeds.js";
import type { Forward, Prompt, Request } from "./forward.js";
import { checkPrompt, checkRequest, lastPosition } from "./prompt.js";
import { Report } from "./report.js";
import { type Plan, planOf } from "./statistics.js";

export interface ForwardOptions {
  /** Queries per run of the graph. Memory grows with chunk · tokens. */
  readonly chunk?: number;
  readonly signal?: AbortSignal;
}

/** Graphs kept ready; each holds its own copy of the weights on the device. */
const sessionsKept = 3;
const defaultChunk = 256;

export class Model {
  /** By plan, the most recently used last. */
  readonly #sessions = new Map<string, Promise<InferenceSession>>();
  readonly #weights: ReadonlyMap<string, Float32Array>;

  private constructor(
    readonly checkpoint: Checkpoint,
    readonly backend: Backend,
    weights: ReadonlyMap<string, Float32Array>,
  ) {
    this.#weights = weights;
  }

  /** Reads the weights. @throws {UserError} where they cannot be read or are not finite */
  static async load(checkpoint: Checkpoint, backend: Backend): Promise<Model> {
    const weights = new Map<string, Float32Array>();
    for (const name of tensorsOf(checkpoint.architecture).keys()) weights.set(name, await checkpoint.tensor(name));
    return new Model(checkpoint, backend, weights);
  }

  get architecture(): Architecture {
    return this.checkpoint.architecture;
  }

  /**
   * Runs the model over one token sequence, chunk by chunk over a key–value cache, and reports what is asked for.
   * @throws {UserError} where the prompt or the request does not fit the model
   */
  async forward(prompt: Prompt, request: Request = {}, options: ForwardOptions = {}): Promise<Forward> {
    const { chunk = defaultChunk, signal } = options;
    checkPrompt(prompt, this.architecture);
    checkRequest(request, prompt.ids.length);
    if (!Number.isSafeInteger(chunk) || chunk < 1)
      throw new UserError(`chunk is ${chunk}, but must be a whole number of at least 1.`);
    const tokens = prompt.ids.length;
    const plan = planOf(prompt, request);
    const session = await this.#session(plan);
    const beyondTrainedLength = lastPosition(prompt) >= this.architecture.contextLength;
    const report = new Report(this.architecture, plan, request, tokens, beyondTrainedLength);
    const cache = new Cache(this.architecture, tokens);
    const step = plan.scores ? tokens : chunk; // scores of all keys, those after the query too, need all keys at once
    for (let start = 0; start < tokens; start += step) {
      signal?.throwIfAborted();
      const end = Math.min(start + step, tokens);
      const last = end === tokens;
      const fetches = session.outputNames.filter((name) => isNeeded(name, plan, last));
      if (fetches.length === 0) break;
      const outputs = await session.run(
        {
          ...feedsOf({
            architecture: this.architecture,
            prompt,
            request,
            plan,
            start,
            end,
            Tensor: this.backend.Tensor,
          }),
          ...cache.past(start, this.backend),
        },
        fetches,
      );
      report.add({ start, queries: end - start, outputs });
      if (!last) cache.append(start, end, outputs.keys, outputs.values);
    }
    return report.finish();
  }

  /** Frees what the model holds on its device. */
  async release(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) await (await session).release();
  }

  async #session(plan: Plan): Promise<InferenceSession> {
    const key = JSON.stringify(plan);
    const session =
      this.#sessions.get(key) ?? this.backend.createSession(decoderGraph(this.architecture, plan), this.#weights);
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > sessionsKept) {
      const released = this.#sessions.get(oldest);
      this.#sessions.delete(oldest);
      await (await released)?.release();
    }
    return session;
  }
}

/** The cache is for later chunks only, and logits of the last position only come with the last chunk. */
function isNeeded(output: string, plan: Plan, last: boolean): boolean {
  if (output === "keys" || output === "values") return !last;
  return output !== "logits" || last || plan.logits === "all";
}

/** Keys and values of all layers, so laid out that those of the past are the beginning of each array. */
class Cache {
  readonly #keys: Float32Array[]; // layers × [tokens, keyValueHeads, headSize]
  readonly #values: Float32Array[];
  readonly #row: number;

  constructor(
    readonly architecture: Architecture,
    tokens: number,
  ) {
    const { layers, keyValueHeads, headSize } = architecture;
    this.#row = keyValueHeads * headSize;
    const arrays = () => Array.from({ length: layers }, () => new Float32Array(tokens * this.#row));
    this.#keys = arrays();
    this.#values = arrays();
  }

  past(length: number, { Tensor }: Backend): Record<string, Tensor> {
    const { keyValueHeads, headSize } = this.architecture;
    const prefix = (values: Float32Array) =>
      new Tensor("float32", values.subarray(0, length * this.#row), [length, keyValueHeads, headSize]);
    return Object.fromEntries([
      ...this.#keys.map((values, layer) => [`past keys ${layer}`, prefix(values)] as const),
      ...this.#values.map((values, layer) => [`past values ${layer}`, prefix(values)] as const),
    ]);
  }

  /** @param keys and @param values [layers · queries, keyValueHeads, headSize] */
  append(start: number, end: number, keys: Tensor, values: Tensor): void {
    const size = (end - start) * this.#row;
    const copy = (targets: Float32Array[], source: Tensor["data"]) =>
      targets.forEach((target, layer) => {
        target.set((source as Float32Array).subarray(layer * size, (layer + 1) * size), start * this.#row);
      });
    copy(this.#keys, keys.data);
    copy(this.#values, values.data);
  }
}
