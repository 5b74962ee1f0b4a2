import type { Family } from "../architecture.js";
import { gpt2 } from "./gpt2.js";
import { llama } from "./llama.js";

export const families: readonly Family[] = [gpt2, llama];
