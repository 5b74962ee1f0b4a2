/**
 * What a preview serves without making it anew. Framework bundles its client and translates each module of a page for
 * every request, for a second and more, although the address of a module carries a hash of all that is in it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

/** Framework's own modules, which stay as they are, and those of pages. */
const lasting = /^\/_observablehq\/\w+\.js$|^\/_import\/[^?]+\.js\?sha=\w+$/;

interface Content {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Kept {
  readonly url: string;
  /** Nothing where it could not be made, or whoever asked for it went away. */
  readonly content: Promise<Content | undefined>;
}

export class ResponseMemory {
  /** The last address of each path, for a module has one content at a time. */
  readonly #kept = new Map<string, Kept>();

  /** Answers with what was made for this address, or has it made. */
  async answer(request: IncomingMessage, response: ServerResponse, make: () => void): Promise<void> {
    const { url = "", method } = request;
    if (method !== "GET" || !lasting.test(url)) return make();
    const [path] = url.split("?");
    const kept = this.#kept.get(path);
    const content = kept?.url === url ? await kept.content : undefined;
    if (content) return send(request, response, content);
    delete request.headers["if-none-match"]; // "not modified" is no content
    this.#kept.set(path, { url, content: contentOf(response) });
    make();
  }
}

/** What is about to be written. */
function contentOf(response: ServerResponse): Promise<Content | undefined> {
  return new Promise((resolve) => {
    const end = response.end.bind(response) as (content?: unknown) => ServerResponse;
    response.end = (text?: unknown) => {
      const [type, etag] = [response.getHeader("content-type"), response.getHeader("etag")];
      const isWhole = response.statusCode === 200 && typeof text === "string";
      resolve(isWhole ? { text, headers: { "content-type": String(type), etag: String(etag) } } : undefined);
      return end(text);
    };
    response.once("close", () => resolve(undefined));
  });
}

function send({ headers: asked }: IncomingMessage, response: ServerResponse, { text, headers }: Content): void {
  const isKnown = asked["if-none-match"] === headers.etag;
  response.writeHead(isKnown ? 304 : 200, headers).end(isKnown ? undefined : text);
}
