// Sends many foreign bodies to every entry point (10,000 in the full run). The answer to each is a value, or a SwarmError of the catalogue that names
// a field; never another exception, and never a stack overflow.
import { Encoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  blobSchema,
  createSubjects,
  decode,
  type Encoding,
  ERROR_CODES,
  encode,
  encodePlacement,
  MAX_DEPTH,
  MAX_REASONS,
  PLACEMENT_LIMIT_BYTES,
  parse,
  parseTask,
  parseTaskAt,
  readPlacement,
  SwarmError,
  TOKEN_PATTERN,
} from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";

const RUNS = scaled(500, 10_000);
const TIMEOUT_MS = 240_000;
const DEPTH = 10_000;

/** Runs `parseForeign`. Returns its value, or its SwarmError if that has a known code and a field; otherwise fails the test. */
function answers<T>(parseForeign: () => T): { value: T } | { error: SwarmError } {
  try {
    return { value: parseForeign() };
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    expect(ERROR_CODES).toContain(error.code);
    expect(error.field, error.message).toMatch(/./);
    expect(error.message.length).toBeLessThan(1_000);
    return { error };
  }
}

/** Ordinary keys, mixed with keys that cause bugs in programs. */
const key = fc.oneof(
  { weight: 10, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
  {
    weight: 5,
    arbitrary: fc.constantFrom("constructor", "toString", "", "a.b", "\u0000", "id", "input", "retry"),
  },
  { weight: 1, arbitrary: fc.constant("__proto__") },
);

/** Any value that JSON or MessagePack can carry. */
const { tree: anyValue } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: "small" },
    fc.oneof(
      fc.constantFrom(null, true, false, 0, -0, 1e308, -1, 2 ** 53, "", "*", ">", "a.b", "\u0000", "\ud800"),
      fc.double(),
      fc.string({ unit: "binary" }),
      fc.string({ minLength: 300, maxLength: 300 }),
    ),
    fc.array(tie("tree"), { maxLength: 5 }),
    fc
      .array(fc.tuple(key, tie("tree")), { maxLength: 5 })
      // Like JSON.parse, this makes `__proto__` an own key.
      .map((entries) => {
        const object: Record<string, unknown> = {};
        for (const [name, value] of entries)
          Object.defineProperty(object, name, {
            value,
            enumerable: true,
            configurable: true,
            writable: true,
          });
        return object;
      }),
  ),
}));

/** Mostly right values, so that many tasks pass, and a wrong task is wrong in only one place. */
const mostly = (right: fc.Arbitrary<unknown>, wrong: fc.Arbitrary<unknown> = anyValue) =>
  fc.oneof({ weight: 20, arbitrary: right }, { weight: 1, arbitrary: wrong });
const absent = fc.constant(undefined);
const validToken = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

/** A value like a task: known fields with right and wrong values, and some unknown fields. */
const taskLike = fc
  .record(
    {
      id: mostly(validToken, fc.oneof(fc.constantFrom("a.b", "*", "a b"), anyValue)),
      capability: mostly(fc.constant("echo")),
      input: anyValue,
      priority: mostly(
        fc.constantFrom("urgent", "high", "normal", "low"),
        fc.oneof(fc.constant("URGENT"), anyValue),
      ),
      scope: mostly(fc.oneof(fc.constant("-"), validToken), fc.oneof(fc.constant(">"), anyValue)),
      labels: mostly(fc.dictionary(validToken, fc.string(), { maxKeys: 17 })),
      deadline: mostly(
        fc.constantFrom("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123+01:00"),
        fc.oneof(fc.constantFrom("yesterday", "2026-13-45T99:00:00Z"), anyValue),
      ),
      notBefore: mostly(
        fc.oneof(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.constant("2026-01-31T12:00:00Z")),
      ),
      timeoutMs: mostly(fc.integer({ min: 1, max: 86_400_000 })),
      retry: mostly(
        fc.record(
          {
            max: mostly(fc.integer({ min: 0, max: 100 })),
            jitter: mostly(fc.double({ min: 0, max: 1, noNaN: true })),
          },
          { requiredKeys: [] },
        ),
      ),
      route: mostly(
        fc.oneof(fc.constantFrom("queue", "best"), fc.record({ agent: validToken })),
        fc.oneof(fc.constantFrom("BEST", { agent: "a.b" }, { agent: "a", host: "b" }), anyValue),
      ),
      ballot: mostly(absent),
      session: mostly(absent),
      budget: mostly(absent),
      unknown: fc.oneof({ weight: 40, arbitrary: absent }, { weight: 1, arbitrary: anyValue }),
    },
    { requiredKeys: ["capability"] },
  )
  .map((task) => Object.fromEntries(Object.entries(task).filter(([, value]) => value !== undefined)));

