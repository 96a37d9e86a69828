// Ballots under limits: an early end, a broken connection of the coordinator in office, no room, and too few agents.
import { expect, it, onTestFinished, vi } from "vitest";
import { defineAgent } from "../../../src/agent/index.ts";
import { createMeter, newId, systemClock } from "../../../src/base/index.ts";
import {
  type BallotEnd,
  ballots,
  MAX_OPEN,
  MAX_OPEN_BYTES,
  type OpenedBallot,
} from "../../../src/coordinator/ballots/state/ballots.ts";
import { MAX_WAITING } from "../../../src/coordinator/ballots/state/bounds.ts";
import { ballotSchema, decode, encode, type Verdict } from "../../../src/protocol/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { setupBallots } from "../ballots/swarm.ts";
import { SOON, setupOffice, startAgents } from "../support.ts";

const BALLOT = { seats: 5, strategy: "majority" } as const;
const PATIENCE = { timeoutMs: 30_000 };

/** A coordinator whose connection can be broken, five agents, and a client. */
async function setup(answer: (agent: number, signal: AbortSignal) => Promise<unknown>) {
  const swarm = await setupOffice();
  const line = new Line(await swarm.connect());
  const leader = await swarm.start("c1", ["c1"], {}, { transport: line.transport });
  await vi.waitFor(() => expect(leader.office.tenure).not.toBeNull(), SOON);
  const agents = [1, 2, 3, 4, 5].map((agent) =>
    defineAgent({
      name: `agent-${agent}`,
      capabilities: ["classify"],
      run: (_task, { signal }) => answer(agent, signal),
    }),
  );
  await startAgents(await swarm.connect(), agents);
  await vi.waitFor(() => expect(leader.office.state.registry.members.size).toBe(5), SOON);
  const client = createTaskClient({ transport: await swarm.connect(), meter: createMeter() });
  onTestFinished(() => client.close());
  const run = () =>
    client.run({ id: "b1", scope: "s1", capability: "classify", input: "picture", ballot: BALLOT }, PATIENCE);
  return { ...swarm, line, leader, client, run };
}

it("a majority ballot ends as soon as three of five agree, and stops the two others", async () => {
  const stopped: number[] = [];
  const { run, transport, leader } = await setup(async (agent, signal) => {
    if (agent <= 3) return "cat";
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        stopped.push(agent);
        reject(signal.reason as Error);
      });
    });
  });
  const { verdict } = await run();
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat", decidedBy: "quorum", abstained: 0 });
  expect(verdict?.seats.filter(({ value }) => value === undefined)).toHaveLength(2);
  await vi.waitFor(() => expect(stopped.sort()).toEqual([4, 5]), SOON);
  await vi.waitFor(async () => expect((await transport.log("placed-default").info()).messages).toBe(0), SOON);
  await vi.waitFor(() => expect(leader.office.state.ballots.outbox.size).toBe(0), SOON);
});

it("the coordinator reads the answers that came while its connection was broken", async () => {
  const answering = Promise.withResolvers<string>();
  const { run, transport, line, leader } = await setup(() => answering.promise);
  const running = run();
  await vi.waitFor(async () => expect((await transport.log("placed-default").info()).messages).toBe(5), SOON);
  line.cut();
  answering.resolve("cat");
  await vi.waitFor(async () => expect((await transport.log("results").info()).messages).toBe(5), SOON);
  expect(leader.office.state.ballots.open.size).toBe(1);
  line.mend();
  expect(await running).toMatchObject({ status: "completed", output: "cat" });
});

it("the coordinator learns that a ballot was cancelled while its connection was broken", async () => {
  const { run, transport, line, leader, client } = await setup(() => new Promise(() => {}));
  const running = run();
  await vi.waitFor(async () => expect((await transport.log("placed-default").info()).messages).toBe(5), SOON);
  line.cut();
  await client.cancelScope("s1");
  expect(leader.office.state.ballots.open.size).toBe(1);
  line.mend();
  expect(await running).toMatchObject({ status: "cancelled" });
  await vi.waitFor(async () => expect((await transport.log("placed-default").info()).messages).toBe(0), SOON);
});

it("a ballot stays in its queue while the office has no room, and opens when there is room", async () => {
  const { run, leader, transport } = await setup(async () => "cat");
  const { office } = leader;
  await office.submit(newId(), { type: "ballots-open", ballots: [made("big", MAX_OPEN_BYTES - 1)] });
  const running = run();
  const queued = () => transport.queue("tasks").consumers();
  await vi.waitFor(
    async () => expect((await queued()).find(({ ackPending }) => ackPending > 0)).toBeDefined(),
    SOON,
  );
  expect(office.state.ballots.open.size).toBe(1);
  await office.submit(newId(), { type: "ballots-end", ends: [endOf("big")] });
  await office.submit(newId(), { type: "ballots-settle", ids: ["big"] });
  expect(await running).toMatchObject({ status: "completed", output: "cat" });
});

it("a change of leader does not restart a ballot's wait for agents", async () => {
  const { leader, start, tasks } = await setupBallots(["a", "b"]);
  const timeoutMs = 60_000;
  const running = tasks.run(
    { id: "b1", capability: "classify", ballot: { seats: 3, strategy: "first", timeoutMs } },
    PATIENCE,
  );
  const { waiting } = leader.office.state.ballots;
  await vi.waitFor(() => expect(waiting.get("b1")).toBeDefined(), SOON);
  await leader.stop();
  // By the clock of the next coordinator in office the minute is over.
  const clock = { ...systemClock, now: () => systemClock.now() + timeoutMs };
  const next = await start("c1", ["c1"], {}, { ballots: { clock } });
  expect(await running).toMatchObject({
    error: { code: "no_quorum", message: expect.stringContaining("only 2 of 3 agents") },
    verdict: { decidedBy: "timeout", messages: 0 },
  });
  expect(next.office.state.ballots.waiting.size).toBe(0);
});

