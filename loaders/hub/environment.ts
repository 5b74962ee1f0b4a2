/**
 * Where the hub is, who asks, and where pulled models lie: by the variables that Hugging Face's own libraries read.
 * https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { absent } from "../store/system.js";

type Variables = Readonly<Record<string, string | undefined>>;

export interface HubEnvironment {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** Folder of the cache, in the layout of huggingface_hub. */
  readonly cache: string;
  readonly token?: string;
  /** Whether the network must not be used. */
  readonly offline: boolean;
  /** Silence of a connection after which it counts as broken, in ms. */
  readonly patience: number;
  /** Wait before a first repetition, in ms; each further wait is twice as long. */
  readonly pause: number;
}

/** The folder that holds pulled models. */
export function hubCache(variables: Variables = process.env): string {
  return folder(variables.HF_HUB_CACHE ?? variables.HUGGINGFACE_HUB_CACHE) ?? join(home(variables), "hub");
}

/** @throws {UserError} where a variable cannot be used */
export async function hubEnvironment(variables: Variables = process.env): Promise<HubEnvironment> {
  const token = isOn(variables.HF_HUB_DISABLE_IMPLICIT_TOKEN) ? undefined : await tokenOf(variables);
  return {
    endpoint: endpointOf(variables.HF_ENDPOINT || "https://huggingface.co"),
    cache: hubCache(variables),
    ...(token ? { token } : {}),
    offline: isOn(variables.HF_HUB_OFFLINE || variables.TRANSFORMERS_OFFLINE),
    patience: 1000 * (Number(variables.HF_HUB_DOWNLOAD_TIMEOUT) || 10),
    pause: 500,
  };
}

function home(variables: Variables): string {
  const caches = folder(variables.XDG_CACHE_HOME) ?? join(homedir(), ".cache");
  return folder(variables.HF_HOME) ?? join(caches, "huggingface");
}

/** An absolute path; `~` at its beginning is the home folder. */
function folder(path: string | undefined): string | undefined {
  return path ? resolve(path.replace(/^~(?=\/|$)/, homedir())) : undefined;
}

function isOn(value: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes(value?.toUpperCase() ?? "");
}

function endpointOf(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol)) throw new UserError(messages.badEndpoint(address));
  return address.replace(/\/+$/, "");
}

async function tokenOf(variables: Variables): Promise<string | undefined> {
  const file = folder(variables.HF_TOKEN_PATH) ?? join(home(variables), "token");
  const given = variables.HF_TOKEN || variables.HUGGING_FACE_HUB_TOKEN;
  const token = (given ?? (await readFile(file, "utf8").catch(absent)))?.trim();
  if (token && !/^[!-~]+$/.test(token)) throw new UserError(messages.badToken(given ? "HF_TOKEN" : file));
  return token || undefined;
}
