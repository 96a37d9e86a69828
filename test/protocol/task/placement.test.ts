import { expect, test } from "vitest";
import {
  encodePlacement,
  PLACEMENT_LIMIT_BYTES,
  type Placement,
  parseTask,
  readPlacement,
} from "../../../src/protocol/index.ts";

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
