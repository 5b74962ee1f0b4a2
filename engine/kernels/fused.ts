/**
 * A decoder's forward pass on WebGPU without attention matrices: ONNX Runtime computes what lies between two
 * attentions, kernels the attention and its statistics, and queries, keys, values and the residual stream stay in GPU
 * buffers all the way. Only statistics come back.
 */
import type { Architecture } from "../architecture.js";
import type { Backend, FusedDecoder, InferenceSession } from "../backend.js";
import type { Forward, ForwardOptions, Prompt, Request } from "../forward.js";
import type { Graph } from "../graph.js";
import type { Weights } from "../weights.js";
import { supportsHeadSize } from "./attention.js";
import { cutsOf, headCut, keptOnGpu } from "./cuts.js";
import { FusedPass } from "./fused-pass.js";
import { Gpu } from "./gpu.js";

/** What the kernels compute, and under what; anything else goes through the plain graph. */
const requests = new Set(["rows", "keySegments", "queryGroups", "targets", "distances", "norms", "logits"]);
const prompts = new Set(["ids", "positions", "pieces", "keyBias", "headGate", "temperature"]);

function canFuse({ headSize, positions }: Architecture, prompt: Prompt, request: Request): boolean {
  const within = (known: ReadonlySet<string>, given: object) =>
    Object.entries(given).every(
      ([name, value]) => known.has(name) || !value || (Array.isArray(value) && !value.length),
    );
  const byIndex = positions.kind !== "alibi" || (!positions.rounded && !prompt.positions);
  return supportsHeadSize(headSize) && byIndex && within(requests, request) && within(prompts, prompt);
}

export class GpuDecoder implements FusedDecoder {
  #sessions: Promise<InferenceSession[]> | undefined; // one per cut
  #head: Promise<InferenceSession> | undefined;
  readonly #sinks = new Map<string, Promise<Float32Array>>();

  constructor(
    readonly architecture: Architecture,
    readonly backend: Backend,
    readonly device: GPUDevice,
    readonly weights: Weights,
  ) {}

  accepts(prompt: Prompt, request: Request): boolean {
    return canFuse(this.architecture, prompt, request);
  }

  async forward(prompt: Prompt, request: Request, options: ForwardOptions): Promise<Forward> {
    this.#sessions ??= this.#open(cutsOf(this.architecture));
    const sessions = await this.#sessions;
    return new FusedPass(this, sessions, await Gpu.open(this.device), prompt, request, options).run();
  }

  /** The session that turns the last residual stream into logits. */
  head(): Promise<InferenceSession> {
    this.#head ??= this.#create(headCut(this.architecture));
    return this.#head;
  }

  /** [heads] */
  sinks(name: string): Promise<Float32Array> {
    const values = this.#sinks.get(name) ?? this.weights.tensor(name);
    this.#sinks.set(name, values);
    return values;
  }

  async release(): Promise<void> {
    for (const session of (await this.#sessions) ?? []) await session.release();
    await (await this.#head)?.release();
    (await Gpu.open(this.device)).trim();
  }

  async #open(graphs: readonly Graph[]): Promise<InferenceSession[]> {
    const sessions: InferenceSession[] = [];
    for (const graph of graphs) sessions.push(await this.#create(graph));
    return sessions;
  }

  #create(graph: Graph): Promise<InferenceSession> {
    return this.backend.createSession(graph, this.weights, keptOnGpu);
  }
}
