import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../support/golden.ts";
import {
  createElected,
  createLeader,
  createScript,
  createTalk,
  ELECTION_TICKS,
  look,
  type Talk,
} from "../support.ts";

const ABSTENTION = 2 * ELECTION_TICKS;

/** Node 1 of three, after its abstention. The test sends the messages of nodes 2 and 3. */
function setup(options: Record<string, unknown> = {}): Talk {
  const talk = createTalk();
  talk.init(options);
  talk.receive("3", { type: "heartbeat", term: 1 });
  talk.tick(ABSTENTION - 1);
  talk.receive("3", { type: "heartbeat", term: 1 });
  talk.tick(1);
  talk.receive("3", { type: "heartbeat", term: 1 });
  return talk;
}

const vote = { type: "vote", term: 2, lastTerm: 0, lastSeq: 0, transfer: false };
const preVote = { type: "pre-vote", term: 2, lastTerm: 0, lastSeq: 0 };

describe("scripts", () => {
  it.each([
    [
      "elects, serves and transfers",
      ["1", "2", "3"],
      `
      init
      tick 1 20
      tick 2 20
      tick 3 20
      campaign 1
      deliver
      deliver
      deliver
      deliver
      set 1 c:1 x 5
      read 2
      read 3
      tick 1 3
      deliver
      deliver
      transfer 1 3
      deliver
      deliver
      deliver
      deliver
      get 3 c:2 x
      set 1 c:3 x 6
    `,
    ],
    [
      "deposes a leader that no member hears",
      ["1", "2", "3"],
      `
      init
      tick 1 20
      tick 2 20
      tick 3 20
      campaign 1
      deliver
      deliver
      deliver
      tick 1 9
      tick 1 1
      campaign 2
      deliver 3
      deliver 2
      deliver 3
      deliver 2
      set 1 c:1 x 5
    `,
    ],
    [
      "serves alone",
      ["1"],
      `
      init
      campaign 1
      set 1 c:1 x 5
      get 1 c:2 x
      restart 1
      set 1 c:1 x 5
      campaign 1
      set 1 c:1 x 6
      get 1 c:3 x
    `,
    ],
  ])("%s", (name, ids, script) => {
    const trace = createScript(ids).run(script);
    expectGolden(join(import.meta.dirname, "scripts", `${name.replaceAll(" ", "-")}.golden.txt`), trace);
  });
});

describe("election timeouts", () => {
  it("lie between electionTicks and 2 × electionTicks, and differ between seeds", () => {
    const fired = new Set<number>();
    for (let seed = 1; seed <= 200; seed++) {
      const talk = setup({ seed });
      let ticks = 0;
      while (look(talk).role === "follower") {
        talk.tick();
        ticks++;
      }
      fired.add(ticks);
    }
    expect(Math.min(...fired)).toBe(ELECTION_TICKS);
    expect(Math.max(...fired)).toBe(2 * ELECTION_TICKS - 1);
  });

  it("differ between members with the same seed", () => {
    const states = Array.from({ length: 8 }, (_, index) => {
      const talk = createTalk();
      const peers = Array.from({ length: 8 }, (_, peer) => `${peer}`);
      talk.init({ node: `${index}`, peers });
      let ticks = 0;
      while (look(talk).role === "follower") {
        talk.tick();
        ticks++;
      }
      return ticks;
    });
    expect(new Set(states).size).toBeGreaterThan(2);
  });

  it("are the same for one line of n ticks and n lines of one tick", () => {
    const [once, often] = [createLeader(), createLeader()];
    const burst = once.tick(75);
    const single = Array.from({ length: 75 }, () => often.tick());
    expect(burst.send).toEqual(single.flatMap(({ send }) => send));
    expect(burst.state).toEqual(single.at(-1)?.state);
  });
});

describe("abstaining", () => {
  it("lasts 2 × electionTicks after a start, for every kind of request", () => {
    const talk = createTalk();
    talk.init();
    for (let tick = 0; tick < ABSTENTION; tick++) {
      expect(talk.say({ op: "campaign" }).state.role).toBe("follower");
      expect(talk.receive("2", preVote).send).toEqual([]);
      const { send, state } = talk.receive("2", { ...vote, transfer: true });
      expect([send, state.vote]).toEqual([[], null]);
      expect(talk.receive("2", { type: "timeout-now", term: 2 }).state.role).toBe("follower");
      expect(talk.tick().state.role).toBe("follower");
    }
    expect(talk.say({ op: "campaign" }).state.role).toBe("precandidate");
  });

  it("starts again after a restart", () => {
    const talk = createLeader();
    talk.say({ op: "restart" });
    talk.tick(ABSTENTION - 1);
    expect(talk.say({ op: "campaign" }).state.role).toBe("follower");
    talk.tick(1);
    expect(talk.say({ op: "campaign" }).state.role).toBe("candidate");
  });

  it("is skipped in a cluster of one", () => {
    const talk = createTalk();
    talk.init({ peers: ["1"] });
    expect(talk.say({ op: "campaign" }).state.role).toBe("leader");
  });
});

