// The process of a task with steps is cut off at each of its effects, before and after the effect; another process takes over, and a
// person settles the step that runs once. A recorded step is never run again, and the step with `once` never runs twice unless the
// person says that it did nothing.
import { afterEach, describe, expect, it } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { createSubjects, RetryableError, type StepFacts } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../src/transport/index.ts";
import {
  type Attempt,
  createMover,
  createTaskClient,
  createTrailReader,
  createWorker,
  type Worker,
} from "../../../src/work/index.ts";
import { scaled } from "../../support/scale.ts";
import { cutOff, Failpoint } from "../failpoint.ts";
import { countTasks, makePlacedConsumer } from "../office.ts";
import { type Script, ScriptedWorkforce } from "../support.ts";

const prefix = "murmur";
const at = { capability: "echo", taskId: "t1" };
const retry = { max: 8, backoffMs: 10, factor: 1, maxBackoffMs: 10, jitter: 0 };
const turn = async () => {
  for (let settle = 0; settle < 30; settle++) await new Promise((resolve) => setImmediate(resolve));
};

/** Waits for a call whose pauses go by the clock of the test. */
async function drive<T>(call: Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  call.then(over, over);
  for (let turns = 0; turns < 300 && !isOver; turns++) {
    await turn();
    if (!isOver) latest.advance(100);
  }
  return call;
}

const running: Worker[] = [];
let latest: ManualClock;
afterEach(() => stopAll());

/** Stops the processes of a test; their drains wait by its clock. */
async function stopAll(): Promise<void> {
  let isStopped = false;
  const stopping = Promise.all(running.splice(0).map((worker) => worker.stop())).then(() => {
    isStopped = true;
  });
  for (let turns = 0; turns < 300 && !isStopped; turns++) {
    await turn();
    latest.advance(100);
  }
  await stopping;
}

/** A swarm on a server in memory, with a clock that the test moves. */
async function setup(point: Failpoint) {
  const clock = new ManualClock(1_700_000_000_000);
  latest = clock;
  const server = new MemoryServer({ clock });
  const connect = () => connectMemory({ prefix, server });
  const transport = connect();
  await transport.init();
  const common = { meter: createMeter(), log: silentLogger, clock, chance: seededChance(point.at) };
  const open = async (hostId: string, script: Script, slots = 4) => {
    const own = hostId === "cut" ? cutOff(connect(), point) : connect();
    const workforce = new ScriptedWorkforce(slots, script);
    await makePlacedConsumer(transport, hostId);
    const capabilities = [{ name: "echo" }];
    const worker = createWorker({ ...common, transport: own, hostId, workforce, capabilities });
    await worker.start();
    if (hostId !== "cut") running.push(worker);
    return { worker, workforce };
  };
  const mover = createMover({ ...common, transport: connect() });
  await mover.start();
  running.push({ stop: () => mover.stop() } as Worker);
  const client = createTaskClient({ ...common, transport });
  const records = async () =>
    (await createTrailReader(transport, createSubjects(prefix)).records(at)).map(({ record }) => record);
  const recorded = async () =>
    (await records())
      .flatMap((record) => (record.type === "steps" ? record.steps : []))
      .filter(({ state }) => state === "done")
      .map(({ step }) => step);
  /** Moves time on until `look` finds something. */
  const until = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
    for (let turns = 0; turns < 900; turns++) {
      await turn();
      const seen = await look();
      if (seen !== undefined) return seen;
      clock.advance(1_000);
    }
    throw new Error("not seen within 900 turns");
  };
  const ended = () => until(async () => (await client.status("t1").catch(() => undefined))?.result);
  const waits = () => until(async () => (await client.status("t1").catch(() => undefined))?.waiting);
  const { meter } = common;
  return { clock, transport, open, client, records, recorded, until, ended, waits, meter };
}

/** The outside world: the runs of each step, and the effect keys that it saw. */
class Ledger {
  readonly runs = new Map<string, number>();
  readonly keys = new Map<string, Set<string>>();

  do({ name, effectKey }: StepFacts): string {
    this.runs.set(name, (this.runs.get(name) ?? 0) + 1);
    this.keys.set(name, (this.keys.get(name) ?? new Set()).add(effectKey));
    return `${name} done`;
  }
}

const storyOf =
  (ledger: Ledger): Script =>
  async (attempt) => {
    const step = (name: string, once = false) => attempt.step(name, { once }, (facts) => ledger.do(facts));
    const a = await step("a");
    if (attempt.number === 1) throw new RetryableError("a failure between two steps");
    const pay = await step("pay", true);
    const rest = await Promise.all([step("b"), step("c"), step("d")]);
    return [a, pay, ...rest];
  };

