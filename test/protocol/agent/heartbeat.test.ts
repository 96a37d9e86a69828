import fc from "fast-check";
import { expect, test } from "vitest";
import { heartbeatSchema, parseHeartbeat } from "../../../src/protocol/agent/heartbeat.ts";
import { agentStatusSchema, isPlainStatus } from "../../../src/protocol/agent/status.ts";
import { parse } from "../../../src/protocol/wire/schema.ts";

const STATUS = {
  id: "echo-1",
  role: "echo",
  capabilities: ["echo"],
  state: "idle",
  waiting: null,
  slots: { used: 0, total: 64 },
  loop: 10,
  host: "h1",
  pid: 1,
  since: "2026-11-30T08:00:00.000Z",
  version: "0.1.0",
};
const BEAT = { host: "h1", pid: 1, role: "echo", at: "2026-11-30T08:00:00.000Z" };

/** The plain status with up to two fields that have another value, or none. */
const near = fc
  .array(
    fc.tuple(
      fc.constantFrom(...Object.keys(agentStatusSchema.shape), "more", "constructor"),
      fc.constantFrom<unknown>(
        "working",
        "model",
        "a.b",
        "",
        "x".repeat(65),
        "x".repeat(201),
        ["echo", "code"],
        ["a.b"],
        [1],
        { used: 1, total: 2 },
        { used: 1, total: 2, more: 1 },
        { used: 0.5, total: 2 },
        null,
        undefined,
        1.5,
        -1,
        2 ** 53,
        {},
      ),
    ),
    { maxLength: 2 },
  )
  .map((changes) => JSON.parse(JSON.stringify({ ...STATUS, ...Object.fromEntries(changes) })) as unknown);

test("the schema leaves a plain status as it is", () => {
  let plain = 0;
  fc.assert(
    fc.property(near, (value) => {
      if (!isPlainStatus(value)) return;
      plain++;
      expect(agentStatusSchema.parse(value)).toStrictEqual(value);
    }),
    { numRuns: 2_000 },
  );
  expect(plain).toBeGreaterThan(200);
  expect(isPlainStatus(STATUS)).toBe(true);
});

test("a heartbeat is parsed, and refused with the same message, as its schema says", () => {
  const change = fc.constantFrom<object>({}, { pid: "1" }, { goodbye: true }, { more: 1 }, { agents: {} });
  fc.assert(
    fc.property(fc.array(near, { maxLength: 3 }), change, (agents, changed) => {
      const value = { ...BEAT, agents, ...changed };
      const outcome = (read: () => unknown) => {
        try {
          return read();
        } catch (error) {
          return String(error);
        }
      };
      expect(outcome(() => parseHeartbeat(value))).toStrictEqual(
        outcome(() => parse(heartbeatSchema, value, "heartbeat")),
      );
    }),
    { numRuns: 500 },
  );
  for (const value of [null, undefined, [], "x"]) expect(() => parseHeartbeat(value)).toThrow("heartbeat");
});
