/** The devices that Node can run graphs on. */
import type { Backend, Device } from "../engine/backend.js";
import { UserError } from "../engine/errors.js";
import { selfCheck, tolerated } from "../engine/self-check.js";
import { openCpu } from "./devices/cpu.js";
import { openCuda } from "./devices/cuda.js";
import { openWasm } from "./devices/wasm.js";
import { openWebgpu } from "./devices/webgpu.js";

export interface DeviceOptions {
  /** Threads within one operator, on the processor; default 1. */
  readonly threads?: number;
}

interface OpenerOptions {
  readonly threads: number;
  /** Part of the name of a GPU. */
  readonly adapter?: string;
}

/** From the fastest to the one that runs everywhere: the order in which `auto` tries them. */
const openers: Readonly<Record<Device, (options: OpenerOptions) => Promise<Backend>>> = {
  cuda: ({ threads }) => openCuda(threads),
  webgpu: ({ adapter }) => openWebgpu(adapter),
  cpu: ({ threads }) => openCpu(threads),
  wasm: ({ threads }) => openWasm(threads),
};

export const deviceNames = Object.keys(openers) as Device[];

/**
 * @param name `cpu`, `cuda`, `wasm`, `webgpu`, `webgpu:NAME` with part of the name of a GPU, or `auto`
 * @throws {UserError} where there is no such device, or `auto` finds none that computes what it should
 */
export async function openBackend(name: string, { threads = 1 }: DeviceOptions = {}): Promise<Backend> {
  refuseThreads(threads);
  if (name === "auto") return (await chooseDevice({ threads })).backend;
  const { device, adapter } = parseDevice(name);
  return openers[device]({ threads, adapter });
}

/** @throws {UserError} where there is no device of this name */
export function parseDevice(name: string): { readonly device: Device; readonly adapter?: string } {
  const [, kind, adapter] = /^([a-z]+)(?::(.+))?$/.exec(name) ?? [];
  const device = deviceNames.find((known) => known === kind);
  if (!device || (adapter !== undefined && device !== "webgpu")) {
    throw new UserError(
      `There is no device ${JSON.stringify(name)}: give ${deviceNames.join(", ")}, webgpu:NAME with part of a GPU's name, or auto.`,
    );
  }
  return { device, adapter };
}

/** How a device did in its self-check. */
export interface Trial {
  readonly device: Device;
  /** Largest error of the self-check; absent where it could not be run. */
  readonly error?: number;
  /** Why it is not to be used; absent where it can be. */
  readonly refused?: string;
}

export interface Choice {
  readonly backend: Backend;
  /** Those passed over, and last the one that was taken. */
  readonly trials: readonly Trial[];
}

/**
 * What `auto` means: the first device that is there, is not software in disguise, and passes its self-check.
 * @throws {UserError} where there is none
 */
export async function chooseDevice({ threads = 1 }: DeviceOptions = {}): Promise<Choice> {
  refuseThreads(threads);
  const trials: Trial[] = [];
  for (const device of deviceNames) {
    const { trial, backend } = await tryDevice(device, threads);
    trials.push(trial);
    if (backend && trial.refused === undefined) return { backend, trials };
  }
  throw new UserError(
    `No device can be used: ${trials.map(({ device, refused }) => `${device}: ${refused}`).join("; ")}.`,
  );
}

/** Opens a device and lets it check itself; never throws. */
export async function tryDevice(device: Device, threads = 1): Promise<{ trial: Trial; backend?: Backend }> {
  try {
    const backend = await openers[device]({ threads });
    if (backend.gpu?.adapterInfo.isFallbackAdapter) {
      return { trial: { device, refused: `${backend.description.adapter} is no GPU but software` }, backend };
    }
    const error = await selfCheck(backend);
    const refused = error <= tolerated ? undefined : `off by ${error.toPrecision(2)} in its self-check`;
    return { trial: { device, error, refused }, backend };
  } catch (error) {
    return { trial: { device, refused: (error instanceof Error ? error.message : String(error)).replace(/\.$/, "") } };
  }
}

function refuseThreads(threads: number): void {
  if (Number.isSafeInteger(threads) && threads >= 1) return;
  throw new UserError(`threads is ${threads}, but must be a whole number of at least 1.`);
}
