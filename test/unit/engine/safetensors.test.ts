import { describe, expect, test } from "vitest";
import { encodeSafetensors, Safetensors } from "../../../engine/safetensors.js";
import { goldenFiles, json, memorySource, putTogether, takeApart } from "./memory-source.js";

const open = (file: Uint8Array) => Safetensors.open(memorySource({ "model.safetensors": file }));

describe("values", () => {
  test("f16 is read bit by bit as IEEE 754 says", async () => {
    const bits = Uint16Array.of(0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x3555);
    const values = [0, -0, 1, -2, 65504, 2 ** -24, (1023 / 1024) * 2 ** -14, 2 ** -14, 0.333251953125];
    const header = { x: { dtype: "F16", shape: [9], data_offsets: [0, 18] } };
    const weights = await open(putTogether(header, new Uint8Array(bits.buffer)));
    expect([...(await weights.read("x"))]).toEqual(values);
  });

  test("bf16 is the upper half of f32", async () => {
    const bits = Uint16Array.of(0x3f80, 0xc040, 0x0000, 0x7f7f);
    const header = { x: { dtype: "BF16", shape: [2, 2], data_offsets: [0, 8] } };
    const weights = await open(putTogether(header, new Uint8Array(bits.buffer)));
    expect([...(await weights.read("x"))]).toEqual([1, -3, 0, Math.fround(3.3895313892515355e38)]);
  });

  test("what is written is read again, metadata included", async () => {
    const tensors = [
      { name: "a", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      { name: "empty", shape: [0], data: new Float32Array() },
      { name: "b", shape: [], data: Float32Array.of(-0.5) },
    ];
    const weights = await open(encodeSafetensors(tensors, { format: "pt", control: "none" }));
    expect(weights.metadata).toEqual({ format: "pt", control: "none" });
    for (const { name, shape, data } of tensors) {
      expect(weights.entries.get(name)?.shape).toEqual(shape);
      expect(await weights.read(name)).toEqual(data);
    }
  });

  test("integers are not weights", async () => {
    const header = { x: { dtype: "I32", shape: [1], data_offsets: [0, 4] } };
    const weights = await open(putTogether(header, new Uint8Array(4)));
    await expect(weights.read("x")).rejects.toThrow("x is I32, but only F32, F16 and BF16 weights can be read");
  });

  test.each([
    ["F32", [0, 0, 0xc0, 0x7f]],
    ["F16", [0x00, 0x7c]],
    ["BF16", [0x80, 0xff]],
  ])("%s that is not finite is refused", async (dtype, bytes) => {
    const header = { x: { dtype, shape: [1], data_offsets: [0, bytes.length] } };
    const weights = await open(putTogether(header, Uint8Array.from(bytes)));
    await expect(weights.read("x")).rejects.toThrow("x holds a value that is not a finite number");
  });
});

describe("shards", () => {
  async function shards() {
    const { header, values } = takeApart((await goldenFiles("llama"))["model.safetensors"]);
    const names = Object.keys(header);
    const files: Record<string, Uint8Array> = {};
    const weightMap: Record<string, string> = {};
    for (const [i, part] of [names.slice(0, 7), names.slice(7)].entries()) {
      const file = `model-0000${i + 1}-of-00002.safetensors`;
      const base = header[part[0]].data_offsets[0];
      const end = header[part[part.length - 1]].data_offsets[1];
      const moved = part.map((name) => {
        weightMap[name] = file;
        const [from, to] = header[name].data_offsets;
        return [name, { ...header[name], data_offsets: [from - base, to - base] }];
      });
      files[file] = putTogether(Object.fromEntries(moved), values.subarray(base, end));
    }
    return { files, weightMap };
  }
  const openShards = (files: Record<string, Uint8Array>, weightMap: unknown) =>
    Safetensors.open(memorySource({ ...files, "model.safetensors.index.json": json({ weight_map: weightMap }) }));

  test("hold the same tensors as one file", async () => {
    const { files, weightMap } = await shards();
    const whole = await open((await goldenFiles("llama"))["model.safetensors"]);
    const parts = await openShards(files, weightMap);
    expect([...parts.entries.keys()].sort()).toEqual([...whole.entries.keys()].sort());
    for (const name of whole.entries.keys()) expect(await parts.read(name)).toEqual(await whole.read(name));
  });

  test("must be there, and hold what the index says", async () => {
    const { files, weightMap } = await shards();
    const [first, second] = Object.keys(files);
    await expect(openShards({ [first]: files[first] }, weightMap)).rejects.toThrow(`${second} is missing`);
    await expect(openShards(files, { ...weightMap, "lm_head.weight": second })).rejects.toThrow("lm_head.weight");
    await expect(openShards(files, { ...weightMap, more: first })).rejects.toThrow("lacks the tensor more");
    await expect(openShards(files, { ...weightMap, x: "../../etc/passwd" })).rejects.toThrow(
      "not the name of a safetensors file",
    );
    await expect(openShards(files, undefined)).rejects.toThrow("has no weight_map");
  });

  test("no weights at all", async () => {
    await expect(Safetensors.open(memorySource({}))).rejects.toThrow("memory has no weights");
  });
});
