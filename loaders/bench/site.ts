/** `observatory bench site`: how soon a built page shows something, how quickly it answers, and whether it holds still. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { makeVector, Table, tableToIPC } from "apache-arrow";
import type { Browser, Response } from "playwright-core";
import { UserError } from "../../engine/errors.js";
import { quantile } from "../../engine/interval.js";
import { messages } from "../messages.js";
import { dataFolder, projectPath, root, siteOutput } from "../project.js";
import { checkout, machine, packageVersion } from "../runner/provenance.js";
import { absent, writeFlushed } from "../store/system.js";
import { say } from "../terminal.js";
import { launchChromium } from "./chromium.js";
import { labTimes, textOf } from "./lab.js";
import { largestShift, watchShifts } from "./layout-shift.js";
import { changedSince } from "./site-age.js";

const rounds = 5;
/** Pixels. */
const widths = [360, 768, 1440];
/** Rows of the table behind the slider, and its positions. */
const [many, positions] = [1_000_000, 20];

const limits = {
  "first chart": 2,
  "before the first chart": 9,
  "slider redraw": 0.1,
  "layout shift": 0.05,
  "256 tokens": 1,
  "2,048 tokens": 15,
  "longest task": 0.05,
  "memory at 2,048 tokens": 1000,
} as const;
const units = {
  "first chart": "s",
  "before the first chart": "MB",
  "slider redraw": "s",
  "layout shift": "",
  "256 tokens": "s",
  "2,048 tokens": "s",
  "longest task": "s",
  "memory at 2,048 tokens": "MB",
} as const;

interface Finding {
  readonly name: keyof typeof limits;
  readonly page: string;
  readonly value: number;
  readonly within: boolean;
}

/** @returns whether everything kept within its limit @throws {UserError} where no site is built, or one of other sources */
export async function benchSite(file = join(dataFolder, "benchmarks/site.json")): Promise<boolean> {
  const pages = ((await readdir(siteOutput).catch(absent)) ?? []).filter((name) => /^(?!404).*\.html$/.test(name));
  if (pages.length === 0) throw new UserError(messages.noSite(projectPath(siteOutput)));
  const { mtimeMs } = await stat(join(siteOutput, "index.html"));
  const changed = await changedSince(mtimeMs, root);
  if (changed) throw new UserError(messages.oldSite(projectPath(siteOutput), changed));
  const server = spawn(process.execPath, [join(root, "loaders/observatory.mjs"), "serve", "--port", "4500"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const browser = await launchChromium();
  try {
    const site = await addressOf(server);
    const findings: Finding[] = [];
    for (const page of pages) {
      say(page);
      findings.push(...(await measure(browser, site, page.replace(/(?:index)?\.html$/, ""))));
    }
    say(`a slider over ${many} rows`);
    findings.push(finding("slider redraw", "(any)", await redraw(browser, site)));
    say("texts in the lab");
    findings.push(...(await measureLab(browser, site)));
    const benchmark = {
      date: new Date().toISOString(),
      machine: machine(),
      versions: {
        node: process.versions.node,
        chromium: browser.version(),
        "attention-observatory": await packageVersion(),
      },
      ...(await checkout()),
      built: new Date(mtimeMs).toISOString(),
      limits,
      findings,
    };
    await writeFlushed(file, `${JSON.stringify(benchmark, null, 2)}\n`);
    for (const line of findings.map(report)) console.log(line);
    say(`Written to ${projectPath(file)}.`);
    return findings.every(({ within }) => within);
  } finally {
    await browser.close();
    server.kill("SIGINT");
  }
}

async function addressOf(server: ChildProcess): Promise<string> {
  for (const stream of [server.stdout, server.stderr])
    if (stream) createInterface(stream).on("line", (line) => server.emit("said", line));
  for (;;) {
    const [line] = (await once(server, "said")) as [string];
    const found = /http:\/\/\S+\//.exec(line);
    if (found) return found[0];
  }
}

function finding(name: Finding["name"], page: string, value: number): Finding {
  return { name, page, value, within: value <= limits[name] };
}

function report({ name, page, value, within }: Finding): string {
  const show = (number: number) => `${number.toFixed(3)} ${units[name]}`.trim();
  return `${within ? "within" : "BEYOND"}  ${name}, /${page}: ${show(value)}, at most ${show(limits[name])}`;
}

/** A page with charts is measured to its first one; all are watched for what moves. */
async function measure(browser: Browser, site: string, path: string): Promise<Finding[]> {
  const megabytes = await beforeFirstChart(browser, `${site}${path}`);
  const seconds: number[] = [];
  for (let i = 0; i < rounds && megabytes !== undefined; ++i) {
    const drawn = await firstChart(browser, `${site}${path}`);
    if (drawn !== undefined) seconds.push(drawn);
  }
  const shifts: number[] = [];
  for (const width of widths) shifts.push(await layoutShift(browser, `${site}${path}`, width));
  return [
    ...(megabytes !== undefined
      ? [finding("first chart", path, quantile(seconds, 0.5)), finding("before the first chart", path, megabytes)]
      : []),
    finding("layout shift", path, Math.max(...shifts)),
  ];
}

/** The lab with its weights there: the median of short texts, and one as long as it takes. */
async function measureLab(browser: Browser, site: string): Promise<Finding[]> {
  const [short, long] = [await textOf(256), await textOf(2048)];
  const texts = [...Array.from({ length: rounds }, (_, i) => short.slice(i)), long]; // no two alike
  const times = await labTimes(browser, `${site}lab`, texts);
  const last = times[rounds];
  const tasks = times.map(({ longestTask }) => longestTask);
  return [
    finding(
      "256 tokens",
      "lab",
      quantile(
        times.slice(0, rounds).map(({ seconds }) => seconds),
        0.5,
      ),
    ),
    finding("2,048 tokens", "lab", last.seconds),
    finding("longest task", "lab", Math.max(...tasks)),
    ...(last.memory === undefined ? [] : [finding("memory at 2,048 tokens", "lab", last.memory / 1e6)]),
  ];
}

/** Seconds with a cold cache; nothing for a page that draws no chart. `watch` sees its responses. */
async function firstChart(
  browser: Browser,
  address: string,
  watch?: (response: Response) => void,
): Promise<number | undefined> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  try {
    const page = await context.newPage();
    if (watch) page.on("response", watch);
    await page.goto(address);
    const drawn = page.waitForFunction(() => performance.getEntriesByName("first-chart")[0]?.startTime);
    const time = await drawn.then((handle) => handle.jsonValue()).catch(() => undefined);
    return time && time / 1000;
  } finally {
    await context.close();
  }
}

/** Megabytes as a host that compresses would send them: in a visit of its own, because to read them takes time. */
async function beforeFirstChart(browser: Browser, address: string): Promise<number | undefined> {
  const sizes: Promise<number>[] = [];
  const drawn = await firstChart(browser, address, (response) => {
    const body = response.body().catch(() => Buffer.alloc(0));
    sizes.push(body.then((bytes) => gzipSync(bytes).length));
  });
  if (drawn === undefined) return undefined;
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0) / 1e6;
}

