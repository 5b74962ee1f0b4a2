import { messages } from "../messages.js";
import type { JobOptions } from "../runner/job.js";
import { say } from "../terminal.js";

/** Which device jobs run on. `auto` decides here, once for all, and says why. @throws {UserError} where there is none */
export async function deviceOf(name: string | undefined): Promise<Pick<JobOptions, "device" | "adapter">> {
  if (name === undefined) return {};
  const { chooseDevice, parseDevice } = await import("../devices.js");
  if (name !== "auto") return parseDevice(name);
  const { backend, trials } = await chooseDevice();
  for (const { device, refused } of trials) if (refused) say(messages.deviceRefused(device, refused));
  say(messages.deviceTaken(backend.device));
  return { device: backend.device };
}
