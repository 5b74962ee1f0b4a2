import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { siteDefects } from "../../../loaders/site/check.js";

const site = mkdtempSync(join(tmpdir(), "site-"));
afterAll(() => rmSync(site, { recursive: true }));

test("links with a percent sign that encodes nothing are links like others", async () => {
  const links = ["#50%", "#60%", "#a%20b", "./100%.html"].map((href) => `<a href="${href}">there</a>`).join("");
  writeFileSync(join(site, "index.html"), `<h2 id="50%">Half</h2><p id="a b">${links}</p>`);
  expect(await siteDefects(site)).toEqual([
    "index.html: #60% leads to no heading or element",
    "index.html: ./100%.html leads nowhere",
  ]);
});
