import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Chance, seededChance } from "../../../src/base/index.ts";
import { drawBeta } from "../../../src/coordinator/placement/beta.ts";
import {
  type Candidate,
  chooseNamed,
  choose as chooseOfKinds,
  groupKinds,
  MAX_PER_KIND,
} from "../../../src/coordinator/placement/choose.ts";
import { pick as pickOfKinds } from "../../../src/coordinator/placement/pick.ts";
import {
  findTriggers,
  matchExpertise,
  readWanted,
  type Wanted,
} from "../../../src/coordinator/placement/skills.ts";
import { type Profile, profileOf } from "../../../src/coordinator/registry/profile.ts";
import { MAX_REASONS } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { makeStatus } from "../support.ts";

interface Given extends Partial<Profile> {
  takesWork?: boolean;
  load?: number;
  tasks?: number;
  outcomes?: number;
  successRate?: number;
  meanMs?: number | null;
}

function candidate(id: string, given: Given = {}): Candidate {
  const { takesWork = true, load = 0, tasks = load, ...more } = given;
  const { outcomes = 0, successRate = 0, meanMs = null, ...fields } = more;
  return {
    profile: { ...(profileOf(makeStatus({ id })) as Profile), ...fields },
    takesWork,
    load,
    tasks,
    expectation: { outcomes, successRate, meanMs },
  };
}

const choose = (candidates: Candidate[], ...rest: [Wanted, Chance]) =>
  chooseOfKinds(groupKinds(candidates), ...rest);
const pick = (candidates: Candidate[], ...rest: [Parameters<typeof pickOfKinds>[1], Chance]) =>
  pickOfKinds(groupKinds(candidates), ...rest);
const anything = readWanted();

/** The number of times that each agent is chosen in `times` choices. */
function count(candidates: Candidate[], wanted = anything, times = 1_000): Map<string, number> {
  const chance = seededChance(7);
  const counts = new Map<string, number>();
  for (let n = 0; n < times; n++) {
    const agent = choose(candidates, wanted, chance)?.agent ?? "nobody";
    counts.set(agent, (counts.get(agent) ?? 0) + 1);
  }
  return counts;
}

