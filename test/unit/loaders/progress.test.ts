import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Job } from "../../../loaders/runner/job.js";
import { progressDisplay } from "../../../loaders/runner/progress.js";

const job = (experiment: string): Job => ({
  experiment,
  parameters: {},
  inputs: {},
  resources: { cores: 1, memory: 0, gpus: 0 },
});
const jobs = [job("sinks"), job("entropy")];

function terminal(isTTY: boolean, columns = 80, rows = 24) {
  let written = "";
  return {
    isTTY,
    columns,
    rows,
    write: (text: string) => {
      written += text;
    },
    /** What was written since the last time. */
    take: () => {
      const text = written;
      written = "";
      return text;
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("without a terminal", () => {
  test("progress is a line when something changes, and every tenth of the way", () => {
    const out = terminal(false);
    const { update, close } = progressDisplay(jobs, false, out);
    update(jobs[0], { type: "started" });
    for (let done = 0; done <= 40; ++done) {
      vi.advanceTimersByTime(1000);
      update(jobs[0], { type: "progress", done, total: 200, message: `text ${done}`, memory: 2 ** 29 });
    }
    update(jobs[0], { type: "log", line: "chatter" });
    update(jobs[1], { type: "waiting" });
    update(jobs[0], { type: "failed", message: "no", badInput: false });
    close();
    expect(out.take().split("\n")).toEqual([
      "sinks    starting",
      "sinks    ····················   0 %  0.5 GiB  text 0",
      "sinks    ━━··················  10 %  3 min 0 s left  0.5 GiB  text 20",
      "sinks    ━━━━················  20 %  2 min 40 s left  0.5 GiB  text 40",
      "entropy  waiting: another process computes it",
      "sinks    failed after 41 s",
      "",
    ]);
  });
});

describe("on a terminal", () => {
  test("progress is a block that is redrawn in place, one row for each job, below what is said", () => {
    const out = terminal(true, 40);
    const { update, say, close } = progressDisplay(jobs, false, out);
    update(jobs[0], { type: "started" });
    update(jobs[0], {
      type: "progress",
      done: 1,
      total: 2,
      message: "a long message about what is being done",
      memory: 0,
    });
    vi.advanceTimersByTime(100);
    const drawn = out.take();
    expect(drawn).not.toContain("\x1b[2A");
    const rows = stripVTControlCharacters(drawn).trimEnd().split("\n");
    expect(rows).toEqual(["sinks    ━━━━━━━━━━··········  50 %  0.0 GiB  a l".slice(0, 39), "entropy  queued"]);
    say("A message.");
    expect(out.take().startsWith("\x1b[2A\x1b[JA message.\n")).toBe(true);
    update(jobs[0], { type: "finished", folder: "x" });
    close();
    expect(stripVTControlCharacters(out.take())).toBe("sinks    done in 0 s\nentropy  queued\n");
    vi.advanceTimersByTime(1000);
    expect(out.take()).toBe("");
  });

  test("that does not say how wide it is, rows have the usual width", () => {
    const out = terminal(true, 0);
    const { close } = progressDisplay(jobs, false, out);
    close();
    expect(stripVTControlCharacters(out.take())).toBe("sinks    queued\nentropy  queued\n");
  });

  test("that has fewer rows than there are jobs, those at work are shown and the others counted", () => {
    const many = ["a", "b", "c", "d", "e"].map(job);
    const out = terminal(true, 80, 5);
    const { update, close } = progressDisplay(many, false, out);
    const drawn = () => {
      vi.advanceTimersByTime(100);
      return out.take();
    };
    update(many[0], { type: "finished", folder: "x" });
    update(many[1], { type: "started" });
    expect(stripVTControlCharacters(drawn())).toBe("b  starting\n1 done, 3 queued\n");
    expect(drawn()).toBe("");
    update(many[2], { type: "started" });
    expect(drawn().startsWith("\x1b[2A\x1b[J")).toBe(true);
    close();
    expect(stripVTControlCharacters(out.take()).trimEnd().split("\n")).toHaveLength(5);
  });
});
