/** How far one long piece of work is, on stderr: a line that is redrawn on a terminal, a few plain lines elsewhere. */
import { duration } from "./runner/progress.js";
import { color } from "./terminal.js";

export interface Meter {
  /** @param done of the total that was announced, in units that take equally long */
  readonly update: (done: number) => void;
  readonly close: () => void;
}

interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface MeterOptions {
  /** How far it is, such as "3.2 MB of 1.0 GB, 7.1 MB/s"; the rate is per second. */
  readonly state: (done: number, rate: number) => string;
  /** What is there at the beginning, and no part of the rate. */
  readonly done?: number;
  /** So many updates pass before the rate is measured, because the first of the work waits for a start. */
  readonly warmUp?: number;
  readonly out?: Screen;
  /** In milliseconds. */
  readonly clock?: () => number;
}

const quiet = 2000; // ms in which work may end without having said anything
const redraw = 100; // ms
const plainStep = 10_000; // ms

export function meter(label: string, total: number, options: MeterOptions): Meter {
  const { state, done: before = 0, warmUp = 0, out = process.stderr, clock = () => performance.now() } = options;
  const begun = clock();
  let since = { at: begun, done: before };
  let updates = 0;
  let said = begun + quiet - (out.isTTY ? redraw : plainStep);
  let drawn = false;
  return {
    update(done) {
      const now = clock();
      if (updates++ < warmUp) since = { at: now, done };
      if (now - said < (out.isTTY ? redraw : plainStep)) return;
      said = now;
      // What is done falls where work begins again.
      const rate = done > since.done ? (1000 * (done - since.done)) / (now - since.at) : 0;
      const left = rate > 0 ? `, ${duration((total - done) / rate)} left` : "";
      const text = `${label}: ${state(done, rate)}${left}`;
      out.write(out.isTTY ? `\r\x1b[K${color.dim(text)}` : `${text}\n`);
      drawn = true;
    },
    close() {
      if (drawn && out.isTTY) out.write("\r\x1b[K");
    },
  };
}

/** A number of bytes in decimal units: 999 B, 1.2 kB, 34 MB, 5.6 GB. */
export function byteSize(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toPrecision(2)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}
