import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createMember,
  emptyFold,
  type Fold,
  genesisChain,
  loadFold,
  loadLog,
  type MemberEffects,
  type MemberInput,
  readEntry,
  renewFold,
  saveFold,
  sealEntry,
  stepMember,
  viewFold,
} from "../../../src/consensus/index.ts";
import {
  applyEntry,
  hashFold,
  KEPT_KEYS,
  type MemberOptions,
  type RegisterCommand,
  type Registers,
  registers,
  upcast,
} from "../../../src/consensus/internal.ts";
import { canonicalJson, canonicalPieces, type JsonObject, sha256 } from "../../../src/protocol/index.ts";

type RegisterFold = Fold<Registers, RegisterCommand>;

const config = {
  node: "1",
  members: ["1"],
  swarm: "log-a",
  electionTicks: 10,
  heartbeatTicks: 2,
  preVote: true,
  checkQuorum: true,
};

/** A member of a cluster of one, in office, with its log. Every append is stored at once. */
function setup(options: Partial<MemberOptions<Registers, RegisterCommand>> = {}) {
  const member = createMember({ config, seed: 1, commandSet: registers, ...options });
  const log: JsonObject[] = [];
  const step = (input: MemberInput<RegisterCommand>): MemberEffects<RegisterCommand> => {
    const effects = stepMember(member, input);
    let last = effects;
    for (let [next] = effects.appends; next !== undefined; [next] = last.appends) {
      log.push(JSON.parse(JSON.stringify(next.entry)) as JsonObject);
      last = stepMember(member, { type: "accepted", request: next.request, seq: next.expectedLastSeq + 1 });
    }
    return { ...last, ...(effects.error === undefined ? {} : { error: effects.error }) };
  };
  step({ type: "campaign" });
  const set = (key: string, value = key) =>
    step({ type: "command", key, command: { type: "set", name: "x", value } });
  const lock = (key: string) =>
    step({ type: "command", key, command: { type: "lock", name: "l", owner: key, ttl: 5 } });
  return { member, log, step, set, lock };
}

/** The fold in `text`. */
function load(text: string): RegisterFold {
  const loaded = loadFold(registers, text);
  if (!loaded.ok) throw new Error(loaded.fault);
  return loaded.fold;
}

describe("a saved fold", () => {
  const commands: fc.Arbitrary<RegisterCommand> = fc.oneof(
    fc.record({
      type: fc.constant("set" as const),
      name: fc.constantFrom("a", "__proto__", "b"),
      // Every request arrives as JSON, which has no -0.
      value: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value))) as fc.Arbitrary<never>,
    }),
    fc.record({ type: fc.constant("get" as const), name: fc.constantFrom("a", "b") }),
    fc.record({
      type: fc.constant("lock" as const),
      name: fc.constantFrom("l", "m"),
      owner: fc.constantFrom("o", "p"),
      ttl: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({
      type: fc.constant("unlock" as const),
      name: fc.constantFrom("l", "m"),
      owner: fc.constantFrom("o", "p"),
      token: fc.integer({ min: 1, max: 4 }),
    }),
  );
  const groups = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.array(commands, { maxLength: 6 })), {
    maxLength: 12,
  });

  it("has the hash and the text of the saved fold, and gives equal results for later entries", () => {
    fc.assert(
      fc.property(groups, groups, (before, after) => {
        const fold = emptyFold(registers, "log-a", { epoch: 3, seq: 7 });
        applyEntry(
          fold,
          sealEntry({ ...head(fold), term: 4, type: "office-taken", leader: "1" }, fold.chain),
        );
        let keys = 0;
        const add = (target: RegisterFold, first: number, [ticks, group]: (typeof before)[number]) =>
          applyEntry(
            target,
            sealEntry(
              {
                ...head(target),
                at: target.at + ticks,
                type: "commands",
                commands: group.map((command, index) => ({ key: `k${(first + index) % 40}`, command })),
              },
              target.chain,
            ),
          );
        for (const group of before) {
          keys += 6;
          add(fold, keys, group);
        }
        const text = saveFold(fold);
        const loaded = load(text);
        expect(hashFold(loaded)).toBe(hashFold(fold));
        expect(saveFold(loaded)).toBe(text);
        for (const group of after) {
          keys += 6;
          expect(add(loaded, keys, group)).toEqual(add(fold, keys, group));
        }
        expect(hashFold(loaded)).toBe(hashFold(fold));
        expect(saveFold(loaded)).toBe(saveFold(fold));
      }),
    );
  });

  it("forgets the same keys as the saved fold when the ring is full", () => {
    const fold = emptyFold(registers, "log-a");
    const commands = (from: number, count: number) =>
      sealEntry(
        {
          ...head(fold),
          type: "commands",
          commands: Array.from({ length: count }, (_, index) => ({
            key: `k${from + index}`,
            command: { type: "set", name: "x", value: from + index } as const,
          })),
        },
        fold.chain,
      );
    applyEntry(fold, commands(0, KEPT_KEYS + 100));
    const loaded = load(saveFold(fold));
    expect(loaded.results.has("k99")).toBe(false);
    expect(loaded.results.has("k100")).toBe(true);
    const next = commands(KEPT_KEYS + 100, 50);
    applyEntry(fold, next);
    applyEntry(loaded, next);
    expect([...loaded.results.keys()].sort()).toEqual([...fold.results.keys()].sort());
    expect(loaded.keyRing).toEqual(fold.keyRing);
  });

  it("is not changed by later entries", () => {
    const { member, set, lock } = setup();
    set("a");
    lock("l1");
    const view = viewFold(member.office.fold);
    const text = canonicalJson(view);
    set("b");
    lock("l1");
    expect(canonicalJson(view)).toBe(text);
  });

  it.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["an unknown version", JSON.stringify({ v: 2 })],
    ["a missing field", JSON.stringify({ v: 1, logId: "a" })],
  ])("of %s is refused with a reason", (_, text) => {
    expect(loadFold(registers, text)).toMatchObject({ ok: false, fault: expect.stringMatching(/^snapshot/) });
  });
});

