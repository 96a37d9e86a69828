import { expect, test } from "vitest";
import { createMeter, describeMetrics } from "../../src/base/index.ts";

test("the descriptions name every metric of a meter, in the same order", () => {
  const metrics = createMeter().registry.getMetricsAsArray();
  expect(describeMetrics().map(({ name, help }) => ({ name, help }))).toEqual(
    metrics.map(({ name, help }) => ({ name, help })),
  );
});

test("no metric has an id, a subject or a user as its label", () => {
  const labels = new Set(describeMetrics().flatMap((metric) => metric.labels));
  for (const unbounded of ["id", "taskId", "agent", "agentId", "subject", "user", "scope"])
    expect(labels).not.toContain(unbounded);
});
