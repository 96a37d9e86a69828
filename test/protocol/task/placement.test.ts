import fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodePlacement,
  PLACEMENT_LIMIT_BYTES,
  type Placement,
  parseTask,
  readPlacement,
} from "../../../src/protocol/index.ts";
import { placementSchema, readPlainPlacement } from "../../../src/protocol/task/placement.ts";

const placement: Placement = {
  host: "host-1",
  agent: "coder-1",
  score: 0.75,
  reasons: [
    { what: "expertise", value: "backend", weight: 0.5 },
    { what: "free slots", value: 3, weight: 0.25 },
  ],
  capability: "code",
  priority: "high",
  placedAt: "2026-01-31T12:00:00.000Z",
};

test("a placement survives its header unchanged, with any characters", () => {
  const foreign = { ...placement, reasons: [{ what: "trigger", value: "Größe \u2028 漢字 🙂\r\n" }] };
  expect(encodePlacement(foreign)).toMatch(/^[ -~]*$/);
  expect(readPlacement(encodePlacement(foreign))).toEqual(foreign);
});

test("reasons that do not fit into the header are left out, starting with the last", () => {
  const reasons = Array.from({ length: 16 }, (_, at) => ({ what: `reason ${at}`, value: "é".repeat(128) }));
  const header = encodePlacement({ ...placement, reasons });
  expect(header.length).toBeLessThanOrEqual(PLACEMENT_LIMIT_BYTES);
  const kept = readPlacement(header).reasons;
  expect(kept.length).toBeGreaterThan(2);
  expect(kept).toEqual(reasons.slice(0, kept.length));
});

test.each([
  [undefined, "Murmur-Placement"],
  ["", "body"],
  [" ".repeat(PLACEMENT_LIMIT_BYTES + 1), "Murmur-Placement"],
  [JSON.stringify({ ...placement, agent: "a.b" }), "agent"],
  [JSON.stringify({ ...placement, placedAt: "soon" }), "placedAt"],
  [JSON.stringify({ ...placement, reasons: [{ what: "x", value: {} }] }), "reasons.0.value"],
])("the header %j is rejected with the name of the field", (header, field) => {
  expect(() => readPlacement(header)).toThrow(expect.objectContaining({ code: "invalid_input", field }));
});

/** A value of a field: mostly the good one, else a near miss. */
const or = <T>(good: T, ...bad: unknown[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant<unknown>(good) }, fc.constantFrom<unknown>(...bad));
const LEFT_OUT = Symbol("a field that is left out");

test("a plain placement is read exactly as the schema reads it; the schema judges everything else", () => {
  const reason = fc.record({
    what: or("free slots", "", "x".repeat(64), "x".repeat(65), 1, LEFT_OUT),
    value: or(3, "x".repeat(128), "x".repeat(129), null, LEFT_OUT),
    weight: or(0.5, LEFT_OUT, "1", null),
    more: or(LEFT_OUT, 1),
  });
  const header = fc.record({
    host: or("h1", "a.b", 1, LEFT_OUT),
    agent: or("a1", "", "x".repeat(64), "x".repeat(65), LEFT_OUT),
    score: or(0.5, "1", null, LEFT_OUT),
    reasons: fc.oneof({ weight: 9, arbitrary: fc.array(reason, { maxLength: 2 }) }, or([], {}, null)),
    capability: or("code", "-", "a b"),
    priority: or("high", "toString", ["low"], null),
    placedAt: or("2026-01-31T12:00:00.000Z", "2026-02-30T12:00:00Z", "2026-01-31T12:00:00+01:00", "2026", 5),
    queuedAt: or(LEFT_OUT, "2028-02-29T00:00:00Z", "2027-02-29T00:00:00Z", null),
    other: or(LEFT_OUT, 1),
  });
  const withoutLeftOut = (_key: string, value: unknown) => (value === LEFT_OUT ? undefined : value);
  let plain = 0;
  fc.assert(
    fc.property(header, (value) => {
      const text = JSON.stringify(value, withoutLeftOut);
      const read = readPlainPlacement(text);
      if (read === undefined) return;
      plain++;
      expect(read).toStrictEqual(placementSchema.parse(JSON.parse(text)));
    }),
    { numRuns: 2_000 },
  );
  expect(plain).toBeGreaterThan(100);
  expect(readPlainPlacement(encodePlacement(placement))).toEqual(placement);
  for (const text of ["", "null", "[]", '"a"']) expect(readPlainPlacement(text)).toBeUndefined();
});

test.each(["queue", "best", { agent: "coder-1" }])("a task may have the route %j", (route) => {
  expect(parseTask({ capability: "echo", route }).route).toEqual(route);
});

test.each([
  ["worst", "route"],
  [{}, "route"],
  [null, "route"],
  [{ agent: "a b" }, "route.agent"],
  [{ agent: "a", host: "b" }, "route.host"],
])("the route %j is rejected with the name of the field", (route, field) => {
  expect(() => parseTask({ capability: "echo", route })).toThrow(
    expect.objectContaining({ code: "invalid_input", field }),
  );
});
