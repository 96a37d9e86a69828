import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  emptyFold,
  entryText,
  genesisChain,
  type LogEntry,
  readEntry,
  sealEntry,
} from "../../../src/consensus/index.ts";
import {
  applyEntry,
  findMisfit,
  hashFold,
  KEPT_KEYS,
  type RegisterCommand,
  registers,
} from "../../../src/consensus/internal.ts";

const head = { v: 2, logId: "murmur", term: 1, at: 0 } as const;

/** A log with the office taken in term 1, and a function that adds groups of commands. */
function setup() {
  const fold = emptyFold(registers, "murmur");
  applyEntry(fold, sealEntry({ ...head, type: "office-taken", leader: "1" }, fold.chain));
  return {
    fold,
    add: (commands: { key: string; command: RegisterCommand }[], at = 0) =>
      applyEntry(fold, sealEntry({ ...head, at, type: "commands", commands }, fold.chain)),
  };
}

const set = (key: string, value: number) => ({ key, command: { type: "set", name: "x", value } as const });
const get = (key: string) => ({ key, command: { type: "get", name: "x" } as const });

describe("a key", () => {
  it("is applied once, also inside one entry, and keeps its first result", () => {
    const { add } = setup();
    expect(add([get("a"), set("b", 1), set("b", 2), get("c"), get("a")])).toEqual([
      null,
      true,
      true,
      1,
      null,
    ]);
    expect(add([get("a"), get("d")])).toEqual([null, 1]);
  });

  it("is kept for at least the last 10,000 commands, and is forgotten later", () => {
    const { fold, add } = setup();
    add([get("first")]);
    for (let sent = 0; sent < 10_000; sent += 100) {
      add(Array.from({ length: 100 }, (_, index) => set(`k${sent + index}`, 1)));
    }
    expect(add([get("first")])).toEqual([null]);
    expect(KEPT_KEYS).toBeGreaterThan(10_000);
    for (let sent = 0; sent < KEPT_KEYS; sent++) add([set(`m${sent}`, 2)]);
    expect(fold.results.size).toBe(KEPT_KEYS);
    expect(add([get("first")])).toEqual([2]);
  });
});

describe("the hash", () => {
  it("is equal for equal logs, and differs when only a kept key differs", () => {
    const [one, same, other] = [setup(), setup(), setup()];
    one.add([set("a", 1)]);
    same.add([set("a", 1)]);
    other.add([set("b", 1)]);
    expect(hashFold(one.fold)).toBe(hashFold(same.fold));
    expect(hashFold(one.fold)).not.toBe(hashFold(other.fold));
  });

  it("covers the log's time, which decides about locks", () => {
    const [one, other] = [setup(), setup()];
    one.add([], 5);
    other.add([], 6);
    expect(hashFold(one.fold)).not.toBe(hashFold(other.fold));
  });
});

describe("an entry that does not fit", () => {
  it.each([
    ["a term that does not rise", { ...head, type: "office-taken", leader: "2" }],
    ["the term of no office", { ...head, term: 2, type: "barrier" }],
    ["time that falls", { ...head, at: -1, type: "barrier" }],
  ] as const)("by %s is named", (_, body) => {
    const { fold } = setup();
    expect(findMisfit(fold, { ...body, chain: "" } as LogEntry<RegisterCommand>)).toBeDefined();
  });
});

describe("reading an entry", () => {
  const context = {
    logId: "murmur",
    previousChain: genesisChain("murmur"),
    parseCommand: registers.parse,
  };
  const sealed = sealEntry({ ...head, type: "commands", commands: [set("a", 1)] }, context.previousChain);
  const read = (value: object) => readEntry(JSON.parse(JSON.stringify(value)), context);

  it("does not depend on the order of its fields", () => {
    expect(read(sealed).ok).toBe(true);
    expect(read(Object.fromEntries(Object.entries(sealed).reverse())).ok).toBe(true);
  });

  it("gives the text from sealing, which equals a newly built text", () => {
    const property = fc.property(fc.string({ unit: "binary" }), fc.integer(), fc.nat(), (key, value, at) => {
      const entry = sealEntry(
        { ...head, at, type: "commands", commands: [set(key, value)] },
        context.previousChain,
      );
      for (const text of [entryText(entry), entryText({ ...entry })]) {
        expect(readEntry(JSON.parse(text), context)).toEqual({ ok: true, entry });
      }
    });
    fc.assert(property);
  });

  it.each([
    ["version", { v: 3 }],
    ["version", { v: "2" }],
    ["version", { v: undefined }],
    ["log", { logId: "other" }],
    ["type", { type: "other" }],
    ["chain", { chain: "0".repeat(64) }],
    ["chain", { chain: 5 }],
    ["chain", { at: 1 }],
    ["chain", { commands: [set("a", 2)] }],
    ["chain", { extra: true }],
  ])("notices a changed %s: %j", (word, change) => {
    const result = read({ ...sealed, ...change });
    expect(result).toMatchObject({ ok: false, fault: expect.stringContaining(word) });
  });

  it.each([
    { ...head, type: "commands", commands: {} },
    { ...head, type: "commands", commands: [{ key: "a", command: { type: "drop", name: "x" } }] },
    { ...head, type: "commands", commands: [{ command: { type: "get", name: "x" } }] },
    { ...head, term: "1", type: "barrier" },
    { ...head, type: "office-taken" },
    { ...head, type: "snapshot", seq: 1, hash: "short", object: "o" },
  ])("refuses bad fields under a good chain: %j", (body) => {
    expect(read(sealEntry(body as never, context.previousChain)).ok).toBe(false);
  });
});
