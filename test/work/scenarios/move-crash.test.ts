// A mover is cut off at each of its effects while it moves a task to another queue, before and after the effect; another mover
// takes over. The task runs once and has one result, whatever a host does at the same time.
import { describe, expect, it } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createMover, createTaskClient, createWorker } from "../../../src/work/index.ts";
import { cutOff, Failpoint } from "../failpoint.ts";
import { ScriptedWorkforce } from "../support.ts";

const prefix = "murmur";

/** Settles everything that needs no time, then advances the clock by one second, until `isOver` or 600 s later. */
async function advance(clock: ManualClock, isOver: () => Promise<boolean> | boolean): Promise<void> {
  for (let turn = 0; turn < 600; turn++) {
    for (let settle = 0; settle < 30; settle++) await new Promise((resolve) => setImmediate(resolve));
    if (await isOver()) return;
    clock.advance(1_000);
  }
  throw new Error("not over after 600 s");
}

/** A queued task moves from `echo` to `other`; the first mover is cut off at one point. */
async function play(at: number, mode: "before" | "after", disturb?: (tasks: Transport) => Transport) {
  const clock = new ManualClock(1_700_000_000_000);
  const server = new MemoryServer({ clock });
  const healthy = connectMemory({ prefix, server });
  await healthy.init();
  const common = { meter: createMeter(), log: silentLogger, clock, chance: seededChance(1) };
  const runs: string[] = [];
  const work = async (name: string) => {
    const workforce = new ScriptedWorkforce(4, async ({ task }) => {
      runs.push(task.capability);
      return task.capability;
    });
    const transport = connectMemory({ prefix, server });
    const capabilities = [{ name }];
    const worker = createWorker({ ...common, transport, hostId: `h-${name}`, workforce, capabilities });
    await worker.start();
    return worker;
  };
  const other = await work("other");
  const filter = `${prefix}.task.echo.normal.>`;
  await healthy.queue("tasks").consumer({ name: "echo-normal", filter }); // its agents come later
  const client = createTaskClient({ ...common, transport: healthy });
  await client.submit({ capability: "echo", id: "t", input: 1, timeoutMs: 60_000 });
  const point = new Failpoint(at, mode);
  const cut = cutOff(connectMemory({ prefix, server }), point);
  const first = createMover({ ...common, transport: disturb?.(cut) ?? cut });
  await first.start();
  const moving = client.change("t", { capability: "other" }, { timeoutMs: 120_000 });
  const outcome = moving.then(
    () => "moved",
    (error: { code: string }) => error.code,
  );
  await advance(clock, () => point.dead || isDone(outcome));
  const second = createMover({ ...common, transport: connectMemory({ prefix, server }) });
  if (point.dead) await second.start();
  const hasResult = async () => (await healthy.log("results").info()).messages > 0;
  if (disturb === undefined) await advance(clock, hasResult);
  const late = await work("echo"); // whatever is left on the earlier queue runs now
  await advance(clock, hasResult);
  await advance(clock, async () => {
    const left = [await healthy.log("tasks").info(), await healthy.log("later").info()];
    return left.every(({ messages }) => messages === 0);
  });
  await advance(clock, () => isDone(outcome));
  const results = await healthy.log("results").info();
  const seen = { effects: point.effects, runs, results: results.messages, outcome: await outcome };
  await Promise.all([other.stop(), late.stop(), second.stop(), point.dead ? undefined : first.stop()]);
  return seen;
}

async function isDone(promise: Promise<unknown>): Promise<boolean> {
  return (
    (await Promise.race([
      promise.then(() => true),
      new Promise((resolve) => setImmediate(resolve, false)),
    ])) === true
  );
}

describe("a task that moves to another capability", () => {
  it.each(["before", "after"] as const)(
    "runs once, there, after a crash of the mover %s each effect",
    async (mode) => {
      const { effects, runs } = await play(0, mode);
      expect(effects).toEqual(["delete tasks", "append tasks", "ack"]);
      expect(runs).toEqual(["other"]);
      for (let at = 1; at <= effects.length; at++) {
        const seen = await play(at, mode);
        expect(seen, `crash ${mode} effect ${at}`).toMatchObject({
          runs: ["other"],
          results: 1,
          outcome: "moved",
        });
      }
    },
  );

  it.each([0, 1, 2, 3])(
    "runs once, where it was, when a host receives it just before its removal (crash at effect %i)",
    async (at) => {
      for (const mode of ["before", "after"] as const) {
        const seen = await play(at, mode, receivedAtRemoval);
        expect(seen, `crash ${mode} effect ${at}`).toMatchObject({ results: 1 });
        expect(seen.runs).toHaveLength(1);
      }
    },
  );
});

/** A transport on which a host receives the task between the mover's look at the consumers and its removal. */
function receivedAtRemoval(transport: Transport): Transport {
  return new Proxy(transport, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (name !== "log") return typeof value === "function" ? value.bind(target) : value;
      return (key: "tasks") => {
        const log = target.log(key);
        return {
          ...log,
          async delete(seq: number) {
            const consumer = await target.queue("tasks").consumer({
              name: "echo-normal",
              filter: `${prefix}.task.echo.normal.>`,
            });
            const ended = Promise.withResolvers<void>();
            consumer.pull(
              { max: 1, expiresMs: 0 },
              { onDelivery: () => undefined, onEnd: () => ended.resolve() },
            );
            await ended.promise;
            return log.delete(seq);
          },
        };
      };
    },
  });
}
