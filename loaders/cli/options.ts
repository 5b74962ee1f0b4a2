/** Values of options, parsed or refused in one sentence. */
import type { Device } from "../../engine/backend.js";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";

export function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    if (!/^[1-9]\d{0,5}$/.test(text)) throw new UserError(messages.notAWhole(option, text));
    return Number(text);
  };
}

export function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new UserError(messages.notAPort(text));
  return Number(text);
}

export function device(text: string): Device {
  if (text === "cpu" || text === "wasm") return text;
  if (text === "auto") return "cpu"; // onnxruntime-node is one of our dependencies; what is faster is not there yet
  throw new UserError(messages.unknownDevice(text));
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
