/** Our own TypeScript modules as processes of their own, which end when this one does. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { root } from "../project.js";

export function forkModule(name: string, stdio: "pipe" | "inherit", env: NodeJS.ProcessEnv = {}): ChildProcess {
  return fork(fileURLToPath(new URL(name, import.meta.url)), {
    cwd: root,
    env: { ...process.env, ...env },
    execArgv: ["--import", import.meta.resolve("tsx")],
    stdio: ["ignore", stdio, stdio, "ipc"],
  });
}
