import { describe, expect, test } from "vitest";
import { PROBLEM_NAMES, PROBLEMS, runbookOf } from "../../../src/app/problems/catalogue.ts";
import {
  AGENTLESS_MS,
  DEAD_WINDOW_MS,
  findProblems,
  findUnknown,
  LATE_MS,
  MOVERLESS_MS,
  type ProblemFacts,
  VACANT_MS,
} from "../../../src/app/problems/find.ts";
import { ENGINELESS_MS, LANE_STALL_MS } from "../../../src/app/problems/find-runs.ts";
import { countAble } from "../../../src/app/problems/watch.ts";
import { seededChance } from "../../../src/base/index.ts";
import type { AgentStatus } from "../../../src/protocol/index.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const agoIso = (ms: number) => new Date(NOW - ms).toISOString();

const agent = (more: Partial<AgentStatus> = {}): AgentStatus => ({
  ...{ id: "echo-1", role: "echo", capabilities: ["echo"], state: "idle", waiting: null, loop: 1 },
  ...{ slots: { used: 0, total: 4 }, host: "h", pid: 1, since: agoIso(0), version: "1", class: "default" },
  ...more,
});
const queue = (more: object = {}) => ({
  ...{ capability: "echo", priority: "normal", pending: 0, inFlight: 0, oldestAtMs: null },
  ...more,
});
const stream = (more: object = {}) => ({
  ...{ stream: "tasks", messages: 1, lastSeq: 9, bytes: 10, limitBytes: 100, refusesWhenFull: true },
  ...more,
});

const GOOD: ProblemFacts = {
  nowMs: NOW,
  disconnectedAtMs: null,
  queues: [queue()],
  paused: new Set(),
  agents: [agent()],
  silentSinceMs: null,
  streams: { streams: [stream()], later: 0 },
  due: { oldest: null },
  newDead: [],
  office: { leader: "c1", coordinators: 3, lag: 0, leaderSeenAtMs: NOW, vacantSinceMs: null, wasHeld: true },
  workflows: {
    ...{ engines: 1, lanes: [], counts: { blocked: 0, compensation_failed: 0, approval: 0 }, runs: [] },
    ...{ orphans: null, enginelessSinceMs: null },
  },
  people: { tasks: [], unseen: 0 },
  ages: { queues: 500, streams: null },
};
const runs = (...stuck: object[]) =>
  ({
    workflows: {
      ...GOOD.workflows,
      runs: stuck.map((run, at) => ({
        id: `o-${at}`,
        name: "order",
        version: 3,
        sinceMs: NOW - 120_000,
        ...run,
      })),
    },
  }) as unknown as Partial<ProblemFacts>;
const withoutEngine = (orphans: object, forMs = ENGINELESS_MS) =>
  ({
    workflows: {
      ...GOOD.workflows,
      ...{ engines: 0, enginelessSinceMs: NOW - forMs },
      orphans: { runs: 0, commands: 0, oldestAtMs: null, isCut: false, ...orphans },
    },
  }) as Partial<ProblemFacts>;
const lane = (stalledForMs: number) =>
  ({
    workflows: {
      ...GOOD.workflows,
      lanes: [{ lane: "w03", pending: 7, stalledSinceMs: NOW - stalledForMs }],
    },
  }) as Partial<ProblemFacts>;
const waiting = [
  queue({ pending: 3, oldestAtMs: NOW - 12_000 }),
  queue({ priority: "low", pending: 2, oldestAtMs: NOW - 90_000 }),
];
const busy = agent({ state: "working", slots: { used: 4, total: 4 } });
const vacant = {
  leader: null,
  coordinators: 0,
  lag: 0,
  leaderSeenAtMs: NOW - VACANT_MS,
  vacantSinceMs: NOW - VACANT_MS,
  wasHeld: true,
};

test("a swarm in order has no problem, and no part of it is unknown", () => {
  expect(findProblems(GOOD)).toEqual([]);
  expect(findUnknown(GOOD)).toEqual([]);
});