/** The full run cuts at every effect, the short one at every second. */
const STRIDE = scaled(2, 1);

describe.each(["before", "after"] as const)("a process that dies %s one of its effects", (mode) => {
  it("leaves every recorded step recorded, and the step that runs once to a person", async () => {
    let effects = 1;
    let waited = 0;
    // The run without a cut counts the effects. In the short run one mode has the even cuts and the other the odd ones: a death before
    // an effect is much like a death after the effect that came before.
    const first = mode === "before" ? STRIDE : 1;
    for (let cut = 0; cut <= effects; cut = cut === 0 ? first : cut + STRIDE) {
      const point = new Failpoint(cut, mode);
      const ledger = new Ledger();
      const { open, client, records, recorded, until, transport } = await setup(point);
      await open("cut", storyOf(ledger));
      await client.submit({ capability: "echo", id: "t1", retry });
      let before: string[] | undefined;
      const result = await until(async () => {
        if (point.dead && before === undefined) {
          before = await recorded();
          await open("spare", storyOf(ledger));
        }
        // A status would ask the hosts, which costs a pause in each turn.
        if ((await records()).at(-1)?.type === "waiting") {
          waited++;
          const isDone = ledger.runs.has("pay");
          const output = isDone ? "pay done" : undefined;
          await drive(client.settle("t1", { step: "pay", isDone, output, by: "ada" }));
        }
        const isOver = (await transport.log("results").info()).messages > 0;
        return isOver ? (await client.status("t1")).result : undefined;
      });
      if (point.at === 0) effects = point.effects.length;
      const where = `crash ${mode} effect ${point.at} of ${point.effects.join(", ")}`;
      expect(result, where).toMatchObject({
        status: "completed",
        output: ["a done", "pay done", "b done", "c done", "d done"],
      });
      expect(ledger.runs.get("pay"), where).toBe(1);
      for (const name of before ?? []) expect(ledger.runs.get(name), `${name}, ${where}`).toBe(1);
      for (const [name, keys] of ledger.keys) expect([...keys], where).toEqual([`t1/${name}`]);
      for (const [, runs] of ledger.runs) expect(runs, where).toBeLessThanOrEqual(2);
      await until(async () => ((await countTasks(transport)) === 0 ? true : undefined));
      await stopAll();
    }
    expect(effects).toBeGreaterThan(8);
    expect(waited).toBeGreaterThan(0);
  });
});

/** Runs the step `pay` with `once`, which never ends while `gate` is closed. */
const paying =
  (ledger: Ledger, gate: { isOpen: boolean }): Script =>
  (attempt) =>
    attempt.step("pay", { once: true }, (facts) => {
      const paid = ledger.do(facts);
      return gate.isOpen ? paid : new Promise(() => undefined);
    });

/** A task whose process died while its step `pay` ran. */
async function setupWaiting(task: object = {}) {
  const point = new Failpoint(0, "before");
  const swarm = await setup(point);
  const ledger = new Ledger();
  const gate = { isOpen: false };
  await swarm.open("cut", paying(ledger, gate));
  await swarm.client.submit({ capability: "echo", id: "t1", retry: { max: 0 }, ...task });
  await swarm.until(async () => (ledger.runs.get("pay") === 1 ? true : undefined));
  point.dead = true;
  gate.isOpen = true;
  const { workforce } = await swarm.open("spare", paying(ledger, gate), 1);
  await swarm.waits();
  return { ...swarm, ledger, workforce };
}

