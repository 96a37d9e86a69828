// How ballots get into the log: bounded, once each, and not past whoever cancels them meanwhile.
import { expect, it, vi } from "vitest";
import { systemClock } from "../../../../src/base/index.ts";
import { MAX_OPENING, Openings } from "../../../../src/coordinator/ballots/open/intake.ts";
import { MAX_OPEN_BYTES } from "../../../../src/coordinator/ballots/state/ballots.ts";
import type { Office } from "../../../../src/coordinator/index.ts";
import { profileOf } from "../../../../src/coordinator/registry/profile.ts";
import { type OfficeCommand, officeCommands } from "../../../../src/coordinator/state.ts";
import { ballotSchema, createSubjects, type Json } from "../../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../../src/transport/index.ts";
import { makeStatus } from "../../support.ts";

/** One agent, and an office whose log takes nothing before it is told to. */
async function setup() {
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  await transport.init();
  const state = officeCommands.empty();
  const agent = profileOf(makeStatus({ id: "a1", capabilities: ["classify"] }));
  officeCommands.decide(state, { type: "members-join", agents: [agent] } as OfficeCommand, 0);
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
  const seated = new Map<string, string>();
  const opened: { id: string; cancelled: string | undefined }[] = [];
  const full = { isFull: false };
  const openings = new Openings({
    transport,
    subjects: createSubjects("murmur"),
    clock: systemClock,
    office: {
      tenure: {},
      state,
      async submit(_key: string, command: OfficeCommand): Promise<Json> {
        await mayGoOn;
        return officeCommands.decide(state, command, 0);
      },
    } as unknown as Office,
    placement: {
      knowsWhoLives: async () => {},
      pick: () => [{ host: "h1", agent: "a1", score: 0, reasons: [] }],
      seats: { take: (id, who) => void seated.set(id, who), leave: (id) => void seated.delete(id) },
    },
    isFull: () => full.isFull,
    onWait() {},
    onOpened: ({ id }, _core, _effects, cancelled) => opened.push({ id, cancelled }),
  });
  const open = (taskId: string, scope = "-") =>
    openings.open({
      ...{ taskId, scope, capability: "classify", priority: "normal", encoding: "json", storedAtMs: 0 },
      ballot: ballotSchema.parse({ seats: 1, strategy: "first" }),
      task: { timeoutMs: 1_000 },
    });
  return { openings, open, opened, goOn, seated, full, state };
}

it("takes as many on their way into a slow log as there may be, and each of the others when there is room", async () => {
  const { open, opened, goOn } = await setup();
  const ids = Array.from({ length: MAX_OPENING + 10 }, (_, index) => `b${index}`);
  const asked = ids.slice(0, MAX_OPENING).map((id) => open(id));
  for (const refused of await Promise.allSettled(ids.slice(MAX_OPENING).map((id) => open(id)))) {
    const reason = { code: "rate_limited", retryable: true, retryAfterMs: 1_000 };
    expect(refused).toMatchObject({ status: "rejected", reason });
  }
  const again = open("b0"); // on its way already: that takes no room
  expect(opened).toEqual([]);
  goOn();
  await Promise.all([...asked, again]);
  await Promise.all(ids.slice(MAX_OPENING).map((id) => open(id)));
  expect(opened.map(({ id }) => id).sort()).toEqual([...ids].sort());
});

it("opens none while answers hold too much memory", async () => {
  const { open, opened, goOn, full } = await setup();
  goOn();
  full.isFull = true;
  await expect(open("b1")).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 1_000 });
  full.isFull = false;
  await open("b1");
  expect(opened).toEqual([{ id: "b1", cancelled: undefined }]);
});

it("tells that a ballot was cancelled on its way, or just before: alone, or with its scope", async () => {
  const { openings, open, opened, goOn } = await setup();
  openings.cancel("-", "b1", "changed my mind");
  const asked = [open("b1"), open("b2"), open("b3", "s1"), open("b4")];
  openings.cancel("-", "b2", "changed my mind");
  openings.cancel("s1", "-", "the whole scope");
  goOn();
  await Promise.all(asked);
  expect(opened).toEqual([
    { id: "b1", cancelled: "changed my mind" },
    { id: "b2", cancelled: "changed my mind" },
    { id: "b3", cancelled: "the whole scope" },
    { id: "b4", cancelled: undefined },
  ]);
});

it("takes the seats before the log holds the ballot, and leaves them when there is no room in it", async () => {
  const { open, goOn, seated, state } = await setup();
  const asked = open("b1");
  await vi.waitFor(() => expect([...seated]).toEqual([["b1-r1s1", "a1"]]));
  state.ballots.bytes = MAX_OPEN_BYTES;
  goOn();
  await expect(asked).rejects.toMatchObject({ code: "rate_limited" });
  expect(seated.size).toBe(0);
});