describe("facts and their problems", () => {
  test.each<[string, Partial<ProblemFacts>, object[]]>([
    [
      "no connection, and nothing else is told",
      { disconnectedAtMs: NOW - 7_000, agents: [], queues: waiting },
      [
        {
          name: "MurmurNatsUnreachable",
          severity: "page",
          since: agoIso(7_000),
          cause: expect.stringContaining("no connection for 7 s"),
        },
      ],
    ],
    [
      "tasks wait and no agent offers the capability",
      { agents: [], queues: waiting },
      [
        {
          name: "MurmurCapabilityWithoutAgents",
          effect: "late",
          since: agoIso(90_000),
          hit: { capabilities: ["echo"], tasks: 5, oldest: agoIso(90_000) },
          cause: "5 tasks of echo wait, the oldest for 90 s; no living agent offers it",
        },
      ],
    ],
    [
      "its agents are failed",
      { agents: [agent({ state: "failed" })], queues: waiting },
      [
        {
          name: "MurmurCapabilityWithoutAgents",
          cause: expect.stringContaining("none of its 1 agents takes work (1 failed)"),
        },
        {
          name: "MurmurAgentsGivenUp",
          hit: { capabilities: ["echo"] },
          cause: "1 agents of echo are failed: echo-1",
        },
      ],
    ],
    [
      "the tasks came a moment ago",
      { agents: [], queues: [queue({ pending: 1, oldestAtMs: NOW - AGENTLESS_MS + 1 })] },
      [],
    ],
    ["the capability is paused", { agents: [], queues: waiting, paused: new Set(["echo"]) }, []],
    [
      "only tasks of placed queues wait",
      { agents: [], queues: [queue({ capability: "-", priority: "placed", pending: 1, oldestAtMs: 0 })] },
      [],
    ],
    [
      "no coordinator answers",
      { office: vacant },
      [
        {
          name: "MurmurOfficeVacant",
          severity: "page",
          since: agoIso(VACANT_MS),
          cause: expect.stringContaining("no coordinator answers; the last leader was seen 2 s ago"),
        },
      ],
    ],
    [
      "coordinators answer and none leads",
      { office: { ...vacant, coordinators: 2, leaderSeenAtMs: null } },
      [
        {
          name: "MurmurOfficeVacant",
          since: agoIso(VACANT_MS),
          cause: "2 coordinators answer, and none leads; tasks of the queues flow",
        },
      ],
    ],
    [
      "the last roll call is older than the wait",
      { agents: [], queues: [queue({ pending: 1, oldestAtMs: NOW - 3_000 })], ages: { agents: 2_000 } },
      [],
    ],
    ["the last look at a vacant office is older than its grace", { office: vacant, ages: { office: 1 } }, []],
    ["an election is on its way", { office: { ...vacant, vacantSinceMs: NOW - VACANT_MS + 1 } }, []],
    ["the swarm never had a coordinator", { office: { ...vacant, wasHeld: false } }, []],
    ["a coordinator lags", { office: { ...GOOD.office!, lag: 1_001 } }, [{ name: "MurmurOfficeLogLag" }]],
    [
      "a stream is almost full",
      { streams: { streams: [stream({ bytes: 90 })], later: 0 } },
      [
        {
          name: "MurmurStreamAlmostFull",
          severity: "page",
          cause: expect.stringContaining("tasks holds 90 of 100 bytes (90 %)"),
        },
      ],
    ],
    [
      "the stream of shared values is almost full",
      {
        streams: { streams: [stream({ stream: "shared", bytes: 95 })], later: 0 },
      },
      [
        {
          name: "MurmurStreamAlmostFull",
          cause: expect.stringMatching(/shared holds 95 .* changes of shared values fail with rate_limited$/),
          hit: expect.objectContaining({ tasks: null }),
          commands: expect.arrayContaining(["murmur workflow shared <run>"]),
        },
      ],
    ],
    [
      "a full stream drops its oldest messages",
      { streams: { streams: [stream({ bytes: 99, refusesWhenFull: false })], later: 0 } },
      [],
    ],
    [
      "one due task is the oldest for two looks: no mover moves it",
      { due: { oldest: { dueAtMs: NOW - 3_000, oldestSinceMs: NOW - MOVERLESS_MS } } },
      [
        {
          name: "MurmurDelayedTasksLate",
          since: agoIso(3_000),
          cause: "the oldest due task has waited for a mover for 3 s",
        },
      ],
    ],
    [
      "a due task was seen a moment ago, and the last look is as old",
      {
        due: { oldest: { dueAtMs: NOW - 9_000, oldestSinceMs: NOW - MOVERLESS_MS } },
        ages: { due: 1 },
      },
      [],
    ],
    [
      "movers move, and are late",
      { due: { oldest: { dueAtMs: NOW - LATE_MS, oldestSinceMs: NOW } } },
      [{ name: "MurmurDelayedTasksLate", since: agoIso(LATE_MS) }],
    ],
    [
      "the server hangs, so nothing else is known",
      { silentSinceMs: NOW - 4_000, office: vacant, ages: { queues: 99_000 } },
      [
        {
          name: "MurmurNatsUnreachable",
          since: agoIso(4_000),
          cause:
            "the server has answered no ping of this api process for 4 s, and the connection stands; stored tasks are safe, and wait",
        },
      ],
    ],
    [
      "dead letters are new",
      {
        newDead: [
          { capability: "echo", code: "tool_failed", atMs: NOW - 60_000 },
          { capability: "echo", code: "tool_failed", atMs: NOW - 1_000 },
          { capability: "echo", code: null, atMs: NOW - DEAD_WINDOW_MS },
          { capability: "plan", code: null, atMs: NOW - 5_000 },
        ],
      },
      [
        {
          name: "MurmurDeadLettersGrowing",
          effect: "failed",
          hit: { capabilities: ["echo"], tasks: 2, oldest: agoIso(60_000) },
          cause: expect.stringContaining("2 tool_failed"),
        },
        {
          name: "MurmurDeadLettersGrowing",
          hit: { capabilities: ["plan"] },
          cause: expect.stringContaining("1 unknown code"),
        },
      ],
    ],
    [
      "every slot is in use and tasks are late",
      { agents: [busy], queues: [queue({ pending: 2, oldestAtMs: NOW - 61_000 })] },
      [
        {
          name: "MurmurSlotsSaturated",
          hit: { capabilities: ["echo"], tasks: 2 },
          cause: expect.stringContaining("all 4 slots of the 1 agents of echo are in use"),
        },
      ],
    ],
    [
      "every slot is in use and tasks are within their time",
      { agents: [busy], queues: [queue({ pending: 2, oldestAtMs: NOW - 59_000 })] },
      [],
    ],
    [
      "a compensation failed, and two runs wait",
      runs(
        { kind: "compensation_failed", path: "charge" },
        { kind: "compensation_failed", path: "charge", sinceMs: NOW },
      ),
      [
        {
          name: "MurmurCompensationFailed",
          severity: "page",
          effect: "failed",
          since: agoIso(120_000),
          hit: { workflows: ["order"], tasks: 2, oldest: agoIso(120_000) },
          cause:
            "run o-0 and 1 more of order is half undone: the compensation of its step charge failed; it waits for a person",
          commands: [
            "murmur workflow show o-0",
            "murmur workflow resume o-0",
            "murmur workflow resume o-0 --skip charge --note TEXT",
          ],
        },
      ],
    ],
    [
      "runs are blocked, each with the reason and the step that lets it go on",
      runs(
        { kind: "blocked", cause: "changed", message: "the log has charge, the code asks for pay" },
        { kind: "blocked", name: "trip", cause: "crashes", message: "its decision ended three engines" },
        { kind: "blocked", name: "wide", cause: "version", message: "no engine has loaded wide v3" },
      ),
      [
        {
          name: "MurmurWorkflowStalled",
          hit: { workflows: ["order"], tasks: 1 },
          cause:
            "run o-0 of order v3 is blocked (changed: the log has charge, the code asks for pay); an engine with code that fits their logs lets them go on",
        },
        { hit: { workflows: ["trip"] }, commands: expect.arrayContaining(["murmur workflow resume o-1"]) },
        {
          hit: { workflows: ["wide"] },
          cause: expect.stringContaining("an engine that has loaded their version"),
        },
      ].map((each) => ({ name: "MurmurWorkflowStalled", ...each })),
    ],
    [
      "a run waits for the decision of a person",
      runs({ kind: "approval", path: "check", by: ["ops", "boss"], dueMs: NOW + 3_600_000 }),
      [
        {
          name: "MurmurWorkflowWaitsForPerson",
          severity: "ticket",
          since: agoIso(120_000),
          cause:
            "run o-0 of order waits for the decision check of ops or boss for 2 min, at most 60 min longer",
          commands: [
            "murmur workflow show o-0",
            "murmur workflow approve o-0 check",
            "murmur workflow reject o-0 check",
          ],
        },
      ],
    ],
    [
      "commands wait and no engine answers",
      withoutEngine({ runs: 4, commands: 2, oldestAtMs: NOW - 9_000 }),
      [
        {
          name: "MurmurWorkflowStalled",
          since: agoIso(9_000),
          hit: { tasks: 4, oldest: agoIso(9_000) },
          cause: "no engine answers, and 4 runs and 2 commands wait for one; an engine lets them go on",
        },
      ],
    ],
    ["an engine restarts", withoutEngine({ runs: 4 }, ENGINELESS_MS - 1), []],
    ["no engine answers, and nothing waits for one", withoutEngine({}), []],
    [
      "a lane stores no decision while messages wait",
      lane(LANE_STALL_MS),
      [
        {
          name: "MurmurWorkflowStalled",
          since: agoIso(LANE_STALL_MS),
          cause: expect.stringContaining("7 results and commands wait in the lanes w03"),
        },
      ],
    ],
    ["messages of a lane wait for a moment", lane(LANE_STALL_MS - 1), []],
    [
      "tasks wait for a person",
      {
        people: {
          tasks: [
            { taskId: "t1", capability: "bill", steps: ["pay"], sinceMs: NOW - 90_000 },
            { taskId: "t2", capability: "bill", steps: ["pay"], sinceMs: NOW },
          ],
          unseen: 3,
        },
      },
      [
        {
          name: "MurmurTaskWaitsForPerson",
          since: agoIso(90_000),
          hit: { capabilities: ["bill"], tasks: 2, oldest: agoIso(90_000) },
          cause:
            "task t1, and 1 more waits for 90 s: its step pay began, and no record tells how it ended; 3 delayed tasks were not looked at",
          commands: expect.arrayContaining(["murmur task settle t1 pay --not-done"]),
        },
      ],
    ],
    [
      "facts are old",
      { ages: { queues: 30_000, streams: 100, agents: null } },
      [{ name: "MurmurFactsStale", effect: "blind", cause: "not read for 30 s: queues" }],
    ],
  ])("%s", (_, facts, expected) => {
    const found = findProblems({ ...GOOD, ...facts });
    expect(found.map(({ name }) => name)).toEqual(expected.map((each) => (each as { name: string }).name));
    expect(found).toMatchObject(expected);
  });
});

