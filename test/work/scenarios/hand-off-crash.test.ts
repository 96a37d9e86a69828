// The process of an agent that takes part in a hand-off is cut off at each of its effects, before and after the effect;
// another process takes over. After a crash at any point there is one result, a recorded part is not done again, and the
// context reaches the next agent.
import { describe, expect, it } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { RetryableError, SwarmError } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createMover, createTaskClient, createWorker } from "../../../src/work/index.ts";
import { cutOff, Failpoint } from "../failpoint.ts";
import { countTasks, makePlacedConsumer, openOffice, placedLog, publishBack } from "../office.ts";
import { type Script, ScriptedWorkforce } from "../support.ts";

const prefix = "murmur";

interface Story {
  /** The hosts in the order of the office's choices; `cut` dies. Each agent but the last hands the task off. */
  line: string[];
  route: "queue" | "best";
  /** The last agent fails once first. */
  fails?: { retryAfterMs: number };
}

const STORIES: Record<string, Story> = {
  "an agent that hands off a task from the queue": { line: ["cut", "next"], route: "queue" },
  "an agent that hands off a placed task": { line: ["cut", "next"], route: "best" },
  "an agent that receives a hand-off": { line: ["one", "cut"], route: "queue" },
  "an agent that receives a hand-off and fails once, with a long retry": {
    line: ["one", "cut"],
    route: "best",
    fails: { retryAfterMs: 30_000 },
  },
  "the second of three agents": { line: ["one", "cut", "next"], route: "best" },
};

/** Runs one story with a crash at one point. */
async function play({ line, route, fails }: Story, at: number, mode: "before" | "after") {
  const clock = new ManualClock(1_700_000_000_000);
  const server = new MemoryServer({ clock });
  const connect = () => connectMemory({ prefix, server });
  const healthy = connect();
  await healthy.init();
  const point = new Failpoint(at, mode);
  const common = { meter: createMeter(), log: silentLogger, clock, chance: seededChance(at) };
  /** How often each agent of the line started its part. */
  const parts = line.map(() => 0);
  const script: Script = async (attempt) => {
    const { hops = [], context = [] } = attempt.handedOff ?? {};
    parts[hops.length]!++;
    const seen = [...(context as number[]), hops.length];
    if (hops.length < line.length - 1) attempt.handOff({ context: seen });
    const isFirst = attempt.number === line.length;
    if (fails !== undefined && isFirst) throw new RetryableError("later", fails);
    return seen;
  };
  const agents = new Map<string, string>();
  const open = async (hostId: string, capability: string) => {
    const transport = hostId === "cut" ? cutOff(connect(), point) : connect();
    const workforce = new ScriptedWorkforce(4, script);
    const capabilities = [{ name: capability }];
    const worker = createWorker({ ...common, transport, hostId, workforce, capabilities });
    await makePlacedConsumer(healthy, hostId);
    await worker.start();
    agents.set(hostId, workforce.agentId);
    return worker;
  };
  await openOffice(healthy, ({ exclude }) => {
    for (const [host, agent] of agents) {
      if (exclude?.includes(agent) !== true && !(host === "cut" && point.dead)) return { host, agent };
    }
    return new SwarmError("unavailable", "no other agent yet");
  });
  const workers = [];
  for (const host of line) {
    // Only the first host takes tasks from the queue.
    workers.push({ host, worker: await open(host, host === line[0] ? "echo" : "other") });
  }
  const mover = createMover({ ...common, transport: connect() });
  await mover.start();
  const client = createTaskClient({ ...common, transport: healthy });
  const retry = { max: 8, backoffMs: 10, factor: 1, maxBackoffMs: 10, jitter: 0 };
  const { taskId } = await client.submit({ capability: "echo", retry, route });
  const returning = new Set<number>();
  let quiet = 0;
  for (let turn = 0; turn < 400 && quiet < 3; turn++) {
    for (let settle = 0; settle < 30; settle++) await new Promise((resolve) => setImmediate(resolve));
    if (point.dead && !agents.has("spare")) {
      workers.push({ host: "spare", worker: await open("spare", "echo") });
    }
    if (point.dead) await bringBackSlowly(healthy, returning);
    clock.advance(1_000);
    const left = (await countTasks(healthy)) + (await healthy.log("later").info()).messages;
    quiet = left === 0 ? quiet + 1 : 0;
  }
  const { messages: results } = await healthy.log("results").info();
  const status = await client.status(taskId);
  for (const { host, worker } of workers) if (host !== "cut" || !point.dead) await worker.stop();
  await mover.stop();
  return { effects: point.effects, crashed: point.dead, quiet, results, parts, status };
}

/** Reclaims the placed tasks of the dead host as the office does: first to the queue, in the next turn out of their place. */
async function bringBackSlowly(transport: Transport, returning: Set<number>): Promise<void> {
  const log = placedLog(transport);
  for await (const stored of log.read({ filter: `${prefix}.placed.default.cut.>` })) {
    if (returning.has(stored.seq)) await log.delete(stored.seq);
    else if (await publishBack(transport, stored)) returning.add(stored.seq);
  }
}

describe.each(Object.entries(STORIES))("the process of %s", (_name, story) => {
  it.each(["before", "after"] as const)("may die %s each of its effects", async (mode) => {
    const { effects, parts: usual } = await play(story, 0, mode);
    const last = story.line.length - 1;
    expect(usual).toEqual(story.line.map((_, at) => (at === last && story.fails !== undefined ? 2 : 1)));
    const cut = story.line.indexOf("cut");
    // The hand-off is the last record that the process appends to the journal.
    const recorded = effects.lastIndexOf("append journal") + 1;
    for (let at = 1; at <= effects.length; at++) {
      const { parts, ...outcome } = await play(story, at, mode);
      const where = `crash ${mode} effect ${at} (${outcome.effects.at(-1)}) of ${effects.join(", ")}`;
      expect(outcome.crashed, where).toBe(true);
      expect(outcome, where).toMatchObject({
        quiet: 3,
        results: 1,
        status: { state: "completed", result: { output: story.line.map((_, each) => each) } },
      });
      const isRecorded = at > recorded || (at === recorded && mode === "after");
      for (const [part, runs] of parts.entries()) {
        if (part < cut || (part === cut && part < last && isRecorded)) expect(runs, where).toBe(1);
        else expect(runs, where).toBeLessThanOrEqual(part === last && story.fails !== undefined ? 3 : 2);
      }
    }
  });
});
