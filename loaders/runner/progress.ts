/** The state of running jobs on stderr: a block that is redrawn on a terminal, plain lines elsewhere. */

import { color } from "../terminal.js";
import type { Job } from "./job.js";
import type { RunEvent } from "./run.js";

export interface ProgressDisplay {
  readonly update: (job: Job, event: RunEvent) => void;
  /** A message that stays, above the block. */
  readonly say: (line: string) => void;
  readonly close: () => void;
}

type State = "queued" | "computing" | "waiting" | "done" | "failed";

/** How far a job is. */
export interface Line {
  state: State;
  /** When the first progress came, and how far it was: setting up is not part of the rate. */
  from?: { readonly time: number; readonly done: number };
  begun: number;
  ended?: number;
  done: number;
  total: number;
  message: string;
  /** Peak of its process, in bytes. */
  memory: number;
}

export interface Terminal {
  readonly isTTY?: boolean;
  /** 0 where it does not say, as are its rows. */
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const redraw = 100; // ms
const step = 10; // percent between two plain lines

export function progressDisplay(jobs: readonly Job[], plain = false, out: Terminal = process.stderr): ProgressDisplay {
  const lines = new Map<Job, Line>(jobs.map((job) => [job, queued()]));
  return out.isTTY && !plain ? redrawnBlock(lines, out) : plainLines(lines, out);
}

export function queued(): Line {
  return { state: "queued", begun: 0, done: 0, total: 0, message: "", memory: 0 };
}

export function apply(line: Line, event: RunEvent): void {
  const now = performance.now();
  switch (event.type) {
    case "started":
      line.state = "computing";
      line.begun = now;
      break;
    case "waiting":
      line.state = "waiting";
      line.message = "another process computes it";
      break;
    case "progress":
      line.state = "computing";
      line.from ??= { time: now, done: event.done };
      line.done = event.done;
      line.total = event.total;
      line.message = event.message ?? "";
      line.memory = event.memory;
      break;
    case "finished":
    case "failed":
      line.state = event.type === "finished" ? "done" : "failed";
      line.ended = now;
      line.message = "";
  }
}

const percent = ({ done, total }: Line) => (total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0);

/** Seconds left at the rate so far; undefined until there is one. */
export function estimate({ from, done, total }: Line): number | undefined {
  if (!from || done <= from.done) return undefined;
  return (((performance.now() - from.time) / (done - from.done)) * (total - done)) / 1000;
}

const size = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function describe(job: Job, line: Line, width: number): string {
  const name = job.experiment.padEnd(width);
  const elapsed = duration(((line.ended ?? performance.now()) - line.begun) / 1000);
  switch (line.state) {
    case "queued":
      return color.dim(`${name}  queued`);
    case "waiting":
      return `${name}  waiting: ${line.message}`;
    case "done":
      return `${name}  ${color.green("done")} in ${elapsed}`;
    case "failed":
      return `${name}  ${color.red("failed")} after ${elapsed}`;
    case "computing": {
      if (line.total === 0) return `${name}  starting`;
      const left = estimate(line);
      const bar = "━".repeat(Math.floor(percent(line) / 5)).padEnd(20, "·");
      return `${name}  ${color.cyan(bar)} ${String(percent(line)).padStart(3)} %  ${left === undefined ? "" : `${duration(left)} left  `}${size(line.memory)}  ${color.dim(line.message)}`;
    }
  }
}

function redrawnBlock(lines: ReadonlyMap<Job, Line>, out: Terminal): ProgressDisplay {
  const width = widest(lines);
  let block: readonly string[] = []; // as it stands there
  const draw = (rows: readonly string[], said: readonly string[] = []) => {
    if (said.length === 0 && rows.join() === block.join()) return;
    const back = block.length > 0 ? `\x1b[${block.length}A\x1b[J` : "";
    out.write(back + [...said, ...rows].map((row) => `${row}\n`).join("")); // at once, or it flickers
    block = rows;
  };
  const all = () => [...lines].map(([job, line]) => clip(describe(job, line, width), out.columns || 80));
  /** Where the screen is lower than that, which could not be redrawn: those at work, and how many the others are. */
  const fitting = () => {
    const [rows, room] = [all(), (out.rows || 24) - 1];
    if (rows.length <= room) return rows;
    const states = [...lines.values()].map(({ state }) => state);
    const atWork = rows.filter((_, i) => states[i] === "computing" || states[i] === "waiting");
    const others = (["done", "failed", "queued"] as const)
      .map((state) => `${states.filter((it) => it === state).length} ${state}`)
      .filter((count) => !count.startsWith("0"));
    return [...atWork.slice(0, room - 1), color.dim(others.join(", "))];
  };
  const timer = setInterval(() => draw(fitting()), redraw);
  timer.unref();
  return {
    update: (job, event) => {
      const line = lines.get(job);
      if (line) apply(line, event);
    },
    say: (text) => draw(fitting(), [text]),
    close: () => {
      clearInterval(timer);
      draw(all());
    },
  };
}

/** Cuts a line to the terminal's width, so that it takes one row; colour codes take no room. */
function clip(text: string, columns: number): string {
  let room = columns - 1;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with an escape
  return text.replace(/\x1b\[\d+m|[^\x1b]/gu, (part) => (part.startsWith("\x1b") || room-- > 0 ? part : ""));
}

function plainLines(lines: ReadonlyMap<Job, Line>, out: Terminal): ProgressDisplay {
  const width = widest(lines);
  const said = new Map<Job, number>();
  return {
    update: (job, event) => {
      const line = lines.get(job);
      if (!line || event.type === "log" || event.type === "warning") return;
      apply(line, event);
      const reached = Math.floor(percent(line) / step);
      if (event.type === "progress" && said.get(job) === reached) return;
      said.set(job, event.type === "progress" ? reached : -1);
      out.write(`${describe(job, line, width)}\n`);
    },
    say: (text) => out.write(`${text}\n`),
    close: () => {},
  };
}

function widest(lines: ReadonlyMap<Job, Line>): number {
  return Math.max(0, ...[...lines.keys()].map(({ experiment }) => experiment.length));
}
