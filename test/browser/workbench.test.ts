/** A reader changes the query or the drawing of a chart, and passes the change on as an address. */
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { openChromium } from "./chromium.js";
import { charts, screenshot, settled, type Visit, violations, visit } from "./visit.js";

const address = `${inject("site")}entropy`;

let browser: Browser;
let desk: Visit;
let figure: Locator;
beforeAll(async () => {
  browser = await openChromium();
  desk = await visit(browser, address, "light", 1280);
  figure = desk.page.locator("#widths");
  await figure.locator(".figure-data > summary").click();
  await figure.locator(".cm-content").first().waitFor();
});
afterAll(() => desk.close());

beforeEach(async () => {
  const back = figure.getByRole("button", { name: "Back to the published chart" });
  if (await back.isVisible()) await back.click();
  await settled(desk.page);
});

const query = () => figure.locator(".sql .cm-content");
const status = () => figure.locator(".bench-status").textContent();

async function run(sql: string): Promise<void> {
  await query().fill(sql);
  await query().press("Control+Enter");
  await settled(desk.page);
}

test("a changed query is drawn, counted and timed, and said to be a reader's", async () => {
  const [before, claim] = [(await charts(desk.page))[0], await figure.locator(".claim").textContent()];
  await run("SELECT 'trained' AS condition, 10 AS keys, 1.5 AS value, NULL AS low, NULL AS high");
  expect((await charts(desk.page))[0]).not.toBe(before);
  expect(await status()).toMatch(/^1 row in [\d.]+ ms\.$/);
  expect(await figure.locator(".rows tbody tr").count()).toBe(1);
  expect(await figure.locator(".edited").textContent()).toContain("not as it was published");
  expect(await figure.locator(".claim").textContent()).not.toBe(claim);
  await figure.getByRole("button", { name: "Back to the published chart" }).click();
  await settled(desk.page);
  expect((await charts(desk.page))[0]).toBe(before);
  expect(await figure.locator(".claim").textContent()).toBe(claim);
});

test.each([
  ["a mistake of grammar", "SELECT *\nFORM profiles", "profiles", /syntax error/],
  ["a column that is not there", "SELECT layer,\n  nothing\nFROM profiles", "nothing", /Referenced column "nothing"/],
])("%s is marked where it is", async (_, sql, marked, message) => {
  await run(sql);
  expect(await figure.locator(".cm-lintRange-error").textContent()).toBe(marked);
  expect(await status()).toMatch(message);
  expect(await figure.locator(".figure-message").textContent()).toMatch(message);
});

test.each([
  ["two statements", "SELECT 1; DROP TABLE profiles", /multiple statements/],
  ["a change", "DROP TABLE profiles", /read-only/],
  ["a file elsewhere", "SELECT * FROM 'https://example.org/x.csv'", /disabled by configuration/],
  ["a setting", "SET threads = 1", /locked/],
])("a query cannot do more than read the tables of the page: %s", async (_, sql, message) => {
  await run(sql);
  expect(await status()).toMatch(message);
});

test("a query that would never end is said to run, and is stopped", async () => {
  const running = run(
    "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c WHERE a.range + b.range = c.range",
  );
  await figure.locator(".bench-status", { hasText: "Running …" }).waitFor();
  await running;
  expect(await status()).toMatch(/stopped after 8 seconds/);
});

test("names of tables and columns are completed", async () => {
  await query().fill("SELECT * FROM pro");
  await query().press("Control+Space");
  await figure.locator(".cm-tooltip-autocomplete li", { hasText: "profiles" }).waitFor();
  await query().press("Escape");
});

test("a drawing that is not Vega-Lite is refused where it is wrong, and one that is, is drawn", async () => {
  const drawing = figure.locator(".spec .cm-content");
  if (!(await drawing.isVisible())) await figure.getByText("Drawing, in Vega-Lite").click();
  await drawing.fill('{"mark": "bar", "encoding": {"x": {"field": "keys", "typ": "quantitative"}}}');
  await drawing.press("Control+Enter");
  await figure.locator(".spec .cm-lintRange-error").waitFor();
  expect(await status()).toBe('Vega-Lite knows no property "typ" here.');
  await desk.page.waitForTimeout(1500); // the grammar is looked at when the reader pauses, and finds nothing
  expect(await figure.locator(".spec .cm-lintRange-error").textContent()).toBe('"quantitative"');
  const before = (await charts(desk.page))[0];
  await drawing.fill('{"mark": "bar", "encoding": {"x": {"field": "keys", "type": "quantitative"}}}');
  await drawing.press("Control+Enter");
  await figure.locator(".edited:visible").waitFor();
  await settled(desk.page);
  expect((await charts(desk.page))[0]).not.toBe(before);
  await screenshot(desk.page, "workbench-1280-light");
  await figure.locator(".cm-selectionBackground").first().waitFor({ state: "detached" }); // lies behind the letters
  expect(await violations(desk.page)).toEqual([]);
});

test("the address of a state brings it back, and offers its drawing", async () => {
  await run("SELECT condition, 20 AS keys, 2.5 AS value, NULL AS low, NULL AS high FROM profiles LIMIT 3");
  await figure.getByRole("link", { name: "Address of this state" }).click();
  const other = await visit(browser, desk.page.url(), "dark", 360);
  try {
    const there = other.page.locator("#widths");
    await there.locator(".sql .cm-content").waitFor();
    expect(await there.locator(".sql .cm-content").textContent()).toContain("2.5 AS value");
    expect(await there.locator(".bench-status").textContent()).toMatch(/^3 rows/);
    await screenshot(other.page, "workbench-360-dark");
    expect(await violations(other.page)).toEqual([]);
    const spec = { mark: "bar", encoding: { y: { field: "value", type: "quantitative" } } };
    await other.page.evaluate(
      (text) => location.assign(`#widths?spec=${encodeURIComponent(text)}`),
      JSON.stringify(spec),
    );
    await there.getByRole("button", { name: "Draw it" }).click();
    await settled(other.page);
    expect(await there.locator(".edited").textContent()).toContain("not as it was published");
    expect(other.troubles).toEqual([]);
  } finally {
    await other.close();
  }
});

test("nothing failed, complained or left this machine", () => {
  expect(desk.troubles).toEqual([]);
});
