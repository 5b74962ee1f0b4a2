/** Ways in which the weights of a checkpoint can be wrong. */
import type { Random } from "../../../engine/random.js";
import { type Files, json, putTogether, takeApart } from "../../unit/engine/memory-source.js";

/** Files of a checkpoint, one or more of them spoilt. */
export type Spoil = (files: Files, random: Random) => Files;

/** Changes the header of the weights file. */
const header =
  (change: (header: ReturnType<typeof takeApart>["header"], name: string, random: Random) => unknown): Spoil =>
  (files, random) => {
    const { header, values } = takeApart(files[single]);
    const name = random.pick(Object.keys(header));
    const changed = change(header, name, random);
    return { ...files, [single]: putTogether(changed ?? header, values) };
  };

const single = "model.safetensors";
const indexFile = "model.safetensors.index.json";

export const without =
  (file: string): Spoil =>
  ({ [file]: _, ...others }) =>
    others;

/** The same weights in two files and an index. */
function sharded({ [single]: weights, ...others }: Files): Record<string, Uint8Array> {
  const { header: tensors, values } = takeApart(weights);
  const names = Object.keys(tensors);
  const half = names.length >> 1;
  const files: Record<string, Uint8Array> = { ...others };
  const map: Record<string, string> = {};
  for (const [number, part] of [names.slice(0, half), names.slice(half)].entries()) {
    const file = `model-0000${number + 1}-of-00002.safetensors`;
    const entries: Record<string, unknown> = {};
    let end = 0;
    const data = part.map((name) => {
      const [from, to] = tensors[name].data_offsets;
      entries[name] = { ...tensors[name], data_offsets: [end, end + to - from] };
      end += to - from;
      map[name] = file;
      return values.subarray(from, to);
    });
    files[file] = putTogether(entries, Buffer.concat(data));
  }
  return { ...files, [indexFile]: json({ weight_map: map }) };
}

/** Shards, and a change of the index. */
const index =
  (change: (map: Record<string, string>, name: string, random: Random) => void): Spoil =>
  (files, random) => {
    const shards = sharded(files);
    const { weight_map: map } = JSON.parse(new TextDecoder().decode(shards[indexFile]));
    change(map, random.pick(Object.keys(map)), random);
    return { ...shards, [indexFile]: json({ weight_map: map }) };
  };

