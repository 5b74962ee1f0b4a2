/** Requests to the hub: with the token, patient where it is busy, and with one sentence where it refuses. */
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { errorCode } from "../store/system.js";
import { Unavailable } from "../unavailable.js";
import type { HubEnvironment } from "./environment.js";
import { type HubName, written } from "./name.js";

/** How often in a row something may fail before it is given up. */
export const attempts = 5;

/** Longest wait that the hub may ask for, in seconds. */
const longestWait = 300;

/** The network failed: the next attempt may fare better. */
export class BrokenConnection extends Unavailable {}

export class Connection {
  constructor(
    readonly environment: HubEnvironment,
    readonly model: HubName,
    readonly signal: AbortSignal,
  ) {}

  /**
   * `fetch`, with the token where the request goes to the hub itself: it follows no redirection to another origin.
   * @returns an answer that is a success, or says that a range cannot be had (416)
   * @throws {UserError} where the hub refuses what was asked for
   * @throws {Unavailable} where the hub cannot be reached, or stays busy
   */
  readonly fetch = async (address: string | URL | Request, options: RequestInit = {}): Promise<Response> => {
    const url = address instanceof Request ? address.url : String(address);
    for (let failures = 1; ; ++failures) {
      const response = await this.#request(url, options);
      if (response.ok || response.status === 416) return response;
      const wait = this.#waitFor(response, failures);
      await response.body?.cancel();
      if (wait === undefined || failures === attempts) throw this.#refusal(response);
      await sleep(wait, undefined, { signal: this.signal });
    }
  };

  /** Waits before the next attempt after so many failures in a row. */
  async pause(failures: number): Promise<void> {
    await sleep(this.environment.pause * 2 ** (failures - 1), undefined, { signal: this.signal });
  }

  async #request(url: string, options: RequestInit): Promise<Response> {
    const { endpoint, token, patience } = this.environment;
    const headers = new Headers(options.headers);
    headers.set("user-agent", "attention-observatory");
    if (token && new URL(url).origin === new URL(endpoint).origin) headers.set("authorization", `Bearer ${token}`);
    const silent = new AbortController();
    const timer = setTimeout(() => silent.abort(), patience);
    try {
      const signals = [this.signal, silent.signal, ...(options.signal ? [options.signal] : [])];
      return await fetch(url, { ...options, headers, signal: AbortSignal.any(signals) });
    } catch (error) {
      this.signal.throwIfAborted();
      throw this.unreachable(silent.signal.aborted ? "no answer" : causeOf(error));
    } finally {
      clearTimeout(timer);
    }
  }

  unreachable(why: string): BrokenConnection {
    return new BrokenConnection(messages.hubUnreachable(this.environment.endpoint, why));
  }

  /** How long to wait before asking again, in ms; undefined where it would not help. */
  #waitFor({ status, headers }: Response, failures: number): number | undefined {
    if (status !== 429 && status < 500) return undefined;
    const asked = retryAfter(headers.get("retry-after"));
    if (asked === undefined) return this.environment.pause * 2 ** (failures - 1);
    return asked <= longestWait ? asked * 1000 : undefined;
  }

  #refusal({ status, headers }: Response): Error {
    const { endpoint, token } = this.environment;
    const model = written(this.model);
    const code = headers.get("x-error-code");
    if (status === 403 || code === "GatedRepo") {
      return new UserError(messages.hubForbids(endpoint, model, this.model.name, Boolean(token)));
    }
    if (status === 401) return new UserError((token ? messages.hubBadToken : messages.hubNeedsToken)(endpoint, model));
    if (status === 404) {
      return new UserError(
        (code === "RevisionNotFound" ? messages.hubNoRevision : messages.hubNoModel)(endpoint, model),
      );
    }
    if (status === 429) {
      const wait = retryAfter(headers.get("retry-after"));
      return new Unavailable(messages.hubTooMany(endpoint, wait, Boolean(token)));
    }
    return new Unavailable(messages.hubFails(endpoint, status));
  }
}

/** Seconds, from a number of them or a date; undefined where the header holds neither. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

/** What is at the bottom of a failed fetch: ENOTFOUND, ECONNREFUSED, a certificate's fault. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return causeOf(error.errors[0]);
  return error.cause === undefined ? (errorCode(error) ?? error.message) : causeOf(error.cause);
}
