import { describe, expect, it } from "vitest";
import { createMember, type MemberInput, stepMember } from "../../../src/consensus/index.ts";
import {
  MAX_GROUP_COMMANDS,
  MAX_QUEUED,
  OFFICE_WAIT_TIMEOUTS,
  type RegisterCommand,
  registers,
} from "../../../src/consensus/internal.ts";
import {
  createElected,
  createLeader,
  createOffice,
  createTalk,
  ELECTION_TICKS,
  look,
  type StoredEntry,
  type Talk,
} from "../support.ts";

const set = (value: unknown) => ({ type: "set", name: "x", value });
const get = { type: "get", name: "x" };

/** The entry that member 2 appends after `log` when it is elected in a term above the terms of `log`. */
function officeTakenByOther(log: readonly StoredEntry[]): StoredEntry {
  const talk = createTalk();
  talk.init({ node: "2", preVote: false, log: log.map((entry, index) => ({ seq: index + 1, entry })) });
  talk.tick(2 * ELECTION_TICKS);
  const { term } = talk.say({ op: "campaign" }).state;
  const { append } = talk.receive("3", { type: "vote-reply", term, granted: true });
  return append[0]?.entry ?? expect.unreachable();
}

/** A leader in office with its command c:1 in flight as request 2, and the entries so far. */
function setup() {
  const talk = createElected();
  const taken = talk.unknown(1).append[0]?.entry ?? expect.unreachable();
  talk.accepted(2, 1);
  const append = talk.command("c:1", set(1)).append[0] ?? expect.unreachable();
  return { talk, taken, append };
}

describe("taking the office", () => {
  it("is requested with an expected sequence, and held after the log has stored the entry", () => {
    const talk = createElected();
    expect(look(talk)).toMatchObject({ role: "leader", inOffice: false });
    expect(talk.accepted(1, 1).state).toMatchObject({ inOffice: true, appliedSeq: 1 });
  });

  it("is held when the stored entry arrives first; the later reply of the log changes nothing", () => {
    const talk = createElected();
    const entry = talk.unknown(1).append[0]?.entry;
    expect(talk.stored(1, entry).state.inOffice).toBe(true);
    const before = look(talk);
    expect(talk.accepted(2, 1)).toMatchObject({ ok: true, append: [], answers: [], state: before });
    expect(talk.stored(1, entry)).toMatchObject({ ok: true, append: [], answers: [], state: before });
  });

  it("is tried again after a refusal, when the log has been read and has an older term", () => {
    const talk = createTalk();
    talk.init({ preVote: false });
    talk.tick(2 * ELECTION_TICKS);
    talk.say({ op: "campaign" });
    talk.say({ op: "campaign" });
    talk.receive("2", { type: "vote-reply", term: 2, granted: true });
    expect(talk.refused(1, 1)).toMatchObject({ append: [], state: { role: "leader", inOffice: false } });
    const again = talk.stored(1, officeTakenByOther([]));
    expect(again.append).toMatchObject([
      { request: 2, expectedLastSeq: 1, entry: { type: "office-taken", term: 2 } },
    ]);
    expect(talk.accepted(2, 2).state.inOffice).toBe(true);
  });

  it("is given up when the log already has this member's term", () => {
    const talk = createElected();
    talk.refused(1, 1);
    expect(talk.stored(1, officeTakenByOther([])).state).toMatchObject({ role: "follower", leader: "2" });
  });

  it("is given up when the rest of the log cannot be read", () => {
    const talk = createElected();
    talk.refused(1, 5);
    for (let tick = 1; tick < OFFICE_WAIT_TIMEOUTS * ELECTION_TICKS; tick++) {
      talk.receive("2", { type: "heartbeat-reply", term: 1, seq: 0 });
      expect(talk.tick().state.role).toBe("leader");
    }
    expect(talk.tick().state.role).toBe("follower");
  });
});

