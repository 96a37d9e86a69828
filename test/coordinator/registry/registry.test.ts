import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toChunks } from "../../../src/coordinator/registry/chunks.ts";
import { type Profile, profileOf } from "../../../src/coordinator/registry/profile.ts";
import { addOutcomes, expect as expectOf, RECORD_WINDOW } from "../../../src/coordinator/registry/record.ts";
import {
  agentsOn,
  kindOf,
  LEAVE_REASONS,
  MAX_KINDS,
  MAX_MEMBERS,
  MAX_PER_COMMAND,
  type RegistryCommand,
  registry,
} from "../../../src/coordinator/registry/registry.ts";
import { SILENCE_MS, Sightings } from "../../../src/coordinator/registry/sightings.ts";
import { canonicalJson } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { makeStatus } from "../support.ts";

const profile = (fields: Partial<Profile> = {}): Profile => ({
  ...(profileOf(makeStatus({ id: "a1" })) as Profile),
  ...fields,
});

function setup(...profiles: Profile[]) {
  const state = registry.empty();
  const decide = (command: RegistryCommand) => registry.decide(state, command, 0);
  const join = (...agents: Profile[]) => decide({ type: "members-join", agents });
  if (profiles.length > 0) join(...profiles);
  return { state, decide, join };
}

const outcome = (agent: string, failures = 0): RegistryCommand => ({
  type: "record-add",
  outcomes: [{ agent, capability: "echo", count: 1, failures, totalMs: 100 }],
});

