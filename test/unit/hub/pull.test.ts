/** Pulling from a hub on loopback, well-behaved and not. */
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { UserError } from "../../../engine/errors.js";
import { fileSource } from "../../../loaders/files.js";
import { modelFolder, pulledModel, pulledModels } from "../../../loaders/hub/cache.js";
import type { HubEnvironment } from "../../../loaders/hub/environment.js";
import { hubName } from "../../../loaders/hub/name.js";
import { pull } from "../../../loaders/hub/pull.js";
import { Unavailable } from "../../../loaders/unavailable.js";
import { goldenFiles, json, putTogether, takeApart } from "../engine/memory-source.js";
import { commit, type HubFiles, HubServer, sendContent, sendCut, sendJson, sha256 } from "./server.js";

const golden = await goldenFiles("llama");
const weights = golden["model.safetensors"];
const files: HubFiles = {
  ...golden,
  "generation_config.json": json({ eos_token_id: 2 }),
  "README.md": new TextEncoder().encode("# A model\n"),
  "pytorch_model.bin": new Uint8Array(1000),
  "onnx/model.onnx": new Uint8Array(1000),
};

let server: HubServer;
let cache: string;
const said: string[] = [];

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "observatory-hub-"));
});
afterEach(async () => {
  await server.close();
  await rm(cache, { recursive: true });
  said.length = 0;
});

const serve = async (served: HubFiles = files) => {
  server = await HubServer.start("org/tiny-llama", served);
};

const environment = (changes: Partial<HubEnvironment> = {}): HubEnvironment => ({
  endpoint: server.address,
  cache,
  offline: false,
  patience: 2000,
  pause: 1,
  ...changes,
});

const fetchModel = (name = "org/tiny-llama", changes: Partial<HubEnvironment> = {}): Promise<string> =>
  pull(hubName(name), environment(changes), { signal: new AbortController().signal, say: (line) => said.push(line) });

async function expectWhole(folder: string): Promise<void> {
  for (const name of ["config.json", "model.safetensors"]) {
    expect(Buffer.compare(await readFile(join(folder, name)), files[name]), name).toBe(0);
  }
}

/** The pull ends in one sentence of that kind, and leaves no snapshot. */
async function expectRefusal(pulled: Promise<string>, kind: typeof UserError | typeof Unavailable, sentence: RegExp) {
  const outcome = await pulled.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(kind);
  const { message } = outcome as Error;
  expect(message).toMatch(sentence);
  expect(message).toMatch(/^[^\n]{20,400}\.$/);
  expect(await pulledModels(cache)).toEqual([]);
}

const blobsFolder = () => join(cache, "models--org--tiny-llama", "blobs");
const leftover = () => join(blobsFolder(), `${sha256(weights)}.observatory.incomplete`);