describe("text in pieces", () => {
  it("is the canonical text", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect([...canonicalPieces(value as never)].join("")).toBe(canonicalJson(value as never));
      }),
    );
  });
});

function head({ term, at }: { term: number; at: number }) {
  return { v: 2, logId: "log-a", term, at } as const;
}

describe("a member that starts from a snapshot", () => {
  it("behaves like a member that has read the whole log", () => {
    const { member, log, set, lock } = setup();
    set("a");
    lock("b");
    const fold = load(saveFold(member.office.fold));
    set("c");
    lock("d");
    const other = createMember({
      config: { ...config, node: "2", members: ["1", "2"] },
      seed: 1,
      commandSet: registers,
      snapshot: { fold, hash: sha256(saveFold(fold)) },
    });
    expect(other.election.term).toBe(1);
    expect(loadLog(other, log.slice(fold.seq))).toBeUndefined();
    expect(hashFold(other.office.fold)).toBe(hashFold(member.office.fold));
  });

  it("cannot be created with a snapshot of another log", () => {
    const fold = emptyFold(registers, "log-b");
    const make = () =>
      createMember({ config, seed: 1, commandSet: registers, snapshot: { fold, hash: saveFold(fold) } });
    expect(make).toThrow(/log-b was given to a member of log-a/);
  });
});

describe("a checkpoint", () => {
  it("is appended on request in office, and reported with the state at its place", () => {
    const { member, step, set } = setup();
    set("a");
    expect(step({ type: "checkpoint" }).checkpoint).toEqual({ seq: 3, isOwn: true });
    expect(member.office.fold.seq).toBe(3);
  });

  it("is refused out of office", () => {
    const member = createMember({ config, seed: 1, commandSet: registers });
    expect(stepMember(member, { type: "checkpoint" }).error).toBe("not_leader");
    const note = { type: "snapshot", seq: 0, hash: "", object: "" } as const;
    expect(stepMember(member, note).error).toBe("not_leader");
  });

  it("goes after the append in flight and before the queue, and is dropped with the office", () => {
    const { member } = setup();
    const step = (input: MemberInput<RegisterCommand>) => stepMember(member, input);
    const set = (key: string) =>
      step({ type: "command", key, command: { type: "set", name: "x", value: 1 } });
    const [first] = set("a").appends;
    set("b");
    expect(step({ type: "checkpoint" }).appends).toEqual([]);
    expect(step({ type: "checkpoint" }).error).toBe("overloaded");
    const [second] = step({ type: "accepted", request: first!.request, seq: 2 }).appends;
    expect(second?.entry.type).toBe("checkpoint");
    step({ type: "snapshot", seq: 2, hash: "0".repeat(64), object: "o" });
    step({ type: "refused", request: second!.request, lastSeq: 9 });
    expect(member.office.inOffice).toBe(false);
    expect(member.office.notes).toEqual([]);
  });
});

