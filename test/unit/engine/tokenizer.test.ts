import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { openTokenizer, type Tokenizer } from "../../../engine/tokenizer.js";
import { fileSource } from "../../../loaders/files.js";
import { bundledFolder, type Files, goldenFolder, json, memorySource } from "./memory-source.js";

let tokenizer: Tokenizer;
let files: Record<string, Uint8Array>;

beforeAll(async () => {
  const source = fileSource(bundledFolder);
  tokenizer = await openTokenizer(source);
  files = {};
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
    files[file] = await source.read(file, 0, (await source.size(file)) ?? 0);
  }
});

const parsed = (file: string): Record<string, unknown> => JSON.parse(new TextDecoder().decode(files[file]));
const opened = (changed: Files) => openTokenizer(memorySource({ ...files, ...changed }));

describe("texts", () => {
  test("come back as they were", () => {
    const path = fileURLToPath(new URL("../../../data/texts/heldout.jsonl", import.meta.url));
    const heldOut = readFileSync(path, "utf8").trim().split("\n").slice(0, 40);
    const texts = heldOut.map((line): string => JSON.parse(line).text);
    for (const text of [
      ...texts,
      "",
      " ",
      "\n\n\n",
      "naïve café — ‘quoted’",
      "日本語 🙂",
      "<|endoftext|>",
      "\u0000\u0007",
      "a".repeat(3000),
    ]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  test("get a start token only in a prompt", () => {
    const ids = tokenizer.encode("Hello world");
    expect(ids).not.toContain(0);
    expect([...tokenizer.prompt("Hello world")]).toEqual([0, ...ids]);
    expect([...tokenizer.prompt("")]).toEqual([0]);
  });

  test("of single tokens join to the whole", () => {
    const ids = tokenizer.encode("The cat sat on the mat.");
    expect([...ids].map((id) => tokenizer.token(id)).join("")).toBe("The cat sat on the mat.");
  });

  test("of no tokens are empty", () => {
    expect(tokenizer.decode([])).toBe("");
  });
});

describe("the start token", () => {
  test("is left out where tokenizer_config.json says so", async () => {
    const settings = json({ ...parsed("tokenizer_config.json"), add_bos_token: false });
    expect((await opened({ "tokenizer_config.json": settings })).startToken).toBeUndefined();
  });

  test("is the one that tokenizer_config.json names", async () => {
    const settings = json({ ...parsed("tokenizer_config.json"), add_bos_token: true, bos_token: { content: "!" } });
    expect((await opened({ "tokenizer_config.json": settings })).startToken).toBe(1);
  });

  test("is none of a tokenizer of GPT-2's kind, unless it is asked for", async () => {
    const settings = { ...parsed("tokenizer_config.json"), tokenizer_class: "GPT2Tokenizer" };
    expect((await opened({ "tokenizer_config.json": json(settings) })).startToken).toBeUndefined();
    const asked = json({ ...settings, add_bos_token: true });
    expect((await opened({ "tokenizer_config.json": asked })).startToken).toBe(0);
  });

  test("is none where the config names none", async () => {
    const { bos_token_id: _, ...config } = parsed("config.json");
    expect((await opened({ "config.json": json(config) })).startToken).toBeUndefined();
  });
});

test("added tokens that the model does not know are no reason to refuse the others, as in Gemma 3 1B and Code Llama", async () => {
  const { added_tokens, ...others } = parsed("tokenizer.json");
  const image = { id: 8192, content: "<image>", special: true, normalized: false, lstrip: false, rstrip: false };
  const more = json({ ...others, added_tokens: [...(added_tokens as unknown[]), { ...image, single_word: false }] });
  const larger = await opened({ "tokenizer.json": more });
  expect(larger.vocabulary).toBe(8192);
  expect(larger.prompt("The cat sat.")).toEqual(tokenizer.prompt("The cat sat."));
  expect([...larger.encode("a<image>")]).toContain(8192); // and the model will refuse it by its id
});

describe("refused", () => {
  test("a checkpoint without tokenizer.json", async () => {
    const folder = goldenFolder("llama");
    await expect(openTokenizer(fileSource(folder))).rejects.toThrow(
      `${folder} has no tokenizer.json, so its model cannot be given text.`,
    );
  });

  test("a start token that the model does not know, while its token ids can be run", async () => {
    const config = json({ ...parsed("config.json"), bos_token_id: 128_000 });
    await expect(opened({ "config.json": config })).rejects.toThrow(
      "has texts begin with token 128000, but the model knows only 8192.",
    );
  });

  test("a tokenizer of another model", async () => {
    const config = json({ ...parsed("config.json"), vocab_size: 8191 });
    await expect(opened({ "config.json": config })).rejects.toThrow(
      "has ids up to 8191, but the model knows only 8191: it belongs to another model.",
    );
  });

  test.each([
    ["no JSON", new TextEncoder().encode("{"), "is not JSON"],
    ["an empty object", json({}), "cannot be used"],
    ["a list", json([]), "is not a JSON object"],
  ])("%s", async (_, bytes, message) => {
    await expect(opened({ "tokenizer.json": bytes })).rejects.toThrow(message);
  });
});
