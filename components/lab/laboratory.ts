/** What runs in the worker: one model, one text, and everything that the page shows of them. */
import type { Architecture } from "../../engine/architecture.js";
import type { Backend } from "../../engine/backend.js";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import type { Forward, Prompt, Request } from "../../engine/forward.js";
import type { HeadPlace } from "../../engine/metrics/columns.js";
import { meanDefined } from "../../engine/metrics/patterns.js";
import { shareAbove } from "../../engine/metrics/sinks.js";
import { Model } from "../../engine/model.js";
import { selfCheck, tolerated } from "../../engine/self-check.js";
import type { ByteSource } from "../../engine/source.js";
import { openTokenizer, type Tokenizer } from "../../engine/tokenizer.js";
import { openWasm } from "../devices/wasm.js";
import { findAdapter, openWebgpu } from "../devices/webgpu.js";
import { number } from "../format.js";
import { type Addresses, deliver, droppedSource, type OnProgress } from "./delivery.js";
import { type HeadValues, headValues, statisticsRequest } from "./head-metrics.js";
import {
  measureQuestion,
  measureText,
  type QuestionCase,
  type QuestionMeasures,
  type TextCase,
  type TextMeasures,
} from "./measured.js";
import { isPlain, plain, promptOf, type Settings } from "./settings.js";
import { type Drawing, drawMatrix, type Shading, shadedRow } from "./shading.js";

/** As many as the drawing of a matrix is made for. */
const mostTokens = 2048;
const mostCandidates = 8;

export interface Opened {
  readonly name: string;
  readonly family: string;
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** What runs it, and whether that can be trusted. */
  readonly device: string;
  /** sha256 of the weights. */
  readonly weights: string;
}

export interface LayerRow {
  readonly entropy: number; // nats
  readonly meanDistance: number; // tokens
  readonly firstTokenMass: number;
  readonly sinkRate: number;
  readonly residualNorm: number; // before the block
}

/** A run in a few numbers: means over heads and queries, and over predicted tokens. */
export interface Summary {
  readonly entropy: number; // nats
  readonly loss: number; // nats per token; NaN for a single token
  readonly firstTokenMass: number;
}

export interface Run extends Summary {
  readonly tokens: readonly string[];
  /** Tokens of the whole text, where it was cut. */
  readonly cutFrom?: number;
  readonly hasStart: boolean;
  readonly beyondTrainedLength: boolean;
  readonly metrics: readonly HeadValues[];
  readonly byLayer: readonly LayerRow[];
  /** Surprise at each token given those before it, NaN for the first. */
  readonly losses: Float32Array; // [tokens]
  readonly milliseconds: number;
  /** The same text through the model as it is, where the settings change it. */
  readonly before?: Summary;
}

export interface Candidate {
  readonly text: string;
  readonly probability: number;
}

/** What came of trying another device. */
export interface Acceleration {
  readonly used: boolean;
  readonly sentence: string;
}

interface Subject {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
}

export class Laboratory {
  readonly #backend: Promise<{ readonly backend: Backend; readonly check: number }> = openChecked();
  #subject: Subject | undefined;
  #ids: Int32Array = new Int32Array();
  #settings: Settings = plain;
  #place: HeadPlace = { layer: 0, head: 0 };
  #matrix: Float32Array = new Float32Array(); // [tokens, tokens]
  #expected: readonly Candidate[] = []; // after the last token
  #before: { readonly ids: Int32Array; readonly run: Summary } | undefined;
  #running = new AbortController();

  async open(addresses: Addresses, progress: OnProgress): Promise<Opened> {
    return this.#load(await deliver(addresses, progress), { isVerified: true });
  }

  /** A folder of the reader's, by the names of its files. */
  async openFiles(name: string, files: ReadonlyMap<string, File>): Promise<Opened> {
    return this.#load(droppedSource(name, files), { isVerified: false });
  }

