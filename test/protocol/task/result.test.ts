import fc from "fast-check";
import { expect, test } from "vitest";
import { verdictSchema } from "../../../src/protocol/ballot/verdict.ts";
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

const USAGE = { inputTokens: 1, outputTokens: 2.5, costUsd: null };
const SEAT = { seat: 1, agent: "a1", taskId: "t1-r1s1", value: [1], round: 1, weight: 1 };
const VERDICT = {
  outcome: "decided",
  strategy: "majority",
  topology: "star",
  value: [1],
  agreement: 0.6,
  decidedBy: "quorum",
  abstained: 1,
  seats: [SEAT, { seat: 2, agent: "-", abstained: "no answer", weight: 0.5, model: "m" }],
  rounds: 1,
  messages: 5,
  hops: 1,
  winner: 1,
  effectiveVoters: null,
  usage: USAGE,
  single: { seat: 1, agrees: true, usage: USAGE },
};

test("the result of a ballot is read exactly as the schema reads it; the schema judges everything else", () => {
  const odd = ["", "a.b", "tie", "merge", "tree", "judge", 0, 1, -1, 1.5, 2 ** 53, Number.NaN, Infinity];
  const any = fc.constantFrom<unknown>(...odd, null, true, {}, [], [null], SEAT, USAGE, undefined);
  const places: ((verdict: Partial<typeof VERDICT>) => [unknown, readonly string[]])[] = [
    (verdict) => [verdict, Object.keys(verdictSchema.shape)],
    ({ seats }) => [seats?.[0], Object.keys(verdictSchema.shape.seats.element.shape)],
    ({ seats }) => [seats?.[1], Object.keys(verdictSchema.shape.seats.element.shape)],
    ({ usage }) => [usage, Object.keys(USAGE)],
    ({ single }) => [single, ["seat", "agrees", "value", "usage"]],
  ];
  const change = fc.record({
    place: fc.nat(places.length - 1),
    key: fc.nat(40),
    value: any,
    isLeft: fc.constantFrom(false, false, false, true),
  });
  let plain = 0;
  fc.assert(
    fc.property(fc.array(change, { maxLength: 2 }), (changes) => {
      const verdict = structuredClone(VERDICT);
      for (const { place, key, value, isLeft } of changes) {
        const [target, keys] = places[place]!(verdict);
        if (typeof target !== "object" || target === null) continue;
        const name = [...keys, "more", "constructor"][key % (keys.length + 2)]!;
        if (isLeft) delete (target as Record<string, unknown>)[name];
        else (target as Record<string, unknown>)[name] = structuredClone(value);
      }
      const result = { ...RESULT, usage: verdict.usage, verdict };
      const read = readPlainResult(result);
      if (read === undefined) return;
      plain++;
      expect(read).toStrictEqual(resultSchema.parse(result));
    }),
    { numRuns: 600 },
  );
  expect(plain).toBeGreaterThan(60);
  expect(readPlainResult({ ...RESULT, verdict: VERDICT })).toBeDefined();
  expect(readPlainResult({ ...RESULT, verdict: { ...VERDICT, evidence: [] } })).toBeUndefined();
});
