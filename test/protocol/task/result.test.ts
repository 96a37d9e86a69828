import fc from "fast-check";
import { expect, test } from "vitest";
import { readPlainResult, resultSchema } from "../../../src/protocol/task/result.ts";

const RESULT = {
  taskId: "t1",
  status: "completed",
  output: { a: [1] },
  attempt: 1,
  agent: "a1",
  startedAt: "2026-01-31T12:00:00.000Z",
  finishedAt: "2026-01-31T12:00:01.000Z",
  queuedMs: 1,
  ranMs: 0.5,
};

test("a plain result is read exactly as the schema reads it; the schema judges everything else", () => {
  const odd = ["", "a.b", "-", "failed", "lost", 0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY];
  const keys = [...Object.keys(resultSchema.shape), "more", "constructor"];
  const change = fc.tuple(fc.constantFrom(...keys), fc.constantFrom<unknown>(...odd, null, true, {}, []));
  const body = fc.record({
    changes: fc.array(change, { maxLength: 2 }),
    left: fc.subarray(Object.keys(RESULT), { maxLength: 1 }),
  });
  let plain = 0;
  fc.assert(
    fc.property(body, ({ changes, left }) => {
      const value: Record<string, unknown> = { ...RESULT, ...Object.fromEntries(changes) };
      for (const key of left) delete value[key];
      const read = readPlainResult(value);
      if (read === undefined) return;
      plain++;
      expect(read).toStrictEqual(resultSchema.parse(value));
    }),
    { numRuns: 2_000 },
  );
  expect(plain).toBeGreaterThan(100);
  expect(readPlainResult(RESULT)).toStrictEqual(resultSchema.parse(RESULT));
  for (const value of [null, [], "x", Object.create(RESULT)]) expect(readPlainResult(value)).toBeUndefined();
});
