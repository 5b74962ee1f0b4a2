/**
 * A project of its own for a test to run commands in, break and kill: our code, small experiments and a tiny model. It
 * lies inside the checkout, so that packages are found as they are in a real one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("..", import.meta.url));

/** What builds make of installed packages, checked before it is used: seconds of each site's first build. */
const ofPackages = [
  ".observatory/database",
  "src/.observablehq/cache/_node",
  "src/.observablehq/cache/libraries.txt",
] as const;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs, leader of a process group of its own as a terminal's foreground job is. */
export class Running {
  readonly #child: ChildProcess;
  readonly finished: Promise<Finished>;
  #stdout = "";
  #stderr = "";

  constructor(script: string, args: readonly string[], cwd: string) {
    // A test runner that a test starts is not this one: it counts nothing.
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, OBSERVATORY_FULL: undefined };
    const child = spawn(process.execPath, [script, ...args], {
      cwd,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env,
    });
    child.stdout.setEncoding("utf8").on("data", (text) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      this.#stderr += text;
    });
    this.#child = child;
    this.finished = once(child, "close").then(([code]) => ({ code, stdout: this.#stdout, stderr: this.#stderr }));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Nothing happens where all of them have ended. */
  killGroup(signal: NodeJS.Signals): void {
    try {
      if (this.#child.pid) process.kill(-this.#child.pid, signal);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }

  /** Resolves when it has said something that matches. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#stderr) ?? pattern.exec(this.#stdout);
      if (found) return found;
      if (this.#child.exitCode !== null) throw new Error(`it ended without saying ${pattern}: ${this.#stderr}`);
      await sleep(20);
    }
  }
}

export class Project {
  readonly root: string;
  /** Where the knowledge of an earlier project with the same code is, or that of this one will be. */
  readonly #known: string;

  /** A project that is new knows nothing of what others with the same code have found out. */
  constructor({ isNew = false } = {}) {
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
    this.write("data/catalogue.json", "[]\n");
    this.write("data/names.jsonl", '{"name":"a"}\n{"name":"b"}\n');
    const model = this.path("data/models/observatory-8m");
    cpSync(join(checkout, "test/golden/checkpoints/llama"), model, { recursive: true });
    for (const file of ["tokenizer.json", "tokenizer_config.json"])
      cpSync(join(checkout, "data/models/observatory-8m", file), join(model, file));
    cpSync(join(checkout, "data/prompts/texts.jsonl"), this.path("data/prompts/texts.jsonl"));
    this.#known = join(this.root, "..", `known-${this.#hash()}`);
    if (!isNew && existsSync(this.#known)) cpSync(this.#known, this.root, { recursive: true });
  }

  #hash(): string {
    const hash = createHash("sha256").update(readFileSync(this.path("package-lock.json")));
    for (const room of ["engine", "loaders"])
      for (const entry of readdirSync(this.path(room), { recursive: true, withFileTypes: true }))
        if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
    return hash.digest("hex").slice(0, 16);
  }

  /** Adds a site of this home page, with our components or without any. */
  addSite(home: string, { components = false } = {}): void {
    cpSync(join(checkout, "observablehq.config.ts"), this.path("observablehq.config.ts"));
    if (components) cpSync(join(checkout, "components"), this.path("components"), { recursive: true });
    else this.write("components/.keep", "");
    this.write("src/index.md", home);
    for (const [, name] of this.read("observablehq.config.ts").matchAll(/path: "\/([\w-]+)"/g)) {
      this.write(`src/${name}.md`, `# ${name}\n`);
    }
    this.write("src/icon.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>\n');
    this.write("src/style.css", "main { color: black; }\n");
    if (components)
      for (const style of ["style.css", "style"])
        cpSync(join(checkout, "src", style), this.path(`src/${style}`), { recursive: true });
    for (const made of ofPackages)
      if (existsSync(join(checkout, made))) cpSync(join(checkout, made), this.path(made), { recursive: true });
    for (const room of ["components", "engine"]) symlinkSync(`../${room}`, this.path(`src/${room}`));
    symlinkSync("../loaders", this.path("src/data"));
  }

  /** Every file of the built site, by its path; none where there is no site. */
  site(folder = "dist"): Map<string, Buffer> {
    if (!existsSync(this.path(folder))) return new Map();
    const entries = readdirSync(this.path(folder), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    return new Map(files.sort().map((file) => [file.slice(this.path(folder).length + 1), readFileSync(file)]));
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
  with<T>(name: string, change: (content: string) => string, during: () => Promise<T>): Promise<T> {
    return this.withBytes(name, (content) => Buffer.from(change(content.toString("utf8"))), during);
  }

  async withBytes<T>(name: string, change: (content: Buffer) => Buffer, during: () => Promise<T>): Promise<T> {
    const before = readFileSync(this.path(name));
    const after = change(Buffer.from(before));
    if (after.equals(before)) throw new Error(`the change of ${name} changes nothing`);
    writeFileSync(this.path(name), after);
    try {
      return await during();
    } finally {
      writeFileSync(this.path(name), before);
    }
  }

  /** Starts `observatory …`. */
  start(...args: readonly string[]): Running {
    return new Running(this.path("loaders/observatory.mjs"), args, this.root);
  }

  run(...args: readonly string[]): Promise<Finished> {
    return this.start(...args).finished;
  }

  remove(): void {
    if (!existsSync(this.#known)) this.#keepKnowledge();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** What commands have found out about our code, and check before they use it: seconds of each project's time. */
  #keepKnowledge(): void {
    const draft = this.path("knowledge");
    const code = statSync(this.path(".code"), { throwIfNoEntry: false }); // a test may put something in its place
    const translations = code?.isDirectory() ? readdirSync(this.path(".code")) : [];
    const names = [`.code/${translations[0]}`, ".observatory/code", ".observatory/packages"];
    if (!names.every((name) => existsSync(this.path(name)))) return; // it has not found out everything
    for (const name of names) {
      mkdirSync(join(draft, name, ".."), { recursive: true });
      renameSync(this.path(name), join(draft, name));
    }
    try {
      renameSync(draft, this.#known);
    } catch (error) {
      if (!existsSync(this.#known)) throw error; // or another project was first
    }
  }
}

export interface OwnProcess {
  readonly pid: number;
  readonly command: string;
}

/** The processes that run this project's code. Linux only. */
export function processesOf(project: Project): OwnProcess[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const processes = numbers.flatMap((pid) => {
    try {
      return { pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") };
    } catch {
      return []; // it has ended meanwhile
    }
  });
  return processes.filter(({ command }) => command.includes(`${project.root}/`));
}
