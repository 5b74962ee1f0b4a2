/** How much of the GPU's memory is in use, as nvidia-smi tells it; nothing where there is no nvidia-smi. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const every = 20; // milliseconds
const settling = 300; // milliseconds without a change

export class GpuMemory {
  readonly #watch: ChildProcess | undefined;
  #before: number;
  #highest = 0;
  #latest = 0;

  private constructor(
    readonly name: string | undefined,
    readonly driver: string | undefined,
    used: number,
  ) {
    this.#before = used;
    if (name === undefined) return;
    this.#watch = spawn("nvidia-smi", ["--query-gpu=memory.used", ...format, `-lms=${every}`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    if (!this.#watch.stdout) return;
    createInterface({ input: this.#watch.stdout }).on("line", (text) => {
      this.#latest = Number(text);
      this.#highest = Math.max(this.#highest, this.#latest);
    });
  }

  /** Takes what is in use now as the base of all that follows. */
  static async open(): Promise<GpuMemory> {
    try {
      const query = "--query-gpu=name,driver_version,memory.used";
      const { stdout } = await promisify(execFile)("nvidia-smi", [query, ...format]);
      const [name, driver, used] = stdout.split("\n")[0].split(", ");
      return new GpuMemory(name, driver, Number(used));
    } catch {
      return new GpuMemory(undefined, undefined, 0); // no NVIDIA card: its memory cannot be told
    }
  }

  /** Begins anew, once what was freed has gone back to the card. */
  async reset(): Promise<void> {
    let earlier: number;
    do {
      earlier = this.#latest;
      await new Promise((resolve) => setTimeout(resolve, settling));
    } while (this.#latest !== earlier);
    this.#highest = this.#latest;
  }

  /** The most that was in use since `reset`, in megabytes above the base. */
  peak(): number | null {
    return this.#watch ? (this.#highest - this.#before) * 1.048576 : null;
  }

  close(): void {
    this.#watch?.kill();
  }
}

const format = ["--format=csv,noheader,nounits"];
