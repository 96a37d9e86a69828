// The intake of ballots: bounded, once each, and aware of cancellations that arrive while a ballot is being opened.
import { expect, it, vi } from "vitest";
import { systemClock } from "../../../../src/base/index.ts";
import { BallotIntake, MAX_OPENING } from "../../../../src/coordinator/ballots/open/intake.ts";
import { MAX_OPEN_BYTES } from "../../../../src/coordinator/ballots/state/ballots.ts";
import type { Office } from "../../../../src/coordinator/index.ts";
import { profileOf } from "../../../../src/coordinator/registry/profile.ts";
import { type OfficeCommand, officeCommands } from "../../../../src/coordinator/state.ts";
import { ballotSchema, createSubjects, type Json } from "../../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../../src/transport/index.ts";
import { makeStatus } from "../../support.ts";

/** One agent, and an office whose log takes nothing before `resume` is called. */
async function setup() {
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  await transport.init();
  const state = officeCommands.empty();
  const agent = profileOf(makeStatus({ id: "a1", capabilities: ["classify"] }));
  officeCommands.decide(state, { type: "members-join", agents: [agent] } as OfficeCommand, 0);
  const { promise: resumed, resolve: resume } = Promise.withResolvers<void>();
  const seated = new Map<string, string>();
  const opened: { id: string; cancelReason: string | undefined }[] = [];
  const full = { isFull: false };
  const intake = new BallotIntake({
    transport,
    subjects: createSubjects("murmur"),
    clock: systemClock,
    office: {
      tenure: {},
      state,
      async submit(_key: string, command: OfficeCommand): Promise<Json> {
        await resumed;
        return officeCommands.decide(state, command, 0);
      },
    } as unknown as Office,
    placement: {
      waitForRollCall: async () => {},
      pick: () => [{ host: "h1", agent: "a1", score: 0, reasons: [] }],
      seats: { take: (id, agent) => void seated.set(id, agent), leave: (id) => void seated.delete(id) },
    },
    isFull: () => full.isFull,
    onWait() {},
    onOpened: ({ ballot: { id }, cancelReason }) => opened.push({ id, cancelReason }),
  });
  const open = (taskId: string, scope = "-") =>
    intake.open({
      ...{ taskId, scope, capability: "classify", priority: "normal", encoding: "json", storedAtMs: 0 },
      ballot: ballotSchema.parse({ seats: 1, strategy: "first" }),
      task: { timeoutMs: 1_000 },
    });
  return { intake, open, opened, resume, seated, full, state };
}

it("the intake opens up to its limit of ballots at a time, and the rejected ones once there is room", async () => {
  const { open, opened, resume } = await setup();
  const ids = Array.from({ length: MAX_OPENING + 10 }, (_, index) => `b${index}`);
  const asked = ids.slice(0, MAX_OPENING).map((id) => open(id));
  for (const refused of await Promise.allSettled(ids.slice(MAX_OPENING).map((id) => open(id)))) {
    const reason = { code: "rate_limited", retryable: true, retryAfterMs: 1_000 };
    expect(refused).toMatchObject({ status: "rejected", reason });
  }
  const again = open("b0"); // being opened already: it takes no further place
  expect(opened).toEqual([]);
  resume();
  await Promise.all([...asked, again]);
  await Promise.all(ids.slice(MAX_OPENING).map((id) => open(id)));
  expect(opened.map(({ id }) => id).sort()).toEqual([...ids].sort());
});

it("the intake opens no ballot while answers take too much memory", async () => {
  const { open, opened, resume, full } = await setup();
  resume();
  full.isFull = true;
  await expect(open("b1")).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 1_000 });
  full.isFull = false;
  await open("b1");
  expect(opened).toEqual([{ id: "b1", cancelReason: undefined }]);
});

it("the intake reports a cancellation, of the ballot or its scope, that came before the log held the ballot", async () => {
  const { intake, open, opened, resume } = await setup();
  intake.cancel("-", "b1", "changed my mind");
  const asked = [open("b1"), open("b2"), open("b3", "s1"), open("b4")];
  intake.cancel("-", "b2", "changed my mind");
  intake.cancel("s1", "-", "the whole scope");
  resume();
  await Promise.all(asked);
  expect(opened).toEqual([
    { id: "b1", cancelReason: "changed my mind" },
    { id: "b2", cancelReason: "changed my mind" },
    { id: "b3", cancelReason: "the whole scope" },
    { id: "b4", cancelReason: undefined },
  ]);
});

it("the intake reserves slots before the log holds the ballot, and frees them when the log has no room", async () => {
  const { open, resume, seated, state } = await setup();
  const asked = open("b1");
  await vi.waitFor(() => expect([...seated]).toEqual([["b1-r1s1", "a1"]]));
  state.ballots.bytes = MAX_OPEN_BYTES;
  resume();
  await expect(asked).rejects.toMatchObject({ code: "rate_limited" });
  expect(seated.size).toBe(0);
});