describe("the choice of an agent", () => {
  const given = fc.record({
    takesWork: fc.boolean(),
    load: fc.nat(20),
    slots: fc.nat(8),
    outcomes: fc.nat(60),
    successRate: fc.double({ min: 0, max: 1, noNaN: true }),
    meanMs: fc.option(fc.nat(10_000)),
    expertise: fc.subarray(["search", "backend"]),
    triggers: fc.subarray(["sql", "slow query"]),
  });
  const swarm = fc
    .array(given, { maxLength: 12 })
    .map((all) => all.map((each, n) => candidate(`a${n}`, each)));
  const wanted = fc.constantFrom(anything, readWanted({ expertise: "search" }, "a slow query in sql"));

  it("is never an agent that takes no work, nor a full one while another is free", () => {
    fc.assert(
      fc.property(swarm, wanted, fc.nat(), (candidates, task, seed) => {
        const choice = choose(candidates, task, seededChance(seed));
        const open = candidates.filter(({ takesWork }) => takesWork);
        const free = open.filter(({ load, profile }) => load < profile.slots);
        const spare = open.filter(({ load, profile }) => load < 2 * profile.slots);
        const allowed = free.length > 0 ? free : spare;
        if (allowed.length === 0) expect(choice).toBeNull();
        else expect(allowed.map(({ profile }) => profile.id)).toContain(choice?.agent);
      }),
      { numRuns: scaled(400, 2_000) },
    );
  });

  it("is the same for the same seed, and its score is the sum of its reasons", () => {
    fc.assert(
      fc.property(swarm, wanted, fc.nat(), (candidates, task, seed) => {
        const choice = choose(candidates, task, seededChance(seed));
        expect(choose(candidates, task, seededChance(seed))).toEqual(choice);
        if (choice === null) return;
        const sum = choice.reasons.reduce((total, { weight = 0 }) => total + weight, 0);
        expect(choice.score).toBeCloseTo(sum, 1);
        expect(choice.reasons.length).toBeLessThanOrEqual(MAX_REASONS);
        expect(JSON.stringify(choice)).not.toMatch(/null|NaN/);
      }),
      { numRuns: scaled(200, 1_000) },
    );
  });

  it("tries every agent while there are no outcomes", () => {
    const counts = count(["a", "b", "c", "d"].map((id) => candidate(id)));
    for (const times of counts.values()) expect(times).toBeGreaterThan(150);
    expect(counts.size).toBe(4);
  });

  it("is mostly the agent with the better record, and sometimes another", () => {
    const counts = count([
      candidate("good", { outcomes: 20, successRate: 0.95, meanMs: 100 }),
      candidate("bad", { outcomes: 20, successRate: 0.5, meanMs: 100 }),
      candidate("new"),
    ]);
    expect(counts.get("good")).toBeGreaterThan(800);
    expect(counts.get("new")).toBeGreaterThan(10);
    expect(counts.get("bad") ?? 0).toBeLessThan(20);
  });

  it("learns: it leaves an agent that fails, and returns to it when it succeeds again", () => {
    const made = { a: { done: 0, good: 0 }, b: { done: 0, good: 0 } };
    const chance = seededChance(3);
    const run = (rate: { a: number; b: number }, times: number) => {
      const chosen = { a: 0, b: 0 };
      for (let n = 0; n < times; n++) {
        const candidates = (["a", "b"] as const).map((id) => {
          const { done, good } = made[id];
          return candidate(id, { outcomes: done, successRate: done === 0 ? 0 : good / done, meanMs: 1 });
        });
        const agent = choose(candidates, anything, chance)?.agent as "a" | "b";
        chosen[agent]++;
        made[agent].done++;
        if (chance.next() < rate[agent]) made[agent].good++;
        if (made[agent].done > 50) {
          made[agent].good *= 50 / made[agent].done;
          made[agent].done = 50;
        }
      }
      return chosen;
    };
    expect(run({ a: 0.95, b: 0.3 }, 300).a).toBeGreaterThan(240);
    run({ a: 0.3, b: 0.95 }, 500);
    expect(run({ a: 0.3, b: 0.95 }, 300).b).toBeGreaterThan(240);
  });

  it("goes to the agent that knows the subject, and gives the reason", () => {
    const candidates = [
      candidate("search", { role: "search", expertise: ["lucene"], triggers: ["full text"] }),
      candidate("backend", { role: "backend", outcomes: 20, successRate: 0.9, meanMs: 10 }),
    ];
    const task = readWanted({ expertise: "Search, lucene" }, "Why is the Full-Text index slow?");
    const choice = choose(candidates, task, seededChance(1));
    expect(choice).toMatchObject({ agent: "search" });
    expect(choice?.reasons[0]).toEqual({ what: "expertise", value: 1, weight: 4 });
    expect(choice?.reasons).toContainEqual({ what: "triggers", value: "full text", weight: 1 });
    expect(choice?.reasons.at(-1)).toEqual({ what: "agents compared", value: 2 });
  });

  it("prefers free and fast agents among equals", () => {
    const equal = { outcomes: 50, successRate: 0.9, meanMs: 100 };
    expect(
      count([candidate("free", equal), candidate("busy", { ...equal, load: 7 })]).get("free"),
    ).toBeGreaterThan(990);
    const slow = candidate("slow", { ...equal, meanMs: 2_000 });
    expect(count([candidate("fast", equal), slow]).get("fast")).toBeGreaterThan(990);
  });

  it("lets seats of ballots queue where all agents are busy, and counts them as load while one is free", () => {
    const seated = candidate("seated", { load: 40, tasks: 0 });
    expect(choose([seated], anything, seededChance(1))?.agent).toBe("seated");
    expect(count([seated, candidate("free", { load: 7 })]).get("free")).toBe(1_000);
  });

  it("compares a bounded part of a large swarm, of every kind, and all agents before it chooses a full one", () => {
    let looked = 0;
    const many = Array.from({ length: 20_000 }, (_, n) => {
      const { expectation, ...fields } = candidate(`a${n}`, {
        role: n === 7_777 ? "rare" : "common",
        load: 8,
      });
      return {
        ...fields,
        load: n === 123 || n === 7_777 ? 0 : 8,
        get expectation() {
          looked++;
          return expectation;
        },
      };
    });
    expect(choose(many, readWanted({ role: "rare" }), seededChance(1))?.agent).toBe("a7777");
    expect(looked).toBeLessThanOrEqual(MAX_PER_KIND + 1);
    const common = many.filter(({ profile }) => profile.role === "common");
    expect(choose(common, anything, seededChance(1))?.agent).toBe("a123");
  });

  it("of a named agent is that agent, if it offers the capability and takes work", () => {
    expect(chooseNamed(candidate("a"), "echo")).toMatchObject({ agent: "a", host: "h1" });
    expect(() => chooseNamed(candidate("a"), "other")).toThrow(
      expect.objectContaining({ code: "invalid_input", field: "route" }),
    );
    for (const state of [{ takesWork: false }, { load: 16 }]) {
      expect(() => chooseNamed(candidate("a", state), "echo")).toThrow(
        expect.objectContaining({ code: "unavailable" }),
      );
    }
  });
});

