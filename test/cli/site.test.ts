/** The site, built and previewed, on a project of its own with two pages that have data. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, renameSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256 } from "../../loaders/store/hash.js";
import { full } from "../full.js";
import { Project, processesOf, Running } from "../project.js";

const page = `# Squares

## All of them

\`\`\`js
display(await FileAttachment("data/counts/squares.arrow").arrayBuffer());
display(await FileAttachment("data/weights/norms.arrow").arrayBuffer());
\`\`\`

[Up](#squares)
`;

const project = new Project();
beforeAll(() => {
  project.addSite(page);
  project.write("src/benchmarks.md", '# Benchmarks\n\n```js\nFileAttachment("data/benchmarks.arrow").href\n```\n');
  const measured = "data/benchmarks/gpu.json";
  project.write(measured, readFileSync(measured, "utf8"));
});
afterAll(() => project.remove());

const site = () => project.site();

/** The table that the page attaches: old versions of it may lie beside it. */
function attached(table: string): Buffer | undefined {
  const files = site();
  const [path] = new RegExp(`_file/data/\\w+/${table}\\.\\w+\\.arrow`).exec(String(files.get("index.html"))) ?? [""];
  return files.get(path);
}

const passportOf = (table: string) => JSON.parse(tableFromIPC(attached(table)).schema.metadata.get("passport") ?? "");

