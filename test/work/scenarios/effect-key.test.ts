// The effect key of a task: the same in each attempt, wherever the task goes between two of them.
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSubjects, encode, HEADERS, RetryableError } from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { openOffice } from "../office.ts";
import { TestSwarm, until } from "../support.ts";

const KEY = "order-81/charge#1";
let swarm: TestSwarm;
beforeEach(() => {
  swarm = new TestSwarm(new MemoryServer());
});
afterEach(() => swarm.stop());

it("every attempt gets the key of the header: after a short and a long retry, and after a hand-off", async () => {
  const keys: string[] = [];
  const first = await swarm.work(async (attempt) => {
    keys.push(attempt.key);
    if (attempt.number === 1) throw new RetryableError("soon");
    if (attempt.number === 2) throw new RetryableError("later", { retryAfterMs: 3_600_000 });
    return attempt.handOff({});
  });
  const second = await swarm.work(
    async (attempt) => {
      keys.push(attempt.key);
      return "done";
    },
    { capabilities: [{ name: "other" }] },
  );
  await swarm.move();
  await openOffice(first.transport, () => ({ host: second.hostId, agent: second.workforce.agentId }));
  const client = await swarm.client();
  const retry = { max: 5, backoffMs: 1 };
  const { taskId } = await client.submit({ capability: "echo", retry }, { effectKey: KEY });
  await until(async () => (keys.length === 2 ? true : undefined));
  await until(() => client.change(taskId, { dueNow: true }).catch(() => undefined));
  expect(await client.result(taskId)).toMatchObject({ status: "completed", attempt: 4 });
  expect(keys).toEqual([KEY, KEY, KEY, KEY]);
});

it("without the header, the key is the task's id", async () => {
  await swarm.work(async (attempt) => attempt.key);
  const result = await (await swarm.client()).run({ capability: "echo", id: "charge-7" });
  expect(result.output).toBe("charge-7");
});

it("a key that no other system could take fails the task, and names the header", async () => {
  let starts = 0;
  const { transport } = await swarm.work(async () => starts++);
  const client = await swarm.client();
  const submitting = client.submit({ capability: "echo" }, { effectKey: "with space" });
  await expect(submitting).rejects.toMatchObject({ code: "invalid_input", field: HEADERS.effectKey });
  const at = { capability: "echo", priority: "normal", scope: "-", taskId: "bad" } as const;
  await transport.log("tasks").append(createSubjects(swarm.prefix).task(at), encode({ capability: "echo" }), {
    headers: { [HEADERS.contentType]: "application/json", [HEADERS.effectKey]: "x".repeat(201) },
  });
  const result = await client.result("bad");
  expect(result).toMatchObject({
    status: "failed",
    error: { code: "invalid_input", field: HEADERS.effectKey },
  });
  expect(starts).toBe(0);
});
