import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_TERM_AHEAD } from "../../../src/consensus/internal.ts";
import { createLeader, createTalk, ELECTION_TICKS, look, type Message } from "../support.ts";

const HEAD = { v: 1, swarm: "murmur", term: 1 };

/** One well-formed message of each type. */
const MESSAGES: readonly (Message & { readonly v: number; readonly swarm: string })[] = [
  { ...HEAD, type: "pre-vote", lastTerm: 0, lastSeq: 0 },
  { ...HEAD, type: "pre-vote-reply", granted: true },
  { ...HEAD, type: "vote", lastTerm: 0, lastSeq: 0, transfer: false },
  { ...HEAD, type: "vote-reply", granted: true },
  { ...HEAD, type: "heartbeat" },
  { ...HEAD, type: "heartbeat-reply", seq: 0 },
  { ...HEAD, type: "timeout-now" },
];

const DAMAGES: readonly unknown[] = [undefined, null, "x", -1, 0.5, [], {}, 2 ** 53];

describe("a message", () => {
  it.each(MESSAGES)("of type $type is accepted", (message) => {
    expect(createLeader().say({ op: "receive", from: "2", message }).ok).toBe(true);
  });

  it.each(MESSAGES)("of type $type is refused with any field missing or of a wrong type", (message) => {
    const talk = createLeader();
    const before = look(talk);
    for (const field of Object.keys(message)) {
      for (const damage of DAMAGES) {
        const reply = talk.say({ op: "receive", from: "2", message: { ...message, [field]: damage } });
        expect(reply).toMatchObject({ ok: false, send: [], append: [], answers: [], state: before });
      }
    }
  });

  it.each([
    ["a stranger", "9", {}],
    ["the node itself", "1", {}],
    ["another swarm", "2", { swarm: "other" }],
    ["another version", "2", { v: 2 }],
    ["an unknown type", "2", { type: "constructor" }],
    ["a term too far ahead", "2", { term: 1 + MAX_TERM_AHEAD + 1 }],
  ])("of %s is refused", (_, from, change) => {
    const talk = createLeader();
    const before = look(talk);
    const reply = talk.receive(from, { type: "heartbeat", term: 1, ...change });
    expect(reply).toMatchObject({ ok: false, error: expect.any(String), send: [], state: before });
  });

  it("may be ahead by exactly the bound", () => {
    expect(createLeader().receive("2", { type: "heartbeat", term: 1 + MAX_TERM_AHEAD }).ok).toBe(true);
  });

  it("of random shape never throws, and is accepted only if it is complete", () => {
    const talk = createTalk();
    talk.init();
    talk.tick(2 * ELECTION_TICKS);
    const field = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom(...MESSAGES.map(({ type }) => type)),
    );
    const shape = fc.record(
      {
        v: field,
        swarm: field,
        type: field,
        term: field,
        granted: field,
        lastTerm: field,
        lastSeq: field,
        seq: field,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.constantFrom("1", "2", "3", "9"), shape, (from, message) => {
        const before = look(talk);
        const reply = talk.say({ op: "receive", from, message });
        if (!reply.ok) expect(reply).toMatchObject({ send: [], append: [], answers: [], state: before });
      }),
      { numRuns: 2_000 },
    );
  });
});