describe("a vote", () => {
  it("is given once in a term (Raft §5.2)", () => {
    const talk = setup();
    talk.tick(ELECTION_TICKS);
    expect(talk.receive("2", vote).send[0]?.message).toMatchObject({ type: "vote-reply", granted: true });
    expect(talk.receive("3", vote).send[0]?.message).toMatchObject({ type: "vote-reply", granted: false });
    expect(talk.receive("2", vote).send[0]?.message).toMatchObject({ granted: true });
  });

  it("is refused to a candidate that has read less of the log (Raft §5.4.1)", () => {
    const { entry } = createOfficeEntry();
    const talk = createTalk();
    talk.init({ log: [{ seq: 1, entry }] });
    talk.tick(ABSTENTION);
    const behind = talk.receive("2", { ...vote, term: 9, lastTerm: 0, lastSeq: 0 });
    expect(behind.send[0]?.message).toMatchObject({ granted: false });
    const level = talk.receive("3", { ...vote, term: 9, lastTerm: entry.term, lastSeq: 1 });
    expect(level.send[0]?.message).toMatchObject({ granted: true });
  });

  it("is ignored after a recent heartbeat, unless the leader requested it (dissertation §4.2.3)", () => {
    const talk = setup();
    talk.tick(ELECTION_TICKS - 1);
    expect(talk.receive("2", vote)).toMatchObject({ send: [], state: { term: 1, vote: null } });
    expect(talk.receive("2", { ...vote, transfer: true }).state).toMatchObject({ term: 2, vote: "2" });
  });

  it("of an old term is answered with the own term", () => {
    const talk = setup();
    talk.receive("2", { type: "heartbeat", term: 5 });
    const reply = talk.receive("2", vote);
    expect(reply.send[0]?.message).toMatchObject({ type: "vote-reply", term: 5, granted: false });
  });
});

describe("a pre-vote", () => {
  it("changes neither term nor vote (dissertation §9.6)", () => {
    const talk = setup();
    talk.tick(ELECTION_TICKS);
    const before = look(talk);
    expect(talk.receive("2", preVote).send[0]?.message).toMatchObject({ granted: true, term: 2 });
    expect(look(talk)).toEqual(before);
  });

  it("is not granted after a recent heartbeat", () => {
    expect(setup().receive("2", preVote).send).toEqual([]);
  });

  it("that is lost makes the member a follower in the same term", () => {
    const talk = setup();
    talk.say({ op: "campaign" });
    talk.receive("2", { type: "pre-vote-reply", term: 1, granted: false });
    expect(talk.receive("3", { type: "pre-vote-reply", term: 1, granted: false }).state).toMatchObject({
      role: "follower",
      term: 1,
    });
  });

  it("reply that was granted for another term is not counted", () => {
    const talk = setup();
    talk.say({ op: "campaign" });
    talk.receive("2", { type: "pre-vote-reply", term: 3, granted: true });
    expect(look(talk).role).toBe("precandidate");
  });
});

describe("a leader", () => {
  it("steps down when it has not heard from a majority for electionTicks", () => {
    const talk = createLeader();
    expect(talk.tick(ELECTION_TICKS - 1).state.inOffice).toBe(true);
    expect(talk.tick().state).toMatchObject({ role: "follower", inOffice: false, leader: null });
  });

  it("stays while one of two others answers", () => {
    const talk = createLeader();
    for (let round = 0; round < 10; round++) {
      talk.tick(ELECTION_TICKS - 1);
      talk.receive("3", { type: "heartbeat-reply", term: 1, seq: 1 });
    }
    expect(look(talk).inOffice).toBe(true);
  });

  it("steps down when only answers of an older term arrive", () => {
    const talk = createTalk();
    talk.init({ preVote: false });
    talk.tick(ABSTENTION);
    talk.say({ op: "campaign" });
    talk.say({ op: "campaign" });
    talk.receive("2", { type: "vote-reply", term: 2, granted: true });
    talk.tick(ELECTION_TICKS - 1);
    talk.receive("2", { type: "heartbeat-reply", term: 1, seq: 0 });
    expect(talk.tick().state.role).toBe("follower");
  });

  it("leaves the office in the reply to a message of a newer term", () => {
    const talk = createLeader();
    const { state } = talk.receive("2", { type: "heartbeat", term: 4 });
    expect(state).toMatchObject({ role: "follower", inOffice: false, term: 4, leader: "2", vote: null });
  });

  it("sends a stale leader the newer term", () => {
    const reply = createLeader().receive("2", { type: "heartbeat", term: 0 });
    expect(reply.send).toEqual([
      { to: "2", message: expect.objectContaining({ type: "heartbeat-reply", term: 1 }) },
    ]);
  });

  it("ignores campaign, and other candidates' votes while it hears from a majority", () => {
    const talk = createLeader();
    expect(talk.say({ op: "campaign" }).state.role).toBe("leader");
    expect(talk.receive("3", { ...vote, term: 9 }).state).toMatchObject({ role: "leader", term: 1 });
  });
});

