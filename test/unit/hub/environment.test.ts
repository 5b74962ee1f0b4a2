import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { UserError } from "../../../engine/errors.js";
import { hubCache, hubEnvironment } from "../../../loaders/hub/environment.js";

const home = await mkdtemp(join(tmpdir(), "observatory-home-"));
afterAll(() => rm(home, { recursive: true }));

test("the cache is where Hugging Face's libraries have it", () => {
  expect(hubCache({})).toBe(join(homedir(), ".cache/huggingface/hub"));
  expect(hubCache({ XDG_CACHE_HOME: "/caches" })).toBe("/caches/huggingface/hub");
  expect(hubCache({ HF_HOME: "/hf", XDG_CACHE_HOME: "/caches" })).toBe("/hf/hub");
  expect(hubCache({ HF_HOME: "~/hf" })).toBe(join(homedir(), "hf/hub"));
  expect(hubCache({ HF_HUB_CACHE: "/models", HF_HOME: "/hf" })).toBe("/models");
});

test("the hub is the public one, or HF_ENDPOINT", async () => {
  expect(await hubEnvironment({ HF_HOME: home })).toMatchObject({ endpoint: "https://huggingface.co", offline: false });
  expect((await hubEnvironment({ HF_HOME: home, HF_ENDPOINT: "http://127.0.0.1:80/hub/" })).endpoint).toBe(
    "http://127.0.0.1:80/hub",
  );
  for (const HF_ENDPOINT of ["hub.example", "ftp://hub.example", "/hub"]) {
    await expect(hubEnvironment({ HF_HOME: home, HF_ENDPOINT })).rejects.toThrow(UserError);
  }
  expect((await hubEnvironment({ HF_HOME: home, HF_HUB_OFFLINE: "1" })).offline).toBe(true);
});

test("the token is HF_TOKEN, or the one that a login left behind", async () => {
  expect(await hubEnvironment({ HF_HOME: home })).not.toHaveProperty("token");
  await writeFile(join(home, "token"), "of-the-file\n");
  expect(await hubEnvironment({ HF_HOME: home })).toMatchObject({ token: "of-the-file" });
  expect(await hubEnvironment({ HF_HOME: home, HF_TOKEN: " given " })).toMatchObject({ token: "given" });
  expect(await hubEnvironment({ HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" })).not.toHaveProperty("token");
  await expect(hubEnvironment({ HF_HOME: home, HF_TOKEN: "a b" })).rejects.toThrow(/^The token in HF_TOKEN/);
});