it("the office times a limited number of waits, and drops those whose time is over to make room", () => {
  const state = ballots.empty();
  const wait = (first: number, count: number, nowMs: number) => {
    const waits = Array.from({ length: count }, (_, index) => ({
      id: `b${first + index}`,
      sinceMs: nowMs,
      untilMs: nowMs + 1_000,
    }));
    return ballots.decide(state, { type: "ballots-wait", waits }, 0);
  };
  for (let first = 0; first < MAX_WAITING; first += 256) wait(first, 256, 1);
  expect(wait(MAX_WAITING, 1, 1_000)).toEqual(["full"]);
  expect(wait(0, 1, 1_000)).toEqual(["known"]);
  expect(state.waiting.get("b0")).toEqual({ sinceMs: 1, untilMs: 1_001 });
  expect(wait(MAX_WAITING, 1, 1_001)).toEqual(["noted"]);
  expect(state.waiting.size).toBe(1);
});

it("no ballot opens while answers take too much memory, and a result has a whole output that was not kept", async () => {
  const { promise: freed, resolve: free } = Promise.withResolvers<unknown>();
  const voters = ["a", "b", { name: "c", say: () => freed }];
  const { ask, show, transport, subjects } = await setupBallots(voters, {
    bounds: { keptBytes: 0, heldBytes: 100 },
  });
  const long = (name: string) => ({ label: "cat", text: `${name} `.repeat(100) });
  const ballot = { seats: 3, strategy: "unanimous", pointer: "/label" } as const;
  const answered = async (id: string) => (await show(id)).votes.filter(({ state }) => state === "answered");
  const first = ask({ a: long("a"), b: long("b") }, ballot, { id: "b1" });
  await vi.waitFor(async () => expect(await answered("b1")).toHaveLength(2), SOON);
  const at = { capability: "classify", priority: "normal", scope: "-", encoding: "json", storedAtMs: 0 };
  const handed = { ...at, taskId: "b2", ballot: ballotSchema.parse(ballot), task: { timeoutMs: 1_000 } };
  const subject = subjects.office("ballot-open");
  const { data } = await transport.bus.request(subject, encode(handed), { timeoutMs: 5_000 });
  expect(decode(data).value).toMatchObject({ error: { code: "rate_limited", retryAfterMs: 1_000 } });
  const second = ask({ a: long("a"), b: long("b") }, ballot, { id: "b2" });
  free(long("c"));
  for (const { output, verdict } of [await first, await second]) {
    expect(verdict).toMatchObject({ outcome: "decided", value: "cat", abstained: 0 });
    expect(output).toEqual(
      long(["a", "b", "c"].find((name) => verdictAgent(verdict).startsWith(name)) ?? ""),
    );
  }
});

it("the office opens a limited number of ballots", () => {
  const state = ballots.empty();
  const open = (count: number) =>
    ballots.decide(
      state,
      {
        type: "ballots-open",
        ballots: Array.from({ length: count }, (_, index) => made(`b${state.open.size + index}`, 10)),
      },
      0,
    ) as string[];
  for (let opened = 0; opened < MAX_OPEN; opened += 256)
    expect(new Set(open(256))).toEqual(new Set(["opened"]));
  expect(open(1)).toEqual(["full"]);
  expect(state.open.size).toBe(MAX_OPEN);
});

/** The agent whose whole output the result has. */
function verdictAgent(verdict: Verdict | undefined): string {
  return verdict?.seats.find(({ seat }) => seat === verdict.winner)?.agent ?? "";
}

/** The connection of a coordinator. While it is broken, the bus delivers no message. */
class Line {
  readonly transport: Transport;
  readonly #onState: ((state: "connected") => void)[] = [];
  #isBroken = false;

  constructor(inner: Transport) {
    const bus: Transport["bus"] = {
      publish: (...args) => inner.bus.publish(...args),
      request: (...args) => inner.bus.request(...args),
      converse: (...args) => inner.bus.converse(...args),
      scatter: (...args) => inner.bus.scatter(...args),
      flush: () => inner.bus.flush(),
      subscribe: (subject, onMessage, options) => {
        const onReceived: typeof onMessage = (message) => {
          if (!this.#isBroken) onMessage(message);
        };
        return inner.bus.subscribe(subject, onReceived, options);
      },
    };
    const onState: Transport["onState"] = (listener) => {
      this.#onState.push(listener);
      return inner.onState(listener);
    };
    this.transport = new Proxy(inner, {
      get(target, name) {
        if (name === "bus") return bus;
        if (name === "onState") return onState;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  cut(): void {
    this.#isBroken = true;
  }

  mend(): void {
    this.#isBroken = false;
    for (const listener of this.#onState) listener("connected");
  }
}

/** A ballot as the runner opens it, of about this many bytes. */
function made(id: string, bytes: number): OpenedBallot {
  const at = { capability: "classify", priority: "normal", scope: "-", encoding: "json" } as const;
  return { id, ...at, storedAtMs: 1, openedAtMs: 1, task: "{}", core: "{}", bytes };
}

function endOf(id: string): BallotEnd {
  return {
    id,
    result: "{}",
    isFailed: false,
    stragglers: [],
    ended: {
      strategy: "majority",
      topology: "star",
      outcome: "decided",
      decidedBy: "all",
      agreement: 1,
      rounds: 1,
      endedAtMs: 2,
      mark: null,
      truth: null,
      isIndependent: true,
      seats: [],
      spent: { tokens: 0, costUsd: null },
    },
    equivocators: [],
  };
}
