/** Which job runs when: in their order, side by side, within what the machine has. */
import { readdirSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import type { Device } from "../../engine/backend.js";
import type { Resources } from "../experiment.js";

export interface Capacity {
  readonly cores: number;
  /** GiB. */
  readonly memory: number;
  /** What CUDA_VISIBLE_DEVICES calls each; an empty name for a GPU that cannot be named. */
  readonly gpus: readonly string[];
  /** Jobs at a time at most. */
  readonly jobs: number;
}

export function machineCapacity(jobs = Number.POSITIVE_INFINITY, device?: Device): Capacity {
  // A container may have less than its machine; 0 is none said.
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return { cores: availableParallelism(), memory: memory / 2 ** 30, gpus: gpusFor(device), jobs };
}

/** Runs what it is given, so many at a time, in the order of asking. */
export function limiter(places: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else --free;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else ++free;
    }
  };
}

/**
 * NVIDIA's, by their numbers; elsewhere one, because systems do not say how many there are. WebGPU is given one, too:
 * Vulkan does not follow CUDA_VISIBLE_DEVICES, and adapters are chosen by names, which equal cards share.
 */
function gpusFor(device: Device | undefined): string[] {
  if (device === "webgpu") return [""];
  const visible = process.env.CUDA_VISIBLE_DEVICES;
  if (visible) return visible.split(",");
  try {
    return readdirSync("/proc/driver/nvidia/gpus").map((_, i) => String(i));
  } catch {
    return [""];
  }
}

type Needs = Required<Resources>;

/** What a job takes: never more than all there is, so that everything gets its turn. */
function share({ cores, gpus, memory }: Needs, capacity: Capacity): Needs {
  return {
    cores: Math.min(cores, capacity.cores),
    memory: Math.min(memory, capacity.memory),
    gpus: Math.min(gpus, capacity.gpus.length),
  };
}

/**
 * Runs each job as soon as what it needs is free; a later one that fits goes before an earlier one that does not.
 * `run` is given the GPUs that are the job's alone, and must not reject.
 */
export function pack<J extends { readonly resources: Needs }>(
  jobs: readonly J[],
  capacity: Capacity,
  run: (job: J, gpus: readonly string[]) => Promise<void>,
): Promise<void> {
  const waiting = [...jobs];
  const free = { cores: capacity.cores, memory: capacity.memory, gpus: [...capacity.gpus] };
  let running = 0;
  return new Promise((resolve) => {
    const startAll = () => {
      for (const job of [...waiting]) {
        const { cores, memory, gpus } = share(job.resources, capacity);
        if (running >= capacity.jobs || cores > free.cores || memory > free.memory || gpus > free.gpus.length) continue;
        waiting.splice(waiting.indexOf(job), 1);
        free.cores -= cores;
        free.memory -= memory;
        const own = free.gpus.splice(0, gpus);
        ++running;
        void run(job, own).then(() => {
          free.cores += cores;
          free.memory += memory;
          free.gpus.unshift(...own);
          --running;
          startAll();
        });
      }
      if (running === 0) resolve();
    };
    startAll();
  });
}
