import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Readiness } from "../../../loaders/site/readiness.js";

const pages: Readonly<Record<string, string>> = {
  "/": '<link rel="modulepreload" href="./a.js"><a class="x" href="./one">1</a> <a href="./sub/two#there">2</a> <a href="https://example.org/">no</a>',
  "/one": '<link rel="modulepreload" href="./a.js"><link rel="modulepreload" href="./b.js">',
};

let readiness: Readiness;
let asked: string[];
let server: Server;
let address: string;
const reader = { headers: {} } as IncomingMessage;

beforeEach(async () => {
  readiness = new Readiness();
  asked = [];
  server = createServer((request, response) => {
    readiness.note(request);
    asked.push(String(request.url));
    response.end(pages[String(request.url)] ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test("pages that the home page leads to are asked for after it, and every module once", async () => {
  await readiness.make(address, new AbortController().signal);
  expect(asked).toEqual(["/", "/a.js", "/one", "/b.js", "/sub/two"]);
});

test("other pages wait while a reader does, the home page does not", async () => {
  readiness.note(reader);
  const made = readiness.make(address, new AbortController().signal);
  await sleep(300);
  asked.push("a reader's question");
  readiness.note(reader);
  await made;
  expect(asked).toEqual(["/", "/a.js", "a reader's question", "/one", "/b.js", "/sub/two"]);
});

test("it stops when it is told to", async () => {
  const stop = new AbortController();
  readiness.note(reader);
  const made = readiness.make(address, stop.signal);
  await sleep(300);
  stop.abort();
  await expect(made).rejects.toThrow();
  expect(asked).toEqual(["/", "/a.js"]);
});
