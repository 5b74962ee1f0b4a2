/** Values of options, parsed or refused in one sentence. */
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";

export function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    if (!/^[1-9]\d{0,5}$/.test(text)) throw new UserError(messages.notAWhole(option, text));
    return Number(text);
  };
}

/** Bytes of "500MB" or "10GB", counted in powers of 1024. */
export function size(text: string): number {
  const [, number, unit] = /^(\d{1,6}(?:\.\d+)?) ?([KMGT]?)i?B?$/i.exec(text) ?? [];
  if (number === undefined) throw new UserError(messages.notASize("--keep", text));
  return Number(number) * 1024 ** " KMGT".indexOf(unit.toUpperCase() || " ");
}

export function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new UserError(messages.notAPort(text));
  return Number(text);
}

/** The name of a device, for `openBackend`. */
export function device(text: string): string {
  if (!/^(auto|cpu|cuda|wasm|webgpu(:.+)?)$/.test(text)) throw new UserError(messages.unknownDevice(text));
  return text;
}

export function runner(text: string): "local" | "slurm" {
  if (text !== "local" && text !== "slurm") throw new UserError(messages.unknownRunner(text));
  return text;
}

export function assignment(text: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new UserError(messages.notAnAssignment(text));
  return { ...earlier, [name]: value };
}

export function seed(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UserError(messages.notASeed(text));
  return Number(text);
}

export function oneOf<const T extends string>(option: string, known: readonly T[]): (text: string) => T {
  return (text) => {
    const found = known.find((name) => name === text);
    if (found === undefined) throw new UserError(messages.notOneOf(option, text, known));
    return found;
  };
}
