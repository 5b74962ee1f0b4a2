/** What the commands say and how they end. Results go to stdout, everything else to stderr. */
import { createColors } from "picocolors";
import { UserError } from "../engine/errors.js";
import { messages } from "./messages.js";
import { errorCode, isFull } from "./store/system.js";
import { Unavailable } from "./unavailable.js";

export const exitCodes = { ok: 0, failed: 1, badInput: 2, interrupted: 130 } as const;

export const color = createColors(Boolean(process.stderr.isTTY) && !process.env.NO_COLOR);

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

let interruption: AbortSignal | undefined;

/** Aborted by the first Ctrl-C, SIGTERM or closed terminal. The second ends the process at once. One for all who ask. */
export function untilInterrupted(): AbortSignal {
  interruption ??= listenForInterruption();
  return interruption;
}

function listenForInterruption(): AbortSignal {
  outliveTerminal();
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Of a closed terminal both the shell and the system tell, and nobody is in a hurry.
      if (controller.signal.aborted && signal !== "SIGHUP") process.exit(exitCodes.interrupted);
      controller.abort();
    });
  }
  return controller.signal;
}

/** A closed terminal takes no more words, and that is no reason not to end in order. */
function outliveTerminal(): void {
  const closed = (error: Error) => {
    if (errorCode(error) !== "EIO") throw error;
    process.removeListener("exit", hangUp).once("exit", hangUp);
  };
  for (const stream of [process.stdout, process.stderr]) if (stream.isTTY) stream.on("error", closed);
}

/** As every process without a terminal does. Node would set that terminal back at its exit, and crash over it. */
function hangUp(): void {
  process.removeAllListeners("SIGHUP").kill(process.pid, "SIGHUP");
}

/** Says what went wrong in one sentence, and returns the code to exit with. */
export function report(error: unknown, debug: boolean): number {
  if (debug) say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (error instanceof UserError) {
    say(error.message);
    return exitCodes.badInput;
  }
  if (error instanceof Unavailable) {
    if (!debug) say(error.message);
    return exitCodes.failed;
  }
  if (error instanceof Error && error.name === "AbortError") {
    say(messages.interrupted);
    return exitCodes.interrupted;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (!debug) say(isFull(error) ? messages.noSpace : messages.defect(message));
  return exitCodes.failed;
}
