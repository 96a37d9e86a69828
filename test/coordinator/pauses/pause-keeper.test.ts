import { expect, onTestFinished, test, vi } from "vitest";
import { defineAgent } from "../../../src/agent/index.ts";
import { silentLogger, systemClock } from "../../../src/base/index.ts";
import { createPauseKeeper, measurePauses } from "../../../src/coordinator/index.ts";
import { PAUSED_UNTIL_MS, PRIORITIES, SwarmError } from "../../../src/protocol/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { createTaskClient, queueConsumer } from "../../../src/work/index.ts";
import { type Coordinator, SOON, setupOffice, startAgents } from "../support.ts";

const makeEcho = () => defineAgent({ name: "echo", capabilities: ["echo"], run: ({ input }) => input });

/** A keeper of this coordinator, with its own view of the transport if the test wants one. */
async function keep(
  { office, transport }: Coordinator,
  seen: Transport = transport,
): Promise<() => Promise<void>> {
  const keeper = createPauseKeeper({ transport: seen, office, log: silentLogger, clock: systemClock });
  await keeper.start();
  onTestFinished(() => keeper.stop());
  return () => keeper.stop();
}

const ends = async (transport: Transport) =>
  (await transport.queue("tasks").consumers())
    .filter(({ filter }) => filter.includes(".task."))
    .map(({ pausedUntilMs }) => pausedUntilMs);
const all = (end: number | null) => PRIORITIES.map(() => end);

test("a paused capability takes no queued task until it is resumed, and a new host does not end the pause", async () => {
  const { transport, client, start, connect } = await setupOffice({ nats: true });
  const c1 = await start("c1", ["c1"]);
  await keep(c1);
  await startAgents(transport, [makeEcho()]);
  const tasks = createTaskClient({ transport, meter: c1.meter });
  onTestFinished(() => tasks.close());
  expect(await client.write("capability-pause", { capability: "echo", by: "ada" })).toEqual({
    isChanged: true,
  });
  await vi.waitFor(async () => expect(await ends(transport)).toEqual(all(PAUSED_UNTIL_MS)), SOON);
  await tasks.submit({ id: "t1", capability: "echo", input: 1 });
  await startAgents(await connect(), [makeEcho()], "h2");
  expect(await ends(transport)).toEqual(all(PAUSED_UNTIL_MS));
  expect((await tasks.status("t1")).state).toBe("pending");
  measurePauses(c1.office, c1.meter);
  expect((await c1.meter.capabilitiesPaused.get()).values).toMatchObject([{ value: 1 }]);
  await client.write("capability-resume", { capability: "echo", by: "ada" });
  expect(await tasks.result("t1")).toMatchObject({ status: "completed", output: 1 });
  expect(c1.notes.filter(({ kind }) => kind === "office-command").map(({ facts }) => facts)).toMatchObject([
    { command: "capability-pause", capability: "echo", by: "ada", outcome: "done" },
    { command: "capability-resume", capability: "echo", by: "ada", outcome: "done" },
  ]);
});

test("a coordinator that dies between the office's record and the queues leaves the rest to its successor", async () => {
  const { transport, client, start } = await setupOffice({ nats: true });
  const c1 = await start("c1", ["c1"]);
  await startAgents(transport, [makeEcho()]);
  let paused = 0;
  const dying = new Proxy(c1.transport, {
    get: (target, name) =>
      name === "queue"
        ? () => ({
            ...target.queue("tasks"),
            async pauseConsumer(consumer: string, untilMs: number | null) {
              if (paused++ > 0) throw new SwarmError("unavailable", "this process is dead");
              return target.queue("tasks").pauseConsumer(consumer, untilMs);
            },
          })
        : Reflect.get(target, name),
  });
  const stop = await keep(c1, dying);
  await client.write("capability-pause", { capability: "echo", by: "ada" });
  await vi.waitFor(() => expect(paused).toBeGreaterThan(1), SOON);
  await stop();
  await c1.stop();
  expect((await ends(transport)).filter((end) => end !== null)).toHaveLength(1);

  const c2 = await start("c1", ["c1"]);
  await keep(c2);
  await vi.waitFor(async () => expect(await ends(transport)).toEqual(all(PAUSED_UNTIL_MS)), SOON);
  expect(await client.read("pauses")).toMatchObject({ pauses: [{ capability: "echo", by: "ada" }] });
});

test("the keeper makes the missing queues of a paused capability, and never ends the pause of another program", async () => {
  const { transport, client, start } = await setupOffice();
  const c1 = await start("c1", ["c1"]);
  await startAgents(transport, [makeEcho()]);
  const foreign = Date.now() + 3_600_000;
  const low = queueConsumer("echo", "low");
  await transport.queue("tasks").pauseConsumer(low, foreign);
  await client.write("capability-pause", { capability: "other", by: "ada" });
  await keep(c1);
  await vi.waitFor(async () => {
    const consumers = await transport.queue("tasks").consumers();
    const endOf = new Map(consumers.map(({ name, pausedUntilMs }) => [name, pausedUntilMs]));
    for (const priority of PRIORITIES)
      expect(endOf.get(queueConsumer("other", priority))).toBe(PAUSED_UNTIL_MS);
    expect(endOf.get(low)).toBe(foreign);
  }, SOON);
});

test("the office places no task and no seat of a ballot on a paused capability", async () => {
  const { transport, client, start } = await setupOffice();
  const { placement } = await start("c1", ["c1"]);
  await startAgents(transport, [makeEcho()]);
  const task = { capability: "echo", priority: "normal", scope: "-", route: "best" } as const;
  const place = (taskId: string) => placement.answers.place?.({ ...task, taskId });
  await vi.waitFor(() => expect(place("t1")).resolves.toMatchObject({ host: "h1" }), SOON);
  const pick = () => placement.pick({ count: 1, capability: "echo", diversity: "agent" });
  expect(pick()).toHaveLength(1);
  await client.write("capability-pause", { capability: "echo", by: "ada" });
  expect(pick()).toEqual([]);
  await expect(place("t2")).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(
      /^echo is paused since .* by ada: the task waits; `murmur capability resume echo` ends the pause$/,
    ),
  });
  await client.write("capability-resume", { capability: "echo", by: "ada" });
  await expect(place("t2")).resolves.toMatchObject({ host: "h1" });
});
