import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createElectionNode } from "../../../src/consensus/index.ts";
import { createLeader, createOffice, createTalk, ELECTION_TICKS, look, type Reply } from "../support.ts";

const INIT = {
  op: "init",
  node: "1",
  peers: ["1", "2", "3"],
  electionTicks: 10,
  heartbeatTicks: 1,
  seed: 7,
  preVote: true,
  checkQuorum: true,
  swarm: "murmur",
  log: [],
};

/** Well-formed lines of every op, in an order that a cluster of one accepts. */
const LINES = [
  { ...INIT, peers: ["1"] },
  { op: "campaign" },
  { op: "log", event: "accepted", request: 1, seq: 1 },
  { op: "command", key: "c:1", command: { type: "set", name: "x", value: { a: [1, "ä\ud800", null] } } },
  { op: "log", event: "unknown", request: 2 },
  { op: "log", event: "refused", request: 3, lastSeq: 2 },
  { op: "tick", n: 3 },
  { op: "transfer", to: "1" },
  { op: "receive", from: "2", message: { v: 1 } },
  { op: "log", event: "stored", seq: 9, entry: {} },
  { op: "restart" },
];

describe("a line", () => {
  it.each([
    "",
    " ",
    "nonsense",
    "5",
    "null",
    "[]",
    '"init"',
    '{"id":1}',
    '{"id":1,"op":"dance"}',
    '{"id":1,"op":"__proto__"}',
    '{"id":1,"op":["tick"],"n":1}',
    '{"op":"campaign"}',
    '{"id":{},"op":"campaign"}',
    "[".repeat(100_000),
    `{"id":1,"op":"command","key":"k","command":{"type":"set","name":"x","value":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`,
  ])("that cannot be taken gives one error and leaves the state: %.40s", (line) => {
    const talk = createOffice();
    const before = look(talk);
    const reply = JSON.parse(talk.node.handleLine(line)) as Reply;
    const id = line.startsWith('{"id":1') ? 1 : null;
    expect(reply).toEqual({
      id,
      ok: false,
      error: expect.any(String),
      send: [],
      append: [],
      answers: [],
      state: before,
    });
  });

  it("before init is refused, without a state in the reply", () => {
    const reply = JSON.parse(createElectionNode().handleLine('{"id":"a","op":"tick","n":1}'));
    expect(reply).toEqual({ id: "a", ok: false, error: expect.stringContaining("init") });
  });

  it("with a field of a wrong type is refused, for every field", () => {
    const wrong = [undefined, null, -1, 0.5, "", "x", [], {}, true];
    for (const line of LINES.slice(0, -1)) {
      for (const field of Object.keys(line).filter((name) => name !== "log")) {
        for (const value of wrong) {
          const talk = createOffice();
          const before = look(talk);
          const reply = talk.say({ ...line, [field]: value });
          if (!reply.ok) expect(reply).toMatchObject({ send: [], append: [], answers: [], state: before });
        }
      }
    }
    const { n: _, ...tick } = { op: "tick", n: 1 };
    expect(createOffice().say(tick).ok).toBe(false);
  });

  it("of random JSON never makes the node throw", () => {
    const talk = createLeader();
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(...LINES.map(({ op }) => op), "stored", "1"),
    );
    const names = ["op", "n", "to", "from", "message", "key", "command", "event", "seq", "entry", "request"];
    const shape = fc.dictionary(fc.constantFrom(...names), value);
    fc.assert(
      fc.property(shape, (line) => {
        const { op, n } = line;
        fc.pre(op !== "tick" || typeof n !== "number" || n < 1_000);
        const reply = talk.say(line as Record<string, unknown>);
        expect(typeof reply.ok).toBe("boolean");
        expect(reply.state).toBeDefined();
      }),
      { numRuns: 3_000 },
    );
  });

  it("with random bytes never makes the node throw", () => {
    const talk = createOffice();
    const good = LINES.map((line) => JSON.stringify({ id: 1, ...line }));
    const damage = fc.record({
      line: fc.constantFrom(...good),
      at: fc.nat(),
      cut: fc.nat(8),
      text: fc.string(),
    });
    fc.assert(
      fc.property(damage, ({ line, at, cut, text }) => {
        const start = at % line.length;
        const answer = talk.node.handleLine(line.slice(0, start) + text + line.slice(start + cut));
        expect(answer).not.toContain("\n");
        expect(typeof (JSON.parse(answer) as Reply).ok).toBe("boolean");
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("replies", () => {
  it("are byte-identical for identical lines", () => {
    const run = () => {
      const node = createElectionNode();
      return LINES.map((line, id) => node.handleLine(JSON.stringify({ id, ...line })));
    };
    expect(run()).toEqual(run());
  });

  it("to a malformed command are errors of the line, not answers of the command", () => {
    for (const command of [{ type: "drop" }, { type: "set", name: "x" }, null, []]) {
      const reply = createOffice().say({ op: "command", key: "c:1", command });
      expect(reply).toMatchObject({ ok: false, answers: [], append: [] });
    }
  });
});

describe("init", () => {
  it.each([
    { node: "9" },
    { peers: [] },
    { peers: ["1", "1"] },
    { peers: ["1", 2] },
    { electionTicks: 1 },
    { heartbeatTicks: 10 },
    { heartbeatTicks: 0 },
    { seed: 0.5 },
    { swarm: "" },
    { preVote: "yes" },
    { checkQuorum: 1 },
    { log: {} },
    { log: [{ seq: 2, entry: {} }] },
    { log: [{ seq: 1 }] },
  ])("with %j is refused and leaves the running node as it was", (change) => {
    const talk = createOffice();
    const before = look(talk);
    expect(talk.say({ ...INIT, ...change })).toMatchObject({ ok: false, state: before });
  });

  it("starts a running node again", () => {
    const talk = createOffice();
    const { state } = talk.init({ peers: ["1"] });
    expect(state).toMatchObject({ role: "follower", inOffice: false, term: 0, appliedSeq: 0 });
  });

  it("reads the stored entries, and halts at a bad entry", () => {
    const talk = createTalk();
    talk.init({ peers: ["1"] });
    const entry = talk.say({ op: "campaign" }).append[0]?.entry;
    expect(createTalk().init({ log: [{ seq: 1, entry }] }).state).toMatchObject({ appliedSeq: 1, term: 1 });
    const bad = createTalk();
    const reply = bad.init({ log: [{ seq: 1, entry: { ...entry, v: 2 } }] });
    expect(reply).toMatchObject({
      ok: false,
      error: expect.stringMatching(/^halted: /),
      state: { appliedSeq: 0 },
    });
    expect(bad.tick().error).toMatch(/^halted: /);
  });
});

describe("restart", () => {
  it("forgets vote, role, queue and requests, and keeps the log", () => {
    const talk = createLeader();
    const before = look(talk);
    talk.command("c:1", { type: "get", name: "x" });
    const { state, answers } = talk.say({ op: "restart" });
    expect(answers).toEqual([]);
    expect(state).toEqual({ ...before, role: "follower", inOffice: false, vote: null, leader: null });
    expect(talk.accepted(2, 2)).toMatchObject({ ok: true, state: { appliedSeq: 1 } });
  });
});

describe("ticks", () => {
  it("in a burst end the office of a leader that hears from no member", () => {
    const talk = createLeader();
    expect(talk.tick(2 * ELECTION_TICKS).state).toMatchObject({ inOffice: false });
  });

  it("with n = 0 change nothing", () => {
    const talk = createLeader();
    expect(talk.tick(0)).toMatchObject({ ok: true, send: [], state: look(talk) });
  });
});