test("the gauge counts the agents of each capability that take its tasks, and 0 when none does", () => {
  const agents = [
    agent(),
    agent({ id: "echo-2", state: "draining" }),
    agent({ id: "plan-1", capabilities: ["plan", "echo"] }),
    agent({ id: "draw-1", capabilities: ["draw"], state: "failed" }),
  ];
  expect(countAble(agents)).toEqual([
    { labels: { capability: "echo" }, value: 2 },
    { labels: { capability: "plan" }, value: 1 },
    { labels: { capability: "draw" }, value: 0 },
  ]);
});

/** Facts with random parts from those of the table, by a seed. */
function randomFacts(seed: number): ProblemFacts {
  const chance = seededChance(seed);
  const pick = <T>(...options: T[]): T => options[Math.floor(chance.next() * options.length)] as T;
  return {
    ...GOOD,
    queues: pick(null, GOOD.queues, waiting, [
      queue({ capability: "plan", pending: 9, oldestAtMs: NOW - 9_000 }),
      ...waiting,
    ]),
    agents: pick(
      null,
      [],
      [agent()],
      [agent({ state: "failed" })],
      [busy, agent({ state: "draining", id: "echo-2" })],
    ),
    paused: pick(null, new Set<string>(), new Set(["echo"])),
    streams: pick(null, GOOD.streams, { streams: [stream({ bytes: 95 })], later: 2 }),
    due: pick(null, GOOD.due, { oldest: { dueAtMs: NOW - 99_000, oldestSinceMs: NOW } }),
    newDead: pick(null, [], [{ capability: "echo", code: "internal", atMs: NOW - 1 }]),
    office: pick(null, GOOD.office, vacant),
    workflows: pick(
      null,
      GOOD.workflows,
      runs({ kind: "blocked" }, { kind: "approval" }, { kind: "blocked", name: "trip" }).workflows ?? null,
      withoutEngine({ runs: 1 }).workflows ?? null,
      lane(LANE_STALL_MS).workflows ?? null,
    ),
    people: pick(null, {
      tasks: [{ taskId: "t", capability: "echo", steps: ["pay"], sinceMs: NOW }],
      unseen: 0,
    }),
    ages: pick({}, { queues: 99_000 }),
  };
}
const seeds = Array.from({ length: 200 }, (_, seed) => seed);

