/** The site as hosts serve it: under a path that it does not know, with its content policy, in files that they take. */
import type { Browser } from "playwright-core";
import { beforeAll, expect, inject, test } from "vitest";
import { pages } from "./cases.js";
import { openChromium } from "./chromium.js";
import { violations, visit, whole } from "./visit.js";

const site = inject("site");

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium();
});

test("every page has its content policy before its first script", async () => {
  for (const path of [...pages, "404"]) {
    const html = await (await fetch(`${site}${path}`)).text();
    const policy = html.match(/<meta http-equiv="Content-Security-Policy" content="([^"]*)">/);
    expect(policy?.index, path).toBeLessThan(html.indexOf("<script"));
    expect(policy?.[1]).toMatch(/^default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-/);
    expect(policy?.[1]).not.toMatch(/'unsafe-eval'|https?:|\*/);
  }
});

test("what a page needs of packages comes in few files, and what is largest is asked for first", async () => {
  const html = await (await fetch(`${site}entropy`)).text();
  const modules = Array.from(html.matchAll(/<link rel="modulepreload" href="\.\/([^"]+)"/g), ([, path]) => path);
  const ofPackages = modules.filter((path) => path.startsWith("_node/"));
  expect(ofPackages.length).toBeGreaterThan(4);
  expect(ofPackages.length).toBeLessThan(15);
  const sizes = await Promise.all(
    modules.map(async (path) => (await (await fetch(`${site}${path}`)).arrayBuffer()).byteLength),
  );
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
});

test("a script that is not the site's own does not run", async () => {
  const page = await browser.newPage();
  try {
    await page.goto(`${site}404`);
    const ran = await page.evaluate(async () => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'ran'";
      document.body.append(script);
      const image = document.createElement("div");
      image.innerHTML = "<img src='data:,' onerror=\"document.title = 'ran'\">";
      document.body.append(image);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return document.title;
    });
    expect(ran).toMatch(/^Not found/);
  } finally {
    await page.close();
  }
});

test.each(["nowhere", "no/where/at/all", "entropy/nothing"])(
  "/%s says so, and leads back to the site",
  async (path) => {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    try {
      const response = await page.goto(`${site}${path}`);
      expect(response?.status()).toBe(404);
      await page.waitForFunction((address) => document.baseURI === address, site);
      const links = page.locator("a[href]:not([href^='#']):not(.observablehq-header-anchor)");
      for (const href of await links.evaluateAll((nodes) => nodes.map((node) => (node as HTMLAnchorElement).href)))
        expect((await fetch(href)).status, href).toBe(200);
      expect(await page.locator("body").evaluate((body) => getComputedStyle(body).margin)).toBe("0px");
      expect(errors).toEqual([]);
    } finally {
      await page.close();
    }
  },
);

test("the search of every page finds sections, and leads to them", async () => {
  const { page, troubles, close } = await visit(browser, `${site}entropy`, "light", 1280);
  try {
    await whole(page); // what still comes would count as failed
    const box = page.getByRole("searchbox");
    await box.fill("how widely does a head lok"); // one letter is missing
    await box.press("Enter");
    await page.waitForURL(`${site}search?q=how+widely+does+a+head+lok`);
    const results = page.locator(".search-results li");
    await results.first().waitFor();
    const first = results.first().locator("a");
    expect(await first.evaluate((node: HTMLAnchorElement) => node.href)).toMatch(`${site}entropy`);
    await page.locator("main input[type=search]").fill("effective support");
    const metric = results.first().getByRole("link", { name: "effective support" });
    await metric.click();
    await page.waitForURL(`${site}metrics#effective-support`);
    await page.locator("#effective-support", { hasText: "exp H[q]" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.goBack();
    await page.locator("main input[type=search]").fill("<img src=x onerror=alert(1)>");
    expect(await page.locator("main img").count()).toBe(0);
    await page.locator("main input[type=search]").fill("zzzzzzzzzz");
    await page.getByText("0 sections found.").waitFor();
    expect(troubles).toEqual([]);
  } finally {
    await close();
  }
});
