/** A small real checkpoint with a tokenizer of single characters, as an experiment sees its subject. */
import { Tokenizer as Encoder } from "@huggingface/tokenizers";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { Random } from "../../../engine/random.js";
import { randomCheckpoint } from "../../../engine/random-weights.js";
import { Tokenizer } from "../../../engine/tokenizer.js";
import { openBackend } from "../../../loaders/devices.js";
import type { Context, Experiment, Parameters } from "../../../loaders/experiment.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";
import { Encoder as TableEncoder } from "../../../loaders/runner/encoder.js";

/** One token per printable character, "Ġ" for the space and "Ċ" for the newline, and a start token. */
export function characterTokenizer(startToken: number | null = 0): Tokenizer {
  const characters = ["<s>", "Ġ", "Ċ", ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))];
  const vocab = Object.fromEntries(characters.map((character, id) => [character, id]));
  const encoder = new Encoder(
    {
      version: "1.0",
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      post_processor: null,
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab, merges: [] },
    },
    { tokenizer_class: "PreTrainedTokenizerFast" },
  );
  return new Tokenizer(encoder, characters.length, startToken ?? undefined);
}

export function texts(n: number, length: number): { id: string; source: string; text: string }[] {
  const random = new Random(7);
  const words = ["the", "sun", "of", "rain", "12", "hill", "and", "tree.", "a", "\n", "sea,"];
  return Array.from({ length: n }, (_, i) => {
    let text = "";
    while (text.length < length) text += `${random.pick(words)} `;
    return { id: `t${i}`, source: i % 2 ? "one" : "two", text: text.slice(0, length) };
  });
}

export interface Outcome {
  readonly tables: ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>;
  readonly evidence: unknown;
  readonly progress: readonly number[];
}

/** Runs an experiment on a golden checkpoint: Llama has 3 layers, 4 heads and 2 key–value heads; GPT-2 a table of positions. */
export async function runSmall<P extends Parameters, E>(
  experiment: Experiment<P, E>,
  parameters: P,
  inputs: Context<P>["inputs"],
  { tokenizer = characterTokenizer(), signal = new AbortController().signal, checkpoint: name = "llama" } = {},
): Promise<Outcome & { readonly evidence: E }> {
  const backend = await openBackend("cpu", { threads: 1 });
  const checkpoint = await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/${name}`));
  const progress: number[] = [];
  const run = experiment.run({
    parameters,
    model: () => Model.load(checkpoint, backend),
    control: () => Model.load(randomCheckpoint(checkpoint, 0), backend),
    tokenizer: async () => tokenizer,
    inputs,
    progress: (done, total) => progress.push(done / total),
    signal,
  });
  // The gate that the runner puts before every table: columns as declared, nothing missing, no NaN.
  const gates = new Map(experiment.tables.map((table) => [table.name, new TableEncoder(experiment.id, table)]));
  const tables = new Map<string, Readonly<Record<string, unknown>>[]>();
  for (;;) {
    const { done, value } = await run.next();
    if (done) return { tables, evidence: value, progress };
    gates.get(value.table)?.append(value.rows);
    tables.set(value.table, [...(tables.get(value.table) ?? []), ...value.rows]);
  }
}