  async #load(source: ByteSource, { isVerified }: { readonly isVerified: boolean }): Promise<Opened> {
    const [checkpoint, tokenizer, { backend, check }] = await Promise.all([
      openCheckpoint(source),
      openTokenizer(source),
      this.#backend,
    ]);
    if (!(check <= tolerated)) {
      throw new UserError(
        `This browser is off by ${check.toPrecision(2)} in the self-check, so nothing is computed here.`,
      );
    }
    const model = await Model.load(checkpoint, backend);
    if (!isVerified && !(await computesNumbers(model))) {
      await model.release();
      throw new UserError(`${source.name}: what this model computes is beyond what float32 can hold.`);
    }
    await this.#subject?.model.release();
    this.#subject = { model, tokenizer };
    this.#before = undefined;
    const { family, layers, heads, vocabulary } = model.architecture;
    const { weights } = checkpoint.hashes;
    return { name: source.name, family, layers, heads, vocabulary, weights, device: deviceSentence(backend, check) };
  }

  /** Runs the model over a text. A run that is overtaken by the next one ends with an AbortError. */
  async run(text: string, settings: Settings, place: HeadPlace): Promise<Run> {
    this.#running.abort();
    const running = new AbortController();
    this.#running = running;
    const { model, tokenizer } = this.#opened();
    const { architecture } = model;
    const whole = tokenizer.prompt(text);
    if (whole.length === 0) throw new UserError("There is no text to look at: type some.");
    const ids = whole.slice(0, mostTokensOf(architecture));
    const compute = async (of: Settings) => {
      const prompt = promptOf(ids, of, architecture);
      const request = { ...statisticsRequest(ids), headWeights: headWeights(architecture, place) };
      return { prompt, forward: await model.forward(prompt, request, { signal: running.signal }) };
    };
    const started = performance.now();
    const { prompt, forward } = await compute(settings);
    const milliseconds = performance.now() - started;
    const summary = summaryOf(forward);
    if (isPlain(settings)) this.#before = { ids, run: summary };
    else if (!this.#before || !equal(this.#before.ids, ids))
      this.#before = { ids, run: summaryOf((await compute(plain)).forward) };
    this.#ids = ids;
    this.#settings = settings;
    this.#place = place;
    this.#matrix = forward.mixture?.data ?? new Float32Array();
    this.#expected = candidatesOf(forward, tokenizer);
    return {
      ...summary,
      tokens: Array.from(ids, (id) => tokenizer.token(id)),
      cutFrom: whole.length > ids.length ? whole.length : undefined,
      hasStart: tokenizer.startToken !== undefined && ids[0] === tokenizer.startToken,
      beyondTrainedLength: forward.beyondTrainedLength,
      metrics: headValues(forward, prompt, architecture),
      byLayer: layerRows(forward, architecture),
      losses: Float32Array.of(Number.NaN, ...(forward.logProbability ?? []).map((p) => -p)),
      milliseconds,
      before: isPlain(settings) ? undefined : this.#before.run,
    };
  }

  /** Why WebGPU is not used, before it is tried. */
  async outlook(): Promise<string> {
    return findAdapter().then(() => "WebGPU is there to be tried.", notUsed);
  }

  /** Tries the graphics processor with the text in view, and moves the model there where it is right and faster. */
  async accelerate(milliseconds: number): Promise<Acceleration> {
    const { model, tokenizer } = this.#opened();
    const stays = (reason: unknown) => ({ used: false, sentence: notUsed(reason) });
    try {
      const backend = await openWebgpu();
      const error = await selfCheck(backend);
      if (!(error <= tolerated)) return stays(`it is off by ${error.toPrecision(2)} in its self-check`);
      const moved = await Model.load(model.checkpoint, backend);
      const time = await this.#timeOf(moved);
      const speed = `${Math.round(time)} ms for this text, against ${Math.round(milliseconds)} ms`;
      if (time > milliseconds) {
        await moved.release();
        return stays(`it takes ${speed}`);
      }
      this.#subject = { model: moved, tokenizer };
      await model.release();
      const right = `largest error in its self-check ${number(error, 1)}`;
      return { used: true, sentence: `WebGPU, ${backend.description.adapter}; ${right}; ${speed}.` };
    } catch (error) {
      return stays(error);
    }
  }

  /** Milliseconds of the run in view on another device, after one in which that prepares itself. */
  async #timeOf(model: Model): Promise<number> {
    const prompt = promptOf(this.#ids, this.#settings, model.architecture);
    const request = {
      ...statisticsRequest(this.#ids),
      headWeights: headWeights(model.architecture, this.#place),
    };
    await model.forward(prompt, request);
    const started = performance.now();
    await model.forward(prompt, request);
    return performance.now() - started;
  }

  /** Turns to another head of the same run. */
  async look(place: HeadPlace): Promise<void> {
    if (place.layer === this.#place.layer && place.head === this.#place.head) return;
    const { model } = this.#opened();
    const { architecture } = model;
    const prompt = promptOf(this.#ids, this.#settings, architecture);
    const { signal } = this.#running;
    const { mixture } = await model.forward(prompt, { headWeights: headWeights(architecture, place) }, { signal });
    this.#place = place;
    this.#matrix = mixture?.data ?? new Float32Array();
  }

  /** Attention of one query of the head in view, as it is and as it is to be shaded, from 0 to 1: [tokens] each. */
  async row(
    query: number,
    shading: Shading,
  ): Promise<{ readonly attention: Float32Array; readonly shades: Float32Array }> {
    const attention = this.#matrix.slice(query * this.#ids.length, (query + 1) * this.#ids.length);
    return { attention, shades: shadedRow(attention, query, shading) };
  }

  /** A part of the matrix of the head in view, as pixels. */
  async draw(drawing: Drawing): Promise<ImageData> {
    return drawMatrix(this.#matrix, this.#ids.length, drawing);
  }

  /** What the model takes to follow a token, most probable first. */
  async predict(query: number): Promise<readonly Candidate[]> {
    if (query === this.#ids.length - 1) return this.#expected;
    const { model, tokenizer } = this.#opened();
    const prompt = promptOf(this.#ids.slice(0, query + 1), this.#settings, model.architecture);
    return candidatesOf(await model.forward(prompt, { logits: "last" }, { signal: this.#running.signal }), tokenizer);
  }

  async measureText(of: TextCase): Promise<TextMeasures> {
    const { model, tokenizer } = this.#opened();
    return measureText(model, tokenizer, of);
  }

  async measureQuestion(of: QuestionCase): Promise<QuestionMeasures> {
    return measureQuestion(this.#opened().model, of);
  }

  /** Of a whole text, start token first where the model was trained with one. */
  async tokens(text: string): Promise<Int32Array> {
    return this.#opened().tokenizer.prompt(text);
  }

  /** One pass as the engine does it, beside the text in view. */
  async forward(prompt: Prompt, request: Request): Promise<Forward> {
    return this.#opened().model.forward(prompt, request);
  }

  #opened(): Subject {
    if (!this.#subject) throw new Error("No model is open yet.");
    return this.#subject;
  }
}

async function openChecked(): Promise<{ backend: Backend; check: number }> {
  const backend = openWasm();
  return { backend, check: await selfCheck(backend) };
}

/** Whether it computes numbers: all that is shown of a model that does not would look merely empty. */
async function computesNumbers(model: Model): Promise<boolean> {
  const { logits } = await model.forward({ ids: Int32Array.of(0) }, { logits: "last" });
  return logits?.data.every(Number.isFinite) ?? false;
}

function notUsed(reason: unknown): string {
  const why = reason instanceof Error ? reason.message.replace(/\.$/, "") : String(reason);
  return `WebGPU is not used: ${why}.`;
}

function deviceSentence({ description }: Backend, check: number): string {
  return `WebAssembly, one thread (${description.runtime} ${description.version}); largest error in its self-check ${number(check, 1)}.`;
}

/** Learned positions end where their table does. */
const mostTokensOf = ({ positions, contextLength }: Architecture): number =>
  positions.kind === "learned" ? Math.min(mostTokens, contextLength) : mostTokens;

function candidatesOf({ logits }: Forward, tokenizer: Tokenizer): Candidate[] {
  const scores = logits?.data ?? new Float32Array();
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
  return Array.from(scores.keys())
    .sort((a, b) => scores[b] - scores[a])
    .slice(0, mostCandidates)
    .map((id) => ({ text: tokenizer.token(id), probability: Math.exp(scores[id] - largest) / total }));
}

function headWeights({ layers, heads }: Architecture, { layer, head }: HeadPlace): Float32Array {
  const weights = new Float32Array(layers * heads);
  weights[layer * heads + head] = 1;
  return weights;
}

const equal = (a: Int32Array, b: Int32Array): boolean => a.length === b.length && a.every((id, i) => id === b[i]);

function summaryOf({ entropy, logProbability, pattern, tokens }: Forward): Summary {
  return {
    entropy: meanDefined(entropy?.data ?? []),
    loss: -meanDefined(logProbability ?? []),
    firstTokenMass: firstTokenMass(pattern?.data ?? new Float32Array(), pattern?.dims[2] ?? 1, tokens),
  };
}

/** The first of the patterns is the first token: mean over the heads that the values are of. */
function firstTokenMass(values: Float32Array, patterns: number, tokens: number): number {
  const heads = values.length / (patterns * tokens);
  const means = Array.from({ length: heads }, (_, i) =>
    meanDefined(values.subarray(i * patterns * tokens, (i * patterns + 1) * tokens)),
  );
  return meanDefined(means);
}

function layerRows(
  { entropy, meanDistance, pattern, received, residualNorm, tokens }: Forward,
  { layers, heads }: Architecture,
): LayerRow[] {
  return Array.from({ length: layers }, (_, layer) => {
    const of = (values: Float32Array | undefined, size: number) =>
      values?.subarray(layer * size, (layer + 1) * size) ?? new Float32Array();
    const patterns = pattern?.dims[2] ?? 1;
    const sums = of(received?.data, heads * tokens);
    return {
      entropy: meanDefined(of(entropy?.data, heads * tokens)),
      meanDistance: meanDefined(of(meanDistance?.data, heads * tokens)),
      firstTokenMass: firstTokenMass(of(pattern?.data, heads * patterns * tokens), patterns, tokens),
      sinkRate: shareAbove(Array.from({ length: heads }, (_, head) => sums[head * tokens] / tokens)),
      residualNorm: meanDefined(of(residualNorm?.data, tokens)),
    };
  });
}
