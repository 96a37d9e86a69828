// The figures of `murmur top`: from the facts of the problems, and as rates between two looks.
import { expect, test } from "vitest";
import { createTerminal } from "../../../src/app/cli/terminal.ts";
import { showOverview } from "../../../src/app/commands/views/overview.ts";
import type { ProblemFacts } from "../../../src/app/problems/find.ts";
import { makeOverview, ratesBetween } from "../../../src/app/problems/overview.ts";
import type { AgentStatus } from "../../../src/protocol/index.ts";

const NOW = Date.parse("2026-11-30T05:00:00.000Z");
const agent = (state: AgentStatus["state"], waiting: AgentStatus["waiting"], used: number): AgentStatus => ({
  ...{ id: "a", role: "echo", capabilities: ["echo"], state, waiting, slots: { used, total: 4 }, loop: 1 },
  ...{ host: "h", pid: 1, since: "2026-01-01T00:00:00Z", version: "0.1.0" },
});
const stream = (name: string, lastSeq: number, bytes = 0, limitBytes: number | null = null) => ({
  ...{ stream: name, messages: 0, lastSeq, bytes, limitBytes, refusesWhenFull: true },
});
const queue = (capability: string, pending: number, ageMs: number | null) => ({
  ...{ capability, priority: "normal", pending, inFlight: 1 },
  oldestAtMs: ageMs === null ? null : NOW - ageMs,
});
const facts = (over: Partial<ProblemFacts> = {}): ProblemFacts => ({
  nowMs: NOW,
  disconnectedAtMs: null,
  silentSinceMs: null,
  queues: [queue("draw", 0, null), queue("echo", 3, 90_000), queue("echo", 2, 5_000), queue("-", 9, 1)],
  paused: new Set(["draw"]),
  agents: [agent("working", null, 4), agent("waiting", "model", 2), agent("failed", null, 0)],
  streams: {
    streams: [
      stream("tasks", 100, 95, 100),
      stream("results", 80),
      stream("dead", 2),
      stream("audit", 5, 1, 10),
    ],
    later: 7,
  },
  due: { oldest: null },
  newDead: [],
  office: { leader: "c1", coordinators: 3, lag: 0, leaderSeenAtMs: NOW, vacantSinceMs: null, wasHeld: true },
  workflows: null,
  people: null,
  ages: {},
  ...over,
});

test("the overview counts queues by capability, agents that take work, slots, and the fullest streams", () => {
  expect(makeOverview(facts())).toEqual({
    at: "2026-11-30T05:00:00.000Z",
    counts: { arrived: 100, ended: 80, dead: 2 },
    capabilities: [
      {
        ...{ capability: "echo", waiting: 5, running: 2, isPaused: false, agents: 2 },
        oldest: "2026-11-30T04:58:30.000Z",
      },
      { capability: "draw", waiting: 0, running: 1, oldest: null, isPaused: true, agents: 0 },
    ],
    agents: {
      states: { working: 1, waiting: 1, failed: 1 },
      waits: { model: 1 },
      slots: { used: 6, total: 12 },
    },
    office: { leader: "c1", coordinators: 3, lag: 0 },
    delayed: 7,
    streams: [
      { stream: "tasks", share: 0.95 },
      { stream: "audit", share: 0.1 },
    ],
  });
});

test("a part that is not known is null, and hides no other", () => {
  const view = makeOverview(facts({ queues: null, agents: null, streams: null, office: null }));
  expect(view).toMatchObject({ counts: null, capabilities: null, agents: null, office: null, delayed: null });
  expect(ratesBetween(view, makeOverview(facts({ nowMs: NOW + 1_000 })))).toBe(null);
});

test("rates are those between two looks, and the backlog has an end only while it falls", () => {
  const before = makeOverview(facts());
  const later = (pending: number) =>
    makeOverview(
      facts({
        nowMs: NOW + 10_000,
        queues: [queue("echo", pending, 1)],
        streams: {
          ...facts().streams!,
          streams: [stream("tasks", 120), stream("results", 130), stream("dead", 3)],
        },
      }),
    );
  expect(ratesBetween(before, later(4))).toEqual({
    ...{ arrivingPerSecond: 2, endingPerSecond: 5, deadPerSecond: 0.1, backlogSeconds: 40 },
  });
  expect(ratesBetween(before, later(5))?.backlogSeconds).toBe(null);
  expect(ratesBetween(before, later(0))?.backlogSeconds).toBe(null);
  expect(ratesBetween(before, before)).toBe(null);
});

test("the screen begins with the problems and their first command, and names everything that it leaves out", () => {
  const terminal = createTerminal({ quiet: true, stream: { write: () => undefined } });
  const problem = (at: number) => ({
    ...{
      name: "MurmurSlotsSaturated" as const,
      severity: "ticket" as const,
      effect: "late" as const,
      summary: "s",
    },
    ...{ since: "2026-11-30T04:58:30.000Z", hit: { capabilities: ["echo"], tasks: 5, oldest: null } },
    ...{
      cause: `all slots are in use (${at})`,
      runbook: "r",
      commands: ["murmur agent ls", "murmur task ls"],
    },
  });
  const view = {
    prefix: "murmur",
    ...makeOverview(facts()),
    problems: Array.from({ length: 10 }, (_, at) => problem(at)),
    unknown: [{ part: "office", reason: "no answer" }],
  };
  const screen = showOverview(
    JSON.parse(JSON.stringify(view)),
    { arrivingPerSecond: 2, endingPerSecond: 5, deadPerSecond: 0.1, backlogSeconds: 40 },
    terminal,
  );
  expect(screen).toContain(
    "ticket  MurmurSlotsSaturated since 2026-11-30T04:58:30.000Z\n        all slots are in use (0)\n        → murmur agent ls",
  );
  expect(screen).toContain("and 2 more: murmur problems");
  expect(screen).toContain("unknown: office (no answer)");
  expect(screen).toContain(
    "2.0/s arrive, 5.0/s end, 0.1/s become dead letters; the backlog is gone in 40.0 s",
  );
  expect(screen).toContain("6 of 12 slots in use; waiting for: 1 model");
  expect(screen).toContain("tasks is 95 % full");
  expect(screen).toMatch(/^draw +0 +1 +- +0 +paused$/m);
});
