/** Writes the self-check's model for self_check.py: `node --import tsx self-check-model.ts FOLDER`. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { weightsFile } from "../../engine/random-weights.js";
import { selfCheckModel } from "../../engine/self-check.js";

const folder = process.argv[2];
const { checkpoint, ids } = selfCheckModel();
await mkdir(folder, { recursive: true });
await writeFile(join(folder, "model.safetensors"), await weightsFile(checkpoint));
await writeFile(join(folder, "config.json"), JSON.stringify(checkpoint.config));
await writeFile(join(folder, "ids.json"), JSON.stringify([...ids]));