/** The largest burst of shifts until the page is at rest. */
async function layoutShift(browser: Browser, address: string, width: number): Promise<number> {
  const context = await browser.newContext({ viewport: { width, height: 900 } });
  try {
    const page = await context.newPage();
    await watchShifts(page);
    await page.goto(address, { waitUntil: "networkidle" });
    await page.waitForFunction(() => document.querySelectorAll("main [aria-busy=true]").length === 0);
    await page.waitForTimeout(500);
    return await largestShift(page);
  } finally {
    await context.close();
  }
}

/** A table of a million rows, 20 layers of 50,000 positions. */
function millionRows(): Uint8Array {
  const layers = makeVector(Int32Array.from({ length: many }, (_, i) => i % positions));
  const places = makeVector(Int32Array.from({ length: many }, (_, i) => Math.floor(i / positions)));
  const values = makeVector(Float64Array.from({ length: many }, (_, i) => Math.sin(i)));
  return tableToIPC(new Table({ layer: layers, position: places, value: values }), "stream");
}

/** Seconds from a move of a control to the new drawing: the median over its positions. */
async function redraw(browser: Browser, site: string): Promise<number> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  try {
    const page = await context.newPage();
    const body = Buffer.from(millionRows());
    await page.route("**/million.arrow", (route) => route.fulfill({ body }));
    await page.goto(site);
    const modules = await page.locator("link[rel=modulepreload][href*='/charts.']").getAttribute("href");
    const milliseconds = (await page.evaluate(moves(new URL(modules ?? "", site).href))) as number[];
    return quantile(milliseconds, 0.5) / 1000;
  } finally {
    await context.close();
  }
}

/** The script of the measurement, as text: a compiler's helpers would not be there in the page. */
function moves(modules: string): string {
  return `(async () => {
    const modules = await import("${modules}");
    const { database } = modules["components/database"];
    const { figure } = modules["components/figure"];
    const { profile } = modules["components/specs"];
    const db = database({ million: "./million.arrow" });
    const sql = "SELECT position // 500 AS place, avg(value) AS value FROM million WHERE layer = $layer GROUP BY ALL ORDER BY ALL";
    const spec = profile({ x: { field: "place" }, y: { field: "value" } });
    const move = (layer) =>
      figure({ db, id: "million", table: "million", claim: "", sql, params: { layer }, spec, height: 300 });
    const rest = async (node) => {
      while (node.getAttribute("aria-busy") || !node.querySelector(".marks"))
        await new Promise((resolve) => setTimeout(resolve, 1));
    };
    const node = move(0);
    document.querySelector("main").prepend(node);
    await rest(node);
    const times = [];
    for (let layer = 1; layer < ${positions}; ++layer) {
      const start = performance.now();
      move(layer);
      await rest(node);
      times.push(performance.now() - start);
    }
    return times;
  })()`;
}
