/** A decoder on a device: token sequences in, statistics of its attention out. */
import type { Architecture } from "./architecture.js";
import type { Backend, FusedDecoder, InferenceSession } from "./backend.js";
import { KeyValueCache } from "./cache.js";
import type { Checkpoint } from "./checkpoint.js";
import { decoderGraph } from "./decoder.js";
import { UserError } from "./errors.js";
import { feedsOf } from "./feeds.js";
import type { Forward, ForwardOptions, Prompt, Request } from "./forward.js";
import { chunkFor, weightSizes } from "./memory.js";
import { checkPrompt, checkRequest, lastPosition } from "./prompt.js";
import { floats, Report } from "./report.js";
import { type Plan, planOf } from "./statistics.js";
import { type KeptWeights, weightBytes } from "./weights.js";

/** Sessions hold the weights each: as many as fit into this many bytes are kept, one at least and four at most. */
const sessionMemory = 2 ** 29;

export class Model {
  readonly #sessions = new Map<string, InferenceSession>(); // by plan, the most recently used last
  readonly #fused: FusedDecoder | undefined;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly checkpoint: Checkpoint,
    readonly backend: Backend,
    readonly weights: KeptWeights,
    private readonly sessionsKept: number,
  ) {
    this.#fused = backend.fused?.(checkpoint.architecture, weights);
  }

  /** Reads the weights. @throws {UserError} where they cannot be read, are not finite, or too large for the device */
  static async load(checkpoint: Checkpoint, backend: Backend): Promise<Model> {
    const sizes = weightSizes(checkpoint.architecture);
    const sessions = Math.max(1, Math.min(4, Math.floor(sessionMemory / weightBytes(sizes))));
    const kept = await backend.keepWeights?.(checkpoint, sizes);
    return new Model(checkpoint, backend, kept ?? (await readAhead(checkpoint, sizes.keys(), sessions)), sessions);
  }

  get architecture(): Architecture {
    return this.checkpoint.architecture;
  }

  /**
   * Runs the model over one token sequence, chunk by chunk over a key–value cache, and reports what is asked for.
   * Calls wait for each other.
   * @throws {UserError} where the prompt or the request does not fit the model
   */
  async forward(prompt: Prompt, request: Request = {}, options: ForwardOptions = {}): Promise<Forward> {
    const { chunk = chunkFor(this.architecture, prompt.ids.length) } = options;
    if (!Number.isSafeInteger(chunk) || chunk < 1) {
      throw new UserError(`chunk is ${chunk}, but must be a whole number of at least 1.`);
    }
    checkPrompt(prompt, this.architecture);
    checkRequest(request, prompt.ids.length, this.architecture);
    return this.#afterOthers(() =>
      this.#fused?.accepts(prompt, request)
        ? this.#fused.forward(prompt, request, options)
        : this.#forward(prompt, request, chunk, options),
    );
  }

  /** Frees what the model holds on its device. */
  async release(): Promise<void> {
    await this.#afterOthers(async () => {
      for (const session of this.#sessions.values()) await session.release();
      this.#sessions.clear();
      await this.#fused?.release();
      await this.weights.release();
    });
  }

  #afterOthers<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#running.then(work, work);
    this.#running = result;
    return result;
  }

  async #forward(
    prompt: Prompt,
    request: Request,
    chunk: number,
    { signal, progress }: ForwardOptions,
  ): Promise<Forward> {
    const { architecture, backend } = this;
    const tokens = prompt.ids.length;
    const plan = planOf(prompt, request);
    const session = await this.#session(plan);
    const beyondTrainedLength = lastPosition(prompt) >= architecture.contextLength;
    const report = new Report(architecture, plan, request, tokens, beyondTrainedLength);
    const cache = new KeyValueCache(architecture, tokens);
    const step = plan.scores ? tokens : chunk; // scores include keys after the query, so they need all keys at once
    for (let start = 0; start < tokens; start += step) {
      signal?.throwIfAborted();
      const end = Math.min(start + step, tokens);
      const last = end === tokens;
      const fetches = session.outputNames.filter((name) => isNeeded(name, plan, last));
      if (fetches.length === 0) break;
      const feeds = feedsOf({ architecture, prompt, request, plan, start, end, Tensor: backend.Tensor });
      const outputs = await session.run({ ...feeds, ...cache.past(start, backend) }, fetches);
      report.add({ start, queries: end - start, outputs });
      if (!last) cache.append(start, end, floats(outputs, "keys"), floats(outputs, "values"));
      progress?.(end);
    }
    return report.finish();
  }

  async #session(plan: Plan): Promise<InferenceSession> {
    const key = JSON.stringify(plan);
    const kept = this.#sessions.get(key);
    this.#sessions.delete(key);
    const [oldest] = this.#sessions;
    if (!kept && this.#sessions.size === this.sessionsKept) {
      this.#sessions.delete(oldest[0]);
      await oldest[1].release();
    }
    const session = kept ?? (await this.backend.createSession(decoderGraph(this.architecture, plan), this.weights));
    this.#sessions.set(key, session);
    return session;
  }
}

/**
 * Reads all weights now, so that what is wrong with them shows. They stay in memory for as long as more sessions may
 * be created, or, where only one is kept at a time, until the first one has taken them.
 */
async function readAhead(checkpoint: Checkpoint, names: Iterable<string>, sessions: number): Promise<KeptWeights> {
  const read = new Map<string, Float32Array>();
  for (const name of names) read.set(name, await checkpoint.tensor(name));
  return {
    async tensor(name) {
      const values = read.get(name);
      if (sessions === 1) read.delete(name);
      return values ?? checkpoint.tensor(name);
    },
    async release() {
      read.clear();
    },
  };
}

/** The cache is for later chunks only, and logits of the last position only come with the last chunk. */
function isNeeded(output: string, plan: Plan, last: boolean): boolean {
  if (output === "keys" || output === "values") return !last;
  return output !== "logits" || last || plan.logits === "all";
}
