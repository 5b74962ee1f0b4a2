/** The control that has learned nothing: a checkpoint's architecture with weights as they were before training. */
import { type TensorSpec, tensorsOf } from "./architecture.js";
import type { Checkpoint } from "./checkpoint.js";
import { Random } from "./random.js";
import { encodeSafetensors } from "./safetensors.js";

/**
 * The same shapes, freshly drawn by the family's initialiser: matrices normal(0, initializer_range), norms 1, biases 0.
 * The same seed gives the same weights, whatever order they are read in.
 */
export function randomCheckpoint(checkpoint: Checkpoint, seed: number): Checkpoint {
  const { architecture } = checkpoint;
  const specs = tensorsOf(architecture);
  const { deviation, exceptions } = architecture.initializer;
  const control = `random weights, seed ${seed}, normal(0, ${deviation})`;
  return {
    name: `${checkpoint.name} (${control})`,
    config: checkpoint.config,
    architecture,
    hashes: { config: checkpoint.hashes.config, weights: control },
    metadata: { format: "pt", control },
    control,
    async tensor(name) {
      const spec = specs.get(name);
      if (!spec) throw new Error(`A ${architecture.family} model has no tensor ${name}.`);
      return draw(spec, exceptions.get(name) ?? deviation, new Random(hash(`${seed} ${name}`)));
    },
  };
}

/** The weights as one safetensors file, control note included. */
export async function weightsFile({ architecture, metadata, tensor }: Checkpoint): Promise<Uint8Array> {
  const tensors = await Promise.all(
    [...tensorsOf(architecture)].map(async ([name, { shape }]) => ({ name, shape, data: await tensor(name) })),
  );
  return encodeSafetensors(tensors, metadata);
}

function draw({ shape, role }: TensorSpec, deviation: number, random: Random): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (role === "scale") return values.fill(1);
  if (role === "shift") return values;
  return values.map(() => deviation * random.normal());
}

/** FNV-1a, 32 bits: a seed of its own for every tensor. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}
