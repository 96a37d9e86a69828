import { expect, it, vi } from "vitest";
import { ManualClock, silentLogger } from "../../../../src/base/index.ts";
import { type BallotEvent, effectsOf, openBallot } from "../../../../src/consensus/index.ts";
import { Asker } from "../../../../src/coordinator/ballots/ask/asker.ts";
import { BallotQuestions, type LiveBallot } from "../../../../src/coordinator/ballots/ask/live-ballot.ts";
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

/** A ballot of one seat, and an asker that receives no message from the bus. */
async function setup(bounds?: AnswerBounds) {
  const clock = new ManualClock(1_700_000_000_000);
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer({ clock }) });
  await transport.init();
  const events: BallotEvent[] = [];
  const asker = new Asker({
    transport: deaf(transport),
    subjects,
    office: {} as Office, // not used: these tests publish no question
    placement: { pick: () => [], seats: { take() {}, leave() {} } },
    clock,
    log: silentLogger,
    bounds,
    isLive: () => true,
    onUnaskedAgent: () => {},
    keep: async () => {},
    step: (_live, event) => events.push(event),
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
  const ballot = { ...address, ...times, task: `{"timeoutMs":60000}`, core: "{}", bytes: 100 };
  const live: LiveBallot = {
    id: "b1",
    ballot,
    core,
    stage: "open",
    questions: new BallotQuestions(ballot, core.spec),
    whenDecided: Promise.resolve(),
  };
  asker.start();
  asker.register(live, effects);
  return { clock, transport, asker, live, events };
}

it("the asker reads a stored answer whose announcement was lost", async () => {
  const { clock, transport, asker, events } = await setup();
  await transport.log("results").append(subjects.result("classify", "b1", "b1-r1s1"), encode(RESULT));
  expect(events).toEqual([]);
  await vi.waitFor(() => {
    clock.advance(1_000);
    expect(events).toMatchObject([{ type: "answer", seat: 1, round: 1, output: "cat" }]);
  }, SOON);
  asker.stop();
});

it("the asker does not publish a question that shows a seat answers its topology hides", async () => {
  const { transport, asker, live, events } = await setup();
  const [effect] = effectsOf(live.core);
  if (effect?.type !== "ask") throw new Error("the ballot asks its seat");
  const question = { ...effect.question, answers: [{ seat: 1, value: "cat" }] };
  const [wrong] = asker.register(live, [{ ...effect, question }]);
  await asker.publish(wrong!, false);
  const reason = "was not asked: round 1 of a star does not show seat 1 the answers of seats 1";
  expect(events).toMatchObject([{ type: "abstain", seat: 1, reason }]);
  expect((await transport.log("placed-default").info()).messages).toBe(0);
  asker.stop();
});

it.each([
  [undefined, true, false],
  [{ keptBytes: encode(RESULT).length, heldBytes: 1_000 }, true, false],
  [{ keptBytes: encode(RESULT).length - 1, heldBytes: 1_000 }, false, false],
  [{ keptBytes: 0, heldBytes: encode(RESULT).length - 1 }, false, true],
])(
  "with the bounds %j the asker keeps a whole output: %s, and is full: %s",
  async (bounds, isKept, isFull) => {
    const { clock, transport, asker, live } = await setup(bounds);
    await transport.log("results").append(subjects.result("classify", "b1", "b1-r1s1"), encode(RESULT));
    clock.advance(1);
    await asker.checkForResults(0);
    expect([live.questions.outputOf(1, 1) !== undefined, asker.isFull]).toEqual([isKept, isFull]);
    asker.forget(live);
    expect(asker.isFull).toBe(false);
    asker.stop();
  },
);

it("the asker takes no answer for a ballot that it has forgotten", async () => {
  const { clock, transport, asker, live, events } = await setup();
  await transport.log("results").append(subjects.result("classify", "b1", "b1-r1s1"), encode(RESULT));
  clock.advance(1);
  await asker.checkForResults(0);
  expect(events).toHaveLength(1);
  expect(live.questions.heldBytes).toBe(encode(RESULT).length);
  asker.forget(live);
  await asker.checkForResults(0);
  expect(events).toHaveLength(1);
  asker.stop();
});

/** The same transport, whose bus delivers no message. */
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
