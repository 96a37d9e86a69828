import { describe, expect, it } from "vitest";
import {
  createMember,
  genesisBody,
  loadLog,
  type MemberInput,
  readGenesis,
  stepMember,
} from "../../../src/consensus/index.ts";
import {
  type MemberOptions,
  type RegisterCommand,
  type Registers,
  registers,
} from "../../../src/consensus/internal.ts";
import type { JsonObject } from "../../../src/protocol/index.ts";

/** A member of a cluster of one. Its log starts with genesis at sequence 41. */
function setup(options: Partial<MemberOptions<Registers, RegisterCommand>> = {}) {
  const config = {
    node: "1",
    members: ["1"],
    swarm: "log-a",
    electionTicks: 10,
    heartbeatTicks: 2,
    preVote: true,
    checkQuorum: true,
  };
  const create = () =>
    createMember({ config, seed: 1, commandSet: registers, genesis: { epoch: 3, seq: 41 }, ...options });
  const member = create();
  const step = (input: MemberInput<RegisterCommand>) => stepMember(member, input);
  const lead = () => {
    const [asked] = step({ type: "campaign" }).appends;
    step({ type: "accepted", request: asked!.request, seq: asked!.expectedLastSeq + 1 });
    return asked!;
  };
  const set = (key: string) =>
    step({ type: "command", key, command: { type: "set", name: "x", value: key } }).appends[0]!;
  return { create, member, step, lead, set };
}

describe("genesis", () => {
  it("is the start of the sequences and of the chain", () => {
    const { create, lead } = setup();
    const asked = lead();
    expect(asked.expectedLastSeq).toBe(41);
    const follower = create();
    expect(loadLog(follower, [asked.entry as unknown as JsonObject])).toBeUndefined();
    expect(follower.office.fold).toMatchObject({ seq: 42, term: 1, leader: "1" });
  });

  it("with another epoch makes another chain", () => {
    const entry = setup({ genesis: { epoch: 2, seq: 41 } }).lead().entry as unknown as JsonObject;
    expect(loadLog(setup().create(), [entry])).toMatch(/^halted: entry 42: chain hash is/);
  });

  it("is refused when a field is missing or wrong", () => {
    expect(readGenesis(genesisBody({ logId: "a", epoch: 2 }))).toEqual({ ok: true, logId: "a", epoch: 2 });
    expect(readGenesis({ v: 1, type: "barrier" })).toMatchObject({
      fault: "the log does not begin with genesis",
    });
    expect(readGenesis({ v: 2, type: "genesis" })).toMatchObject({ fault: "genesis version is not 1" });
    expect(readGenesis({ v: 1, type: "genesis", logId: "", epoch: 1 })).toMatchObject({
      fault: "genesis has no proper logId and epoch",
    });
  });
});

describe("log time", () => {
  it.each([
    [true, 3],
    [false, 2],
  ])(
    "with countsTicksOfAppends %s is %i after a tick before, one during and one after an append",
    (counts, at) => {
      const { step, lead, set } = setup({ countsTicksOfAppends: counts });
      lead();
      step({ type: "tick" });
      const first = set("a");
      step({ type: "tick" });
      step({ type: "accepted", request: first.request, seq: first.expectedLastSeq + 1 });
      step({ type: "tick" });
      expect(first.entry.at).toBe(1);
      expect(set("b").entry.at).toBe(at);
    },
  );

  it("does not count late ticks that may be older than the last entry read", () => {
    const { create, lead } = setup({ countsTicksOfAppends: true });
    const taken = lead().entry as unknown as JsonObject;
    const other = create();
    stepMember(other, { type: "stored", seq: 42, entry: taken });
    for (let late = 0; late < 5; late++) stepMember(other, { type: "tick", isLate: true });
    stepMember(other, { type: "tick" });
    stepMember(other, { type: "tick" });
    const [asked] = stepMember(other, { type: "campaign" }).appends;
    expect(asked!.entry).toMatchObject({ type: "office-taken", at: 1 });
  });

  it("does not count the first tick after another member's entry, which may follow right after that member's tick", () => {
    const { create, lead } = setup({ countsTicksOfAppends: true });
    const taken = lead().entry as unknown as JsonObject;
    const other = create();
    const step = (input: MemberInput<RegisterCommand>) => stepMember(other, input);
    step({ type: "stored", seq: 42, entry: taken });
    const [asked] = step({ type: "campaign" }).appends;
    step({ type: "accepted", request: asked!.request, seq: 43 });
    step({ type: "tick" });
    const set = { type: "set", name: "x", value: 1 } as const;
    const [early] = step({ type: "command", key: "a", command: set }).appends;
    step({ type: "tick" });
    step({ type: "accepted", request: early!.request, seq: 44 });
    const [late] = step({ type: "command", key: "b", command: set }).appends;
    expect([asked, early, late].map((append) => append!.entry.at)).toEqual([0, 0, 1]);
  });

  it("does not count late ticks that may be older than the last requested append", () => {
    const { step, lead, set } = setup({ countsTicksOfAppends: true });
    lead();
    step({ type: "tick" });
    const first = set("a");
    for (let late = 0; late < 15; late++) step({ type: "tick", isLate: true });
    step({ type: "tick" });
    step({ type: "accepted", request: first.request, seq: first.expectedLastSeq + 1 });
    expect([first.entry.at, set("b").entry.at]).toEqual([1, 2]);
  });

  it("counts late ticks when nothing was read or requested since the last tick on time", () => {
    const { step, lead, set } = setup({ countsTicksOfAppends: true });
    lead();
    step({ type: "tick" });
    for (let late = 0; late < 15; late++) step({ type: "tick", isLate: true });
    expect(set("a").entry.at).toBe(16);
  });
});

describe("distrust", () => {
  it("halts the member, ends its office and answers open commands with unknown", () => {
    const { member, step, lead, set } = setup();
    lead();
    set("a");
    const effects = step({ type: "distrust", reason: "the log is gone" });
    expect(effects).toMatchObject({
      error: "halted: the log is gone",
      answers: [{ key: "a", error: "unknown" }],
    });
    expect(member.election.role).toBe("follower");
    expect(step({ type: "tick" }).error).toBe("halted: the log is gone");
  });
});