describe("skills", () => {
  const profile = candidate("a", {
    role: "Search",
    expertise: ["SQL"],
    triggers: ["slow query", "c++", "índice"],
  }).profile;

  it.each([
    [{}, null],
    [{ expertise: "sql" }, 1],
    [{ expertise: "sql, devops" }, 0.5],
    [{ role: "search", expertise: "sql" }, 1],
    [{ expertise: " , " }, null],
  ])("of labels %j match by %s", (labels, share) => {
    expect(matchExpertise(profile, readWanted(labels as Record<string, string>))).toBe(share);
  });

  it.each([
    ["A SLOW\n  query!", ["slow query"]],
    ["slow queryset", []],
    ["El Índice falta", ["índice"]],
    ["plain c, and c#", []],
    ["in C++.", ["c++"]],
    ["", []],
  ])("in %j are triggered by %j", (text, found) => {
    expect(findTriggers(profile, readWanted({}, text))).toEqual(found);
  });
});

describe("several agents for one question", () => {
  const of = (models: (string | undefined)[]) =>
    models.map((model, n) => candidate(`a${n}`, model === undefined ? {} : { model }));
  const request = { count: 3, wanted: anything } as const;

  it("differ, and also in their models as far as there are enough models", () => {
    const candidates = of(["m1", "m1", "m1", "m2", "m3"]);
    for (let seed = 0; seed < 50; seed++) {
      const picked = pick(candidates, { ...request, diversity: "model" }, seededChance(seed));
      const models = picked.map(({ agent }) => candidates[Number(agent.slice(1))]?.profile.model);
      expect(new Set(models)).toEqual(new Set(["m1", "m2", "m3"]));
    }
    const few = pick(of(["m1", "m1", "m2"]), { ...request, diversity: "model" }, seededChance(1));
    expect(new Set(few.map(({ agent }) => agent)).size).toBe(3);
  });

  it("are free as long as there are free ones, however many of their kind are busy", () => {
    const load = fc.constantFrom(0, 4, 4, 4, 8); // of four slots: free, busy, full
    const property = fc.property(
      fc.array(load, { maxLength: 120 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom("agent", "model", "none"),
      fc.nat(),
      (loads, count, diversity, seed) => {
        const candidates = loads.map((each, n) => candidate(`a${n}`, { load: each, slots: 4 }));
        const picked = pick(candidates, { count, wanted: anything, diversity }, seededChance(seed));
        const first = new Set(picked.map(({ agent }) => agent));
        const free = loads.flatMap((each, n) => (each === 0 ? [`a${n}`] : []));
        const able = loads.filter((each) => each < 8).length;
        expect(first.size).toBe(Math.min(count, able));
        expect(free.filter((id) => first.has(id))).toHaveLength(Math.min(count, free.length));
        if (diversity !== "none") expect(picked).toHaveLength(first.size);
      },
    );
    fc.assert(property, { numRuns: scaled(150, 500) });
  });

  it("are fewer when there are not enough, unless one agent may answer twice", () => {
    const exclude = new Set(["a0"]);
    const candidates = of(["m1", "m2"]);
    expect(pick(candidates, { ...request, exclude, diversity: "agent" }, seededChance(1))).toHaveLength(1);
    const again = pick(candidates, { ...request, exclude, diversity: "none" }, seededChance(1));
    expect(again.map(({ agent }) => agent)).toEqual(["a1", "a1", "a1"]);
  });
});

it("draws from Beta have its mean and its variance", () => {
  for (const [a, b] of [
    [1, 1],
    [3, 7],
    [50, 2],
  ] as const) {
    const chance = seededChance(5);
    const draws = Array.from({ length: 20_000 }, () => drawBeta(a, b, chance));
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    expect(mean).toBeCloseTo(a / (a + b), 1.8);
    expect(variance).toBeCloseTo((a * b) / ((a + b) ** 2 * (a + b + 1)), 2.5);
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws)).toBeLessThanOrEqual(1);
  }
});
