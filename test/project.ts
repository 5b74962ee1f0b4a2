/**
 * A project of its own for a test to run commands in, break and kill: our code, small experiments and a tiny model. It
 * lies inside the checkout, so that packages are found as they are in a real one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("..", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Project {
  readonly root: string;

  constructor() {
    mkdirSync(join(checkout, ".observatory/tests"), { recursive: true });
    this.root = mkdtempSync(join(checkout, ".observatory/tests/project-"));
    for (const file of ["package.json", "package-lock.json", "tsconfig.json"])
      cpSync(join(checkout, file), this.path(file));
    cpSync(join(checkout, "engine"), this.path("engine"), { recursive: true });
    const theirs = join(checkout, "loaders/experiments/"); // real experiments take minutes
    cpSync(join(checkout, "loaders"), this.path("loaders"), {
      recursive: true,
      filter: (path) => !path.startsWith(theirs) || path === join(theirs, "index.ts"),
    });
    for (const name of ["experiments/counts.ts", "experiments/weights.ts", "helpers/square.ts", "helpers/types.ts"]) {
      const source = readFileSync(join(checkout, "test/fixtures", name), "utf8");
      this.write(`loaders/${name}`, source.replaceAll('"../../../loaders/', '"../'));
    }
    this.write("data/names.jsonl", '{"name":"a"}\n{"name":"b"}\n');
    const model = this.path("data/models/observatory-8m");
    cpSync(join(checkout, "test/golden/checkpoints/llama"), model, { recursive: true });
    cpSync(join(checkout, "data/models/observatory-8m/tokenizer.json"), join(model, "tokenizer.json"));
  }

  path(name: string): string {
    return join(this.root, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  write(name: string, content: string): void {
    mkdirSync(join(this.path(name), ".."), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  /** Changes a file while `during` runs, and changes it back. */
  async with<T>(name: string, change: (content: string) => string, during: () => Promise<T>): Promise<T> {
    const before = this.read(name);
    const after = change(before);
    if (after === before) throw new Error(`the change of ${name} changes nothing`);
    this.write(name, after);
    try {
      return await during();
    } finally {
      this.write(name, before);
    }
  }

  /** Starts `observatory …` as the leader of a process group. */
  start(...args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [this.path("loaders/observatory.mjs"), ...args], {
      cwd: this.root,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    });
  }

  run(...args: readonly string[]): Promise<Finished> {
    return finished(this.start(...args));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

export async function finished(child: ChildProcess): Promise<Finished> {
  if (!child.stdout || !child.stderr) throw new Error("the process has no output to read");
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

/** Resolves when the process has written something on stderr that matches. */
export async function until(child: ChildProcess, pattern: RegExp): Promise<void> {
  let seen = "";
  for await (const chunk of child.stderr ?? []) {
    seen += chunk;
    if (pattern.test(seen)) return;
  }
  throw new Error(`the process ended without saying ${pattern}: ${seen}`);
}