describe("a command", () => {
  it("is answered when its entry is stored, and gets the same answer later", () => {
    const { talk } = setup();
    expect(talk.accepted(3, 2).answers).toEqual([{ key: "c:1", ok: true, value: true }]);
    expect(talk.command("c:1", set(9)).answers).toEqual([{ key: "c:1", ok: true, value: true }]);
  });

  it("is refused at once by a member that is not in office, with the leader that it knows", () => {
    const talk = createTalk();
    talk.init();
    expect(talk.command("c:1", get).answers).toEqual([{ key: "c:1", ok: false, error: "not_leader" }]);
    talk.receive("3", { type: "heartbeat", term: 1 });
    expect(talk.command("c:1", get).answers).toEqual([
      { key: "c:1", ok: false, error: "not_leader", leader: "3" },
    ]);
  });

  it("waits while an append is in flight and shares the next entry", () => {
    const { talk } = setup();
    for (const key of ["c:2", "c:3"]) expect(talk.command(key, get).append).toEqual([]);
    const { append } = talk.accepted(3, 2);
    expect(append).toHaveLength(1);
    expect(append[0]?.entry.commands).toMatchObject([{ key: "c:2" }, { key: "c:3" }]);
  });

  it("shares an entry with a bounded number of others", () => {
    const { talk } = setup();
    for (let index = 0; index < MAX_GROUP_COMMANDS + 5; index++) talk.command(`d:${index}`, get);
    expect(talk.accepted(3, 2).append[0]?.entry.commands).toHaveLength(MAX_GROUP_COMMANDS);
    expect(talk.accepted(4, 3).append[0]?.entry.commands).toHaveLength(5);
  });

  it("is refused as overloaded when the queue is full", () => {
    const { talk } = setup();
    for (let index = 0; index < MAX_QUEUED; index++) talk.command(`d:${index}`, get);
    expect(talk.command("e", get).answers).toEqual([{ key: "e", ok: false, error: "overloaded" }]);
    expect(talk.command("d:5", get).answers).toEqual([{ key: "d:5", ok: false, error: "unknown" }]);
  });

  it("that is repeated while it is in flight gets the same answer twice", () => {
    const { talk } = setup();
    talk.command("c:1", set(1));
    expect(talk.accepted(3, 2).answers).toEqual([
      { key: "c:1", ok: true, value: true },
      { key: "c:1", ok: true, value: true },
    ]);
  });
});

describe("a read", () => {
  it("is answered only after an append that was requested after it arrived, also when it is repeated", () => {
    const { talk } = setup();
    expect(talk.command("c:2", get).answers).toEqual([]);
    const { answers, append } = talk.accepted(3, 2);
    expect(answers).toEqual([{ key: "c:1", ok: true, value: true }]);
    expect(append).toHaveLength(1);
    expect(talk.accepted(4, 3).answers).toEqual([{ key: "c:2", ok: true, value: 1 }]);
    const again = talk.command("c:2", get);
    expect(again).toMatchObject({ answers: [], append: [{ request: 5, expectedLastSeq: 3 }] });
    expect(talk.accepted(5, 4).answers).toEqual([{ key: "c:2", ok: true, value: 1 }]);
  });

  it("without a key shares one barrier, which changes no keys and no values", () => {
    const config = {
      node: "1",
      members: ["1"],
      swarm: "murmur",
      electionTicks: 10,
      heartbeatTicks: 1,
      preVote: true,
      checkQuorum: true,
    };
    const member = createMember({ config, seed: 1, commandSet: registers });
    const step = (input: MemberInput<RegisterCommand>) => stepMember(member, input);
    expect(step({ type: "read", ticket: "r0" }).reads).toEqual([
      { ticket: "r0", ok: false, error: "not_leader" },
    ]);
    step({ type: "campaign" });
    step({ type: "accepted", request: 1, seq: 1 });
    expect(step({ type: "read", ticket: "r1" }).appends[0]?.entry.type).toBe("barrier");
    expect(step({ type: "read", ticket: "r2" }).appends).toEqual([]);
    const first = step({ type: "accepted", request: 2, seq: 2 });
    expect(first.reads).toEqual([{ ticket: "r1", ok: true }]);
    expect(first.appends[0]?.entry.type).toBe("barrier");
    expect(step({ type: "accepted", request: 3, seq: 3 }).reads).toEqual([{ ticket: "r2", ok: true }]);
  });
});

describe("an unknown append", () => {
  it("is repeated unchanged with a new request number, and no later append is sent", () => {
    const { talk, append } = setup();
    talk.command("c:2", get);
    const reply = talk.unknown(3);
    expect(reply.append).toEqual([{ ...append, request: 4 }]);
    expect(reply.state.inOffice).toBe(true);
    expect(talk.unknown(4).append).toEqual([{ ...append, request: 5 }]);
    expect(talk.accepted(5, 2).answers).toEqual([{ key: "c:1", ok: true, value: true }]);
  });

  it("that is refused later counts as stored when the own entry has its place", () => {
    const { talk, append } = setup();
    talk.unknown(3);
    expect(talk.refused(4, 2)).toMatchObject({ append: [], answers: [], state: { inOffice: true } });
    const reply = talk.stored(2, append.entry);
    expect(reply).toMatchObject({ answers: [{ key: "c:1", ok: true }], state: { inOffice: true } });
  });

  it("that is refused later ends the office when another entry has its place", () => {
    const { talk, taken } = setup();
    talk.unknown(3);
    talk.refused(4, 2);
    const reply = talk.stored(2, officeTakenByOther([taken]));
    expect(reply.answers).toEqual([{ key: "c:1", ok: false, error: "not_leader", leader: "2" }]);
    expect(reply.state).toMatchObject({ role: "follower", inOffice: false, term: 2, leader: "2" });
  });

  it("answers its commands with unknown when the office ends first, also when they are repeated", () => {
    const { talk, append } = setup();
    talk.unknown(3);
    talk.command("c:2", get);
    const { answers } = talk.receive("2", { type: "heartbeat", term: 5 });
    expect(answers).toEqual([
      { key: "c:1", ok: false, error: "unknown" },
      { key: "c:2", ok: false, error: "not_leader", leader: "2" },
    ]);
    expect(talk.command("c:1", set(1)).answers).toEqual([{ key: "c:1", ok: false, error: "unknown" }]);
    expect(talk.accepted(4, 2)).toMatchObject({ answers: [], state: { appliedSeq: 2, inOffice: false } });
    expect(talk.stored(2, append.entry).ok).toBe(true);
    expect(talk.command("c:1", set(1)).answers).toMatchObject([{ error: "not_leader" }]);
  });

  it("of an earlier office may still be stored before the next append", () => {
    const { talk, append } = setup();
    talk.receive("2", { type: "heartbeat", term: 5 });
    talk.say({ op: "campaign" });
    const elected = talk.receive("3", { type: "vote-reply", term: 6, granted: true });
    expect(elected.append).toMatchObject([{ request: 4, expectedLastSeq: 1 }]);
    const reply = talk.stored(2, append.entry);
    expect(reply.append).toMatchObject([{ request: 5, expectedLastSeq: 2, entry: { term: 6 } }]);
    expect(talk.refused(4, 2)).toMatchObject({ ok: true, append: [] });
    expect(talk.accepted(5, 3).state.inOffice).toBe(true);
  });
});