describe("a build", () => {
  test("refuses to publish what is missing or stale, and says which and why", async () => {
    const missing = await project.run("build");
    expect(missing.stderr).toMatch(
      /^The site was not built.*:\n {2}counts is missing\n {2}weights is missing\nRun them/,
    );
    expect({ code: missing.code, built: existsSync(project.path("dist")) }).toEqual({ code: 2, built: false });
  });

  test("computes what is missing when asked to, and writes a site whose data carries its passport", async () => {
    const { code, stdout, stderr } = await project.run("build", "--run");
    expect(stderr).toMatch(/^counts has to be computed: there is no result yet$/m);
    expect(stderr).toMatch(/^The site is in dist\.$/m);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    const files = site();
    expect(files.get("index.html")?.toString()).toMatch(/<html lang="en">/);
    const data = [...files.keys()].filter((file) => file.endsWith(".arrow"));
    expect(data).toEqual([
      expect.stringMatching(/^_file\/data\/benchmarks\.[0-9a-f]{8}\.arrow$/),
      expect.stringMatching(/^_file\/data\/counts\/squares\.[0-9a-f]{8}\.arrow$/),
      expect.stringMatching(/^_file\/data\/weights\/norms\.[0-9a-f]{8}\.arrow$/),
    ]);
    const { schema, numRows } = tableFromIPC(attached("squares"));
    expect(numRows).toBe(20);
    expect(JSON.parse(schema.metadata.get("passport") ?? "")).toMatchObject({
      experiment: "counts",
      tables: { squares: { rows: 20 } },
    });
  });

  test("of the same gives the same, byte by byte", async () => {
    const before = site();
    expect((await project.run("build")).code).toBe(0);
    expect(site()).toEqual(before);
  });

  // test/fault/site.test.ts kills builds at other moments.
  test.runIf(full)("that is killed leaves the last site, and is not in the way of the next", async () => {
    const before = site();
    const build = project.start("build");
    await sleep(1500);
    build.killGroup("SIGKILL");
    await build.finished;
    expect(site()).toEqual(before);
    expect((await project.run("build")).code).toBe(0);
    expect(site()).toEqual(before);
  });

  test("waits for another that is at work", async () => {
    const before = site();
    const builds = await Promise.all([project.run("build"), project.run("build")]);
    expect(builds.map(({ code }) => code)).toEqual([0, 0]);
    expect(builds.filter(({ stderr }) => stderr.startsWith("Another build is at work"))).toHaveLength(1);
    expect(site()).toEqual(before);
  });

  test.runIf(process.getuid?.() === 0 && process.platform === "linux")(
    "needs no network, not even the first time",
    async () => {
      spawnSync("rm", ["-rf", project.path("src/.observablehq"), project.path("dist")]);
      const script = `ip link set lo up 2>/dev/null; exec ${process.execPath} loaders/observatory.mjs build`;
      const { status, stderr } = spawnSync("unshare", ["--net", "bash", "-c", script], {
        cwd: project.root,
        encoding: "utf8",
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/The site is in/) });
    },
  );

  test.runIf(full && process.getuid?.() === 0 && process.platform === "linux")(
    "takes the last site's place although the store lies on another disk",
    async () => {
      const before = site();
      const store = project.path(".observatory");
      expect(spawnSync("mount", ["-t", "tmpfs", "tmpfs", store]).status).toBe(0);
      try {
        expect(await project.run("build", "--run")).toMatchObject({ code: 0 });
        expect([...site().keys()].filter((file) => !file.startsWith("_"))).toEqual(
          [...before.keys()].filter((file) => !file.startsWith("_")),
        );
      } finally {
        spawnSync("umount", [store]);
      }
    },
  );

  const broken: (readonly [what: string, page: string, sentence: RegExp])[] = [
    [
      "a cell that does not parse",
      page.replace("display(", "display(("),
      /index\.html: a cell or an expression has an error/,
    ],
    ["a link that leads nowhere", `${page}\n[There](./there)\n`, /index\.html: \.\/there leads nowhere/],
    ["a link to no heading", `${page}\n[There](#there)\n`, /index\.html: #there leads to no heading or element/],
    [
      "a module that is not there",
      page.replace("display(", 'import {x} from "./components/nothing.js"; display('),
      /nothing\.js/,
    ],
    ["a package that is not there", page.replace("display(", 'import {x} from "nothing"; display('), /nothing/],
    [
      "a module from a network",
      page.replace("display(", 'import {x} from "https://example.org/x.js"; display('),
      /example\.org/,
    ],
    [
      "data of no experiment",
      page.replace("data/counts", "data/accounts"),
      /index\.md asks for data\/accounts\/squares\.arrow/,
    ],
    ["data of no table", page.replace("squares.arrow", "cubes.arrow"), /cubes/],
  ];
  test.each(full ? broken : broken.filter((_, i) => i % 3 === 0))(
    "with %s fails, says so, and keeps the last site",
    async (_, broken, sentence) => {
      const before = site();
      const { code, stderr } = await project.with(
        "src/index.md",
        () => broken,
        () => project.run("build"),
      );
      expect(stderr).toMatch(sentence);
      expect(code).not.toBe(0);
      expect(site()).toEqual(before);
    },
  );

  test("with a result that cannot be computed fails before it renders anything", async () => {
    const before = site();
    const change = (text: string) => text.replace('fail: "", seed: 1', 'fail: "throw", seed: 1');
    const { code, stderr } = await project.with("loaders/experiments/counts.ts", change, () =>
      project.run("build", "--run"),
    );
    expect(stderr).toMatch(/^counts failed: three is too many$/m);
    expect(stderr).toMatch(/these results could not be computed: counts/);
    expect(code).toBe(1);
    expect(site()).toEqual(before);
  });

  test("publishes stale results only when asked to, and marks them", async () => {
    const before = site();
    const change = (text: string) => text.replace("return n * n;", "return n ** 2;");
    await project.with("loaders/helpers/square.ts", change, async () => {
      const refused = await project.run("build");
      expect(refused.stderr).toContain("  counts is stale: the code changed (loaders/helpers/square.ts)\n");
      expect(refused.stderr).not.toContain("weights is");
      expect(refused.code).toBe(2);
      expect(site()).toEqual(before);
      const { code, stderr } = await project.run("build", "--allow-stale");
      expect(stderr).toMatch(/^counts is published though it is stale: the code changed/m);
      expect(code).toBe(0);
      expect(passportOf("squares")).toMatchObject({ stale: "the code changed (loaders/helpers/square.ts)" });
      expect(passportOf("norms")).not.toHaveProperty("stale");
    });
  });

  test.runIf(full)("keeps the old files for tabs that are open, until the build after the next", async () => {
    const hashed = () => [...site().keys()].filter((file) => file.startsWith("_"));
    const restyle = (color: string) => () => `main { color: ${color}; }\n`;
    spawnSync("rm", ["-rf", project.path("dist")]);
    expect((await project.run("build")).code).toBe(0);
    const first = hashed();
    await project.with("src/style.css", restyle("red"), async () => {
      expect((await project.run("build")).code).toBe(0);
      expect(hashed()).toEqual(expect.arrayContaining(first));
      const both = site();
      expect((await project.run("build")).code).toBe(0);
      expect(site()).toEqual(both);
    });
    const second = hashed();
    await project.with("src/style.css", restyle("blue"), async () => {
      expect((await project.run("build")).code).toBe(0);
    });
    const gone = first.filter((file) => !hashed().includes(file));
    expect(gone).toEqual([expect.stringMatching(/style/)]);
    expect(second.length).toBeGreaterThan(first.length);
  });
});

