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

interface Waiting {
  readonly share: Needs;
  readonly start: (gpus: readonly string[]) => void;
}

/** Shares out what there is among the jobs that ask for it. */
export class Machine {
  readonly capacity: Capacity;
  readonly #waiting: Waiting[] = [];
  readonly #gpus: string[];
  #cores: number;
  #memory: number;
  #jobs: number;

  constructor(capacity: Capacity) {
    this.capacity = capacity;
    this.#gpus = [...capacity.gpus];
    ({ cores: this.#cores, memory: this.#memory, jobs: this.#jobs } = capacity);
  }

  /**
   * Does the work of a job as soon as what it needs is free, in the order of asking; a later one that fits goes before an
   * earlier one that does not. `work` is given the GPUs that are the job's alone.
   */
  async lend<T>(needs: Needs, work: (gpus: readonly string[]) => Promise<T>): Promise<T> {
    const share = this.#shareOf(needs);
    const gpus = await new Promise<readonly string[]>((start) => {
      this.#waiting.push({ share, start });
      this.#startAll();
    });
    try {
      return await work(gpus);
    } finally {
      this.#cores += share.cores;
      this.#memory += share.memory;
      this.#gpus.unshift(...gpus);
      ++this.#jobs;
      this.#startAll();
    }
  }

  /** What a job takes: never more than all there is, so that everything gets its turn. */
  #shareOf({ cores, gpus, memory }: Needs): Needs {
    return {
      cores: Math.min(cores, this.capacity.cores),
      memory: Math.min(memory, this.capacity.memory),
      gpus: Math.min(gpus, this.capacity.gpus.length),
    };
  }

  #startAll(): void {
    for (const job of [...this.#waiting]) {
      const { cores, memory, gpus } = job.share;
      if (this.#jobs < 1 || cores > this.#cores || memory > this.#memory || gpus > this.#gpus.length) continue;
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      this.#cores -= cores;
      this.#memory -= memory;
      --this.#jobs;
      job.start(this.#gpus.splice(0, gpus));
    }
  }
}
