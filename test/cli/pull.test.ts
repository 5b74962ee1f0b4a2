/** `observatory models pull`, as a user meets it: killed, started twice, without a network. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Running } from "../project.js";
import { goldenFiles } from "../unit/engine/memory-source.js";
import { commit, HubServer, sha256 } from "../unit/hub/server.js";

const files = await goldenFiles("llama");
const weights = files["model.safetensors"];
const work = mkdtempSync(join(tmpdir(), "observatory-pull-"));
const home = join(work, "hf");
const blobs = join(home, "hub/models--org--tiny/blobs");
const snapshot = join(home, "hub/models--org--tiny/snapshots", commit);
const leftover = join(blobs, `${sha256(weights)}.observatory.incomplete`);

const script = fileURLToPath(new URL("../../loaders/observatory.mjs", import.meta.url));
const start = (...args: readonly string[]) => new Running(script, args, work);
const observatory = (...args: readonly string[]) => start(...args).finished;
const whole = { code: 0, stdout: `${snapshot}\n`, stderr: "" };

let server: HubServer;
beforeAll(async () => {
  server = await HubServer.start("org/tiny", files);
  process.env.HF_ENDPOINT = server.address;
  process.env.HF_HOME = home;
});
beforeEach(() => {
  rmSync(home, { recursive: true, force: true });
  server.seen.length = 0;
  server.misbehave = () => false;
});
afterAll(async () => {
  delete process.env.HF_ENDPOINT;
  delete process.env.HF_HOME;
  await server.close();
  rmSync(work, { recursive: true });
});

/** Starts a pull whose weights stop coming after so many bytes, and waits until those are on disk. */
async function halted(bytes: number): Promise<Running> {
  server.misbehave = ({ origin }, response) => {
    if (origin === "storage")
      response.writeHead(200, { "content-length": weights.length }).write(weights.subarray(0, bytes));
    return origin === "storage";
  };
  const running = start("models", "pull", "org/tiny");
  while (!existsSync(leftover) || statSync(leftover).size < bytes) await sleep(20);
  server.misbehave = () => false;
  server.seen.length = 0;
  return running;
}

describe("a pull", () => {
  test("that was killed leaves no snapshot, and the next one goes on where it ended", async () => {
    const running = await halted(60_000);
    running.kill("SIGKILL");
    await running.finished;
    expect(existsSync(snapshot)).toBe(false);
    expect(await observatory("models", "pull", "org/tiny")).toEqual(whole);
    expect(server.fetched("model.safetensors").map(({ range }) => range)).toEqual(["bytes=60000-"]);
    expect(Buffer.compare(readFileSync(join(snapshot, "model.safetensors")), weights)).toBe(0);
    expect(readdirSync(blobs)).toHaveLength(2);
  });

  test("that is interrupted ends with code 130, and nothing on stdout", async () => {
    const running = await halted(1000);
    running.kill("SIGINT");
    const { code, stdout, stderr } = await running.finished;
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    expect(stderr).toMatch(/^Interrupted; what was finished is kept\.\n$/);
    expect(existsSync(snapshot)).toBe(false);
  });

  test("waits for another process that pulls the same", async () => {
    const first = await halted(1000);
    const second = start("models", "pull", "org/tiny");
    await second.until(/^Another process pulls org\/tiny; waiting for it to end\.$/m);
    first.kill("SIGKILL");
    expect(await second.finished).toMatchObject({ code: 0, stdout: `${snapshot}\n` });
    expect(server.fetched("model.safetensors")).toHaveLength(1);
  });

  test("of what is not there is refused, and one without a network fails, each with one sentence", async () => {
    const missing = await observatory("models", "pull", "org/tiny@v9");
    expect(missing).toMatchObject({ code: 2, stdout: "" });
    expect(missing.stderr).toMatch(/^The hub at \S+ has the model but not the revision of org\/tiny@v9: [^\n]*\.\n$/);
    process.env.HF_ENDPOINT = "http://127.0.0.1:9";
    const unreachable = await observatory("models", "pull", "org/tiny");
    process.env.HF_ENDPOINT = server.address;
    expect(unreachable).toMatchObject({ code: 1, stdout: "" });
    expect(unreachable.stderr).toMatch(/^The hub at \S+ cannot be reached \([^\n]*\): check the network[^\n]*\.\n$/);
  });
});

test("a pulled model goes by its name, and the passport says which revision it was", async () => {
  const ids = join(work, "ids.json");
  writeFileSync(ids, "[[1, 2, 3]]");
  const early = await observatory("capture", "--model", "org/tiny", "--ids", ids, "--out", "early");
  expect(early).toMatchObject({ code: 2, stdout: "" });
  expect(early.stderr).toMatch(/^There is no folder org\/tiny, .* `observatory models pull org\/tiny` .*\.\n$/);
  expect(await observatory("models", "pull", "org/tiny")).toEqual(whole);
  expect((await observatory("models", "list")).stdout).toMatch(
    new RegExp(`^org/tiny +llama, 3 layers of 4 heads of 8, .*, commit ${commit}$`, "m"),
  );
  const { stdout } = await observatory("models", "check", "org/tiny", "--tokens", "512");
  expect(stdout).toMatch(/^org\/tiny: llama, 3 layers .*\ntokenizer: none, .*\nlength: trained on 128 tokens; .*/);
  expect(stdout).toMatch(/\nmemory: about \d+ MB for 512 tokens on the processor\n$/);
  expect((await observatory("capture", "--model", "org/tiny@main", "--ids", ids, "--out", "pulled")).code).toBe(0);
  const { schema } = tableFromIPC(readFileSync(join(work, "pulled/statistics.arrow")));
  expect(JSON.parse(schema.metadata.get("passport") ?? "").model).toMatchObject({ name: "org/tiny", revision: commit });
});