test("an unknown part adds no problem and takes no other away", () => {
  for (const seed of seeds) {
    const facts = randomFacts(seed);
    const keysOf = (found: ReturnType<typeof findProblems>) =>
      found.map(({ name, hit }) => `${name} ${hit.capabilities} ${hit.workflows}`);
    const names = keysOf(findProblems(facts));
    for (const part of ["office", "newDead", "streams", "due", "workflows", "people"] as const) {
      const less = keysOf(findProblems({ ...facts, [part]: null }));
      expect(names, `seed ${seed} without ${part}`).toEqual(expect.arrayContaining(less));
      const own = {
        office: /^MurmurOffice/,
        newDead: /^MurmurDead/,
        streams: /^MurmurStream/,
        due: /^MurmurDelayed/,
        workflows: /^Murmur(Workflow|Compensation)/,
        people: /^MurmurTaskWaits/,
      }[part];
      expect(less, `seed ${seed} without ${part}`).toEqual(names.filter((name) => !own.test(name)));
    }
  }
});

test("problems come in the order of the catalogue, each once for its capabilities and workflows, with cause, runbook and commands", () => {
  for (const seed of seeds) {
    const found = findProblems(randomFacts(seed));
    const ranks = found.map(({ name }) => PROBLEM_NAMES.indexOf(name));
    expect(ranks, `seed ${seed}`).toEqual([...ranks].sort((a, b) => a - b));
    const keys = found.map(({ name, hit }) => `${name} ${hit.capabilities} ${hit.workflows}`);
    expect(new Set(keys).size, `seed ${seed}`).toBe(keys.length);
    for (const { name, severity, cause, runbook, commands, since } of found) {
      expect({ severity, runbook }).toEqual({ severity: PROBLEMS[name].severity, runbook: runbookOf(name) });
      expect(cause).not.toBe("");
      expect(commands.length).toBeGreaterThan(0);
      if (since !== null) expect(Date.parse(since)).toBeLessThanOrEqual(NOW);
    }
  }
});
