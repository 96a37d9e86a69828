import { expect, it, onTestFinished, vi } from "vitest";
import { type AgentDefinition, createHost, defineAgent } from "../../src/agent/index.ts";
import { createMeter, newInstanceId, silentLogger } from "../../src/base/index.ts";
import { createTaskClient, createWorker } from "../../src/work/index.ts";
import { SOON, setupOffice } from "./support.ts";

async function setupBallots() {
  const swarm = await setupOffice({ nats: true });
  const leader = await swarm.start("c1", ["c1"]);
  await vi.waitFor(() => expect(leader.office.tenure).not.toBeNull(), SOON);

  async function host(...definitions: AgentDefinition[]) {
    const transport = await swarm.connect();
    const log = silentLogger;
    const meter = createMeter();
    const hostId = newInstanceId("test");
    const made = createHost({
      transport,
      meter,
      log,
      hostId,
      role: "test",
      version: "1.0.0",
      roles: definitions.map((definition) => ({ definition })),
    });
    const worker = createWorker({
      transport,
      meter,
      log,
      hostId,
      workforce: made.workforce,
      capabilities: made.capabilities,
    });
    await made.service.start();
    await worker.start();
    const stop = async () => {
      await worker.stop();
      await made.service.stop();
    };
    onTestFinished(stop);
    return { hostId, host: made, stop };
  }

  const transport = await swarm.connect();
  const client = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => client.close());
  return { ...swarm, leader, host, client };
}

const saying = (name: string, answer: (input: unknown) => unknown) =>
  defineAgent({ name, capabilities: ["classify"], run: (task) => answer(task.input) });

it("answers a task with what most of five agents say, and tells who said what", async () => {
  const { host, client, leader } = await setupBallots();
  await host(
    saying("a", () => "cat"),
    saying("b", () => "dog"),
    saying("c", () => "cat"),
    saying("d", () => "cat"),
    saying("e", () => "dog"),
  );
  await vi.waitFor(() => expect(leader.office.state.registry.members.size).toBe(5), SOON);
  const result = await client.run(
    { capability: "classify", input: "picture", ballot: { seats: 5, strategy: "majority" } },
    { timeoutMs: 10_000 },
  );
  expect(result).toMatchObject({
    status: "completed",
    output: "cat",
    verdict: { outcome: "decided", strategy: "majority", value: "cat" },
  });
});

it("seats a panel: each seat an agent that offers what the seat asks for", async () => {
  const { host, client } = await setupBallots();
  const finder = (name: string, findings: string[]) =>
    defineAgent({ name, capabilities: [name], run: () => ({ findings, note: `by ${name}` }) });
  await host(finder("spelling", ["a", "b"]), finder("grammar", ["b"]), finder("style", ["b", "c"]));
  const panel = ["style", "spelling", "grammar"];
  const result = await client.run({
    capability: "style",
    ballot: {
      seats: 3,
      panel,
      strategy: "merge",
      pointer: "/findings",
      calibration: { intercept: 0, slope: 1, cells: [[3, 3, 36, 36]] },
    },
  });
  expect(result.status).toBe("completed");
  expect(result.verdict?.seats.map(({ agent }) => agent.replace(/-.*/, ""))).toEqual(panel);
  expect(result.output).toMatchObject([
    { finding: "b", seats: [1, 2, 3], agreement: 1, confidence: expect.closeTo(0.9875, 6) },
    { finding: "a", seats: [2], confidence: expect.closeTo(0.375, 6) },
    { finding: "c", seats: [1] },
  ]);
  const whole = await client.result(result.verdict?.seats[1]?.taskId ?? "");
  expect(whole.output).toEqual({ findings: ["a", "b"], note: "by spelling" });
});

it("ends a panel in which a seat stays empty, and says whom it lacked", async () => {
  const { host, client } = await setupBallots();
  await host(defineAgent({ name: "style", capabilities: ["style"], run: () => ["a"] }));
  const panel = ["grammar", "style"];
  const { error, verdict } = await client.run({
    capability: "style",
    ballot: { seats: 2, panel, strategy: "merge", timeoutMs: 700 },
  });
  expect(error?.code).toBe("no_quorum");
  expect(verdict?.reason ?? error?.message).toContain("1 of 2 agents for the panel (none for grammar)");
  expect(verdict?.seats[0]).toMatchObject({ seat: 1, agent: "-" });
});