describe("a transfer", () => {
  const caughtUp = { type: "heartbeat-reply", term: 1, seq: 1 };

  it("asks the target to campaign when the target has read the whole log", () => {
    const talk = createLeader();
    const first = talk.say({ op: "transfer", to: "3" });
    expect(first.send.map(({ to, message }) => [to, message.type])).toEqual([["3", "heartbeat"]]);
    expect(talk.receive("3", { ...caughtUp, seq: 0 }).send).toEqual([]);
    const then = talk.receive("3", caughtUp);
    expect(then.send.map(({ to, message }) => [to, message.type])).toEqual([["3", "timeout-now"]]);
  });

  it("waits while the target abstains after its start, because the target would ignore it", () => {
    const talk = createLeader();
    talk.say({ op: "transfer", to: "3" });
    expect(talk.receive("3", { ...caughtUp, abstains: true }).send).toEqual([]);
    const then = talk.receive("3", caughtUp);
    expect(then.send.map(({ to, message }) => [to, message.type])).toEqual([["3", "timeout-now"]]);
  });

  it("cannot hit a member that has just started: its answers to heartbeats say that it abstains", () => {
    const talk = createTalk();
    talk.init({});
    const answer = () => talk.receive("2", { type: "heartbeat", term: 1 }).send[0]?.message;
    expect(answer()).toMatchObject({ type: "heartbeat-reply", abstains: true });
    for (let tick = 0; tick < ABSTENTION; tick++) {
      talk.receive("2", { type: "heartbeat", term: 1 });
      talk.tick();
    }
    expect(answer()).not.toHaveProperty("abstains");
  });

  it("is refused without a leader and for a non-member; a transfer to the leader itself does nothing", () => {
    expect(setup().say({ op: "transfer", to: "3" }).error).toBe("not_leader");
    const talk = createLeader();
    expect(talk.say({ op: "transfer", to: "9" }).error).toBe("unknown_member");
    const before = look(talk);
    expect(talk.say({ op: "transfer", to: "1" })).toMatchObject({ ok: true, send: [], state: before });
    expect(talk.command("c:1", { type: "get", name: "x" }).append).toHaveLength(1);
  });

  it("refuses new commands, and is given up after electionTicks", () => {
    const talk = createLeader();
    talk.say({ op: "transfer", to: "3" });
    const get = { type: "get", name: "x" };
    expect(talk.command("c:1", get).answers).toEqual([{ key: "c:1", ok: false, error: "unavailable" }]);
    for (let tick = 0; tick < ELECTION_TICKS; tick++) {
      talk.receive("2", caughtUp);
      talk.tick();
    }
    expect(talk.receive("3", caughtUp).send).toEqual([]);
    expect(talk.command("c:1", get).append).toHaveLength(1);
  });

  it("skips the pre-vote at the target", () => {
    const talk = setup();
    const { send, state } = talk.receive("3", { type: "timeout-now", term: 1 });
    expect(state).toMatchObject({ role: "candidate", term: 2 });
    expect(send[0]?.message).toMatchObject({ type: "vote", transfer: true });
  });

  it("is accepted only from the known leader", () => {
    expect(setup().receive("2", { type: "timeout-now", term: 1 }).state.role).toBe("follower");
  });
});

/** The office-taken entry of node 2, elected without node 1. */
function createOfficeEntry() {
  const talk = createTalk();
  talk.init({ node: "2", preVote: false });
  talk.tick(ABSTENTION);
  talk.say({ op: "campaign" });
  const { append } = talk.receive("3", { type: "vote-reply", term: look(talk).term, granted: true });
  return { entry: append[0]?.entry ?? expect.unreachable() };
}

describe("the log", () => {
  it("with an office-taken of a newer term deposes the leader", () => {
    const talk = createElected();
    talk.tick(1);
    const other = createTalk();
    other.init({ node: "2", preVote: false });
    other.tick(ABSTENTION);
    other.say({ op: "campaign" });
    other.say({ op: "campaign" });
    const { append } = other.receive("3", { type: "vote-reply", term: 2, granted: true });
    const { state } = talk.stored(1, append[0]?.entry);
    expect(state).toMatchObject({ role: "follower", term: 2, leader: "2", appliedSeq: 1 });
  });

  it("with an office-taken of the same term decides between two leaders", () => {
    const talk = createElected();
    const { state } = talk.stored(1, createOfficeEntry().entry);
    expect(state).toMatchObject({ role: "follower", inOffice: false, term: 1, leader: "2" });
  });
});
