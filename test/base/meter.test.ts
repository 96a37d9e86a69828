import { expect, test } from "vitest";
import { createMeter, createSilentMeter, describeMetrics, EXPORTERS, OTHER } from "../../src/base/index.ts";

test("the descriptions name every metric of a meter, in the same order", () => {
  const metrics = createMeter().registry.getMetricsAsArray();
  expect(describeMetrics().map(({ name, shownHelp }) => ({ name, help: shownHelp }))).toEqual(
    metrics.map(({ name, help }) => ({ name, help })),
  );
});

test("no metric has an id, a subject or a user as its label", () => {
  const labels = new Set(describeMetrics().flatMap((metric) => metric.labels));
  for (const unbounded of ["id", "taskId", "agent", "agentId", "subject", "user", "scope"])
    expect(labels).not.toContain(unbounded);
});

test("each metric has a unit, a process that exports it and a rule for several processes, and its name fits its type", () => {
  const facts = describeMetrics();
  for (const { name, type, unit, help, exporters, replicas, buckets } of facts) {
    expect(name).toMatch(/^murmur_[a-z][a-z0-9_]*$/);
    expect(unit).not.toBe("");
    expect(help).toMatch(/[.;]$/);
    expect(exporters.length).toBeGreaterThan(0);
    expect(["sum", "max", "each"]).toContain(replicas);
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(buckets !== undefined).toBe(type === "histogram");
    if (unit === "seconds" || unit === "bytes") expect(name).toContain(unit);
  }
  const families = facts.map(({ name }) => name.replace(/_total$/, "")); // OpenMetrics names a counter without it
  expect(new Set(families).size).toBe(families.length);
});

test("a label takes a bounded number of values; the rest counts as other and is told", async () => {
  const meter = createMeter();
  for (let index = 0; index < 300; index++)
    meter.tasksFinished.inc({ capability: `c${index}`, status: "failed" });
  meter.tasksFinished.inc({ capability: "x".repeat(65), status: "failed" });
  const { values } = await meter.tasksFinished.get();
  expect(values).toHaveLength(257);
  expect(values.find(({ labels }) => labels.capability === OTHER)?.value).toBe(45);
  expect((await meter.labelsFolded.get()).values).toEqual([{ labels: { label: "capability" }, value: 45 }]);
});

test("a gauge shows the given rows and no earlier one; folded rows are added, and of ages the largest counts", async () => {
  const meter = createMeter();
  meter.queuePending.replace([{ labels: { capability: "gone", priority: "low" }, value: 7 }]);
  const rows = Array.from({ length: 258 }, (_, index) => ({
    labels: { capability: `c${index}`, priority: "low" },
    value: 1 + index,
  }));
  meter.queuePending.replace(rows);
  meter.queueOldestSeconds.replace(rows);
  const readValue = async (gauge: typeof meter.queuePending, capability: string) =>
    (await gauge.get()).values.find(({ labels }) => labels.capability === capability)?.value;
  expect(await readValue(meter.queuePending, "gone")).toBeUndefined();
  expect(await readValue(meter.queuePending, "c0")).toBe(1);
  expect(await readValue(meter.queuePending, OTHER)).toBe(256 + 257 + 258);
  expect(await readValue(meter.queueOldestSeconds, OTHER)).toBe(258);
});

test("counters that alerts read begin at 0 for the named values, in the processes that export them", async () => {
  const values = { capability: ["echo"], code: ["internal"], cause: ["ack_wait"] };
  const agent = createMeter({ exporter: "agent" });
  agent.startAtZero(values);
  const text = await agent.registry.metrics();
  expect(text).toContain('murmur_task_failures_total{capability="echo",code="internal"} 0');
  expect(text).toContain('murmur_task_redeliveries_total{cause="ack_wait"} 0');
  expect(text).not.toContain("murmur_task_attempts_total{"); // no outcome is named
  const api = createMeter({ exporter: "api" });
  api.startAtZero(values);
  expect(await api.registry.metrics()).not.toContain("murmur_task_failures_total");
});

test("a process shows the metrics of its kind alone, and never loses a count of another kind", async () => {
  for (const exporter of EXPORTERS) {
    const meter = createMeter({ exporter });
    const expected = describeMetrics().filter(({ exporters }) => exporters.includes(exporter));
    expect(meter.registry.getMetricsAsArray().map(({ name }) => name)).toEqual(
      expected.map(({ name }) => name),
    );
  }
  const api = createMeter({ exporter: "api" });
  api.officeChanges.inc();
  expect(await api.registry.metrics()).toContain("murmur_office_changes_total 1");
});

test("Node's gauges whose names end as those of counters are not exposed", async () => {
  const meter = createMeter({ defaults: true });
  const wrong = (await meter.registry.getMetricsAsJSON()).filter(
    ({ name, type }) => name.endsWith("_total") && String(type) === "gauge",
  );
  expect(wrong).toEqual([]);
  expect(meter.registry.getSingleMetric("nodejs_active_resources")).toBeDefined();
});

test("a silent meter has every handle, and counts nothing", async () => {
  const meter = createSilentMeter();
  meter.tasksFinished.inc({ capability: "echo", status: "failed" });
  meter.agents.replace([{ labels: { role: "echo" }, value: 1 }]);
  expect((await meter.tasksFinished.get()).values).toEqual([]);
});
