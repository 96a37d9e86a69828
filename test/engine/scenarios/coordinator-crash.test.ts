// The coordinator in office is cut off at each of its writes while a workflow waits for a ballot and for a routed step; another one takes office. The run
// has the same end, each seat is asked once, each effect happened once by its key, and the chain of the log is valid.
import { expect, it, onTestFinished, vi } from "vitest";
import { defineAgent } from "../../../src/agent/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createEngine, WorkflowClient } from "../../../src/engine/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { defineWorkflow, foldLog, step } from "../../../src/workflow/index.ts";
import { SOON, setupOffice, startAgents } from "../../coordinator/support.ts";
import { scaled } from "../../support/scale.ts";
import { cutOff, cutWrites, Failpoint } from "../../work/failpoint.ts";
import { definitionsOf } from "../support.ts";

const votes = defineWorkflow({
  name: "votes",
  version: 1,
  *run() {
    const animal = yield* step("vote", "classify", "picture", {
      ballot: { seats: 3, strategy: "majority" },
      undo: { call: "forget" },
    });
    return yield* step("book", "keep", animal, { route: "best" });
  },
});

/** Runs the workflow while the first coordinator dies at one of its writes; 0 is none. */
async function play(at: number, mode: "before" | "after") {
  const swarm = await setupOffice();
  const point = new Failpoint(0, mode);
  const wire = await swarm.connect();
  const first = await swarm.start("c1", ["c1"], {}, { transport: cutWrites(cutOff(wire, point), point) });
  await vi.waitFor(() => expect(first.office.tenure).not.toBeNull(), SOON);
  const effects: string[] = [];
  const note = (capability: string, key: string) => effects.push(`${capability} ${key}`);
  const seats = [1, 2, 3].map((seat) =>
    defineAgent({
      name: `seat-${seat}`,
      capabilities: ["classify"],
      run: async (task) => {
        note("classify", task.id);
        return "cat";
      },
    }),
  );
  const keeper = defineAgent({
    name: "keeper",
    capabilities: ["keep"],
    run: async (task, { key }) => {
      note("keep", key);
      return task.input;
    },
  });
  await startAgents(await swarm.connect(), [...seats, keeper]);
  await vi.waitFor(() => expect(first.office.state.registry.members.size).toBe(4), SOON);
  const transport = await swarm.connect();
  const tasks = createTaskClient({ transport, meter: createMeter() });
  const parts = { transport, meter: createMeter(), log: silentLogger, tasks };
  const engine = createEngine({ ...parts, id: "engine-1", definitions: definitionsOf(votes) });
  await engine.start();
  onTestFinished(async () => {
    await engine.stop();
    tasks.close();
  });
  const before = point.effects.length;
  if (at > 0) point.arm(before + at);
  const client = new WorkflowClient({ transport, tasks });
  await client.start({ workflow: "votes", input: null, id: "run" });
  const ending = client.result("run", { timeoutMs: 60_000 });
  if (at > 0) {
    await Promise.race([vi.waitFor(() => expect(point.dead).toBe(true), SOON), ending]);
    if (point.dead) await swarm.start("c1", ["c1"]); // its process was restarted
  }
  const result = await ending;
  const { texts } = await client.log("run");
  return {
    status: result.status,
    output: result.output,
    isValid: foldLog("run", texts).ok,
    asked: new Set(effects.filter((effect) => effect.startsWith("classify"))).size,
    kept: [...new Set(effects.filter((effect) => effect.startsWith("keep")))],
    writes: point.effects.slice(before),
  };
}

it.each(["before", "after"] as const)(
  "a run with a ballot and a routed step has the same end after a crash of its coordinator %s each write",
  { timeout: 300_000 },
  async (mode) => {
    const right = {
      status: "completed",
      output: "cat",
      isValid: true,
      asked: 3,
      kept: ["keep run/book"],
    };
    const whole = await play(0, mode);
    expect(whole).toMatchObject(right);
    const points = whole.writes.map((_, index) => index + 1).filter((at) => at % scaled(4, 1) === 0);
    const outcomes = await Promise.all(points.map(async (at) => ({ at, ...(await play(at, mode)) })));
    for (const outcome of outcomes) {
      const where = `crash ${mode} write ${outcome.at} (${outcome.writes[outcome.at - 1]}) of ${whole.writes.join(", ")}`;
      expect(outcome, where).toMatchObject(right);
    }
  },
);