const body = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
  fc
    .tuple(
      fc.oneof(fc.record({ input: anyValue }), taskLike, anyValue),
      fc.constantFrom<Encoding>("json", "msgpack"),
    )
    .map(([value, encoding]) =>
      encoding === "json"
        ? new TextEncoder().encode(JSON.stringify(value))
        : new Encoder({ maxDepth: 1_000 }).encode(value),
    ),
  // A right body with one wrong byte, or cut off.
  fc
    .tuple(
      taskLike,
      fc.constantFrom<Encoding>("json", "msgpack"),
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.boolean(),
    )
    .map(([value, encoding, at, byte, cut]) => {
      const bytes = encode(value, encoding).slice();
      if (bytes.length === 0) return bytes;
      if (cut) return bytes.subarray(0, at % bytes.length);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
);

const contentType = fc.oneof(
  fc.constantFrom(
    undefined,
    "application/json",
    "application/msgpack",
    "Application/JSON; charset=utf-8",
    "",
    "text/plain",
  ),
  fc.string({ unit: "binary" }),
);

test("decode accepts or rejects every body", { timeout: TIMEOUT_MS }, () => {
  fc.assert(
    fc.property(body, contentType, (bytes, type) => {
      const answer = answers(() => decode(bytes, type));
      if ("value" in answer) expect(hasProtoKey(answer.value.value)).toBe(false);
    }),
    { numRuns: RUNS },
  );
});

test("parseTask accepts or rejects every decoded body", { timeout: TIMEOUT_MS }, () => {
  fc.assert(
    fc.property(body, (bytes) => {
      const answer = answers(() => parseTask(decode(bytes).value));
      if ("value" in answer) expect(answer.value.capability).toMatch(TOKEN_PATTERN);
    }),
    { numRuns: RUNS },
  );
});

test("parseTask accepts or rejects every task-like value, and an accepted task passes again unchanged", {
  timeout: TIMEOUT_MS,
}, () => {
  fc.assert(
    fc.property(taskLike, (value) => {
      const answer = answers(() => parseTask(value));
      if ("value" in answer) expect(parseTask(answer.value)).toEqual(answer.value);
    }),
    { numRuns: RUNS },
  );
});

test("parseTaskAt accepts or rejects every body, and takes the address from the subject", {
  timeout: TIMEOUT_MS,
}, () => {
  const at = { capability: "echo", priority: "high", scope: "s1", taskId: "a-1" } as const;
  fc.assert(
    fc.property(fc.oneof(taskLike, anyValue), (value) => {
      const answer = answers(() => parseTaskAt(value, at));
      if ("value" in answer)
        expect(answer.value).toMatchObject({ id: "a-1", capability: "echo", priority: "high", scope: "s1" });
    }),
    { numRuns: RUNS },
  );
});

test("the schema of blob references accepts or rejects every value", { timeout: TIMEOUT_MS }, () => {
  const blobLike = fc.record(
    {
      $blob: fc.oneof(fc.stringMatching(/^[0-9a-f]{63,65}$/), anyValue),
      bytes: fc.oneof(fc.double(), fc.integer(), anyValue),
      more: anyValue,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(blobLike, anyValue), (value) => {
      const answer = answers(() => parse(blobSchema, value, "blob", "input"));
      if ("value" in answer) expect(answer.value.$blob).toMatch(/^[0-9a-f]{64}$/);
    }),
    { numRuns: RUNS },
  );
});

test("readTask answers every subject, and a builder makes the same subject from the answer", {
  timeout: TIMEOUT_MS,
}, () => {
  const subjects = createSubjects("murmur");
  const token = fc.oneof(
    fc.constantFrom("*", ">", "", "-", "a b", "\u0000", "constructor", "__proto__", "a".repeat(300), "echo"),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  );
  const kind = fc.constantFrom("task", "due", "later", "placed", "TASK");
  const priority = fc.constantFrom("urgent", "high", "normal", "low", "constructor", "__proto__", "");
  const subject = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .tuple(
        fc.constantFrom("murmur", "other", ""),
        kind,
        token,
        priority,
        token,
        fc.array(token, { maxLength: 2 }),
      )
      .map((tokens) => tokens.flat().join(".")),
  );
  fc.assert(
    fc.property(subject, (text) => {
      const at = subjects.readTask(text);
      if (at !== null) expect([subjects.task(at), subjects.due(at)]).toContain(text);
      subjects.readTaskIdentity(text);
    }),
    { numRuns: RUNS },
  );
});

