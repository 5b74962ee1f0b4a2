import { totalmem } from "node:os";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Resources } from "../../../loaders/experiment.js";
import { type Capacity, Machine, machineCapacity } from "../../../loaders/runner/schedule.js";

const machine: Capacity = { cores: 4, memory: 16, gpus: ["0", "1"], jobs: Number.POSITIVE_INFINITY };
const job = (name: string, resources: Resources = {}) => ({
  name,
  resources: { cores: 1, memory: 0, gpus: 0, ...resources },
});

/** Runs jobs that take one turn each, and tells who ran side by side, turn by turn. */
async function turns(jobs: readonly ReturnType<typeof job>[], capacity = machine): Promise<string[][]> {
  const log: string[][] = [];
  let now: { name: string; end: () => void }[] = [];
  const lender = new Machine(capacity);
  const all = jobs.map(({ name, resources }) =>
    lender.lend(resources, (gpus) => new Promise<void>((end) => now.push({ name: [name, ...gpus].join(":"), end }))),
  );
  await new Promise((resolve) => setImmediate(resolve));
  while (now.length > 0) {
    const ending = now;
    now = [];
    log.push(ending.map(({ name }) => name));
    for (const { end } of ending) end();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(all);
  return log;
}

describe("jobs run side by side", () => {
  test("as many as there are cores", async () => {
    expect(await turns(["a", "b", "c", "d", "e"].map((name) => job(name)))).toEqual([["a", "b", "c", "d"], ["e"]]);
    expect(await turns([job("a", { cores: 3 }), job("b", { cores: 2 }), job("c")])).toEqual([["a", "c"], ["b"]]);
  });

  test("as memory allows", async () => {
    expect(await turns([job("a", { memory: 10 }), job("b", { memory: 10 }), job("c", { memory: 6 })])).toEqual([
      ["a", "c"],
      ["b"],
    ]);
  });

  test("one on a GPU, each with its own", async () => {
    const gpu = (name: string) => job(name, { gpus: 1 });
    expect(await turns([gpu("a"), gpu("b"), gpu("c"), job("d")])).toEqual([["a:0", "b:1", "d"], ["c:0"]]);
  });

  test("on as many GPUs as CUDA sees, and on one through WebGPU, which cannot tell equal cards apart", () => {
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "2,5,7");
    expect(machineCapacity(undefined, "cuda").gpus).toEqual(["2", "5", "7"]);
    expect(machineCapacity(undefined, "webgpu").gpus).toEqual([""]);
    vi.unstubAllEnvs();
  });

  test("no more than were asked for", async () => {
    expect(await turns([job("a"), job("b"), job("c")], { ...machine, jobs: 2 })).toEqual([["a", "b"], ["c"]]);
  });

  test("and one that wants more than there is runs alone", async () => {
    expect(await turns([job("a", { cores: 64, gpus: 8 }), job("b")])).toEqual([["a:0:1"], ["b"]]);
  });

  test("in the order of asking, whatever becomes of those before", async () => {
    const lender = new Machine({ ...machine, cores: 2 });
    const log: string[] = [];
    let working = 0;
    const work = (name: string) => async () => {
      log.push(`${name} with ${++working}`);
      await new Promise((resolve) => setImmediate(resolve));
      --working;
      if (name === "b") throw new Error("b fails");
    };
    const { resources } = job("any");
    const all = await Promise.allSettled(["a", "b", "c", "d"].map((name) => lender.lend(resources, work(name))));
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(log.map((line) => line[0])).toEqual(["a", "b", "c", "d"]);
    expect(log.every((line) => /with [12]$/.test(line))).toBe(true);
  });
});

describe("memory", () => {
  afterEach(() => vi.restoreAllMocks());

  test("is what a container may use", () => {
    vi.spyOn(process, "constrainedMemory").mockReturnValue(2 ** 28);
    expect(machineCapacity().memory).toBe(0.25);
  });

  test.each([0, 2 ** 64])("is all of the machine's where the limit is said to be %d", (limit) => {
    vi.spyOn(process, "constrainedMemory").mockReturnValue(limit);
    expect(machineCapacity().memory).toBe(totalmem() / 2 ** 30);
  });
});
