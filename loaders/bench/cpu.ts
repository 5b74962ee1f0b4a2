/** `observatory bench cpu`: memory and time of the engine on the processor, and whether they keep within its limits. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quantile } from "../../engine/interval.js";
import { byteSize } from "../meter.js";
import { dataFolder, projectPath } from "../project.js";
import { forkModule } from "../runner/fork.js";
import { duration } from "../runner/progress.js";
import { checkout, machine, packageVersion } from "../runner/provenance.js";
import { writeFlushed } from "../store/system.js";
import { say } from "../terminal.js";
import type { Measures } from "./measure.js";
import { type Duration, type Loading, type MemoryAtLength, type Overhead, threads } from "./measures.js";

/** What the engine promises. */
const limits = {
  /** Bytes, for 8,192 tokens through the bundled model. */
  peak: 1.5e9,
  /** Memory above the model's own, 8,192 tokens to 4,096. */
  growth: 2.3,
  /** Peak memory to weights, on loading a checkpoint of 500 MB. */
  loading: 1.5,
  /** Time that the statistics add, to that of the logits alone. */
  rowMetrics: 0.25,
  rowMetricsWithTopMass: 0.6,
  /** Bytes, of all row metrics of GPT-2 small over 1,024 tokens. */
  output: 8e6,
} as const;

export interface Finding {
  readonly name: string;
  readonly unit: "bytes" | "ratio";
  readonly value: number;
  readonly limit: number;
  readonly within: boolean;
}

export interface CpuBenchmark {
  readonly date: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit?: string;
  readonly clean?: boolean;
  readonly threads: number;
  readonly memory: readonly MemoryAtLength[];
  readonly loading: Loading;
  readonly overhead: Overhead;
  readonly findings: readonly Finding[];
}

const lengths = [4096, 8192, 32_768] as const;

/** Seconds that each step took on two cores of a server: they only weigh the estimate of the time left. */
const steps = { checkpoint: 15, loading: 3, overhead: 90, 4096: 10, 8192: 25, 32768: 300 };

/** @returns whether everything kept within its limit */
export async function benchCpu(file = join(dataFolder, "benchmarks/cpu.json")): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "observatory-bench-"));
  const next = progress();
  try {
    next("writing a checkpoint of GPT-2 small's shape", steps.checkpoint);
    await measured("checkpoint", folder);
    next("loading it", steps.loading);
    const loading = await measured("loading", folder);
    next("statistics against logits alone, 7 times in turns", steps.overhead);
    const overhead = await measured("overhead", folder);
    const memory: MemoryAtLength[] = [];
    for (const tokens of lengths) {
      next(`${tokens.toLocaleString("en")} tokens`, steps[tokens]);
      memory.push(await measured("memory", tokens));
    }
    const findings = judge(memory, loading, overhead);
    const benchmark: CpuBenchmark = {
      date: new Date().toISOString(),
      machine: machine(),
      versions: { node: process.versions.node, "attention-observatory": await packageVersion() },
      ...(await checkout()),
      threads,
      memory,
      loading,
      overhead,
      findings,
    };
    await writeFlushed(file, `${JSON.stringify(benchmark, null, 2)}\n`);
    for (const line of report(benchmark)) console.log(line);
    say(`Written to ${projectPath(file)}.`);
    return findings.every(({ within }) => within);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Result<K extends keyof Measures> = Awaited<ReturnType<Measures[K]>>;

/** Measures in a fresh process, so that no other measure's memory counts. */
function measured<K extends keyof Measures>(name: K, argument: Parameters<Measures[K]>[0]): Promise<Result<K>> {
  return new Promise((resolve, reject) => {
    const child = forkModule("loaders/bench/measure.ts", "inherit");
    child.send([name, argument]);
    child.once("message", (result) => resolve(result as Result<K>));
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`measuring ${name} ended by ${signal ?? `exit code ${code}`}`)),
    );
  });
}

/** Says what begins, and how long all that is left will take at the pace so far. */
function progress(): (what: string, weight: number) => void {
  const total = Object.values(steps).reduce((a, b) => a + b, 0);
  const start = performance.now();
  let done = 0;
  let step = 0;
  return (what, weight) => {
    const pace = done > 0 ? (performance.now() - start) / 1000 / done : 1;
    say(`${++step}/${Object.keys(steps).length}  ${what}; about ${duration(pace * (total - done))} left in all`);
    done += weight;
  };
}

function judge([short, long]: readonly MemoryAtLength[], loading: Loading, overhead: Overhead): Finding[] {
  const median = (runs: readonly Duration[]) =>
    quantile(
      runs.map(({ seconds }) => seconds),
      0.5,
    );
  const above = ({ peak, model }: MemoryAtLength) => peak - model;
  const slower = (runs: readonly Duration[]) => median(runs) / median(overhead.logits) - 1;
  const finding = (name: string, unit: Finding["unit"], value: number, limit: number): Finding => ({
    name,
    unit,
    value,
    limit,
    within: value <= limit,
  });
  return [
    finding("peak memory, 8,192 tokens through the bundled model", "bytes", long.peak, limits.peak),
    finding("memory above the model's own, 8,192 tokens to 4,096", "ratio", above(long) / above(short), limits.growth),
    finding("peak memory to weights, loading 500 MB", "ratio", loading.peak / loading.weights, limits.loading),
    finding("row metrics without top-8 mass, time added", "ratio", slower(overhead.rowMetrics), limits.rowMetrics),
    finding("row metrics, time added", "ratio", slower(overhead.rowMetricsWithTopMass), limits.rowMetricsWithTopMass),
    finding("output of the row metrics, GPT-2 small over 1,024 tokens", "bytes", overhead.output, limits.output),
  ];
}

function report({ memory, loading, findings }: CpuBenchmark): string[] {
  const show = ({ unit }: Finding, value: number) => (unit === "bytes" ? byteSize(value) : value.toFixed(2));
  return [
    ...memory.map(
      ({ tokens, seconds, model, peak }) =>
        `${tokens.toLocaleString("en").padStart(7)} tokens  ${duration(seconds).padStart(10)}  peak ${byteSize(peak)}, of which the model ${byteSize(model)}`,
    ),
    `${byteSize(loading.weights)} of weights loaded in ${duration(loading.seconds)}`,
    ...findings.map(
      (item) =>
        `${item.within ? "within" : "BEYOND"}  ${item.name}: ${show(item, item.value)}, at most ${show(item, item.limit)}`,
    ),
  ];
}