describe("a pull", () => {
  test("lays the model out as Hugging Face's libraries do, and takes only what is needed to run it", async () => {
    await serve();
    const log = vi.spyOn(console, "log");
    const debug = vi.spyOn(console, "debug");
    const folder = await fetchModel();
    expect(folder).toBe(join(cache, "models--org--tiny-llama", "snapshots", commit));
    expect((await readdir(folder)).sort()).toEqual(["config.json", "generation_config.json", "model.safetensors"]);
    expect(await readlink(join(folder, "model.safetensors"))).toBe(`../../blobs/${sha256(weights)}`);
    expect(await readFile(join(cache, "models--org--tiny-llama", "refs", "main"), "utf8")).toBe(commit);
    expect(await readdir(blobsFolder())).toHaveLength(3);
    await expectWhole(folder);
    expect(server.fetched("README.md")).toEqual([]);
    expect(server.fetched("pytorch_model.bin")).toEqual([]);
    expect(log).not.toHaveBeenCalled();
    expect(debug).not.toHaveBeenCalled();
  });

  test("can be named wherever a model is: by branch, tag and commit", async () => {
    await serve();
    const folder = await fetchModel("org/tiny-llama@v1");
    expect(await modelFolder("org/tiny-llama@v1", cache)).toBe(folder);
    expect(await modelFolder(`org/tiny-llama@${commit}`, cache)).toBe(folder);
    await expect(modelFolder("org/tiny-llama", cache)).rejects.toThrow(/`observatory models pull org\/tiny-llama`/);
    await fetchModel(`org/tiny-llama@${commit}`);
    await fetchModel();
    expect(await modelFolder("org/tiny-llama", cache)).toBe(folder);
    expect(pulledModel(folder)).toEqual({ name: "org/tiny-llama", revision: commit });
    expect(await pulledModels(cache)).toMatchObject([{ name: "org/tiny-llama", folder, refs: ["main", "v1"] }]);
    expect(server.fetched("model.safetensors")).toHaveLength(1);
    expect((await openCheckpoint(fileSource(folder))).architecture.family).toBe("llama");
  });

  test("sends the token to the hub, and to nobody that it points to", async () => {
    await serve();
    await fetchModel("org/tiny-llama", { token: "secret" });
    for (const { origin, authorization } of server.seen) {
      expect(authorization).toBe(origin === "hub" ? "Bearer secret" : undefined);
    }
    expect(server.seen.some(({ origin }) => origin === "storage")).toBe(true);
  });

  test("takes the shards that the index names, and no others", async () => {
    const { header, values } = takeApart(weights);
    const names = Object.keys(header);
    const half = names.length >> 1;
    const shard = (part: readonly string[]) => {
      const data = part.map((name) => values.subarray(...header[name].data_offsets));
      let end = 0;
      const entries = part.map((name, i) => {
        const start = end;
        end += data[i].length;
        return [name, { ...header[name], data_offsets: [start, end] }];
      });
      return putTogether(Object.fromEntries(entries), Buffer.concat(data));
    };
    const place = (name: string) => `model-0000${names.indexOf(name) < half ? 1 : 2}-of-00002.safetensors`;
    await serve({
      "config.json": files["config.json"],
      "model.safetensors.index.json": json({
        weight_map: Object.fromEntries(names.map((name) => [name, place(name)])),
      }),
      "model-00001-of-00002.safetensors": shard(names.slice(0, half)),
      "model-00002-of-00002.safetensors": shard(names.slice(half)),
      "consolidated.safetensors": weights,
    });
    const folder = await fetchModel();
    expect(await readdir(folder)).toHaveLength(4);
    const checkpoint = await openCheckpoint(fileSource(folder));
    expect(checkpoint.architecture.layers).toBe(3);
    expect(server.fetched("consolidated.safetensors")).toEqual([]);
  });

  test("of two at once, one fetches and the other waits for it", async () => {
    await serve();
    const folders = await Promise.all([fetchModel(), fetchModel()]);
    expect(new Set(folders).size).toBe(1);
    await expectWhole(folders[0]);
    expect(server.fetched("model.safetensors")).toHaveLength(1);
    expect(said).toEqual(["Another process pulls org/tiny-llama; waiting for it to end."]);
  });
});

