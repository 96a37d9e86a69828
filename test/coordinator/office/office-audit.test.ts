import { describe, expect, it } from "vitest";
import type { OfficeTenure } from "../../../src/coordinator/index.ts";
import {
  auditOperations,
  auditTenures,
  createRefusalNotes,
} from "../../../src/coordinator/office/office-audit.ts";
import { type AuditNote, SwarmError } from "../../../src/protocol/index.ts";

/** The audit notes, and an office that answers as the test says. */
function setup() {
  const notes: AuditNote[] = [];
  const audit = (note: AuditNote) => void notes.push(note);
  let refusal: SwarmError | undefined;
  const answer = auditOperations(async () => {
    if (refusal !== undefined) throw refusal;
    return { reply: true };
  }, audit);
  return {
    notes,
    audit,
    answer,
    refuse: (code: ConstructorParameters<typeof SwarmError>[0]) => {
      refusal = new SwarmError(code, "no");
    },
  };
}

describe("commands of people", () => {
  it("are recorded with their subject and without their payload", async () => {
    const { answer, notes } = setup();
    const task = { capability: "echo", input: "private" };
    expect(await answer("schedule-set", { key: "k1", id: "pulse", when: { everyMs: 5 }, task })).toEqual({
      reply: true,
    });
    await answer("ballot-decide", { id: "b1", by: "me", value: "private" });
    const pulse = { command: "schedule-set", outcome: "done", id: "pulse", when: { everyMs: 5 } };
    expect(notes).toEqual([
      { kind: "office-command", facts: pulse },
      { kind: "office-command", facts: { command: "ballot-decide", outcome: "done", id: "b1", by: "me" } },
    ]);
  });

  it("are recorded once, however often they are repeated under their key", async () => {
    const { answer, notes } = setup();
    for (const key of ["k1", "k1", "k2"]) await answer("budget-remove", { key, name: "n" });
    expect(notes).toHaveLength(2);
  });

  it("are recorded when they were refused, but not when the outcome was undecided", async () => {
    const { answer, notes, refuse } = setup();
    for (const code of ["conflict", "unavailable", "invalid_input", "not_leader"] as const) {
      refuse(code);
      await expect(answer("transfer", { to: "c2" })).rejects.toMatchObject({ code });
    }
    expect(notes).toEqual([
      { kind: "office-command", facts: { command: "transfer", outcome: "conflict", to: "c2" } },
    ]);
  });

  it("are recorded, unlike the commands of programs", async () => {
    const { answer, notes } = setup();
    await answer("config-set", { key: "k1", name: "n", value: 1 });
    await answer("lock-acquire", { key: "k2", name: "n", owner: "me" });
    await answer("locks", undefined);
    await answer("config-set", { key: "k3", name: "n", value: 1, by: "me" });
    expect(notes.map(({ facts }) => facts)).toMatchObject([{ command: "config-set", by: "me" }]);
  });
});

it("taking and leaving the office is recorded, also when a term follows another without a gap", () => {
  const { notes, audit } = setup();
  const listeners: ((tenure: OfficeTenure | null) => void)[] = [];
  auditTenures({ onTenure: (listener) => void listeners.push(listener) }, audit);
  const tenure = (term: number) => ({ id: "c1", pid: 1, term, since: "" });
  for (const held of [tenure(1), tenure(2), null, null]) listeners[0]?.(held);
  expect(notes.map(({ kind, facts }) => `${kind} ${(facts as { term: number }).term}`)).toEqual([
    "office-taken 1",
    "office-left 1",
    "office-taken 2",
    "office-left 2",
  ]);
});

it("a rejected append is recorded once, however often it is repeated", () => {
  const { notes, audit } = setup();
  const note = createRefusalNotes("c1", audit);
  for (const expectedLastSeq of [5, 5, 6]) note({ term: 3, expectedLastSeq, lastSeq: 9 });
  expect(notes.map(({ facts }) => facts)).toEqual([
    { coordinator: "c1", term: 3, expectedLastSeq: 5, lastSeq: 9 },
    { coordinator: "c1", term: 3, expectedLastSeq: 6, lastSeq: 9 },
  ]);
});
