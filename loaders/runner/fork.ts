/** Our own TypeScript modules as processes of their own, which end when this one does. */
import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { join } from "node:path";
import { root } from "../project.js";
import { errorCode } from "../store/system.js";

/** What `node` runs our modules with. */
export const starter = join(root, "loaders/start.mjs");

/** @param name the module's path from the root */
export function forkModule(
  name: string,
  stdio: "pipe" | "inherit",
  {
    env = {},
    detached = false,
    serialization = "json",
  }: { readonly env?: NodeJS.ProcessEnv } & Pick<ForkOptions, "detached" | "serialization"> = {},
): ChildProcess {
  return fork(starter, [name], {
    cwd: root,
    env: { ...process.env, ...env },
    execArgv: [],
    stdio: ["ignore", stdio, stdio, "ipc"],
    detached,
    serialization,
  });
}

/** Signals a process that was forked detached, and all that it has started. Nothing happens where all have ended. */
export function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return; // it could not be started
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}
