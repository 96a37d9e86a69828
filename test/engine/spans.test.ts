// The trace context of the tasks that a run orders.
import { expect, test } from "vitest";
import { NO_TRACER, traceIdOf } from "../../src/base/index.ts";
import { headersOfOrders, type TracedRun } from "../../src/engine/spans.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const run: TracedRun = { id: "trip-1", begun: null, begunAtMs: 0, atMs: 0, entries: 1 };
const begun = { type: "begun", name: "trip", version: 1, input: null, generation: 1, depth: 1 } as const;
const unsampled = { ...NO_TRACER, isOn: true };

test("the tasks of a run that is not sampled say so, or each would begin a trace of its own", () => {
  const { traceparent = "" } = headersOfOrders(unsampled, { ...run, begun }, null);
  expect(traceparent).toMatch(new RegExp(`^00-${traceIdOf("trip-1")}-[0-9a-f]{16}-00$`));
});

test("the tasks of a run carry the context of its start when no decision has a span", () => {
  const started = { ...run, begun: { ...begun, traceparent: TRACEPARENT } };
  expect(headersOfOrders(unsampled, started, null)).toEqual({ traceparent: TRACEPARENT });
  expect(headersOfOrders(NO_TRACER, started, null)).toEqual({ traceparent: TRACEPARENT });
});

test("without tracing, and without a trace of the start, tasks carry no context", () => {
  expect(headersOfOrders(NO_TRACER, { ...run, begun }, null)).toEqual({});
});
