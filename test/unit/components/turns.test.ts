import { afterAll, expect, test, vi } from "vitest";

/** Keeps no process alive. */
class Channel {
  readonly port1: { onmessage?: () => void } = {};
  readonly port2 = { postMessage: () => setImmediate(() => this.port1.onmessage?.()) };
}

vi.stubGlobal("MessageChannel", Channel);
vi.stubGlobal("Node", { DOCUMENT_POSITION_FOLLOWING: 4 });
vi.stubGlobal("innerHeight", 900);
afterAll(() => vi.unstubAllGlobals());
const { turnOf } = await import("../../../components/turns.js");

/** The part of an element that counts here; `place` is its number in the document. */
const element = (place: number, top: number) => {
  const it = {
    place,
    getBoundingClientRect: () => ({ top, bottom: top + 300 }),
    compareDocumentPosition: (other: { place: number }) => (other.place > place ? 4 : 2),
  };
  return it as typeof it & Element;
};

test("what is in view comes first, in the order of the page, then what is nearest to it", async () => {
  const order: number[] = [];
  const wait = async (place: number, top: number) => {
    await turnOf(element(place, top));
    order.push(place);
  };
  await Promise.all([wait(5, 2000), wait(1, -2000), wait(4, 1000), wait(3, 400), wait(2, 0)]);
  expect(order).toEqual([2, 3, 4, 5, 1]);
});