test("readPlaced answers every subject, and the builder makes the same subject from the answer", {
  timeout: TIMEOUT_MS,
}, () => {
  const subjects = createSubjects("murmur");
  const token = fc.oneof(
    fc.constantFrom(
      "*",
      ">",
      "",
      "-",
      "a b",
      "\u0000",
      "constructor",
      "__proto__",
      "a".repeat(300),
      "host-1",
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
    validToken,
  );
  const subject = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .tuple(
        fc.constantFrom("murmur", "other", ""),
        fc.constantFrom("placed", "task", "PLACED"),
        fc.array(token, { minLength: 3, maxLength: 5 }),
      )
      .map((tokens) => tokens.flat().join(".")),
  );
  fc.assert(
    fc.property(subject, (text) => {
      const at = subjects.readPlaced(text);
      if (at !== null) expect(subjects.placed(at)).toBe(text);
    }),
    { numRuns: RUNS },
  );
});

test("readPlacement accepts or rejects every text, and an accepted placement is encoded again unchanged", {
  timeout: TIMEOUT_MS,
}, () => {
  const reason = fc.record(
    {
      what: mostly(fc.string({ unit: "binary", minLength: 1, maxLength: 64 })),
      value: mostly(
        fc.oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.string({ unit: "binary", maxLength: 128 }),
        ),
      ),
      weight: mostly(fc.double({ noNaN: true, noDefaultInfinity: true })),
    },
    { requiredKeys: ["what", "value"] },
  );
  const placementLike = fc.record({
    host: mostly(validToken),
    agent: mostly(validToken),
    score: mostly(fc.double({ noNaN: true, noDefaultInfinity: true })),
    reasons: mostly(fc.array(reason, { maxLength: MAX_REASONS })),
    capability: mostly(fc.constant("echo")),
    priority: mostly(fc.constantFrom("urgent", "low"), fc.constantFrom("constructor", "")),
    placedAt: mostly(fc.constant("2026-01-31T12:00:00.000Z"), fc.constantFrom("now", 0)),
  });
  const header = fc.oneof(
    fc.constant(undefined),
    fc.string({ unit: "binary" }),
    // Weighted so that about 9 % of the headers are valid: the test asks for 5 %.
    fc.oneof({ weight: 4, arbitrary: placementLike }, anyValue).map((value) => JSON.stringify(value)),
    body.map((bytes) => Buffer.from(bytes).toString("latin1")),
  );
  let passed = 0;
  fc.assert(
    fc.property(header, (text) => {
      const answer = answers(() => readPlacement(text));
      if (!("value" in answer)) return;
      passed++;
      const written = encodePlacement(answer.value);
      expect(written).toMatch(/^[ -~]*$/);
      expect(written.length).toBeLessThanOrEqual(PLACEMENT_LIMIT_BYTES);
      const { reasons, ...facts } = readPlacement(written);
      expect(answer.value).toMatchObject(facts);
      expect(answer.value.reasons.slice(0, reasons.length)).toEqual(reasons);
    }),
    { numRuns: RUNS },
  );
  expect(passed).toBeGreaterThan(RUNS / 20);
});

test("subject builders accept a token or reject it by name", { timeout: TIMEOUT_MS }, () => {
  const subjects = createSubjects("murmur");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (taskId) => {
      const answer = answers(() =>
        subjects.task({ capability: "echo", priority: "low", scope: "-", taskId }),
      );
      if ("value" in answer) expect(answer.value.split(".")).toHaveLength(6);
    }),
    { numRuns: RUNS },
  );
});

test.each(["*", ">", "a.b", "a b", "", "\u0000", "a".repeat(300), "é"])(
  "the task id %j is rejected with the name of the field",
  (id) => {
    expect(answers(() => parseTask({ capability: "echo", id }))).toMatchObject({
      error: { code: "invalid_input", field: "id" },
    });
  },
);

