import fc from "fast-check";
import { expect, test } from "vitest";
import { parseTask, placedTaskSchema, readPlainTask, taskSchema } from "../../../src/protocol/task/task.ts";

/** Values that a field may get: good ones of some field, and near misses. */
const scalar = fc.constantFrom<unknown>(
  "echo",
  "-",
  "",
  "a b",
  "x".repeat(64),
  "x".repeat(65),
  "urgent",
  "low",
  "toString",
  "queue",
  0,
  0.5,
  1,
  1.5,
  86_400_000,
  86_400_001,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  true,
  null,
  undefined,
  {},
  { a: [1] },
  ["echo"],
);
const fields = ["id", "capability", "input", "priority", "scope", "timeoutMs"];
const otherFields = ["labels", "route", "retry", "deadline", "ballot", "Input", "constructor", "toString"];

const SEAT = { ballot: "b", seat: 1, round: 1, rounds: 2, pointer: "", role: "member", answers: [] };
const BALLOT = { seats: 5, strategy: "majority" };
const ADVICE = { ballot: "b", role: "judge", candidates: [] };

const questions: unknown[] = [
  ...[
    { ...SEAT, role: "lead", round: 2 },
    { ...SEAT, seat: 0 },
    { ...SEAT, seat: 1.5 },
    { ...SEAT, more: 1 },
  ],
  ...[
    { ...SEAT, answers: [{ seat: 2, value: "a" }] },
    { ...SEAT, ballot: "b." },
    { ...SEAT, pointer: "/a" },
  ],
  ...[{ ...SEAT, nonce: "0".repeat(64) }, { ...SEAT, pointer: "a" }, ADVICE, { ...ADVICE, more: 1 }, {}],
];
const ballots: unknown[] = [
  ...[
    { ...BALLOT, quorum: 3 },
    { ...BALLOT, seats: Number.NaN },
    { ...BALLOT, truth: null },
  ],
  ...[
    { ...BALLOT, panel: ["a", "b", "c", "d", "e"] },
    { ...BALLOT, strategy: "quorum", quorum: 4 },
  ],
  ...[
    { ...BALLOT, truth: "a" },
    { ...BALLOT, more: 1 },
    { ...BALLOT, pointer: "/a", timeoutMs: 5 },
  ],
  ...[{ ...BALLOT, pointer: undefined }, { seats: 5 }, null, "majority"],
];

const question = fc.oneof(
  { weight: 1, arbitrary: fc.constant<unknown>(SEAT) },
  { weight: 1, arbitrary: fc.constantFrom(...questions) },
);
const ballot = fc.oneof(
  { weight: 3, arbitrary: fc.constant<unknown>(BALLOT) },
  { weight: 2, arbitrary: fc.constantFrom(...ballots) },
);
const common = {
  capability: fc.constantFrom("echo", "a-b_C9"),
  input: fc.jsonValue(),
  id: fc.constantFrom("t1", "t2", "t3", "-"),
  route: fc.constantFrom("queue", "queue", "queue", "best"),
  priority: fc.constantFrom("urgent", "high", "normal", "low", "Low"),
  scope: fc.constantFrom("-", "s1", "s2", "s.1"),
  timeoutMs: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 86_400_000 }) },
    { weight: 1, arbitrary: fc.double() },
  ),
};
const optional = { requiredKeys: ["capability"] as ["capability"], noNullPrototype: true };

/** Bodies that are mostly plain tasks, some with another field or another shape. */
const body = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(fc.constantFrom(...fields), scalar, { noNullPrototype: true }) },
  { weight: 5, arbitrary: fc.record(common, optional) },
  { weight: 5, arbitrary: fc.record({ ...common, question, ballot }, optional) },
  { weight: 2, arbitrary: fc.dictionary(fc.constantFrom(...fields, ...otherFields), scalar) },
  { weight: 1, arbitrary: scalar },
);

test("a plain task is read exactly as the schema reads it; the schema judges everything else", () => {
  let plain = 0;
  fc.assert(
    fc.property(body, (value) => {
      for (const isPlaced of [false, true]) {
        const read = readPlainTask(value, isPlaced);
        if (read === undefined) continue;
        plain++;
        const parsed = (isPlaced ? placedTaskSchema : taskSchema).safeParse(value);
        expect(parsed.success).toBe(true);
        expect(read).toStrictEqual(parsed.data);
      }
    }),
    { numRuns: 2_000 },
  );
  expect(plain).toBeGreaterThan(200);
});

test("a task as this version's client writes it is plain", () => {
  for (const more of [{}, { ballot: BALLOT }]) {
    const written = JSON.parse(JSON.stringify(parseTask({ capability: "echo", input: "x", ...more })));
    expect(readPlainTask(written)).toStrictEqual(taskSchema.parse(written));
  }
});

test("the common fields are plain, each other field of the schema is not", () => {
  const task = { id: "t1", capability: "echo", input: null, priority: "low", scope: "s", timeoutMs: 1_000 };
  expect(readPlainTask(task)).toStrictEqual(taskSchema.parse(task));
  expect(readPlainTask({ capability: "echo" })).toStrictEqual(taskSchema.parse({ capability: "echo" }));
  for (const field of Object.keys(placedTaskSchema.shape)) {
    if (field in task) continue;
    expect(readPlainTask({ ...task, [field]: {} }), field).toBeUndefined();
    expect(readPlainTask({ ...task, [field]: undefined }), field).toBeUndefined();
  }
  expect(readPlainTask({ ...task, question: SEAT })).toBeUndefined();
  expect(readPlainTask({ ...task, question: SEAT }, true)).toStrictEqual(
    placedTaskSchema.parse({ ...task, question: SEAT }),
  );
  expect(readPlainTask(JSON.parse('{"capability":"echo","__proto__":{"id":"t"}}'))).toBeUndefined();
  expect(readPlainTask(Object.create({ capability: "echo" }))).toBeUndefined();
});

test("the capability workflow is reserved, also for a task with common fields alone", () => {
  for (const more of [{}, { labels: { a: "b" } }])
    expect(() => parseTask({ capability: "workflow", input: 1, ...more })).toThrow(
      expect.objectContaining({ code: "invalid_input", field: "capability" }),
    );
});
