/** A Slurm cluster of one machine, on loopback and in a folder of its own. It needs root and Debian's packages. */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const programs = ["slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "munged"];

/** Why there can be no cluster here; undefined where there can. */
export function whyNoCluster(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "it needs root on Linux";
  const missing = programs.filter((name) => spawnSync("which", [name]).status !== 0);
  return missing.length > 0
    ? `there is no ${missing.join(", ")}: apt-get install slurmctld slurmd slurm-client munge`
    : undefined;
}

export class SlurmCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), "slurm-"));
  readonly #path = (name: string) => join(this.#folder, name);

  /** Starts the daemons, and points SLURM_CONF of this process at them. */
  async start(): Promise<void> {
    chmodSync(this.#folder, 0o755);
    this.#startMunge();
    const [controller, daemon] = [0, 1].map(() => 20000 + Math.floor(Math.random() * 20000));
    for (const name of ["state", "spool"]) mkdirSync(this.#path(name));
    const settings = {
      ClusterName: "test",
      SlurmctldHost: `${hostname()}(127.0.0.1)`,
      SlurmctldPort: controller,
      SlurmdPort: daemon,
      SlurmUser: "root",
      AuthType: "auth/munge",
      // A job that is requeued may begin when the credential of its first try has expired, else after two minutes.
      AuthInfo: `socket=${this.#path("munge/socket")},cred_expire=10`,
      CryptoType: "crypto/munge",
      StateSaveLocation: this.#path("state"),
      SlurmdSpoolDir: this.#path("spool"),
      SlurmctldPidFile: this.#path("slurmctld.pid"),
      SlurmdPidFile: this.#path("slurmd.pid"),
      SlurmctldLogFile: this.#path("slurmctld.log"),
      SlurmdLogFile: this.#path("slurmd.log"),
      ProctrackType: "proctrack/linuxproc",
      TaskPlugin: "task/none",
      SelectType: "select/cons_tres",
      SelectTypeParameters: "CR_Core",
      ReturnToService: 2,
      KillWait: 2,
      MpiDefault: "none",
      GresTypes: "gpu",
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const node = `NodeName=${hostname()} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} Gres=gpu:1 State=UNKNOWN`;
    writeFileSync(this.#path("gres.conf"), "Name=gpu File=/dev/null\n"); // nobody computes on it
    const partition = `PartitionName=all Nodes=${hostname()} Default=YES MaxTime=INFINITE State=UP`;
    writeFileSync(this.#path("slurm.conf"), `${[...lines, node, partition].join("\n")}\n`);
    process.env.SLURM_CONF = this.#path("slurm.conf");
    execFileSync("slurmctld", { stdio: "ignore" });
    execFileSync("slurmd", { stdio: "ignore" });
    await this.#until(() => this.run("sinfo", "--noheader", "--format=%t").trim() === "idle", "its node is not ready");
  }

  #startMunge(): void {
    const folder = this.#path("munge");
    mkdirSync(folder, { mode: 0o755 });
    writeFileSync(join(folder, "key"), randomBytes(1024), { mode: 0o400 });
    const munged = [
      "--key-file",
      "key",
      "--socket",
      "socket",
      "--pid-file",
      "pid",
      "--log-file",
      "log",
      "--seed-file",
      "seed",
    ];
    const args = munged.map((word) => (word.startsWith("--") ? word : join(folder, word)));
    execFileSync("chown", ["-R", "munge:munge", folder]);
    execFileSync("setpriv", ["--reuid=munge", "--regid=munge", "--clear-groups", "munged", "--force", ...args], {
      stdio: "ignore",
    });
  }

  /** What one of Slurm's commands prints. */
  run(command: string, ...args: readonly string[]): string {
    return execFileSync(command, args, { encoding: "utf8" });
  }

  /** The node is lost, with everything that runs on it, and comes back. */
  async loseNode(): Promise<void> {
    this.run("scontrol", "update", `NodeName=${hostname()}`, "State=DOWN", "Reason=test");
    await sleep(3000);
    const isDown = () => /^(down|drain)/.test(this.run("sinfo", "--noheader", "--format=%t").trim());
    if (isDown()) this.run("scontrol", "update", `NodeName=${hostname()}`, "State=RESUME"); // or it is back by itself
  }

  /** The controller ends, and comes back so many milliseconds later. */
  async restartController(pause: number): Promise<void> {
    await this.#end("slurmctld.pid");
    await sleep(pause);
    execFileSync("slurmctld", { stdio: "ignore" });
  }

  async #end(pidFile: string): Promise<void> {
    if (!existsSync(this.#path(pidFile))) return;
    const pid = Number(readFileSync(this.#path(pidFile), "utf8"));
    process.kill(pid, "SIGTERM");
    for (let i = 0; i < 50 && existsSync(`/proc/${pid}`); ++i) await sleep(100);
  }

  async #until(isSo: () => boolean, otherwise: string): Promise<void> {
    for (let i = 0; i < 100; ++i) {
      if (isSo()) return;
      await sleep(200);
    }
    throw new Error(
      `Slurm did not start: ${otherwise}: ${readFileSync(this.#path("slurmctld.log"), "utf8").slice(-2000)}`,
    );
  }

  async stop(): Promise<void> {
    for (const file of ["slurmd.pid", "slurmctld.pid", "munge/pid"]) await this.#end(file);
    delete process.env.SLURM_CONF;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
