/** The engine as a library for Node: what `import … from "attention-observatory"` gives there. */

export * from "../engine/library.js";
export { chooseDevice, type DeviceOptions, openBackend } from "./devices.js";
export { fileSource } from "./files.js";
