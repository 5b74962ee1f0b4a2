/** Ways in which config.json can be wrong. */
import type { Random } from "../../../engine/random.js";
import { json } from "../../unit/engine/memory-source.js";
import { type Spoil, without } from "./weights.js";

const file = "config.json";

const config =
  (change: (values: Record<string, unknown>, random: Random) => void): Spoil =>
  (files, random) => {
    const values = JSON.parse(textOf(files[file]));
    change(values, random);
    return { ...files, [file]: json(values) };
  };

/** Keys that every shape depends on, under the names that families have for them. */
const sizeKeys = new Set(
  `hidden_size n_embd d_model num_hidden_layers num_layers n_layer n_layers vocab_size intermediate_size head_dim
  num_attention_heads n_head n_heads num_heads`.split(/\s+/),
);

const sizes = (values: Record<string, unknown>) =>
  Object.keys(values).filter((key) => sizeKeys.has(key) && values[key] !== null);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (content: Uint8Array): string => new TextDecoder().decode(content);

export const spoiltConfigs: Record<string, Spoil> = {
  "no config": without(file),
  "config that is no JSON": (files, random) => ({
    ...files,
    [file]: files[file].slice(0, random.int(files[file].length - 4)),
  }),
  "config in another encoding": (files) => ({ ...files, [file]: Buffer.from(textOf(files[file]), "utf16le") }),
  "config that is no object": (files, random) => ({
    ...files,
    [file]: bytes(random.pick(["[]", "null", '"llama"', "17"])),
  }),
  "unknown model type": config((values, random) => {
    values.model_type = random.pick<unknown>(["bert", "mamba", "", null, 5, "__proto__", "toString", ["llama"]]);
  }),
  "size of another model": config((values, random) => {
    const key = random.pick(sizes(values));
    values[key] = Number(values[key]) + 1 + random.int(3);
  }),
  "wrong vocabulary": config((values, random) => {
    values.vocab_size = Number(values.vocab_size) + random.pick([-100, -1, 1, 50_000]);
  }),
  "size that is none": config((values, random) => {
    values[random.pick(sizes(values))] = random.pick<unknown>([0, -1, 1.5, "32", true, [], 1e300]);
  }),
  "size that nothing could hold": config((values, random) => {
    values[random.pick(sizes(values))] = random.pick([1e7, 1e9, 2 ** 53 - 1]);
  }),
  "size that is missing": config((values) => {
    for (const key of ["hidden_size", "n_embd", "d_model", "vocab_size"]) delete values[key];
  }),
  "value nested too deep": (files, random) => {
    const depth = 10 ** (4 + random.int(2));
    const nested = `${"[".repeat(depth)}${"]".repeat(depth)}`;
    const values = textOf(files[file]).trimEnd();
    return {
      ...files,
      [file]: bytes(`${values.slice(0, -1)}, "${random.pick(["vocab_size", "twist"])}": ${nested}}`),
    };
  },
  "key that is not understood": config((values, random) => {
    values[random.pick(["attention_twist", "quantization_config", "score_offset", "global_window"])] = 8;
  }),
  "activation that is not known": config((values) => {
    const key = Object.keys(values).find((name) => /^(hidden_act|activation|hidden_activation)/.test(name));
    values[key ?? "activation_function"] = "swoosh";
  }),
};