describe("a step with once whose process died", () => {
  it("holds no slot, is not counted, and waits for a person, who gives its result", async () => {
    const { client, workforce, ledger, records, ended, meter } = await setupWaiting({ timeoutMs: 5_000 });
    expect(workforce.used).toBe(0);
    expect((await meter.taskPersonWaits.get()).values).toEqual([
      expect.objectContaining({ labels: { capability: "echo" }, value: 1 }),
    ]);
    expect(await client.status("t1")).toMatchObject({
      state: "scheduled",
      waiting: { reason: "human", steps: ["pay"] },
    });
    expect((await records()).at(-1)).toMatchObject({ type: "waiting", attempt: 1, steps: ["pay"] });
    const told = { step: "pay", isDone: true, output: { receipt: 7 }, by: "ada" };
    expect(await drive(client.settle("t1", told))).toEqual({
      taskId: "t1",
      step: "pay",
      isDone: true,
      changed: true,
      waiting: [],
    });
    expect(await ended()).toMatchObject({ status: "completed", output: { receipt: 7 }, attempt: 1 });
    expect(ledger.runs.get("pay")).toBe(1);
    const { history } = await client.statusWithHistory("t1");
    expect(history?.steps).toMatchObject([{ step: "pay", state: "done", settledBy: "ada" }]);
  });

  it("runs again when the person says that it did nothing; a second call changes nothing", async () => {
    const { client, ledger, ended, records } = await setupWaiting();
    const told = { step: "pay", isDone: false, by: "ada" };
    expect(await drive(client.settle("t1", told))).toMatchObject({ changed: true });
    expect((await records()).at(-1)).toMatchObject({ type: "settled", isDone: false, by: "ada" });
    expect(await drive(client.settle("t1", told))).toMatchObject({ changed: false });
    expect(await ended()).toMatchObject({ status: "completed", output: "pay done" });
    expect(ledger.runs.get("pay")).toBe(2);
    await expect(drive(client.settle("t1", told))).rejects.toMatchObject({ code: "conflict" });
  });

  it("refuses a person who names another step, or another end of a settled one", async () => {
    const { client } = await setupWaiting();
    const other = drive(client.settle("t1", { step: "ship", isDone: true, by: "ada" }));
    await expect(other).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining('"pay"'),
    });
    await drive(client.settle("t1", { step: "pay", isDone: true, output: 1, by: "ada" }));
    const again = drive(client.settle("t1", { step: "pay", isDone: true, output: 2, by: "bob" }));
    await expect(again).rejects.toMatchObject({ code: "conflict" });
    await expect(drive(client.settle("t9", { step: "pay", isDone: false, by: "ada" }))).rejects.toMatchObject(
      {
        code: "not_found",
      },
    );
  });

  it("ends with its deadline, before a look that would come later", async () => {
    const deadline = new Date(1_700_000_000_000 + 120_000).toISOString();
    const { ended, ledger, clock } = await setupWaiting({ deadline });
    expect(await ended()).toMatchObject({ status: "failed", error: { code: "deadline" }, attempt: 1 });
    expect(clock.now()).toBeLessThan(1_700_000_000_000 + 180_000);
    expect(ledger.runs.get("pay")).toBe(1);
  });

  it("can be cancelled", async () => {
    const { client, ended } = await setupWaiting();
    await drive(client.cancel("t1"));
    expect(await ended()).toMatchObject({ status: "cancelled" });
  });

  it("cannot be settled while an attempt runs it", async () => {
    const { open, client, until } = await setup(new Failpoint(0, "before"));
    const ledger = new Ledger();
    const { worker } = await open("spare", paying(ledger, { isOpen: false }));
    await client.submit({ capability: "echo", id: "t1" });
    await until(async () => (ledger.runs.get("pay") === 1 ? true : undefined));
    const settling = drive(client.settle("t1", { step: "pay", isDone: true, by: "ada" }));
    await expect(settling).rejects.toMatchObject({ code: "conflict", field: "step" });
    expect(worker.held()).toBe(1);
    await drive(client.cancel("t1"));
  });
});

describe("a second attempt of the same task", () => {
  it("makes the first one stale: its signal aborts, it stores no result and does not ack", async () => {
    const { open, client, clock, until, ended } = await setup(new Failpoint(0, "before"));
    const gate = Promise.withResolvers<void>();
    const aborted: unknown[] = [];
    let attempts = 0;
    const script = (name: string) => async (attempt: Attempt) => {
      attempts++;
      attempt.signal.addEventListener("abort", () => aborted.push([name, attempt.signal.reason.code]));
      if (name === "first") await gate.promise;
      await attempt.step("a", { once: false }, () => name);
      if (name === "second") await new Promise(() => undefined);
      return name;
    };
    const { worker } = await open("first", script("first"), 1);
    await client.submit({ capability: "echo", id: "t1" });
    await until(async () => (attempts === 1 ? true : undefined));
    let second = false;
    for (let tries = 0; attempts < 2; tries++) {
      // The first host does not renew its delivery in time: the test moves the clock faster than its timer.
      clock.advance(11_000);
      if (!second) await open("second", script("second"), 1);
      second = true;
      await turn();
      expect(tries).toBeLessThan(50);
    }
    gate.resolve();
    await until(async () => (aborted.length > 0 && worker.held() === 0 ? true : undefined));
    expect(aborted).toEqual([["first", "stale_attempt"]]);
    expect((await client.status("t1")).state).toBe("running");
    await drive(client.cancel("t1"));
    expect(await ended()).toMatchObject({ status: "cancelled" });
  });
});
