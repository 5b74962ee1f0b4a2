/** A page of a preview shows what is being computed, what failed, and the result when it is there, without a reload. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project, type Running } from "../project.js";
import { openChromium } from "./chromium.js";
import { marks, screenshot } from "./visit.js";

const notebook = `# Squares

\`\`\`js
import {database} from "./components/database.js";
import {figure} from "./components/figure.js";

const db = database({squares: FileAttachment("data/counts/squares.arrow").href}, invalidation);
const axis = (field) => ({field, type: "quantitative"});
const spec = {mark: "point", encoding: {x: axis("number"), y: axis("square")}};
const sql = "SELECT number, square FROM squares";
display(figure({id: "squares", db, table: "squares", claim: (rows) => \`\${rows.length} squares.\`, sql, spec}, invalidation));
\`\`\`
`;

const project = new Project();
let browser: Browser;
let preview: Running;
let page: Page;

beforeAll(async () => {
  project.addSite(notebook, { components: true });
  browser = await openChromium();
  project.write("loaders/experiments/counts.ts", counts({ pause: 200 }));
  preview = project.start("preview", "--port", "4500");
  const [, address] = await preview.until(/Attention Observatory: (http:\S+)/);
  page = await browser.newPage();
  await page.goto(address, { waitUntil: "commit" });
});
afterAll(async () => {
  await page.close();
  preview.kill("SIGTERM");
  await preview.finished;
  project.remove();
});

const original = project.read("loaders/experiments/counts.ts");
function counts({ pause = 0, fail = "" }): string {
  return original.replace("pause: 0, fail: ''".replaceAll("'", '"'), `pause: ${pause}, fail: "${fail}"`);
}

const progress = () => page.locator("main .figure-progress:visible").allTextContents();
const messages = () => page.locator("main .figure-message:visible").allTextContents();
/** What is only true of a result that is there. */
const said = () => page.locator("main .claim, main .passport").allTextContents();
const charts = () => page.locator(marks).count();
const soon = { timeout: 60_000, interval: 100 };

test("progress is shown while a result is computed, and then its chart", async () => {
  await expect.poll(progress, soon).toEqual([expect.stringMatching(/^Being computed: \d+ %, .*row \d+/)]);
  expect({ charts: await charts(), said: (await said()).join("") }).toEqual({ charts: 0, said: "" });
  await screenshot(page, "being-computed");
  await expect.poll(charts, soon).toBe(1);
  expect({ progress: await progress(), messages: await messages() }).toEqual({ progress: [], messages: [] });
  expect(await said()).toEqual(["20 squares.", expect.stringContaining("commit")]);
});

test("a change of the experiment computes again, and a failure is shown with its reason", async () => {
  project.write("loaders/experiments/counts.ts", counts({ pause: 50, fail: "throw" }));
  await expect.poll(messages, soon).toEqual([expect.stringMatching(/three is too many/)]);
  expect((await said()).join("")).toBe("");
  await screenshot(page, "failed");
  project.write("loaders/experiments/counts.ts", counts({ pause: 60 }));
  await expect.poll(progress, soon).toHaveLength(1);
  await expect.poll(messages, soon).toEqual([]);
  await expect.poll(charts, soon).toBe(1);
  await expect.poll(progress, soon).toEqual([]);
});