test.runIf(full)("another model's results are shown as such", async () => {
  cpSync(project.path("data/models/observatory-8m"), project.path("other"), { recursive: true });
  project.write("other/config.json", `${project.read("other/config.json")}\n`); // another key
  expect(await project.run("build")).toMatchObject({ code: 0 });
  const page = site().get("index.html");
  expect(await project.run("build", "--run", "--model", "other")).toMatchObject({ code: 0 });
  expect(passportOf("norms").model).toEqual({ name: "other", folder: "other" });
  expect(await project.run("build")).toMatchObject({ code: 0 });
  expect(site().get("index.html")).toEqual(page);
});

describe("the data loader, run by Framework alone", () => {
  const loader = "src/data/[experiment]/[table].arrow.ts";
  const load = (...args: readonly string[]) =>
    spawnSync(process.execPath, ["loaders/start.mjs", loader, ...args], { cwd: project.root });

  test("writes a table and nothing else", async () => {
    expect(await project.run("build")).toMatchObject({ code: 0 });
    const { status, stdout } = load("--experiment=counts", "--table=squares");
    expect(status).toBe(0);
    expect(stdout.equals(attached("squares") ?? Buffer.of())).toBe(true);
  });

  test.each([
    [["--experiment=count", "--table=squares"], /^There is no experiment count; did you mean counts\?$/m],
    [
      ["--experiment=counts", "--table=cubes"],
      /^The experiment counts has no table cubes: it has squares, verdicts\.$/m,
    ],
    [["--experiment=../store", "--table=x"], /^There is no experiment \.\.\/store/m],
  ])("refuses %j", (args, sentence) => {
    const { status, stdout, stderr } = load(...args);
    expect(stderr.toString()).toMatch(sentence);
    expect({ status, written: stdout.length }).toEqual({ status: 2, written: 0 });
  });

  test("writes nothing when it is interrupted", async () => {
    const slow = (text: string) => text.replace("pause: 0", "pause: 500");
    await project.with("loaders/experiments/counts.ts", slow, async () => {
      const args = [loader, "--experiment=counts", "--table=squares"];
      const loading = new Running(project.path("loaders/start.mjs"), args, project.root);
      await loading.until(/counts +━/);
      loading.killGroup("SIGINT");
      expect(await loading.finished).toMatchObject({ code: 130, stdout: "" });
      await expect.poll(() => processesOf(project), { timeout: 10_000 }).toEqual([]);
    });
  });
});

/** Answers with status and body; `fetch` would not send a Host of our choice. */
function get(
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status?: number; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    request(address, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response
        .on("data", (chunk) => chunks.push(chunk))
        .on("end", () =>
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
        );
    })
      .on("error", reject)
      .end();
  });
}

async function addressOf(server: Running): Promise<string> {
  const [, address] = await server.until(/Attention Observatory: (http:\S+)/);
  return address;
}

