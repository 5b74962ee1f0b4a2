/**
 * Hostile data and addresses change nothing but what is said: no script runs, no page dies, nothing leaves the machine.
 * @module-tag wide
 */
import { RecordBatchReader, Schema, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import type { Browser } from "playwright-core";
import { beforeAll, expect, inject, test } from "vitest";
import { Random } from "../../engine/random.js";
import { full } from "../full.js";
import { openChromium } from "./chromium.js";
import { damage, payloads, unharmed } from "./hostile.js";
import { marks, settled, tampered, visit } from "./visit.js";

const site = inject("site");

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium();
});

/** The table with every text that is only shown replaced, and a passport to match. */
function poisoned(bytes: Buffer): Buffer {
  const reader = RecordBatchReader.from(bytes).open();
  const table = new Table(reader.schema, [...reader]);
  let next = 0;
  const columns = table.schema.fields.map(({ name, type }) => {
    const shown = ["token", "text", "statement", "measure", "rule", "revised", "paper", "outcome"].includes(name);
    const column = table.getChild(name)!;
    if (!shown || !/Utf8/.test(String(type))) return [name, column];
    return [
      name,
      vectorFromArray(
        Array.from(column, () => payloads[next++ % payloads.length]),
        new Utf8(),
      ),
    ];
  });
  const changed = new Table(Object.fromEntries(columns));
  const passport = JSON.parse(table.schema.metadata.get("passport") ?? "{}");
  const hostile = {
    ...passport,
    commit: payloads[1],
    model: { name: payloads[0], control: payloads[2] },
    device: { name: payloads[3] },
  };
  const metadata = new Map([
    ["meaning", payloads[4]],
    ["passport", JSON.stringify({ ...hostile, [payloads[5]]: payloads })],
  ]);
  return Buffer.from(tableToIPC(new Table(new Schema(changed.schema.fields, metadata), changed.batches), "stream"));
}

test.each(full ? ["", "sinks"] : [""])("markup in tokens, claims and passports is text, on /%s", async (path) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(site)) errors.push(request.url());
  });
  try {
    await page.route(/\.arrow$/, tampered(poisoned));
    await page.goto(`${site}${path}`);
    await settled(page);
    for (const summary of await page.locator(".passport > summary, .figure-data > summary").all())
      await summary.click();
    await settled(page);
    expect(await page.locator("main").textContent()).toContain("<script>ran = 1</script>");
    expect(await page.locator(marks).count()).toBeGreaterThan(2);
    expect(await damage(page)).toEqual(unharmed);
    expect(errors).toEqual([]);
  } finally {
    await context.close();
  }
});

test("an address can ask for anything, and gets a sentence", async () => {
  const { page, troubles, close } = await visit(browser, `${site}entropy#%E0%A4%A?sql=%`, "light", 1280);
  try {
    const specs = [
      '{"data": {"url": "https://example.org/x.json"}, "mark": "bar"}',
      '{"mark": {"type": "image", "url": "https://example.org/x.png"}}',
      '{"mark": {"type": "bar", "href": "javascript:ran=1"}}',
      '{"__proto__": {"ran": 1}, "mark": "bar"}',
      `${"[".repeat(20_000)}`,
      "[]",
      "null",
      "",
      ...payloads,
    ];
    const addresses = [
      ...payloads.map((text) => `#${text}`),
      ...payloads.map((text) => `#widths?${new URLSearchParams({ sql: text })}`),
      ...specs.map((text) => `#widths?${new URLSearchParams({ spec: text })}`),
    ];
    expect(addresses.length).toBeGreaterThan(100);
    for (const address of addresses.filter((_, i) => full || i % 3 === 2)) {
      await page.evaluate((hash) => location.replace(hash), address);
      await page.waitForFunction(() => document.querySelectorAll("main [aria-busy=true]").length === 0);
    }
    await settled(page);
    await page.locator("#widths .edited", { hasText: "cannot be used" }).waitFor(); // once it has been looked at
    expect(await damage(page)).toEqual(unharmed);
    await page.getByRole("button", { name: "Back to the published chart" }).click();
    await settled(page);
    expect(await page.locator("#widths .figure-message:visible").count()).toBe(0);
    expect(await page.locator("#widths svg.marks").count()).toBe(1);
    expect(troubles).toEqual([]);
  } finally {
    await close();
  }
});

test("an Arrow file with any wrong bytes is read or refused, and the page goes on", async () => {
  const { page, close } = await visit(browser, `${site}entropy`, "light", 1280);
  try {
    const html = await (await fetch(`${site}entropy`)).text();
    const [, file] = /"path":"\.\/(_file\/data\/entropy\/split\.\w+\.arrow)"/.exec(html) ?? [];
    const [module] = /_import\/charts\.\w+\.js/.exec(html) ?? [];
    const whole = Buffer.from(await (await fetch(`${site}${file}`)).arrayBuffer());
    const random = new Random(1);
    const spoilt = Array.from({ length: full ? 40 : 12 }, (_, i) => {
      const bytes = Buffer.from(whole);
      if (i % 4 === 0) return Buffer.concat([bytes.subarray(0, random.int(bytes.length)), bytes.subarray(-8)]);
      for (let n = 0; n < 1 << (i % 8); ++n) bytes[random.int(bytes.length - 8)] = random.int(256);
      return bytes;
    });
    await page.route("**/spoilt/*.arrow", (route) =>
      route.fulfill({ body: spoilt[Number(/(\d+)\.arrow/.exec(route.request().url())?.[1])] }),
    );
    const read = `(async () => {
      const { database } = (await import(${JSON.stringify(`${site}${module}`)}))["components/database"];
      const said = [];
      for (let i = 0; i < ${spoilt.length}; ++i) {
        const db = database({ spoilt: ${JSON.stringify(`${site}spoilt/`)} + i + ".arrow" });
        const answer = db.query("SELECT count(*) AS n FROM spoilt").then(([{ n }]) => n + " rows");
        said.push(await answer.catch((error) => error.message));
        await db.close();
      }
      return said;
    })()`;
    const answers = (await page.evaluate(read)) as string[];
    // In our words: those of the database would be about memory that is not there, from which it does not recover.
    const sentence =
      /^(\d+ rows|The data file .* could not be used: (it|what it|a column|the database) [\w ]+(; .*)?)$/;
    for (const answer of answers) {
      expect(answer).toMatch(sentence);
    }
    await page.locator("main .control input[type=range]").first().press("ArrowLeft");
    await settled(page);
    expect(await page.locator("main .figure-message:visible").allTextContents()).toEqual([]);
  } finally {
    await close();
  }
});
