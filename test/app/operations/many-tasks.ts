// A swarm in memory without hosts, for the operations on many tasks.
import { expect, onTestFinished } from "vitest";
import { type OperationContext, perform } from "../../../src/app/operations/operation.ts";
import { purgeTasks } from "../../../src/app/operations/task-purge.ts";
import { listTasks } from "../../../src/app/operations/tasks.ts";
import { createMeter } from "../../../src/base/index.ts";
import { createOfficeClient } from "../../../src/coordinator/index.ts";
import { createSubjects, encode, type Result } from "../../../src/protocol/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";

/** A swarm without hosts. */
export async function setup() {
  const transport = connectMemory({ prefix: "murmur" });
  await transport.init();
  const subjects = createSubjects("murmur");
  for (const name of ["echo", "other"]) {
    const filter = subjects.filters.tasks(name, "normal");
    await transport.queue("tasks").consumer({ name: `${name}-normal`, filter });
  }
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(async () => {
    tasks.close();
    await transport.close();
  });
  const stop = new AbortController();
  const context: OperationContext = {
    transport,
    tasks,
    office: createOfficeClient({ transport }),
    signal: stop.signal,
    caller: { name: "ada", role: "test" },
  };
  const end = (taskId: string, result: Partial<Result> = {}, { capability = "echo", scope = "-" } = {}) => {
    const now = new Date().toISOString();
    const whole = {
      ...{ taskId, status: "completed", attempt: 1, agent: "a-1", startedAt: now, finishedAt: now },
      ...{ queuedMs: 0, ranMs: 0, ...result },
    };
    return transport.log("results").append(subjects.result(capability, scope, taskId), encode(whole));
  };
  const bury = (taskId: string, scope: string, labels: Record<string, string>) =>
    transport.log("dead").append(
      subjects.dead("echo", taskId),
      encode({
        ...{ taskId, capability: "echo", priority: "normal", scope, subject: "s", attempts: 1, agent: "a-1" },
        ...{ reason: error("timeout"), diedAt: new Date().toISOString(), contentType: "application/json" },
        payload: Buffer.from(JSON.stringify({ capability: "echo", labels })).toString("base64"),
      }),
    );
  const ls = async (input: object = {}) => {
    const page = await perform(listTasks, context, listTasks.input.parse(input));
    // I1: each entry that a page looked at is shown or counted.
    expect(page.seen).toBe(page.tasks.length + page.hidden.reduce((sum, { count }) => sum + count, 0));
    return page;
  };
  const purge = (input: object, onEvent?: (event: object) => void) =>
    perform(purgeTasks, context, purgeTasks.input.parse(input), onEvent);
  const ids = async (input: object) => (await ls(input)).tasks.map(({ taskId }) => taskId);
  return { transport, subjects, tasks, context, stop, end, bury, ls, ids, purge };
}

const error = (code: string) => ({ code: code as "timeout", message: "m", retryable: false });

/** Waiting, delayed and ended tasks of two capabilities, with scopes, labels, agents and error codes. */
export async function setupMixed() {
  const swarm = await setup();
  const { tasks, end, bury } = swarm;
  await tasks.submit({ capability: "echo", id: "w1", labels: { team: "a", kind: "x" } });
  await tasks.submit({ capability: "other", id: "w2", labels: { team: "a" }, scope: "night" });
  await tasks.submit({ capability: "echo", id: "later1", labels: { team: "b" }, notBefore: 600_000 });
  await end("done1", { agent: "a-2" });
  await end("done2", {}, { scope: "night" });
  await end("fail1", { status: "failed", error: error("timeout") }, { scope: "night" });
  await bury("fail1", "night", { team: "a" });
  await end("fail2", { status: "failed", error: error("invalid_input") });
  return swarm;
}
