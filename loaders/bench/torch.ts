/** The same statistics in PyTorch, where `python3` has it and sees a GPU. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../project.js";
import { say } from "../terminal.js";

export interface Peer {
  readonly kind: "layer" | "model";
  readonly T: number;
  readonly dtype: string;
  readonly eager_ms?: number;
  readonly sdpa_ms?: number;
  readonly peak_mb?: number;
  readonly out_of_memory?: boolean;
}

interface TorchDevice {
  readonly kind: "device";
  readonly torch: string;
  readonly cuda: string;
  readonly copy_gb_per_s: number;
  readonly float32_tflops: number;
  readonly bfloat16_tflops: number;
}

export interface TorchResult {
  readonly device: TorchDevice;
  readonly peer: (kind: Peer["kind"], tokens: number, dtype: string) => Peer | undefined;
}

/** @returns undefined where there is no PyTorch that can be run */
export async function runTorch(
  lengths: readonly number[],
  modelLengths: readonly number[],
): Promise<TorchResult | undefined> {
  const script = join(root, "loaders/bench/gpu_torch.py");
  const child = spawn("python3", [script, lengths.join(), modelLengths.join()], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", resolve);
  });
  const trouble: string[] = [];
  createInterface({ input: child.stderr }).on("line", (text) => trouble.push(text));
  let device: TorchDevice | undefined;
  const peers: Peer[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    const result: TorchDevice | Peer = JSON.parse(text);
    if (result.kind === "device") device = result;
    else peers.push(result);
  }
  const code = await ended;
  if (code !== 0) say(`PyTorch was not measured to the end: ${trouble.at(-1) ?? "python3 cannot be run"}`);
  if (!device) return undefined;
  return {
    device,
    peer: (kind, tokens, dtype) =>
      peers.find((peer) => peer.kind === kind && peer.T === tokens && peer.dtype === dtype),
  };
}
