/** Queries, keys and whole models at random, quickly made: for measurements and checks of the kernels at full size. */
import { type Architecture, tensorsOf } from "../../engine/architecture.js";
import type { Checkpoint } from "../../engine/checkpoint.js";
import { Config } from "../../engine/config.js";
import { llama } from "../../engine/families/llama.js";
import type { FloatType } from "../../engine/kernels/scoring.js";
import { Random } from "../../engine/random.js";
import { fromHalf, toHalf } from "./half.js";

export const heads = 12;
export const headSize = 64;

const random = new Random(11);
const bits = Uint16Array.from({ length: 65_536 }, () => toHalf(random.normal()));
const values = Float32Array.from(bits, fromHalf);

/** Values between −3 and 3 that float16 holds exactly, drawn from a pool: 10^8 of them in a second. */
export class Pool {
  #state: number;

  constructor(seed = 12_345) {
    this.#state = seed;
  }

  draw(count: number, type: FloatType): Float32Array | Uint16Array {
    const [source, target] = type === "f32" ? [values, new Float32Array(count)] : [bits, new Uint16Array(count)];
    for (let i = 0; i < count; i++) {
      this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
      target[i] = source[this.#state >>> 16];
    }
    return target;
  }
}

/** A Llama of GPT-2 small's shape with weights from a pool, the same in each model: what it computes says nothing, how fast and whether devices agree does. */
export function randomModel(layers: number): Checkpoint {
  const config = {
    model_type: "llama",
    vocab_size: 32_000,
    hidden_size: heads * headSize,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    intermediate_size: 2048,
    max_position_embeddings: 65_536,
  };
  const architecture: Architecture = llama.describe(new Config(config, "random-model"));
  const specs = tensorsOf(architecture);
  return {
    name: "random-model",
    config,
    architecture,
    hashes: { config: "", weights: "" },
    metadata: {},
    async tensor(name) {
      const spec = specs.get(name);
      if (!spec) throw new Error(`The random model has no tensor ${name}.`);
      const count = spec.shape.reduce((a, b) => a * b, 1);
      if (spec.role === "scale") return new Float32Array(count).fill(1);
      const seed = [...name].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
      return Float32Array.from(new Pool(seed).draw(count, "f32"), (value) => 0.02 * value);
    },
  };
}
