/** Refuses prompts and requests that a model cannot take, before any work is done. */
import type { Architecture } from "./architecture.js";
import { UserError } from "./errors.js";
import type { Prompt, Request, ResidualPatch, Selection } from "./forward.js";

/** @throws {UserError} naming what is wrong, where, and what would be right */
export function checkPrompt(prompt: Prompt, architecture: Architecture): void {
  const { vocabulary, contextLength, layers, heads, width, positions } = architecture;
  const tokens = prompt.ids.length;
  if (tokens === 0) throw new UserError("The prompt is empty; at least one token is needed.");
  prompt.ids.forEach((id, i) => {
    if (id < 0 || id >= vocabulary) {
      throw new UserError(
        `Token ${i} of the prompt has the id ${id}, but the model knows ids from 0 to ${vocabulary - 1}.`,
      );
    }
  });
  checkLength(prompt.positions, "positions", tokens);
  checkLength(prompt.pieces, "pieces", tokens);
  const negative = prompt.positions?.find((position) => position < 0);
  if (negative !== undefined) throw new UserError(`A position is ${negative}; positions start at 0.`);
  const furthest = lastPosition(prompt);
  if (positions.kind === "learned" && furthest >= contextLength) {
    throw new UserError(
      `The prompt reaches position ${furthest}, but the model's table of learned positions ends at ${contextLength - 1}.`,
    );
  }
  const piece = prompt.pieces?.find((value) => value < -1);
  if (piece !== undefined) throw new UserError(`A piece is ${piece}; pieces are −1, 0, 1, 2, …`);
  checkBroadcast(prompt.keyBias, "keyBias", [layers, heads], [tokens], (value) => value < Infinity, "a number or −∞");
  checkBroadcast(prompt.headGate, "headGate", [layers, heads], [], Number.isFinite, "a finite number");
  checkBroadcast(
    prompt.temperature,
    "temperature",
    [layers, heads],
    [],
    (value) => value > 0 && value < Infinity,
    "above 0",
  );
  checkBroadcast(prompt.eviction, "eviction", [layers, heads], [tokens], (since) => since >= 1, "at least 1");
  const own = prompt.eviction?.data.findIndex((since, i) => since <= i % tokens) ?? -1;
  if (own >= 0) {
    throw new UserError(
      `eviction hides key ${own % tokens} from query ${prompt.eviction?.data[own]} on, but at least its own query must see it: ${(own % tokens) + 1} or later.`,
    );
  }
  if (prompt.selection) checkSelection(prompt.selection, tokens, architecture);
  prompt.residualPatches?.forEach((patch, i) => {
    checkPatch(patch, `residualPatches[${i}]`, { layers, width, tokens });
  });
}

function checkSelection(
  { directions, rank, keep, from, keys }: Selection,
  tokens: number,
  { layers, keyValueHeads, headSize }: Architecture,
): void {
  const checkWhole = (name: string, value: number, least: number, most: number) => {
    if (Number.isSafeInteger(value) && value >= least && value <= most) return;
    throw new UserError(`selection has ${name} = ${value}, but it must be a whole number from ${least} to ${most}.`);
  };
  checkWhole("rank", rank, 1, headSize);
  checkWhole("keys", keys, 1, tokens);
  checkWhole("keep", keep, 1, keys);
  checkWhole("from", from, keys, tokens); // a query does not choose among keys that come after it, or its own
  const count = layers * keyValueHeads * headSize * rank;
  if (directions.length !== count) {
    throw new UserError(
      `selection holds ${directions.length} values in directions, but they must be ${count}: [${[layers, keyValueHeads, headSize, rank].join(", ")}].`,
    );
  }
  if (!directions.every(Number.isFinite)) {
    throw new UserError("selection holds a value in directions that is not a finite number.");
  }
}

function checkPatch(
  { layer, tokens, values }: ResidualPatch,
  name: string,
  limits: { readonly layers: number; readonly width: number; readonly tokens: number },
): void {
  if (!Number.isSafeInteger(layer) || layer < 0 || layer > limits.layers) {
    throw new UserError(
      `${name} is for layer ${layer}, but layers go from 0 to ${limits.layers} (after the last block).`,
    );
  }
  const outside = tokens.find((token) => token < 0 || token >= limits.tokens);
  if (outside !== undefined) {
    throw new UserError(`${name} is for token ${outside}, but the prompt has tokens 0 to ${limits.tokens - 1}.`);
  }
  if (values.length !== tokens.length * limits.width) {
    throw new UserError(`${name} holds ${values.length} values for ${tokens.length} tokens of width ${limits.width}.`);
  }
  if (!values.every(Number.isFinite)) throw new UserError(`${name} holds a value that is not a finite number.`);
}

export const lastPosition = ({ ids, positions }: Prompt): number =>
  positions ? positions.reduce((a, b) => Math.max(a, b)) : ids.length - 1;

function checkLength(values: ArrayLike<number> | undefined, name: string, tokens: number): void {
  if (values && values.length !== tokens) {
    throw new UserError(`${name} holds ${values.length} values for a prompt of ${tokens} tokens.`);
  }
}

function checkBroadcast(
  values: { readonly data: Float32Array | Int32Array; readonly dims: readonly number[] } | undefined,
  name: string,
  free: readonly number[],
  fixed: readonly number[],
  allowed: (value: number) => boolean,
  wanted: string,
): void {
  if (!values) return;
  const sizes = [...free, ...fixed];
  const fits = (size: number, i: number) => size === sizes[i] || (i < free.length && size === 1);
  if (values.dims.length !== sizes.length || !values.dims.every(fits)) {
    const options = [...free.map((size) => `${size} or 1`), ...fixed];
    throw new UserError(`${name} has the dimensions [${values.dims}], but they must be [${options.join(", ")}].`);
  }
  const count = values.dims.reduce((product, size) => product * size, 1);
  if (values.data.length !== count)
    throw new UserError(`${name} holds ${values.data.length} values for dimensions [${values.dims}].`);
  const wrong = values.data.find((value) => !allowed(value));
  if (wrong !== undefined) throw new UserError(`${name} holds the value ${wrong}; each must be ${wanted}.`);
}

/** @throws {UserError} naming what is wrong, where, and what would be right */
export function checkRequest(request: Request, tokens: number, { layers, heads }: Architecture): void {
  for (const name of ["keySegments", "queryGroups"] as const) {
    request[name]?.forEach((weights, i) => {
      checkLength(weights, `${name}[${i}]`, tokens);
      if (!weights.every(Number.isFinite))
        throw new UserError(`${name}[${i}] holds a weight that is not a finite number.`);
    });
  }
  const { headWeights } = request;
  if (headWeights && (headWeights.length !== layers * heads || !headWeights.every(Number.isFinite))) {
    throw new UserError(`headWeights must be ${layers * heads} finite numbers, one for each head.`);
  }
  const size = request.topMass?.find((k) => !Number.isSafeInteger(k) || k < 1);
  if (size !== undefined)
    throw new UserError(`topMass asks for ${size} keys; each must be a whole number of at least 1.`);
  request.targets?.forEach((keys, i) => {
    checkLength(keys, `targets[${i}]`, tokens);
    const query = keys.findIndex((key, q) => key < -1 || key > q);
    if (query >= 0) {
      throw new UserError(
        `targets[${i}] gives query ${query} the key ${keys[query]}, but it sees keys 0 to ${query} (or −1 for none).`,
      );
    }
  });
}
