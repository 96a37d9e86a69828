import { expect, test } from "vitest";
import { UnknownAppends } from "../../../src/coordinator/office/unknown-appends.ts";
import { collectLines } from "../log-lines.ts";

test("an append with an unknown outcome is logged when that begins and when it ends, not at each repeat", () => {
  const { log, lines } = collectLines();
  const unknown = new UnknownAppends(log);
  unknown.settle();
  for (let repeat = 0; repeat < 50; repeat++) unknown.note(7, new Error("no responders"));
  expect(lines).toMatchObject([{ level: "warn", expectedLastSeq: 7 }]);
  unknown.settle();
  unknown.settle();
  expect(lines.slice(1)).toMatchObject([{ level: "info", expectedLastSeq: 7, tries: 50 }]);
  unknown.note(8, new Error("no responders"));
  expect(lines).toHaveLength(3);
});
