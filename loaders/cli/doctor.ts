/** What this machine can run models on, and what `auto` would take. */
import { freemem, totalmem } from "node:os";
import type { Device } from "../../engine/backend.js";
import { deviceNames, type Trial, tryDevice } from "../devices.js";
import { adapterNames } from "../gpu/dawn.js";
import { byteSize } from "../meter.js";
import { machine, packageVersion } from "../runner/provenance.js";

interface DeviceRow extends Trial {
  readonly description?: Readonly<Record<string, string>>;
}

interface Diagnosis {
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Readonly<Record<string, string>>;
  readonly memory: { readonly total: number; readonly free: number };
  /** GPUs by name, or why there are none. */
  readonly adapters: readonly string[] | string;
  readonly devices: readonly DeviceRow[];
  /** What `auto` takes: the first one that is not refused. */
  readonly auto: Device | null;
}

export async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const diagnosis = await diagnose();
  if (json) console.log(JSON.stringify(diagnosis, null, 2));
  else for (const line of lines(diagnosis)) console.log(line);
}

async function diagnose(): Promise<Diagnosis> {
  const devices: DeviceRow[] = [];
  for (const device of deviceNames) {
    const { trial, backend } = await tryDevice(device);
    devices.push({ ...trial, ...(backend ? { description: backend.description } : {}) });
  }
  return {
    versions: { "attention-observatory": await packageVersion(), node: process.versions.node },
    machine: machine(),
    memory: { total: totalmem(), free: freemem() },
    adapters: await adapterNames().catch((error: Error) => error.message),
    devices,
    auto: devices.find(({ refused }) => refused === undefined)?.device ?? null,
  };
}

function lines({ versions, machine, memory, adapters, devices, auto }: Diagnosis): string[] {
  const state = ({ error, refused }: DeviceRow) =>
    refused ?? `passes its self-check, largest error ${error?.toExponential(1)}`;
  const gpus = typeof adapters === "string" ? `none: ${adapters}` : adapters.join(", ") || "Vulkan finds none";
  const passedOver = devices.slice(
    0,
    Math.max(
      0,
      devices.findIndex(({ device }) => device === auto),
    ),
  );
  const because =
    passedOver.length === 0 ? "" : `; not ${passedOver.map(({ device }) => device).join(" or ")}, as said above`;
  return [
    Object.entries(versions)
      .map((entry) => entry.join(" "))
      .join(", "),
    `${machine.processor}, ${machine.cores} cores, ${machine.system}`,
    `memory   ${byteSize(memory.total)}, ${byteSize(memory.free)} free`,
    `GPUs     ${gpus}`,
    ...devices.map((row) => `${row.device.padEnd(8)} ${state(row)}${about(row)}`),
    `auto     ${auto === null ? "finds no device" : `takes ${auto}, the first that passes${because}`}`,
  ];
}

function about({ description: { runtime, version, adapter } = {} }: DeviceRow): string {
  const parts = [runtime && `${runtime} ${version}`, adapter].filter(Boolean);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}
