import { expect, it, vi } from "vitest";
import { ManualClock, silentLogger } from "../../../../src/base/index.ts";
import { type BallotEvent, effectsOf, openBallot } from "../../../../src/consensus/index.ts";
import { Asking } from "../../../../src/coordinator/ballots/ask/asker.ts";
import { LiveBallot } from "../../../../src/coordinator/ballots/ask/live-ballot.ts";
import type { AnswerBounds } from "../../../../src/coordinator/ballots/state/bounds.ts";
import type { Office } from "../../../../src/coordinator/index.ts";
import { ballotSchema, createSubjects, encode } from "../../../../src/protocol/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../../src/transport/index.ts";
import { SOON } from "../../support.ts";

const subjects = createSubjects("murmur");

const RESULT = {
  taskId: "b1-r1s1",
  status: "completed",
  output: "cat",
  attempt: 1,
  agent: "a1",
  startedAt: "2026-01-01T00:00:00.000Z",
  finishedAt: "2026-01-01T00:00:00.000Z",
  queuedMs: 0,
  ranMs: 0,
};

/** A ballot of one seat, asked by somebody who hears nothing of what is said on the bus. */
async function setup(bounds?: AnswerBounds) {
  const clock = new ManualClock(1_700_000_000_000);
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer({ clock }) });
  await transport.init();
  const heard: BallotEvent[] = [];
  const asking = new Asking({
    transport: deaf(transport),
    subjects,
    office: {} as Office, // asked only where a question is put
    placement: { pick: () => [], seats: { take() {}, leave() {} } },
    clock,
    log: silentLogger,
    bounds,
    isLive: () => true,
    onStranger: () => {},
    keep: async () => {},
    step: (_run, event) => heard.push(event),
  });
  const atMs = clock.now();
  const [core, effects] = openBallot({
    id: "b1",
    spec: ballotSchema.parse({ seats: 1, strategy: "first" }),
    seats: [{ seat: 1, agent: "a1", weight: 1 }],
    nonce: "n",
    atMs,
  });
  const address = {
    id: "b1",
    capability: "classify",
    priority: "normal",
    scope: "-",
    encoding: "json",
  } as const;
  const times = { storedAtMs: atMs, openedAtMs: atMs };
  const run = new LiveBallot(
    { ...address, ...times, task: `{"timeoutMs":60000}`, core: "{}", bytes: 100 },
    core,
  );
  asking.start();
  asking.register(run, effects);
  return { clock, transport, asking, run, heard };
}

it("looks now and then for answers whose announcement was lost", async () => {
  const { clock, transport, asking, heard } = await setup();
  await transport.log("results").append(subjects.result("classify", "b1", "b1-r1s1"), encode(RESULT));
  expect(heard).toEqual([]);
  await vi.waitFor(() => {
    clock.advance(1_000);
    expect(heard).toMatchObject([{ type: "answer", seat: 1, round: 1, output: "cat" }]);
  }, SOON);
  asking.stop();
});

it("asks no seat that would be shown what its topology hides", async () => {
  const { transport, asking, run, heard } = await setup();
  const [effect] = effectsOf(run.core);
  if (effect?.type !== "ask") throw new Error("the ballot asks its seat");
  const question = { ...effect.question, answers: [{ seat: 1, value: "cat" }] };
  const [wrong] = asking.register(run, [{ ...effect, question }]);
  await asking.put(wrong!, false);
  const reason = "was not asked: round 1 of a star does not show seat 1 what seats 1 say";
  expect(heard).toMatchObject([{ type: "abstain", seat: 1, reason }]);
  expect((await transport.log("tasks").info()).messages).toBe(0);
  asking.stop();
});

it.each([
  [undefined, true, false],
  [{ keptBytes: encode(RESULT).length, heldBytes: 1_000 }, true, false],
  [{ keptBytes: encode(RESULT).length - 1, heldBytes: 1_000 }, false, false],
  [{ keptBytes: 0, heldBytes: encode(RESULT).length - 1 }, false, true],
])("with the bounds %j keeps a whole output: %s, and is full: %s", async (bounds, isKept, isFull) => {
  const { clock, transport, asking, run } = await setup(bounds);
  await transport.log("results").append(subjects.result("classify", "b1", "b1-r1s1"), encode(RESULT));
  clock.advance(1);
  await asking.lookFor(0);
  expect([run.outputs.size === 1, asking.isFull]).toEqual([isKept, isFull]);
  asking.forget(run);
  expect(asking.isFull).toBe(false);
  asking.stop();
});

it("keeps no answer of a ballot that is forgotten", async () => {
  const { clock, transport, asking, run, heard } = await setup();
  await transport.log("results").append(subjects.result("classify", "b1", "b1-r1s1"), encode(RESULT));
  clock.advance(1);
  await asking.lookFor(0);
  expect(heard).toHaveLength(1);
  expect(run.heldBytes).toBe(encode(RESULT).length);
  asking.forget(run);
  await asking.lookFor(0);
  expect(heard).toHaveLength(1);
  asking.stop();
});

function deaf(transport: Transport): Transport {
  const bus = { ...transport.bus, subscribe: () => ({ close() {} }) };
  return new Proxy(transport, {
    get(target, name) {
      if (name === "bus") return bus;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
