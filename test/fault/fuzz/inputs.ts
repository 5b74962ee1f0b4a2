/** Ways in which what a model is to run on can be wrong: tokenizers, prompts, options. */
import type { Random } from "../../../engine/random.js";
import { json } from "../../unit/engine/memory-source.js";
import { type Spoil, without } from "./weights.js";

/** What is given to `observatory capture` besides the model; `ids` is the content of the file. */
export interface Input {
  readonly ids?: string;
  readonly text?: string;
  readonly rows?: string;
  readonly dtype?: "f16";
}

/** Sizes of the model that the input is for. */
export interface Sizes {
  readonly vocabulary: number;
  readonly contextLength: number;
}

type SpoilInput = (random: Random, sizes: Sizes) => Input;

export const tokenizerFile = "tokenizer.json";

/** A tokenizer of single letters, small enough for any model. */
export const letters = (size = 26, offset = 0): Record<string, unknown> => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(Array.from({ length: size }, (_, i) => [String.fromCodePoint(97 + i), offset + i])),
    merges: [],
  },
});

const tokenizer =
  (content: (random: Random) => Uint8Array): Spoil =>
  (files, random) => ({ ...files, [tokenizerFile]: content(random) });

/** For a prompt that is text. */
export const spoiltTokenizers: Record<string, Spoil> = {
  "no tokenizer": without(tokenizerFile),
  "tokenizer of another model": tokenizer((random) => json(letters(26, 150 + random.int(5000)))),
  "tokenizer that is no JSON": (files, random) => ({
    ...files,
    [tokenizerFile]: files[tokenizerFile].slice(0, random.int(files[tokenizerFile].length - 1)),
  }),
  "tokenizer that is none": tokenizer((random) =>
    json(random.pick<unknown>([{}, [], { model: null }, { ...letters(), model: { type: "Riddle" } }, { model: 5 }])),
  ),
  "tokenizer settings that are no JSON": (files, random) => ({
    ...files,
    "tokenizer_config.json": new TextEncoder().encode(random.pick(["", "{", "[]", "null"])),
  }),
};

const someIds = (random: Random, { vocabulary }: Sizes, count = 1 + random.int(20)): number[] =>
  Array.from({ length: count }, () => random.int(vocabulary));

const sequences = (value: unknown): Input => ({ ids: JSON.stringify(value) });

export const spoiltInputs: Record<string, SpoilInput> = {
  "empty prompt": (random, sizes) =>
    random.pick<Input>([
      { text: "" },
      sequences([[]]),
      sequences([]),
      sequences([someIds(random, sizes), []]),
      { ids: "" },
    ]),
  "id out of range": (random, sizes) => {
    const ids = someIds(random, sizes);
    ids[random.int(ids.length)] = random.pick([sizes.vocabulary, sizes.vocabulary + random.int(1e6), -1, 2 ** 31 - 1]);
    return sequences([someIds(random, sizes), ids]);
  },
  "id that is none": (random, sizes) => {
    const ids: unknown[] = someIds(random, sizes);
    ids[random.int(ids.length)] = random.pick<unknown>([1.5, "5", null, [5], {}, true, 1e300, 2 ** 53]);
    return sequences([ids]);
  },
  "ids that are no sequences": (random) =>
    random.pick<Input>([
      sequences({ ids: [1, 2] }),
      sequences([1, 2, 3]),
      sequences([[1], 2]),
      sequences("1 2 3"),
      sequences(null),
      { ids: "[[1, 2]" },
      { ids: "1, 2, 3" },
      { ids: "[".repeat(1e5) },
      { ids: `${"[".repeat(1e5)}${"]".repeat(1e5)}` },
    ]),
  "text and ids, or neither": (random, sizes) =>
    random.pick<Input>([{}, { text: "abc", ...sequences([someIds(random, sizes)]) }]),
  "heads that are not there": (random, sizes) => ({
    ...sequences([someIds(random, sizes)]),
    rows: random.pick(["99.0", "0.99", "0", "a.b", "0.0,", "-1.0", "0.0;0.1", "", "0.0,3.99", "all,0.0"]),
  }),
};

/** For models whose positions come from a table. */
export const tooLong: SpoilInput = (random, sizes) =>
  sequences([someIds(random, sizes, sizes.contextLength + 1 + random.int(100))]);
