// The cancel of a step whose host has just got the task.
import { expect, test, vi } from "vitest";
import { ManualClock } from "../../../src/base/index.ts";
import { cancelStep } from "../../../src/engine/effects/cancel.ts";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../src/transport/index.ts";
import { isTaskMarked } from "../../../src/work/index.ts";

const at = { taskId: "w1-1", capability: "do", scope: "w1" };

/** A task that its host has got; the test says when the host answers. */
async function setup() {
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  await transport.init();
  const subjects = createSubjects("murmur");
  const clock = new ManualClock(0);
  const host = { isRunning: false, looks: 0 };
  const cancels: string[] = [];
  transport.bus.subscribe(subjects.filters.allCancels, ({ subject }) => cancels.push(subject));
  const tasks = {
    locate: async () => ({ place: "placed" }) as never,
    findRunning: async () => {
      host.looks++;
      return host.isRunning ? ({} as never) : null;
    },
    findBallot: async () => null,
    cancel: async () => undefined,
  };
  return { transport, subjects, clock, host, cancels, tasks };
}

test("the engine looks again as soon as the host tells that the task began, without a wait for time", async () => {
  const { transport, subjects, clock, host, cancels, tasks } = await setup();
  const cancelling = cancelStep({ transport, subjects, clock, tasks }, at);
  await vi.waitFor(() => expect(host.looks).toBe(1));
  host.isRunning = true;
  transport.bus.publish(subjects.event("task", at.taskId, "started"), encode({}));
  await cancelling; // the clock stands still
  await transport.bus.flush();
  expect(host.looks).toBe(2);
  expect(cancels.length, "the host is told again").toBe(2);
  expect(await isTaskMarked(transport, at.taskId), "a host that gets the redelivery ends the task").toBe(
    true,
  );
  expect((await transport.log("results").info()).messages, "the host stores its own result").toBe(0);
});

test("for a host that is gone the engine stores the end after its looks", async () => {
  const { transport, subjects, clock, host, tasks } = await setup();
  const cancelling = cancelStep({ transport, subjects, clock, tasks }, at);
  for (const look of [1, 2]) {
    await vi.waitFor(() => expect(host.looks).toBe(look));
    await transport.bus.flush();
    await vi.waitFor(() => {
      clock.advance(200);
      expect(host.looks).toBe(look + 1);
    });
  }
  await cancelling;
  expect((await transport.log("results").info()).messages).toBe(1);
});

test("while a host runs a task whose message is gone, the cancel lasts until the host no longer answers", async () => {
  const { transport, subjects, clock, host, cancels, tasks } = await setup();
  host.isRunning = true;
  const cancelling = cancelStep(
    { transport, subjects, clock, tasks: { ...tasks, locate: async () => null } },
    at,
  );
  await vi.waitFor(() => expect(host.looks).toBe(1));
  await transport.bus.flush();
  expect((await transport.log("results").info()).messages, "the code of the host still runs").toBe(0);
  host.isRunning = false;
  await vi.waitFor(() => {
    clock.advance(1_000);
    expect(host.looks).toBeGreaterThan(1);
  });
  for (let look = 0; look < 3; look++) {
    await transport.bus.flush();
    clock.advance(1_000);
  }
  await cancelling;
  expect(cancels.length).toBeGreaterThan(1);
  expect((await transport.log("results").info()).messages).toBe(1);
});
