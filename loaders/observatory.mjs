#!/usr/bin/env node
// Plain JavaScript that any Node can parse, so that one that is too old gets a sentence and not a syntax error.
import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const needed = engines.node.replace(/[^\d.]/g, "");
const [major, minor] = needed.split(".").map(Number);
const [hereMajor, hereMinor] = process.versions.node.split(".").map(Number);

if (hereMajor < major || (hereMajor === major && hereMinor < minor)) {
  console.error(
    `observatory: needs Node ${needed} or newer and runs on ${process.versions.node}: install a newer Node.`,
  );
  process.exitCode = 2;
} else {
  const { load } = await import("./compiled.mjs");
  const { main } = await load("loaders/cli/main.ts");
  await main(process.argv);
}
