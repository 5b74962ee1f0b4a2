/** Where and from what a result is computed, for its passport. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../project.js";

export function machine(): Record<string, string> {
  return {
    system: `${type()} ${release()}`,
    processor: cpus()[0]?.model.trim() ?? process.arch,
    cores: String(availableParallelism()),
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
  };
}

/** Of this process so far, in bytes. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024;
}

export async function packageVersion(): Promise<string> {
  return JSON.parse(await readFile(join(root, "package.json"), "utf8")).version;
}

/** The commit, and whether the checkout is as that commit has it; empty outside of a git checkout. */
export async function checkout(): Promise<{ commit?: string; clean?: boolean }> {
  try {
    const [commit, changes] = await Promise.all([git("rev-parse", "HEAD"), git("status", "--porcelain")]);
    return { commit: commit.trim(), clean: changes === "" };
  } catch (error) {
    if (error instanceof Error && ("code" in error || "stderr" in error)) return {};
    throw error;
  }
}

async function git(...command: string[]): Promise<string> {
  return (await promisify(execFile)("git", command, { cwd: root })).stdout;
}