describe("a hub that misbehaves", () => {
  test("cuts a transfer: it goes on from there", async () => {
    await serve();
    let cuts = 0;
    server.misbehave = ({ origin, range }, response, content) => {
      if (origin !== "storage" || !content || ++cuts > 3) return false;
      sendCut(response, content, 30_000, range);
      return true;
    };
    await expectWhole(await fetchModel());
    const ranges = server.fetched("model.safetensors").map(({ range }) => range);
    expect(ranges).toHaveLength(4);
    expect(ranges[0]).toBeUndefined();
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test("cuts every transfer: the next pull goes on from there", async () => {
    await serve();
    server.misbehave = ({ origin, range }, response, content) => {
      if (origin !== "storage" || !content) return false;
      sendCut(response, content, range ? 0 : 50_000, range);
      return true;
    };
    await expectRefusal(fetchModel(), Unavailable, /model\.safetensors .* after 50000 of \d+ bytes\): pull again/);
    expect((await readFile(leftover())).length).toBe(50_000);
    server.misbehave = () => false;
    server.seen.length = 0;
    await expectWhole(await fetchModel());
    expect(server.fetched("model.safetensors").map(({ range }) => range)).toEqual(["bytes=50000-"]);
  });

  test("ignores ranges, or sends other ones: the file is fetched from its beginning", async () => {
    for (const wrong of ["whole", "shifted"]) {
      await serve();
      await rm(cache, { recursive: true });
      await mkdir(blobsFolder(), { recursive: true });
      await writeFile(leftover(), weights.subarray(0, 1000));
      server.misbehave = ({ origin, range }, response, content) => {
        if (origin !== "storage" || !content || !range) return false;
        if (wrong === "whole") sendContent(response, content);
        else sendContent(response, content, "bytes=500-");
        return true;
      };
      await expectWhole(await fetchModel());
      if (wrong === "whole") await server.close();
    }
  });

  test("left something damaged behind: the file is fetched again", async () => {
    await serve();
    await mkdir(blobsFolder(), { recursive: true });
    await writeFile(leftover(), new Uint8Array(1000));
    await expectWhole(await fetchModel());
    await rm(cache, { recursive: true });
    await mkdir(blobsFolder(), { recursive: true });
    await writeFile(leftover(), new Uint8Array(weights.length));
    await expectWhole(await fetchModel());
    await rm(cache, { recursive: true });
    await mkdir(blobsFolder(), { recursive: true });
    await writeFile(leftover(), new Uint8Array(weights.length + 10));
    await expectWhole(await fetchModel());
  });

  test("sends other bytes than it lists: nothing of them is kept", async () => {
    await serve();
    const other = weights.slice();
    other[other.length - 1] ^= 1;
    server.misbehave = ({ origin, range }, response) => {
      if (origin === "storage") sendContent(response, other, range);
      return origin === "storage";
    };
    await expectRefusal(fetchModel(), Unavailable, /for org\/tiny-llama\/model\.safetensors is not the file it lists/);
    expect(await readdir(blobsFolder())).not.toContain(sha256(weights));
    expect((await readdir(blobsFolder())).join()).not.toContain("incomplete");
  });

  test("sends a damaged part after a cut: the file is fetched again, from its beginning", async () => {
    await serve();
    server.misbehave = ({ origin, range }, response, content) => {
      if (origin !== "storage" || !content) return false;
      const first = server.fetched("model.safetensors").length === 1;
      if (first) sendCut(response, content, 30_000);
      else if (range)
        sendContent(
          response,
          content.map((byte, i) => (i === content.length - 1 ? byte ^ 1 : byte)),
          range,
        );
      return first || Boolean(range);
    };
    await expectWhole(await fetchModel());
    expect(server.fetched("model.safetensors").map(({ range }) => Boolean(range))).toEqual([false, true, false]);
  });

  test("changes a small file on the way", async () => {
    await serve();
    server.misbehave = ({ path }, response, content) => {
      if (!content || !path.endsWith("config.json")) return false;
      sendContent(
        response,
        content.map((byte, i) => (i === 5 ? byte ^ 1 : byte)),
      );
      return true;
    };
    await expectRefusal(fetchModel(), Unavailable, /config\.json is not the file it lists/);
  });

  test("sends fewer or more bytes than it lists", async () => {
    for (const length of [weights.length - 100, weights.length + 100]) {
      await serve();
      server.misbehave = ({ origin, range }, response) => {
        const content = Buffer.alloc(length);
        content.set(weights.subarray(0, length));
        if (origin === "storage") sendContent(response, content, range);
        return origin === "storage";
      };
      await expectRefusal(fetchModel(), Unavailable, /does not send all of|is not the file it lists/);
      if (length < weights.length) await server.close();
    }
  });

  test("compresses small files, and parts of large ones", async () => {
    await serve();
    await mkdir(blobsFolder(), { recursive: true });
    await writeFile(leftover(), weights.subarray(0, 1000));
    server.misbehave = ({ origin, path, range }, response, content) => {
      if (!content || (origin === "hub" && path.endsWith(".safetensors"))) return false;
      const start = range ? 1000 : 0;
      const body = gzipSync(content.subarray(start));
      const place = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
      response.writeHead(range ? 206 : 200, { "content-encoding": "gzip", ...(range ? place : {}) }).end(body);
      return true;
    };
    await expectWhole(await fetchModel());
  });

  test("is busy for a while: its Retry-After is kept", async () => {
    await serve();
    const answers = [429, 429, 503];
    server.misbehave = (_, response) => {
      const status = answers.shift();
      if (status === undefined) return false;
      response
        .writeHead(status, { "retry-after": status === 429 ? "0" : new Date(Date.now() - 1000).toUTCString() })
        .end();
      return true;
    };
    await expectWhole(await fetchModel());
    expect(answers).toEqual([]);
  });

  test.each([
    [401, {}, undefined, UserError, /no org\/tiny-llama that everybody may see: .*set HF_TOKEN/],
    [401, {}, "secret", UserError, /does not take the token .*settings\/tokens/],
    [403, {}, undefined, UserError, /is gated or private, and somebody without a token may not read it/],
    [
      403,
      {},
      "secret",
      UserError,
      /is gated or private, and this token may not read it: ask for access at http.*\/org\/tiny-llama/,
    ],
    [401, { "x-error-code": "GatedRepo" }, undefined, UserError, /ask for access at http.*, and set HF_TOKEN\.$/],
    [404, { "x-error-code": "RepoNotFound" }, undefined, UserError, /has no org\/tiny-llama: check the name/],
    [404, { "x-error-code": "RevisionNotFound" }, undefined, UserError, /not the revision of org\/tiny-llama/],
    [429, {}, undefined, Unavailable, /no more requests for now \(429\): try again later, or set HF_TOKEN/],
    [429, { "retry-after": "86400" }, "secret", Unavailable, /try again in 86400 s\.$/],
    [500, {}, undefined, Unavailable, /has a fault of its own \(500\): try again later/],
  ])("answers %d %o", async (status, headers, token, kind, sentence) => {
    await serve();
    server.misbehave = (_, response) => {
      response.writeHead(status, headers).end();
      return true;
    };
    await expectRefusal(fetchModel("org/tiny-llama", token ? { token } : {}), kind, sentence);
  });

  test("refuses the file after it has listed it", async () => {
    await serve();
    server.misbehave = ({ origin }, response) => {
      if (origin === "storage") response.writeHead(403).end();
      return origin === "storage";
    };
    await expectRefusal(fetchModel(), UserError, /is gated or private/);
  });

  test("is not there, falls silent, or is no hub", async () => {
    await serve();
    await server.close();
    await expectRefusal(fetchModel(), Unavailable, /cannot be reached \(ECONNREFUSED\): check the network/);
    await serve();
    server.misbehave = () => true;
    await expectRefusal(fetchModel("org/tiny-llama", { patience: 50 }), Unavailable, /cannot be reached \(no answer\)/);
    server.misbehave = ({ origin }, response, content) => {
      if (origin !== "storage" || !content) return false;
      response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 100));
      return true;
    };
    await expectRefusal(fetchModel("org/tiny-llama", { patience: 50 }), Unavailable, /has fallen silent after 100 of/);
    server.misbehave = (_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome to our network</h1>");
      return true;
    };
    await expectRefusal(fetchModel(), Unavailable, /does not answer as a hub does/);
    server.misbehave = (_, response) => {
      sendJson(response, null);
      return true;
    };
    await expectRefusal(fetchModel(), Unavailable, /does not answer as a hub does/);
  });

  test("lists names and hashes that lead out of the cache", async () => {
    await serve();
    server.list = (entries) => entries.map((entry) => ({ ...entry, oid: `../../${entry.oid}`, lfs: undefined }));
    await expectRefusal(fetchModel(), Unavailable, /does not answer as a hub does/);
    server.list = (entries) => [...entries, { ...entries[0], path: "../../../../stray.json" }];
    await expectWhole(await fetchModel());
  });
});