test.each([
  ["JSON arrays", () => text(`{"input":${"[".repeat(DEPTH)}${"]".repeat(DEPTH)}}`)],
  ["JSON objects", () => text(`${'{"a":'.repeat(DEPTH)}1${"}".repeat(DEPTH)}`)],
  ["unclosed JSON", () => text(`{"a":${"[".repeat(DEPTH * 10)}`)],
  ["MessagePack arrays", () => Uint8Array.from({ length: DEPTH + 1 }, (_, at) => (at < DEPTH ? 0x91 : 0xc0))],
  [
    "MessagePack maps",
    () =>
      Uint8Array.from({ length: 3 * DEPTH + 1 }, (_, at) =>
        at < 3 * DEPTH ? [0x81, 0xa1, 0x61][at % 3]! : 1,
      ),
  ],
  ["MessagePack maps as keys", () => Uint8Array.from({ length: DEPTH }, () => 0x81)],
])("%s 10,000 deep are rejected without a stack overflow", (_, make) => {
  expect(answers(() => decode(make()))).toMatchObject({ error: { code: "invalid_input" } });
});

test("a value that is 10,000 levels deep is rejected even if it was never decoded", () => {
  let deep: unknown = null;
  for (let level = 0; level < DEPTH; level++) deep = { retry: deep };
  for (const value of [
    deep,
    { capability: "echo", retry: deep },
    { capability: "echo", labels: { a: deep } },
  ])
    expect(answers(() => parseTask(value))).toMatchObject({ error: { code: "invalid_input" } });
});

test(`nesting up to ${MAX_DEPTH} levels passes in both encodings`, () => {
  let value: unknown = 1;
  for (let level = 0; level < MAX_DEPTH - 1; level++) value = [value];
  const document = { a: value };
  for (const encoding of ["json", "msgpack"] as const)
    expect(decode(encode(document, encoding)).value).toEqual(document);
  for (const encoding of ["json", "msgpack"] as const)
    expect(answers(() => decode(encode({ a: [value] }, encoding)))).toMatchObject({
      error: { field: "a.0.0" },
    });
});

test.each(["1e400", "-1E+309", "[1.5e9999]", "1".repeat(400), '{"a":{"b":[2e308]}}'])(
  "a number too large for a double is rejected: %.20s",
  (number) => {
    const answer = answers(() => decode(text(`{"input":${number}}`)));
    expect(answer).toMatchObject({ error: { code: "invalid_input" } });
    if ("error" in answer) expect(answer.error.field).toMatch(/^input/);
  },
);

test.each(["1.7e308", "1e-400", "-0", "1".repeat(300), '"1e400"', '"1e400 1E+999"'])(
  "a number that fits into a double, or a text, is accepted: %.20s",
  (number) => {
    expect(decode(text(`{"input":${number}}`)).value).toEqual({ input: JSON.parse(number) });
  },
);

test.each([
  ["JSON", () => text('{"input":{"a":[{"__proto__":{"admin":true}}]}}'), /^input\.a\.0\.__proto__$/],
  ["escaped JSON", () => text('{"\\u005f_proto__":1}'), /^__proto__$/],
  ["MessagePack", () => new Uint8Array([0x81, 0xa9, ...text("__proto__"), 0x80]), /./],
])("a __proto__ key in %s is rejected", (_, make, field) => {
  const answer = answers(() => decode(make()));
  expect(answer).toMatchObject({ error: { code: "invalid_input" } });
  if ("error" in answer) expect(answer.error.field).toMatch(field);
});

test("an unknown MessagePack extension is rejected with the name of the field; a timestamp is accepted", () => {
  const inputOf = (...bytes: number[]) => new Uint8Array([0x81, 0xa5, ...text("input"), ...bytes]);
  expect(answers(() => decode(inputOf(0xd4, 0x09, 0x01)))).toMatchObject({
    error: { code: "invalid_input", field: "input" },
  });
  expect(decode(inputOf(0xd6, 0xff, 0, 0, 0, 1)).value).toEqual({ input: new Date(1_000) });
});

test("false lengths in a body cost no memory", () => {
  for (const bytes of [
    [0xdd, 0xff, 0xff, 0xff, 0xff], // an array of 2^32 − 1
    [0xdf, 0xff, 0xff, 0xff, 0xff], // a map of as many
    [0xdb, 0xff, 0xff, 0xff, 0xff], // a string
    [0xc6, 0xff, 0xff, 0xff, 0xff], // bytes
  ]) {
    const beforeBytes = process.memoryUsage().rss;
    expect(answers(() => decode(Uint8Array.from(bytes)))).toMatchObject({ error: { field: "body" } });
    expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(64 * 1024 * 1024);
  }
});

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function hasProtoKey(root: unknown): boolean {
  const open = [root];
  for (let value = open.pop(); open.length > 0 || value !== undefined; value = open.pop()) {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) continue;
    if (Object.hasOwn(value, "__proto__")) return true;
    open.push(...Object.values(value));
  }
  return false;
}
