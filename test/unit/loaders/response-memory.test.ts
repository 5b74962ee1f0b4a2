/** A preview makes a module once for each of its addresses, and everything else for each request. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ResponseMemory } from "../../../loaders/site/response-memory.js";

let server: Server;
let address: string;
let memory: ResponseMemory;
let made: string[];
let make: (response: ServerResponse, url: string) => void;

beforeAll(async () => {
  server = createServer((request, response) => {
    const { url = "" } = request;
    void memory.answer(request, response, () => {
      made.push(url);
      make(response, url);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  memory = new ResponseMemory();
  made = [];
  make = (response, url) => {
    response.setHeader("content-type", "text/javascript");
    response.setHeader("etag", `"${url}"`);
    response.end(`// ${url}`);
  };
});

async function get(url: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(address + url, { headers });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

test("a module is made once for each address, and asked for again costs no content", async () => {
  const first = await get("/_import/components/chart.js?sha=aa");
  expect(first).toEqual({ status: 200, type: "text/javascript", text: "// /_import/components/chart.js?sha=aa" });
  expect(await get("/_import/components/chart.js?sha=aa")).toEqual(first);
  const etag = '"/_import/components/chart.js?sha=aa"';
  expect(await get("/_import/components/chart.js?sha=aa", { "if-none-match": etag })).toMatchObject({ status: 304 });
  await get("/_import/components/chart.js?sha=bb");
  await get("/_observablehq/client.js");
  await get("/_observablehq/client.js");
  const addresses = ["/_import/components/chart.js?sha=aa", "/_import/components/chart.js?sha=bb"];
  expect(made).toEqual([...addresses, "/_observablehq/client.js"]);
  expect((await get("/_import/components/chart.js?sha=aa")).text).toBe(first.text); // as before an edit that was undone
  expect(made).toHaveLength(4);
});

test("whoever has a module already is still not the only one to get it", async () => {
  expect(await get("/_observablehq/client.js", { "if-none-match": '"/_observablehq/client.js"' })).toMatchObject({
    status: 200,
  });
  expect(await get("/_observablehq/client.js")).toMatchObject({ status: 200, text: "// /_observablehq/client.js" });
});

test("two who ask at once wait for one making", async () => {
  const finish: (() => void)[] = [];
  const own = make;
  make = (response, url) => void finish.push(() => own(response, url));
  const both = Promise.all([get("/_observablehq/runtime.js"), get("/_observablehq/runtime.js")]);
  await expect.poll(() => finish.length).toBe(1);
  finish[0]();
  const [one, other] = await both;
  expect(one).toEqual(other);
  expect(made).toHaveLength(1);
});

test("what fails is made again, and so are pages, data and modules without a hash", async () => {
  make = (response) => response.writeHead(500).end("no");
  for (let i = 0; i < 2; i++) expect(await get("/_observablehq/client.js")).toMatchObject({ status: 500, text: "no" });
  for (const url of ["/", "/_file/data/heads.arrow?sha=aa", "/_import/components/chart.js"]) {
    await get(url);
    await get(url);
  }
  expect(made).toHaveLength(8);
});
