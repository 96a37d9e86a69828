// The process that works on a task is cut off at each of its effects, before and after the effect; another process takes
// over. After a crash at any point the task ends with one result, and no message is left behind.
import { describe, expect, it } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { RetryableError, SwarmError, TerminalError } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createMover, createTaskClient, createWorker } from "../../../src/work/index.ts";
import { cutOff, Failpoint } from "../failpoint.ts";
import { countTasks, makePlacedConsumer, openOffice, placedLog, publishBack } from "../office.ts";
import { type Script, ScriptedWorkforce } from "../support.ts";

const prefix = "murmur";

interface Story {
  script: (runs: number) => Script;
  status: "completed" | "failed";
  letters: number;
  /** The host that the office chooses before the crash; after the crash it chooses the second host. */
  placed?: "first" | "second";
}

const STORIES: Record<string, Story> = {
  "a task that goes well": {
    script:
      () =>
      async ({ task }) =>
        task.input,
    status: "completed",
    letters: 0,
  },
  "a task that fails twice, then goes well": {
    script: () => async (attempt) => {
      if (attempt.number < 3) throw new RetryableError("not yet");
      return attempt.number;
    },
    status: "completed",
    letters: 0,
  },
  "a task whose retry waits longer than the ack-wait": {
    script: () => async (attempt) => {
      if (attempt.number < 2) throw new RetryableError("later", { retryAfterMs: 30_000 });
      return attempt.number;
    },
    status: "completed",
    letters: 0,
  },
  "a task that fails for good": {
    script: () => async () => {
      throw new TerminalError("broken");
    },
    status: "failed",
    letters: 1,
  },
};

const placedStories = Object.entries(STORIES).flatMap(([name, story]) => [
  [`${name}, placed on the host that received it`, { ...story, placed: "first" }] as const,
  [`${name}, placed on another host`, { ...story, placed: "second" }] as const,
]);

/** Runs one story with a crash at one point; returns the effects of the first process and the end of the task. */
async function play(story: Story, at: number, mode: "before" | "after") {
  const clock = new ManualClock(1_700_000_000_000);
  const server = new MemoryServer({ clock });
  const healthy = connectMemory({ prefix, server });
  await healthy.init();
  const meter = createMeter();
  const point = new Failpoint(at, mode);
  const chance = seededChance(at);
  const common = { meter, log: silentLogger, clock, chance };
  const agents = new Map<string, string>();
  const open = async (transport: Transport, hostId: string) => {
    const workforce = new ScriptedWorkforce(4, story.script(0));
    const worker = createWorker({
      ...common,
      transport,
      hostId,
      workforce,
      capabilities: [{ name: "echo" }],
    });
    agents.set(hostId, workforce.agentId);
    await makePlacedConsumer(healthy, hostId);
    await worker.start();
    return worker;
  };
  await openOffice(healthy, () => {
    const host = point.dead ? "second" : (story.placed ?? "first");
    const agent = agents.get(host);
    return agent === undefined ? new SwarmError("unavailable", "no agent yet") : { host, agent };
  });
  const first = await open(cutOff(connectMemory({ prefix, server }), point), "first");
  const mover = createMover({ ...common, transport: connectMemory({ prefix, server }) });
  await mover.start();
  const client = createTaskClient({ ...common, transport: healthy });
  const retry = { max: 8, backoffMs: 10, factor: 1, maxBackoffMs: 10, jitter: 0 };
  let second: Awaited<ReturnType<typeof open>> | undefined;
  if (story.placed === "second") second = await open(connectMemory({ prefix, server }), "second");
  const route = story.placed === undefined ? "queue" : "best";
  const { taskId } = await client.submit({ capability: "echo", input: "in", retry, route });
  const returning = new Set<number>();
  let quiet = 0;
  for (let turn = 0; turn < 400 && quiet < 3; turn++) {
    for (let settle = 0; settle < 30; settle++) await new Promise((resolve) => setImmediate(resolve));
    if (point.dead) second ??= await open(connectMemory({ prefix, server }), "second");
    if (point.dead) await bringBackSlowly(healthy, returning);
    clock.advance(1_000);
    const left = (await countTasks(healthy)) + (await healthy.log("later").info()).messages;
    quiet = left === 0 ? quiet + 1 : 0;
  }
  const results = await healthy.log("results").info();
  const letters = await healthy.log("dead").info();
  const status = await client.status(taskId);
  const outcome = {
    effects: point.effects,
    crashed: point.dead,
    quiet,
    results: results.messages,
    letters: letters.messages,
    status,
  };
  await Promise.all([second?.stop(), mover.stop(), point.dead ? undefined : first.stop()]);
  return outcome;
}

/** Reclaims the placed tasks of the dead host as the office does: first to the queue, in the next turn out of their place. */
async function bringBackSlowly(transport: Transport, returning: Set<number>): Promise<void> {
  const log = placedLog(transport);
  for await (const stored of log.read({ filter: `${prefix}.placed.default.first.>` })) {
    if (returning.has(stored.seq)) await log.delete(stored.seq);
    else if (await publishBack(transport, stored)) returning.add(stored.seq);
  }
}

describe.each([...Object.entries(STORIES), ...placedStories])("%s", (_name, story) => {
  it.each(["before", "after"] as const)("ends with one result after a crash %s each effect", async (mode) => {
    const { effects } = await play(story, 0, mode);
    expect(effects.length).toBeGreaterThan(1);
    for (let at = 1; at <= effects.length; at++) {
      const outcome = await play(story, at, mode);
      const where = `crash ${mode} effect ${at} (${outcome.effects.at(-1)}) of ${effects.join(", ")}`;
      expect(outcome.crashed, where).toBe(true);
      expect(outcome, where).toMatchObject({
        quiet: 3,
        results: 1,
        letters: story.letters,
        status: { state: story.status },
      });
    }
  });
});