export const spoiltWeights: Record<string, Spoil> = {
  "cut short": (files, random) => ({
    ...files,
    [single]: files[single].slice(0, random.int(files[single].length)),
  }),
  "bytes appended": (files, random) => {
    const longer = new Uint8Array(files[single].length + 1 + random.int(100));
    longer.set(files[single]);
    return { ...files, [single]: longer };
  },
  "absurd header length": (files, random) => {
    const { header, values } = takeApart(files[single]);
    const announced = random.pick([0n, 1n, 2n ** 63n, 2n ** 64n - 1n, 100_000_001n, BigInt(files[single].length)]);
    return { ...files, [single]: putTogether(header, values, announced) };
  },
  "header that is no JSON": (files, random) => {
    const { header, values } = takeApart(files[single]);
    const text = JSON.stringify(header);
    return { ...files, [single]: putTogether(text.slice(0, 1 + random.int(text.length - 2)), values) };
  },
  "header that is no object": (files, random) => {
    const { values } = takeApart(files[single]);
    return { ...files, [single]: putTogether(random.pick(["[]", "null", "17", '"text"']), values) };
  },
  "random bytes": (files, random) => ({
    ...files,
    [single]: Uint8Array.from({ length: random.int(5000) }, () => random.int(256)),
  }),
  "tensor missing": header((tensors, name) => {
    delete tensors[name];
  }),
  "tensor renamed": header((tensors, name) => {
    tensors[`${name}.old`] = tensors[name];
    delete tensors[name];
  }),
  "tensor too many": header((tensors, _name, random) => {
    const end = Math.max(...Object.values(tensors).map(({ data_offsets }) => data_offsets[1]));
    tensors[`model.extra.${random.int(100)}`] = { dtype: "F32", shape: [0], data_offsets: [end, end] };
  }),
  "offsets moved": header((tensors, name, random) => {
    const [start, end] = tensors[name].data_offsets;
    const by = (random.int(2) ? 4 : -4) * (1 + random.int(50));
    tensors[name].data_offsets = [start + by, end + by];
  }),
  "offsets of another tensor": header((tensors, name, random) => {
    const other = random.pick(
      Object.keys(tensors).filter((key) => tensors[key].shape.join() !== tensors[name].shape.join()),
    );
    tensors[name].data_offsets = tensors[other].data_offsets;
  }),
  "offsets out of range": header((tensors, name, random) => {
    tensors[name].data_offsets = random.pick<[number, number]>([
      [0, 2 ** 40],
      [-4, 0],
      [8, 4],
      [0.5, 4.5],
      [2 ** 53, 2 ** 53],
    ]);
  }),
  "offsets that are none": header((tensors, name, random) => ({
    ...tensors,
    [name]: { ...tensors[name], data_offsets: random.pick<unknown>([null, [], [0], ["0", "4"], {}, "0-4"]) },
  })),
  "entry that is none": header((tensors, name, random) => ({
    ...tensors,
    [name]: random.pick<unknown>([null, 5, "F32", []]),
  })),
  "wrong dtype": header((tensors, name, random) => {
    tensors[name].dtype = random.pick(["F64", "I8", "F8_E4M3", "float32", "", "__proto__", "constructor"]);
  }),
  "wrong shape": header((tensors, name, random) => {
    const { shape } = tensors[name];
    tensors[name].shape = random.pick([
      [...shape, 2],
      shape.map((size) => size + 1),
      shape.map((size) => -size),
      [],
      [1e300],
    ]);
  }),
  "shape of the same size": header((tensors, name) => {
    const [rows, columns] = tensors[name].shape;
    tensors[name].shape = columns === undefined ? [1, rows] : [rows * columns];
  }),
  "metadata that is none": header((tensors, _name, random) => ({
    ...tensors,
    __metadata__: random.pick<unknown>([5, "pt", { format: 5 }, []]),
  })),
  "weight that is not finite": (files, random) => {
    const { header, values } = takeApart(files[single]);
    const spoilt = values.slice();
    const bad = random.pick([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    new DataView(spoilt.buffer).setFloat32(4 * random.int(spoilt.length / 4), bad, true);
    return { ...files, [single]: putTogether(header, spoilt) };
  },
  "integers in place of weights": header((tensors, name, random) => {
    tensors[name].dtype = random.pick(tensors[name].dtype === "F32" ? ["I32", "U32"] : ["I16", "U16"]);
  }),
  "weights that float32 cannot multiply": (files) => {
    const { header: tensors, values } = takeApart(files[single]);
    let end = 0;
    const data: Uint8Array[] = [];
    const entries = Object.entries(tensors).map(([name, { dtype, shape, data_offsets }]) => {
      const isNorm = /(norm|ln_)[^.]*\.weight$/.test(name);
      const huge = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(3e38);
      data.push(isNorm ? new Uint8Array(huge.buffer) : values.subarray(...data_offsets));
      const start = end;
      end += data.at(-1)?.length ?? 0;
      return [name, { dtype: isNorm ? "F32" : dtype, shape, data_offsets: [start, end] }];
    });
    return { ...files, [single]: putTogether(Object.fromEntries(entries), Buffer.concat(data)) };
  },
  "half-precision weights that are not finite": (files, random) => {
    const { header: tensors } = takeApart(files[single]);
    const [dtype, notANumber] = random.pick([["F16", 0x7e00] as const, ["BF16", 0x7fc0] as const]);
    let end = 0;
    const entries = Object.entries(tensors).map(([name, { shape }]) => {
      const start = end;
      end += 2 * shape.reduce((a, b) => a * b, 1);
      return [name, { dtype, shape, data_offsets: [start, end] }];
    });
    const values = new Uint16Array(end / 2);
    values[random.int(values.length)] = notANumber;
    return { ...files, [single]: putTogether(Object.fromEntries(entries), new Uint8Array(values.buffer)) };
  },
  "a name that is nested too deep": (files, random) => {
    const depth = 10 ** (4 + random.int(2));
    const { values } = takeApart(files[single]);
    return { ...files, [single]: putTogether(`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`, values) };
  },
  "no weights": without(single),
  "weights that are empty": (files) => ({ ...files, [single]: new Uint8Array() }),
  "weights of another format": ({ [single]: bytes, ...others }) => ({ ...others, "pytorch_model.bin": bytes }),
  "a shard that is not there": (files, random) => without("model-00002-of-00002.safetensors")(sharded(files), random),
  "a shard cut short": (files, random) => {
    const shards = sharded(files);
    const name = "model-00001-of-00002.safetensors";
    return { ...shards, [name]: shards[name].slice(0, random.int(shards[name].length)) };
  },
  "a shard that the index does not know": index((map, _name, random) => {
    const lost = random.pick(Object.values(map));
    for (const name of Object.keys(map)) if (map[name] === lost) delete map[name];
  }),
  "an index that misplaces a tensor": index((map, name) => {
    map[name] = Object.values(map).find((file) => file !== map[name]) ?? "";
  }),
  "an index that forgets a tensor": index((map, name) => {
    delete map[name];
  }),
  "an index that leads out of the folder": index((map, name, random) => {
    map[name] = random.pick(["../model.safetensors", "/etc/hostname", "shards/model.safetensors"]);
  }),
  "an index that is none": (files, random) => ({
    ...sharded(files),
    [indexFile]: random.pick<Uint8Array>([
      json({}),
      json({ weight_map: {} }),
      json({ weight_map: { a: 5 } }),
      json([]),
      new Uint8Array(),
      json({ weight_map: "model.safetensors" }),
    ]),
  }),
};