describe("a refusal without an earlier unknown try", () => {
  it("ends the office in the same reply, and no command will be stored", () => {
    const { talk } = setup();
    talk.command("c:2", get);
    const reply = talk.refused(3, 2);
    expect(reply.state).toMatchObject({ role: "follower", inOffice: false });
    expect(reply.answers).toEqual([
      { key: "c:1", ok: false, error: "not_leader" },
      { key: "c:2", ok: false, error: "not_leader" },
    ]);
  });
});

describe("log time", () => {
  const at = (talk: Talk, key: string) => talk.command(key, get).append[0]?.entry.at;

  it("advances by the ticks since the last applied entry, also over a change of leader", () => {
    const talk = createLeader();
    const heard = { type: "heartbeat-reply", term: 1, seq: 1 };
    talk.tick(7);
    talk.receive("2", heard);
    const first = at(talk, "c:1") ?? expect.unreachable();
    talk.tick(4);
    talk.accepted(2, 2);
    talk.tick(3);
    expect(at(talk, "c:2")).toBe(first + 3);
  });

  it("decides whether a lock is held", () => {
    const talk = createOffice();
    const lock = (owner: string) => ({ type: "lock", name: "l", owner, ttl: 5 });
    talk.command("a:1", lock("a"));
    expect(talk.accepted(2, 2).answers).toMatchObject([{ value: { token: 1 } }]);
    talk.tick(4);
    talk.command("b:1", lock("b"));
    expect(talk.accepted(3, 3).answers).toMatchObject([{ value: null }]);
    talk.tick(1);
    talk.command("b:2", lock("b"));
    expect(talk.accepted(4, 4).answers).toMatchObject([{ value: { token: 2 } }]);
  });
});

describe("events of the log", () => {
  it("for a request that is not open are ignored", () => {
    const { talk } = setup();
    const before = look(talk);
    for (const reply of [talk.accepted(99, 9), talk.refused(1, 9), talk.unknown(1)]) {
      expect(reply).toMatchObject({ ok: true, append: [], answers: [], state: before });
    }
  });

  it("with a gap apply nothing, and the node continues when the missing entry arrives", () => {
    const { taken, append } = setup();
    const talk = createTalk();
    talk.init({ node: "3" });
    expect(talk.stored(2, append.entry)).toMatchObject({ ok: false, error: "gap", state: { appliedSeq: 0 } });
    expect(talk.stored(1, taken).state.appliedSeq).toBe(1);
    expect(talk.stored(2, append.entry)).toMatchObject({ ok: true, state: { appliedSeq: 2 } });
  });

  it("with a bad entry halt the node until init", () => {
    const { talk, append } = setup();
    const reply = talk.stored(2, { ...append.entry, at: 99 });
    expect(reply).toMatchObject({
      ok: false,
      error: expect.stringMatching(/^halted: /),
      answers: [{ key: "c:1", error: "unknown" }],
      state: { role: "follower", inOffice: false, appliedSeq: 1 },
    });
    for (const later of [
      talk.tick(),
      talk.command("c:2", get),
      talk.stored(2, append.entry),
      talk.say({ op: "restart" }),
    ]) {
      expect(later).toMatchObject({
        ok: false,
        error: expect.stringMatching(/^halted: /),
        append: [],
        answers: [],
      });
    }
    expect(talk.init().ok).toBe(true);
  });

  it("give every member the same hash at the same sequence", () => {
    const { talk, taken, append } = setup();
    talk.accepted(3, 2);
    const other = createTalk();
    other.init({ node: "3", log: [taken, append.entry].map((entry, index) => ({ seq: index + 1, entry })) });
    expect(look(other)).toMatchObject({ appliedSeq: 2, term: 1, hash: look(talk).hash });
  });
});
