import type { Family } from "../architecture.js";
import { UserError } from "../errors.js";
import { isRecord, type Json, shown } from "../json.js";
import { bloom } from "./bloom.js";
import { falcon } from "./falcon.js";
import { gemma, gemma2, gemma3 } from "./gemma.js";
import { gptNeo } from "./gpt-neo.js";
import { gptNeox } from "./gpt-neox.js";
import { gptOss } from "./gpt-oss.js";
import { gpt2 } from "./gpt2.js";
import { gptj } from "./gptj.js";
import { granite } from "./granite.js";
import { llama } from "./llama.js";
import { mistral } from "./mistral.js";
import { mpt } from "./mpt.js";
import { olmo2 } from "./olmo2.js";
import { opt } from "./opt.js";
import { phi } from "./phi.js";
import { phi3 } from "./phi3.js";
import { qwen2, qwen3 } from "./qwen.js";
import { smollm3 } from "./smollm3.js";
import { stablelm } from "./stablelm.js";
import { starcoder2 } from "./starcoder2.js";

/** Every family there is; adding one is adding a description. */
export const families: readonly Family[] = [
  bloom,
  falcon,
  gemma,
  gemma2,
  gemma3,
  gpt2,
  gptj,
  gptNeo,
  gptNeox,
  gptOss,
  granite,
  llama,
  mistral,
  mpt,
  olmo2,
  opt,
  phi,
  phi3,
  qwen2,
  qwen3,
  smollm3,
  stablelm,
  starcoder2,
];

/**
 * The family of a config.json.
 * @throws {UserError} where there is none
 */
export function familyOf(config: Json, where: string): Family {
  const family = families.find(({ modelType }) => modelType === config.model_type);
  if (family) return family;
  const known = families.map(({ modelType }) => modelType).join(", ");
  const kind = isRecord(config.text_config) ? "a model of text and more, " : "";
  throw new UserError(`${where}: model_type is ${shown(config.model_type)}, ${kind}but only ${known} can be run.`);
}