describe("a preview", () => {
  let server: Running;
  let address: string;
  beforeAll(async () => {
    server = project.start("preview", "--port", "4400");
    address = await addressOf(server);
  });
  afterAll(() => server.kill("SIGTERM"));

  /** Asks for the socket that Framework's pages have while they are open. */
  const tab = (origin: string) => {
    const headers = {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      "sec-websocket-version": "13",
      origin,
    };
    return request(`${address}_observablehq`, { headers }).end();
  };

  /** As a page that is left at once: Framework is still about to watch its files. */
  const openAndClose = async () => {
    const [, hash] = /\bopen\(\{hash: "(\w+)"/.exec((await get(address)).body.toString()) ?? [];
    const [, socket] = await once(tab(address.slice(0, -1)), "upgrade");
    const hello = Buffer.from(JSON.stringify({ type: "hello", path: "/", hash }));
    const header = [0x81, 0x80 | hello.length, 0, 0, 0, 0]; // https://www.rfc-editor.org/rfc/rfc6455#section-5.2
    socket.end(Buffer.concat([Buffer.from(header), hello]));
  };

  const question = async () => {
    const { status, body } = await get(`${address}_file/data/counts/squares.arrow`);
    if (status !== 200) return body.toString();
    return JSON.parse(tableFromIPC(body).schema.metadata.get("passport") ?? "").question;
  };

  test("serves pages as the build does, and their data", async () => {
    const { status, body } = await get(address);
    expect(status).toBe(200);
    expect(body.toString()).toMatch(/<html lang="en">/);
    expect(await question()).toBe("How many are there?");
  });

  test("answers the search as the built site does", async () => {
    const { status, body } = await get(`${address}search.json`);
    expect(status).toBe(200);
    expect(body.toString()).toBe(site().get("search.json")?.toString());
    expect(body.toString()).toContain("All of them");
  });

  describe("asked for what a query gives", () => {
    const file = async () => {
      const href = `${address}_file/data/counts/squares.arrow`;
      return { href, hash: sha256((await get(href)).body) };
    };
    const ask = async (sql: string, squares: { readonly href: string; readonly hash: string }) => {
      const body = JSON.stringify({ sql, files: { squares } });
      const response = await fetch(`${address}_observatory/answer`, { method: "POST", body });
      return response.status === 200
        ? tableFromIPC(await response.arrayBuffer())
            .toArray()
            .map(String)
        : response.status;
    };

    test("answers over the very file that the page has", async () => {
      expect(await ask("SELECT sum(square) AS all FROM squares", await file())).toEqual(['{"all": 2470}']);
      expect(await ask("SELECT sum(square) AS all FROM squares", { ...(await file()), hash: "0" })).toBe(204);
      const elsewhere = { ...(await file()), href: `${address}_file/data/counts/../../../package.json` };
      expect(await ask("SELECT 1", elsewhere)).toBe(204);
    });

    test("reads no other file, and leaves errors to the page", async () => {
      expect(await ask("SELECT * FROM read_text('/etc/passwd')", await file())).toBe(204);
      expect(await ask("COPY squares TO 'squares.csv'", await file())).toBe(204);
      expect(await ask("SELECT nothing FROM squares", await file())).toBe(204);
      expect(existsSync(project.path("squares.csv"))).toBe(false);
    });

    test.runIf(full)("gives up what takes too long, and answers what comes after that", async () => {
      expect(await ask("SELECT sum(a.range * b.range) FROM range(1e7::INT) a, range(1e7::INT) b", await file())).toBe(
        204,
      );
      expect(await ask("SELECT count(*) AS all FROM squares", await file())).toEqual(['{"all": 20}']);
    });
  });

  test("answers only its own pages", async () => {
    const port = new URL(address).port;
    const status = async (headers: Readonly<Record<string, string>>) => (await get(address, headers)).status;
    expect(await status({ host: "example.org" })).toBe(403);
    expect(await status({ host: `example.org:${port}` })).toBe(403);
    expect(await status({ origin: "http://example.org" })).toBe(403);
    expect(await status({ origin: "null" })).toBe(403);
    expect(await status({ origin: "http://localhost:1", host: `localhost:${port}` })).toBe(403);
    expect(await status({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" })).toBe(403);
    expect(await status({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).toBe(200);
    expect(await status({ host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(200);
  });

  test("refuses the socket of a foreign page", async () => {
    const upgrade = (origin: string) =>
      new Promise((resolve) => {
        const asked = tab(origin);
        asked.on("response", ({ statusCode }) => resolve(statusCode));
        asked.on("upgrade", ({ statusCode }, socket) => {
          socket.destroy();
          resolve(statusCode);
        });
      });
    expect(await upgrade("http://example.org")).toBe(403);
    expect(await upgrade(address.slice(0, -1))).toBe(101);
  });

  test("takes the next port where its own is taken, and says so", async () => {
    const second = project.start("preview", "--port", "4400");
    expect(await addressOf(second)).not.toBe(address);
    await second.until(/Port 4400 is taken, so this is port 44\d\d\./);
    second.kill("SIGTERM");
    expect((await second.finished).code).toBe(0);
  });

  test("lives on where folders come and go, and sees what changes after that", async () => {
    const comeAndGo = "for i in {1..20}; do mkdir -p new/{a..h}/{a..h} && mv new old && rm -r old || exit 1; done";
    expect(spawnSync("bash", ["-c", comeAndGo], { cwd: project.path("data") }).status).toBe(0);
    expect((await get(address)).status).toBe(200); // as it does below, where changes are seen
  });

  test("computes again what depends on a change, and only that", async () => {
    const ask = (text: string) => text.replace("How many are there?", "How many were there?");
    await project.with("loaders/experiments/counts.ts", ask, async () => {
      await expect.poll(question, { timeout: 30_000, interval: 500 }).toBe("How many were there?");
    });
    await expect.poll(question, { timeout: 30_000, interval: 500 }).toBe("How many are there?");
  });

  test("sees each change of a file that editors replace", async () => {
    const file = "loaders/experiments/counts.ts";
    const original = project.read(file);
    for (const ask of ["How many will there be?", "How many could there be?", "How many are there?"]) {
      project.write("draft.ts", original.replace("How many are there?", ask));
      renameSync(project.path("draft.ts"), project.path(file));
      await expect.poll(question, { timeout: 30_000, interval: 500 }).toBe(ask);
    }
  });

  test("computes again what reads an input that changes, and only that", async () => {
    const keyOf = async (table: string) => {
      const { status, body } = await get(`${address}_file/data/${table}.arrow`);
      return status === 200 ? tableFromIPC(body).schema.metadata.get("key") : undefined;
    };
    const [counts, weights] = [await keyOf("counts/squares"), await keyOf("weights/norms")];
    await project.with(
      "data/names.jsonl",
      (text) => `${text}{"name":"c"}\n`,
      async () => {
        await expect.poll(() => keyOf("counts/squares"), { timeout: 30_000, interval: 500 }).not.toBe(counts);
        expect(await keyOf("weights/norms")).toBe(weights);
      },
    );
    await expect.poll(() => keyOf("counts/squares"), { timeout: 30_000, interval: 500 }).toBe(counts);
  });

  test("tells how far a computation is, and then has its result", async () => {
    const slow = (text: string) => text.replace("pause: 0", "pause: 150");
    const data = `${address}_file/data/counts/squares.arrow`;
    const progress = async () => JSON.parse((await get(`${address}_observatory/progress/counts`)).body.toString());
    await project.with("loaders/experiments/counts.ts", slow, async () => {
      const now = { prefer: "respond-async" };
      // As a page does, which asks again where what it waited for has become outdated.
      const asked = async () => ({ status: (await get(data, now)).status, ...(await progress()) });
      await expect
        .poll(asked, { timeout: 30_000, interval: 100 })
        .toMatchObject({ status: 202, state: "computing", total: 20, message: expect.stringMatching(/^row \d/) });
      const patient = get(data);
      await expect.poll(async () => (await progress()).state, { timeout: 30_000 }).toBe("ready");
      expect((await get(data, now)).status).toBe(200);
      expect((await patient).status).toBe(200);
    });
    expect((await get(`${address}_observatory/progress/nothing`)).status).toBe(404);
    await expect.poll(question, { timeout: 30_000, interval: 500 }).toBe("How many are there?");
  });

  test("says in the page why there is no data", async () => {
    const change = (text: string) => text.replace('fail: "", seed: 1', 'fail: "throw", seed: 1');
    await project.with("loaders/experiments/counts.ts", change, async () => {
      await expect
        .poll(question, { timeout: 30_000, interval: 500 })
        .toBe("There is no result of counts: three is too many.");
      const { body } = await get(`${address}_observatory/progress/counts`);
      expect(JSON.parse(body.toString())).toMatchObject({
        state: "failed",
        message: "There is no result of counts: three is too many.",
      });
    });
    await expect.poll(question, { timeout: 30_000, interval: 500 }).toBe("How many are there?");
    expect((await get(`${address}_file/data/counts/cubes.arrow`)).body.toString()).toBe(
      "The experiment counts has no table cubes: it has squares, verdicts.",
    );
    expect((await get(`${address}_file/data/nothing/cubes.arrow`)).status).toBe(500);
  });

  test("ends when it is told to, and leaves no process", async () => {
    const slow = (text: string) => text.replace("pause: 0", "pause: 500");
    await project.with("loaders/experiments/counts.ts", slow, async () => {
      const computing = async () => {
        void question().catch(() => undefined); // it is never answered
        return processesOf(project).some(({ command }) => command.includes("worker.ts"));
      };
      await expect.poll(computing, { timeout: 30_000, interval: 500 }).toBe(true);
      await openAndClose();
      server.killGroup("SIGINT");
      expect((await server.finished).code).toBe(0);
      await expect.poll(() => processesOf(project), { timeout: 10_000 }).toEqual([]);
    });
  });
});

describe("the static server", () => {
  test("serves a built site as a static host does", async () => {
    const server = project.start("serve", "--port", "0", "--isolate");
    const address = await addressOf(server);
    expect((await get(address)).headers).toMatchObject({
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    expect((await get(address)).body).toEqual(site().get("index.html"));
    expect((await get(`${address}index`)).status).toBe(200);
    expect((await get(`${address}%2e%2e/package.json`)).status).toBe(404);
    expect((await get(`${address}..%2fpackage.json`)).status).toBe(404);
    expect((await get(address, { host: "example.org" })).status).toBe(403);
    server.kill("SIGINT");
    expect((await server.finished).code).toBe(0);
    expect(existsSync(project.path("dist/index.html"))).toBe(true);
  });
});