describe("what cannot be pulled", () => {
  test("a name that is none", () => {
    for (const text of [
      "",
      "a/b/c",
      "../x",
      "a/..",
      "a--b/c",
      "org/name@",
      "org/name@../x",
      "https://host/org/name",
      "org/na me",
    ]) {
      expect(() => hubName(text), text).toThrow(UserError);
    }
    expect(hubName("gpt2")).toEqual({ name: "gpt2" });
    expect(hubName("org/name.v1@refs/pr/1")).toEqual({ name: "org/name.v1", revision: "refs/pr/1" });
  });

  test("weights that are no safetensors, no weights, no config, a shard that is missing", async () => {
    const { "config.json": config, "pytorch_model.bin": bin } = files;
    const refusals: [HubFiles, RegExp][] = [
      [{ "config.json": config, "pytorch_model.bin": bin }, /only as pytorch_model\.bin, but safetensors are needed/],
      [{ "config.json": config }, /holds no weights/],
      [golden["model.safetensors"] ? { "model.safetensors": weights } : {}, /has no config\.json/],
      [
        { "config.json": config, "model.safetensors.index.json": json({ weight_map: { a: "model-1.safetensors" } }) },
        /index\.json names model-1\.safetensors, which the repository does not hold/,
      ],
      [{ "config.json": config, "model.safetensors.index.json": json({}) }, /does not say which file holds which/],
    ];
    for (const [served, sentence] of refusals) {
      await serve(served);
      await expectRefusal(fetchModel(), UserError, sentence);
      await server.close();
    }
  });

  test("a model that cannot be run is refused before its weights are fetched", async () => {
    await serve({ ...files, "config.json": json({ model_type: "mamba" }) });
    await expectRefusal(fetchModel(), UserError, /^org\/tiny-llama\/config\.json: model_type is "mamba"/);
    expect(server.fetched("model.safetensors")).toEqual([]);
  });

  test("anything, where the network must not be used", async () => {
    await serve();
    await expectRefusal(fetchModel("org/tiny-llama", { offline: true }), UserError, /^HF_HUB_OFFLINE is set/);
    expect(server.seen).toEqual([]);
  });

  test("more than the disk has room for", async () => {
    await serve();
    server.list = (entries) =>
      entries.map((entry) => (entry.lfs ? { ...entry, lfs: { ...entry.lfs, size: 5e15 } } : entry));
    await expectRefusal(fetchModel(), Unavailable, /^5000 TB have to be fetched into .* are free: free some space/);
    expect(server.fetched("model.safetensors")).toEqual([]);
  });

  test.runIf(process.platform === "linux")("anything onto a disk that fills up meanwhile", async () => {
    await serve();
    await mkdir(blobsFolder(), { recursive: true });
    await symlink("/dev/full", leftover());
    await expectRefusal(fetchModel(), Unavailable, /^The disk of .*blobs is full: free some space and pull again/);
  });

  test("anything into a cache that is no folder", async () => {
    await serve();
    const file = join(cache, "file");
    await writeFile(file, "");
    await expectRefusal(fetchModel("org/tiny-llama", { cache: file }), UserError, /^Nothing can be written to .*file/);
  });
});