describe("the registry", () => {
  it("holds each id once: a later join replaces the earlier one, also from another host", () => {
    const { state, join } = setup(profile({ host: "h1", capabilities: ["echo", "old"] }));
    join(profile({ host: "h2", capabilities: ["echo"] }));
    expect([...state.byHost.keys()]).toEqual(["h2"]);
    expect([...state.byCapability.keys()]).toEqual(["echo"]);
  });

  it("ignores a leave that names a host on which the agent is not (any more)", () => {
    const { state, decide } = setup(profile({ host: "h2" }));
    const leave = (host: string) =>
      decide({ type: "members-leave", reason: "missing", agents: [{ id: "a1", host }] });
    expect(leave("h1")).toEqual({ left: 0 });
    expect(leave("h2")).toEqual({ left: 1 });
    expect(state.members.size + state.byHost.size + state.byCapability.size).toBe(0);
  });

  it("keeps hosts of one name in two classes apart", () => {
    const [one, other] = [profile({ id: "a1" }), profile({ id: "a2", class: "gpu" })];
    const { state, decide } = setup(one, other);
    expect(agentsOn(state, { host: "h1" })).toEqual(["a1"]);
    expect(agentsOn(state, { class: "gpu", host: "h1" })).toEqual(["a2"]);
    const leave = (agent: { id: string; class?: string }) =>
      decide({ type: "members-leave", reason: "missing", agents: [{ ...agent, host: "h1" }] });
    expect(leave({ id: "a2" })).toEqual({ left: 0 });
    expect(leave({ id: "a1", class: "gpu" })).toEqual({ left: 0 });
    expect(leave({ id: "a2", class: "gpu" })).toEqual({ left: 1 });
    expect(leave({ id: "a1" })).toEqual({ left: 1 });
  });

  it("writes no class for default, so that entries and snapshots of earlier versions have the same hash", () => {
    const status = makeStatus({ id: "a1" });
    expect(profileOf({ ...status, class: "default" })).toEqual(profileOf(status));
    expect(profileOf(status)).not.toHaveProperty("class");
    expect(profileOf({ ...status, class: "gpu" })).toMatchObject({ class: "gpu" });
  });

  it("keeps the record of a kind for the next agent of this kind", () => {
    const { state, decide, join } = setup(profile());
    decide(outcome("a1", 1));
    decide({ type: "members-leave", reason: "missing", agents: [{ id: "a1", host: "h1" }] });
    join(profile({ id: "a2" }));
    expect(state.members.get("a2")?.record.size).toBe(0);
    expect(state.kinds.get(kindOf(profile(), "echo"))).toMatchObject({ count: 1, failures: 1 });
  });

  it("records no outcome of an unknown agent or of a capability that the agent does not offer", () => {
    const { state, decide } = setup(profile({ capabilities: ["other"] }));
    decide(outcome("a1"));
    decide(outcome("stranger"));
    expect(state.kinds.size).toBe(0);
  });

  it("refuses an agent when it is full, and drops the kind that was used least recently", () => {
    const { state, decide, join } = setup();
    for (let from = 0; from < MAX_MEMBERS; from += 250) {
      join(...Array.from({ length: 250 }, (_, n) => profile({ id: `a${from + n}`, role: `r${from + n}` })));
    }
    expect(join(profile({ id: "late" }), profile({ id: "a0", version: "2" }))).toEqual({
      joined: 1,
      refused: 1,
    });
    for (let n = 0; n <= MAX_KINDS; n++) decide(outcome(`a${n}`));
    expect(state.kinds.size).toBe(MAX_KINDS);
    expect(state.kinds.has(kindOf(profile({ role: "r0" }), "echo"))).toBe(false);
  });

  const id = fc.constantFrom("a", "b", "c", "d");
  const host = fc.constantFrom("h1", "h2");
  const command: fc.Arbitrary<RegistryCommand> = fc.oneof(
    fc
      .array(
        fc
          .record({
            id,
            host,
            capabilities: fc.subarray(["echo", "two"]),
            model: fc.constantFrom("m1", "m2"),
          })
          .map((fields) => profile(fields)),
        { minLength: 1, maxLength: 3 },
      )
      .map((agents) => ({ type: "members-join" as const, agents })),
    fc.record({
      type: fc.constant("members-leave" as const),
      reason: fc.constantFrom(...LEAVE_REASONS),
      agents: fc.array(fc.record({ id, host }), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ agent: id, failures: fc.nat(1), totalMs: fc.nat(1_000) }).map((made) => ({
      type: "record-add" as const,
      outcomes: [{ capability: "echo", count: 1, ...made }],
    })),
  );

  it("restored from its JSON decides the same, and its indexes always match its members", () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 30 }),
        fc.array(command, { maxLength: 10 }),
        (before, after) => {
          const { state, decide } = setup();
          for (const each of before) decide(each);
          const copy = registry.fromJson(JSON.parse(JSON.stringify(registry.toJson(state))));
          for (const each of after) {
            expect(canonicalJson(registry.decide(copy, each, 0))).toBe(canonicalJson(decide(each)));
          }
          expect(canonicalJson(registry.toJson(copy))).toBe(canonicalJson(registry.toJson(state)));
          const again = registry.fromJson(registry.toJson(state));
          for (const each of [copy, again]) expect(registry.digest?.(each)).toEqual(registry.digest?.(state));
          const listed = (index: Map<string, Set<string>>) =>
            [...index].flatMap(([key, ids]) => [...ids].map((each) => `${key} ${each}`)).sort();
          const members = [...state.members.values()].map((member) => member.profile);
          expect(listed(state.byHost)).toEqual(members.map((each) => `${each.host} ${each.id}`).sort());
          expect(listed(state.byCapability)).toEqual(
            members.flatMap((each) => each.capabilities.map((name) => `${name} ${each.id}`)).sort(),
          );
        },
      ),
      { numRuns: scaled(125, 500) },
    );
  });
});

it("registries that differ have different digests", () => {
  const { state, decide, join } = setup(profile());
  const seen = new Set<string>();
  const note = () => seen.add(JSON.stringify(registry.digest?.(state)));
  note();
  join(profile({ id: "a2" }));
  note();
  decide(outcome("a2"));
  note();
  decide({ type: "members-leave", reason: "goodbye", agents: [{ id: "a2", host: "h1" }] });
  note();
  join(profile({ version: "2.0.0" }));
  note();
  expect(seen.size).toBe(5);
});

