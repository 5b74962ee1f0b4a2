import { execFile } from "node:child_process";
import { relative } from "node:path";
import { promisify } from "node:util";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { resultsFolder, root } from "../project.js";
import { tableChange } from "../store/compare.js";
import { differences } from "../store/key.js";
import { type Passport, parsePassport } from "../store/passport.js";
import { openResult, passportFile, type Result } from "../store/result.js";
import { changeLines } from "./changes.js";
import { chosenExperiments } from "./experiments.js";

/** Compares the committed results, as they lie in the checkout, with those of a revision. */
export async function diff(revision: string, names: readonly string[]): Promise<void> {
  await refuseUnknown(revision);
  const chosen = await chosenExperiments(names);
  const gone = names.length > 0 ? [] : await committedAt(revision);
  for (const experiment of [...new Set([...chosen, ...gone])].sort()) {
    for (const line of await moved(revision, experiment)) console.log(line);
  }
}

/** The experiments that had results then; some may be gone since, and their numbers with them. */
async function committedAt(revision: string): Promise<string[]> {
  const names = await git("ls-tree", "--name-only", `${revision}:${relative(root, resultsFolder)}`);
  return names?.toString("utf8").split("\n").filter(Boolean) ?? [];
}

async function moved(revision: string, experiment: string): Promise<string[]> {
  const at = `${revision}:${relative(root, resultsFolder)}/${experiment}`;
  const text = await contentOf(`${at}/${passportFile}`);
  const before = text && parsePassport(text.toString("utf8"));
  const now = await openResult(`${resultsFolder}/${experiment}`);
  if (!before || !now) {
    if (now) return [`${experiment}: new since ${revision}`];
    return before ? [`${experiment}: gone since ${revision}`] : [];
  }
  const lines = await changedTables(at, before, now);
  const why = reasons(before, now.passport);
  if (lines.length === 0)
    return [`${experiment}: no number moved${why.length > 0 ? `, although ${why.join(", ")}` : ""}`];
  const cause = why.length > 0 ? why.join(", ") : "nothing that its passport names has changed";
  return [`${experiment}: moved; ${cause}`, ...lines];
}

async function changedTables(at: string, before: Passport, now: Result): Promise<string[]> {
  const lines: string[] = [];
  for (const [name, { sha256 }] of Object.entries(now.passport.tables)) {
    if (before.tables[name]?.sha256 === sha256) continue;
    const old = await contentOf(`${at}/${name}.arrow`);
    const change = old && tableChange(name, old, await now.table(name), () => 0);
    if (!old) lines.push(`  ${name}: a new table`);
    else if (change) lines.push(...changeLines(change));
  }
  const gone = Object.keys(before.tables).filter((name) => !(name in now.passport.tables));
  return [...lines, ...gone.map((name) => `  ${name}: a table that is gone`)];
}

/** What changed of the inputs; of equal inputs, what changed around them. */
function reasons(before: Passport, now: Passport): string[] {
  const inputs = differences(before, now);
  if (inputs.length > 0) return inputs;
  const around = (passport: Passport) => ({ ...passport.machine, ...passport.versions, ...passport.device });
  const [then, here] = [around(before), around(now)];
  return [...new Set([...Object.keys(then), ...Object.keys(here)])]
    .filter((name) => then[name] !== here[name])
    .map((name) => `${name} changed from ${then[name] ?? "none"} to ${here[name] ?? "none"}`);
}

/** @throws {UserError} where git knows no such revision */
async function refuseUnknown(revision: string): Promise<void> {
  if (!(await git("rev-parse", "--git-dir"))) throw new UserError(messages.notACheckout);
  const found = await git("rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`);
  if (!found) throw new UserError(messages.noRevision(revision));
}

/** A file as it was committed; undefined where it was not. */
function contentOf(object: string): Promise<Buffer | undefined> {
  return git("cat-file", "blob", object);
}

/** What git prints; undefined where it refuses. */
async function git(...command: string[]): Promise<Buffer | undefined> {
  try {
    const options = { cwd: root, encoding: "buffer", maxBuffer: 2 ** 30 } as const;
    return (await promisify(execFile)("git", command, options)).stdout;
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