describe("a snapshot entry", () => {
  /** A log with a checkpoint at 3 and the note of its snapshot at 4. */
  function setupLog(hash?: string) {
    const leader = setup();
    leader.set("a");
    leader.step({ type: "checkpoint" });
    const own = sha256(saveFold(leader.member.office.fold));
    leader.step({ type: "hashed", seq: 3, hash: own });
    const effects = leader.step({ type: "snapshot", seq: 3, hash: hash ?? own, object: "o" });
    const follower = createMember({ config: { ...config, node: "2" }, seed: 1, commandSet: registers });
    loadLog(follower, leader.log.slice(0, 3));
    const news = () => stepMember(follower, { type: "stored", seq: 4, entry: leader.log[3]! });
    return { own, effects, follower, news };
  }

  it("is reported with its own sequence", () => {
    const { effects, own } = setupLog();
    expect(effects.snapshot).toEqual({ seq: 3, hash: own, object: "o", entrySeq: 4 });
  });

  it("with an equal hash changes nothing, whether the own hash is known before, after or never", () => {
    for (const when of ["before", "after", "never"]) {
      const { follower, own, news } = setupLog();
      const hashed = () => stepMember(follower, { type: "hashed", seq: 3, hash: own });
      if (when === "before") expect(hashed().error).toBeUndefined();
      expect(news().error).toBeUndefined();
      if (when === "after") expect(hashed().error).toBeUndefined();
    }
  });

  it("with another hash halts the member, whether the own hash is known before or after", () => {
    const fork = /^halted: .*the state at 3 is 1+ here, and [0-9a-f]{64} by the log's snapshot$/;
    const mine = { type: "hashed", seq: 3, hash: "1".repeat(64) } as const;
    const before = setupLog();
    stepMember(before.follower, mine);
    expect(before.news().error).toMatch(fork);
    expect(before.follower.office.fold.seq).toBe(3);
    const after = setupLog();
    after.news();
    expect(stepMember(after.follower, mine).error).toMatch(fork);
  });

  it("that names a sequence which is not before it halts the member", () => {
    const { member, step } = setup();
    step({ type: "snapshot", seq: 9, hash: "0".repeat(64), object: "o" });
    const entry = sealEntry<RegisterCommand>(
      { ...head(member.office.fold), type: "snapshot", seq: 9, hash: "0".repeat(64), object: "o" },
      genesisChain("log-a"),
    );
    const follower = createMember({ config, seed: 1, commandSet: registers });
    expect(loadLog(follower, [entry as unknown as JsonObject])).toBeDefined();
  });

  it("after the start confirms the member's own snapshot, or halts the member", () => {
    const leader = setup();
    leader.step({ type: "checkpoint" });
    const text = saveFold(leader.member.office.fold);
    leader.step({ type: "snapshot", seq: 2, hash: sha256(text), object: "o" });
    const begin = (hash: string) =>
      loadLog(
        createMember({ config, seed: 1, commandSet: registers, snapshot: { fold: load(text), hash } }),
        leader.log.slice(2),
      );
    expect(begin(sha256(text))).toBeUndefined();
    expect(begin("0".repeat(64))).toMatch(/by the log's snapshot/);
  });
});

describe("a fold that starts a new epoch", () => {
  it("keeps state, keys and log time, and gets a higher term, a new chain and higher tokens", () => {
    const { member, lock } = setup();
    lock("a");
    const fold = renewFold(member.office.fold, { epoch: 2, seq: 1_000, term: 50, skip: 1_000_000 });
    expect(fold).toMatchObject({ epoch: 2, seq: 1_000, term: 50, leader: null });
    expect(fold.chain).toBe(genesisChain("log-a", 2));
    expect(fold.results.get("a")).toEqual({ token: 1 });
    const next = setup({ snapshot: { fold: load(saveFold(fold)), hash: "" } });
    for (let tick = 0; tick < 6; tick++) next.step({ type: "tick" });
    expect(next.lock("b").answers).toEqual([{ key: "b", ok: true, value: { token: 1_000_002 } }]);
    expect(next.member.office.fold.term).toBe(51);
  });
});

describe("entries of version 1", () => {
  const context = { logId: "log-a", previousChain: genesisChain("log-a"), parseCommand: registers.parse };
  const old = (body: object) =>
    sealEntry({ v: 1, logId: "log-a", term: 1, at: 0, ...body } as never, context.previousChain);

  it("are checked with their own chain, and returned in the newest version", () => {
    const entry = old({ type: "office-taken", leader: "1" });
    const read = readEntry(entry as unknown as JsonObject, context);
    expect(read).toMatchObject({ ok: true, entry: { v: 2, type: "office-taken", chain: entry.chain } });
  });

  it("cannot be checkpoints or snapshots", () => {
    const read = readEntry(old({ type: "checkpoint" }) as unknown as JsonObject, context);
    expect(read).toEqual({ ok: false, fault: "entry type is unknown" });
  });
});

describe("upcasting", () => {
  const table = {
    1: ({ name, ...rest }: JsonObject) => ({ ...rest, title: name! }),
    2: (value: JsonObject) => ({ ...value, tags: [] }),
  };

  it("converts one version at a time", () => {
    const raised = upcast({ v: 1, name: "a" }, table, 3);
    expect(raised).toEqual({ ok: true, value: { v: 3, title: "a", tags: [] } });
  });

  it.each([0, 4, "1", null, 1.5])("refuses the version %j", (v) => {
    const fault = `version ${JSON.stringify(v)} is unknown; known: 1, 2, 3`;
    expect(upcast({ v }, table, 3)).toEqual({ ok: false, fault });
  });
});