describe("a record", () => {
  it("follows the newest outcomes and counts all", () => {
    let record = addOutcomes(undefined, { count: 200, failures: 200, totalMs: 200_000 });
    expect(record).toEqual({ count: 200, failures: 200, successRate: 0, meanMs: 1_000 });
    for (let n = 0; n < 4 * RECORD_WINDOW; n++) {
      record = addOutcomes(record, { count: 1, failures: 0, totalMs: 10 });
    }
    expect(record.count).toBe(400);
    expect(record.failures).toBe(200);
    expect(record.successRate).toBeGreaterThan(0.95);
    expect(record.meanMs).toBeLessThan(50);
  });

  it("stays within the observed values, in any order of outcomes", () => {
    const outcomes = fc.record({
      count: fc.integer({ min: 1, max: 1_000 }),
      failures: fc.nat(1_000),
      eachMs: fc.nat(9_999),
    });
    fc.assert(
      fc.property(fc.array(outcomes, { minLength: 1 }), (all) => {
        let record = addOutcomes(undefined, { count: 1, failures: 0, totalMs: 0 });
        for (const { count, failures, eachMs } of all) {
          record = addOutcomes(record, { count, failures, totalMs: count * eachMs });
        }
        expect(record.successRate).toBeGreaterThanOrEqual(-1e-9);
        expect(record.successRate).toBeLessThanOrEqual(1 + 1e-9);
        expect(record.meanMs).toBeLessThanOrEqual(Math.max(...all.map(({ eachMs }) => eachMs)) + 1e-6);
        expect(record.count).toBe(1 + all.reduce((sum, { count }) => sum + count, 0));
      }),
    );
  });

  it("is the record of its kind at first, and soon its own", () => {
    const kind = addOutcomes(undefined, { count: 100, failures: 0, totalMs: 1_000 });
    expect(expectOf(undefined, kind)).toEqual({ outcomes: 10, successRate: 1, meanMs: 10 });
    const own = addOutcomes(undefined, { count: 10, failures: 10, totalMs: 1_000 });
    expect(expectOf(own, kind)).toEqual({ outcomes: 10, successRate: 0, meanMs: 100 });
    expect(expectOf(undefined, undefined)).toEqual({ outcomes: 0, successRate: 0, meanMs: null });
  });
});

it("commands are cut to fit an entry, in order, without losing an item", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 2_000 }), { maxLength: 600 }), (items) => {
      const chunks = toChunks(items);
      expect(chunks.flat()).toEqual(items);
      for (const chunk of chunks) {
        expect(chunk.length).toBeGreaterThan(0);
        expect(chunk.length).toBeLessThanOrEqual(MAX_PER_COMMAND);
        expect(chunk.length === 1 || JSON.stringify(chunk).length < 52 * 1_024).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

describe("sightings", () => {
  const heard = (sightings: Sightings, nowMs: number, fields = {}) =>
    sightings.hear(makeStatus({ id: "a1", ...fields }), nowMs);

  it("report an agent as silent after three heartbeats, and only once", () => {
    const sightings = new Sightings(0);
    heard(sightings, 1_000);
    heard(sightings, 2_000, { id: "a2" });
    expect(sightings.takeSilent(1_000 + SILENCE_MS)).toEqual([]);
    expect(sightings.takeSilent(1_001 + SILENCE_MS).map(({ id }) => id)).toEqual(["a1"]);
    expect(sightings.takeSilent(9e9).map(({ id }) => id)).toEqual(["a2"]);
    expect(sightings.size).toBe(0);
  });

  it("do not count time while the coordinator could not receive", () => {
    const sightings = new Sightings(0);
    heard(sightings, 0);
    sightings.restartSilence(60_000);
    expect(sightings.takeSilent(60_000 + SILENCE_MS)).toEqual([]);
    expect(sightings.takeSilent(60_001 + SILENCE_MS)).toHaveLength(1);
  });

  it("take one host name in two classes for two hosts", () => {
    const sightings = new Sightings(0);
    const status = makeStatus({ id: "a1", host: "h1", since: "2026-01-01T00:00:00Z" });
    sightings.hear(status, 0);
    expect(sightings.hear({ ...status, class: "gpu", since: "2025-01-01T00:00:00Z" }, 1)).toEqual({
      type: "conflict",
      kept: "h1",
      refused: "gpu.h1",
      isNews: true,
    });
    expect(sightings.forget("a1", { class: "gpu", host: "h1" })).toBe(false);
    expect(sightings.forget("a1", { host: "h1" })).toBe(true);
  });

  it("believe the newer of two hosts with one agent id, and report the conflict once", () => {
    const sightings = new Sightings(0);
    const old = { host: "h1", since: "2026-01-01T00:00:00.000Z" };
    const young = { host: "h2", since: "2026-01-01T00:00:01.000Z" };
    heard(sightings, 0, old);
    expect(heard(sightings, 1, young)).toEqual({ type: "conflict", kept: "h2", refused: "h1", isNews: true });
    expect(heard(sightings, 2, old)).toMatchObject({ kept: "h2", refused: "h1", isNews: false });
    expect(sightings.get("a1")?.host).toBe("h2");
    expect(sightings.forget("a1", { host: "h1" })).toBe(false);
  });
});
