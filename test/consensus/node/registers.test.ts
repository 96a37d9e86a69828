import { describe, expect, it } from "vitest";
import { type RegisterCommand, registers } from "../../../src/consensus/internal.ts";

function setup() {
  const state = registers.empty();
  return { state, decide: (command: RegisterCommand, at = 0) => registers.decide(state, command, at) };
}

const lock = (owner: string, ttl?: number) =>
  ({ type: "lock", name: "l", owner, ...(ttl === undefined ? {} : { ttl }) }) as const;
const unlock = (owner: string, token: number) => ({ type: "unlock", name: "l", owner, token }) as const;

describe("values", () => {
  it("are null before they are set and after they are set to null", () => {
    const { decide } = setup();
    expect(decide({ type: "get", name: "x" })).toBeNull();
    decide({ type: "set", name: "x", value: { a: 1 } });
    expect(decide({ type: "get", name: "x" })).toEqual({ a: 1 });
    decide({ type: "set", name: "x", value: null });
    expect(decide({ type: "cas", name: "x", expect: null, value: 1 })).toBe(true);
  });

  it("are replaced only when the expected value is equal, in any order of field names", () => {
    const { decide } = setup();
    decide({ type: "set", name: "x", value: { a: 1, b: [2] } });
    expect(decide({ type: "cas", name: "x", expect: { b: [2] }, value: 1 })).toBe(false);
    expect(decide({ type: "cas", name: "x", expect: { b: [2], a: 1 }, value: 1 })).toBe(true);
  });

  it("may have any name", () => {
    const { decide } = setup();
    expect(decide({ type: "get", name: "__proto__" })).toBeNull();
    decide({ type: "set", name: "__proto__", value: 1 });
    expect(decide({ type: "get", name: "__proto__" })).toBe(1);
  });
});

describe("a lock", () => {
  it("is granted with rising tokens, also after it was unlocked and to its own holder", () => {
    const { decide } = setup();
    expect(decide(lock("a"))).toEqual({ token: 1 });
    expect(decide(lock("a"))).toEqual({ token: 2 });
    expect(decide(lock("b"))).toBeNull();
    expect(decide(unlock("a", 1))).toBe(false);
    expect(decide(unlock("a", 2))).toBe(true);
    expect(decide(lock("b"))).toEqual({ token: 3 });
  });

  it("expires when log time reaches grant plus ttl, not before", () => {
    const { decide } = setup();
    decide(lock("a", 10), 5);
    expect(decide(lock("b"), 14)).toBeNull();
    expect(decide(unlock("a", 1), 15)).toBe(false);
    expect(decide(lock("b"), 15)).toEqual({ token: 2 });
  });
});

describe("the digest", () => {
  it("depends on the facts, not on their history", () => {
    const [one, other] = [setup(), setup()];
    one.decide({ type: "set", name: "x", value: 1 });
    one.decide({ type: "set", name: "y", value: 2 });
    one.decide({ type: "set", name: "x", value: 3 });
    other.decide({ type: "set", name: "x", value: 3 });
    expect(registers.digest(one.state)).not.toBe(registers.digest(other.state));
    other.decide({ type: "set", name: "y", value: 2 });
    expect(registers.digest(one.state)).toBe(registers.digest(other.state));
  });

  it("covers the counter of a lock without a holder", () => {
    const { state, decide } = setup();
    const empty = registers.digest(state);
    decide(lock("a"));
    decide(unlock("a", 1));
    expect(registers.digest(state)).not.toBe(empty);
  });
});

describe("parsing", () => {
  it.each([
    null,
    [],
    "get",
    {},
    { type: "get" },
    { type: "get", name: "" },
    { type: "get", name: 5 },
    { type: "drop", name: "x" },
    { type: "constructor", name: "x" },
    { type: "set", name: "x" },
    { type: "set", name: "x", value: Number.POSITIVE_INFINITY },
    { type: "cas", name: "x", value: 1 },
    { type: "cas", name: "x", expect: 1 },
    { type: "lock", name: "l" },
    { type: "lock", name: "l", owner: "a", ttl: 0 },
    { type: "lock", name: "l", owner: "a", ttl: 1.5 },
    { type: "lock", name: "l", owner: "a", ttl: null },
    { type: "unlock", name: "l", owner: "a" },
    { type: "unlock", name: "l", owner: "a", token: "1" },
  ])("refuses %j", (value) => expect(registers.parse(value).ok).toBe(false));

  it("keeps known fields only", () => {
    expect(registers.parse({ type: "get", name: "x", other: 1 })).toEqual({
      ok: true,
      command: { type: "get", name: "x" },
    });
  });
});
