import fc from "fast-check";
import { expect, test } from "vitest";
import { ballotOpenRequestSchema, readPlainBallotOpen } from "../../../src/protocol/office/ballot-open.ts";

const BALLOT = { seats: 5, strategy: "majority", timeoutMs: 1_000, topology: "star" };
const REQUEST = {
  ...{ taskId: "t1", capability: "echo", priority: "normal", scope: "-", encoding: "json" },
  ...{ storedAtMs: 1.5, ballot: BALLOT, task: { input: { a: 1 }, timeoutMs: 1_000 } },
};
const odd = [undefined, null, "", "a.b", "Low", 0, -1, Number.NaN, Number.POSITIVE_INFINITY, {}, [], true];

/** Requests that are mostly good, with one other value in some field, and sometimes with another field. */
const request = fc
  .record({
    field: fc.constantFrom(...Object.keys(REQUEST), "traceparent", "more"),
    value: fc.constantFrom<unknown>(
      ...odd,
      ...[
        { ...BALLOT, seats: 0 },
        { ...BALLOT, panel: ["a"] },
        { ...BALLOT, more: 1 },
      ],
      ...[
        { timeoutMs: 1 },
        { input: null, timeoutMs: 1 },
        { timeoutMs: 0 },
        { timeoutMs: 1, labels: { a: "b" } },
      ],
      ...[{ input: 1 }, { timeoutMs: 1, more: 1 }],
      ...["t2", "low", "msgpack", 5],
    ),
  })
  .map(({ field, value }) => ({ ...REQUEST, [field]: value }));

test("a plain request to open a ballot is read exactly as the schema reads it; the schema judges everything else", () => {
  let plain = 0;
  fc.assert(
    fc.property(request, (value) => {
      const read = readPlainBallotOpen(value);
      if (read === undefined) return;
      plain++;
      expect(read).toStrictEqual(ballotOpenRequestSchema.safeParse(value).data);
    }),
    { numRuns: 1_000 },
  );
  expect(plain).toBeGreaterThan(20);
  expect(readPlainBallotOpen(REQUEST)).toStrictEqual(ballotOpenRequestSchema.parse(REQUEST));
  for (const field of Object.keys(ballotOpenRequestSchema.shape)) {
    expect(readPlainBallotOpen({ ...REQUEST, [field]: undefined }), field).toBeUndefined();
  }
});
