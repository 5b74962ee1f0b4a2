/** How soon the lab shows a text that is typed, how long it holds the page up meanwhile, and what memory that takes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, CDPSession, Page } from "playwright-core";
import { openTokenizer } from "../../engine/tokenizer.js";
import { fileSource } from "../files.js";
import { bundledModel, dataFolder } from "../project.js";
import { absent } from "../store/system.js";

export interface LabTimes {
  /** Seconds from when the text begins to be read to its result; the wait for more typing is over then. */
  readonly seconds: number;
  /** Seconds of the longest task of the page's own thread in that time: what the browser does to paste is before it. */
  readonly longestTask: number;
  /** Bytes of the page's process at its peak; undefined where the system does not tell. */
  readonly memory: number | undefined;
}

/** Running text of so many tokens of the bundled model, start token included, or a little more. */
export async function textOf(tokens: number): Promise<string> {
  const tokenizer = await openTokenizer(fileSource(bundledModel));
  const lines = (await readFile(join(dataFolder, "prompts/texts.jsonl"), "utf8")).trimEnd().split("\n");
  const words = lines.flatMap((line): string[] => JSON.parse(line).text.split(" "));
  let count = Math.floor(tokens / 2); // words have a token at least, and hardly more than two
  while (tokenizer.prompt(words.slice(0, count).join(" ")).length < tokens) count += 1;
  return words.slice(0, count).join(" ");
}

/** @param texts typed one after the other into a lab that has its weights */
export async function labTimes(browser: Browser, address: string, texts: readonly string[]): Promise<LabTimes[]> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const session = await browser.newBrowserCDPSession();
  try {
    const before = await renderers(session);
    const page = await context.newPage();
    await page.addInitScript(() => {
      const tasks: PerformanceEntry[] = [];
      Object.assign(globalThis, { tasks });
      new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({ type: "longtask" });
    });
    await page.goto(address);
    await resultOf(page);
    const times: Omit<LabTimes, "memory">[] = [];
    for (const text of texts) times.push(await type(page, text));
    const own = (await renderers(session)).filter((id) => !before.includes(id));
    const memory = await peakOf(own);
    return times.map((of) => ({ ...of, memory }));
  } finally {
    await context.close();
  }
}

async function type(page: Page, text: string): Promise<Omit<LabTimes, "memory">> {
  // Watched in the page: from outside, the beginning would be seen late.
  const times = page.evaluate(
    () =>
      new Promise<{ began: number; ended: number }>((resolve) => {
        let began: number | undefined;
        const lab = document.querySelector(".lab") as Element;
        const watcher = new MutationObserver(() => {
          if (lab.hasAttribute("aria-busy")) began ??= performance.now();
          else if (began !== undefined) {
            watcher.disconnect();
            resolve({ began, ended: performance.now() });
          }
        });
        watcher.observe(lab, { attributes: true });
      }),
  );
  await page.locator(".lab textarea").fill(text);
  const { began, ended } = await times;
  await page.waitForTimeout(200); // what has come is laid out and painted
  const longest = (await page.evaluate(
    `Math.max(0, ...tasks.filter((task) => task.startTime + task.duration > ${began}).map((task) => task.duration))`,
  )) as number;
  return { seconds: (ended - began) / 1000, longestTask: longest / 1000 };
}

const resultOf = (page: Page) => page.locator(".lab:not([aria-busy]) [data-entropy]").waitFor({ timeout: 120_000 });

async function renderers(session: CDPSession): Promise<number[]> {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
}

/** Linux keeps the peak of every process. */
async function peakOf(processes: readonly number[]): Promise<number | undefined> {
  const peaks = await Promise.all(
    processes.map(async (id) => {
      const status = await readFile(`/proc/${id}/status`, "utf8").catch(absent);
      const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(status ?? "") ?? [];
      return Number(kibibytes) * 1024;
    }),
  );
  const known = peaks.filter((peak) => !Number.isNaN(peak));
  return known.length > 0 ? Math.max(...known) : undefined;
}
