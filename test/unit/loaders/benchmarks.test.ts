import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { parsePassport, passportLine } from "../../../components/passport.js";
import { benchmarkTable } from "../../../loaders/bench/table.js";

test("the line under the charts of benchmarks names the card that was measured", async () => {
  const { metadata } = tableFromIPC(await benchmarkTable()).schema;
  expect(passportLine(parsePassport(metadata.get("passport"))!)).toMatch(/^NVIDIA .* · commit [0-9a-f]{7}/);
});
