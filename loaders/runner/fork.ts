/** Our own TypeScript modules as processes of their own, which end when this one does. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { root } from "../project.js";
import { errorCode } from "../store/system.js";

export function forkModule(
  name: string,
  stdio: "pipe" | "inherit",
  { env = {}, detached = false }: { readonly env?: NodeJS.ProcessEnv; readonly detached?: boolean } = {},
): ChildProcess {
  return fork(fileURLToPath(new URL(name, import.meta.url)), {
    cwd: root,
    env: { ...process.env, ...env },
    execArgv: ["--import", import.meta.resolve("tsx")],
    stdio: ["ignore", stdio, stdio, "ipc"],
    detached,
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
