// Which problems does the swarm have now? Facts in, problems out: is work late or failed and since when, and the likely cause.
// The api process, `doctor` and the operation `problems-list` ask the same function. Pure.
//
// P1  A part of the facts that is unknown makes no problem and hides none of the others; `unknown` names it.
// P2  The order and the contents of the report depend on the facts alone.
// P3  A fault that may be over in a moment counts when a look finds it again after its grace. The age of a look tells its time.
import { type AgentStatus, PLACEHOLDER } from "../../protocol/index.ts";
import type { PeopleFacts, WaitingTask } from "../facts/people.ts";
import type { QueueFacts } from "../facts/queues.ts";
import type { StreamsFacts } from "../facts/streams.ts";
import type { DueFact } from "../facts/swarm.ts";
import {
  type Effect,
  PROBLEM_NAMES,
  PROBLEMS,
  type ProblemName,
  runbookOf,
  type Severity,
} from "./catalogue.ts";
import { findStuckRuns, type RunFacts } from "./find-runs.ts";
import { type Found, lookedAtMs, showSeconds } from "./found.ts";

/**
 * How long the tasks of a capability may wait for an agent before it is a problem, in ms: a roll call during a restart may miss
 * an agent. An alert waits for longer, because a group that scales from zero takes a minute to start.
 */
export const AGENTLESS_MS = 1_500;
/** How long the office may be vacant, in ms: a change takes 1.2 s (p99). */
export const VACANT_MS = 2_000;
/** How long a dead letter counts as new, in ms. */
export const DEAD_WINDOW_MS = 600_000;
/** A stream with this share of its limit is almost full. The rest is minutes at the highest rates, and hours at usual ones. */
export const FULL_SHARE = 0.9;
/** How late a due task may be moved, in ms, while movers move others: many tasks may come due at once. */
export const LATE_MS = 30_000;
/** How long one due task may be the oldest, in ms: a mover moves it within some ms, and looks find it again after a second. */
export const MOVERLESS_MS = 1_500;
/** The entries that a coordinator may be behind: as much as `/readyz` allows. */
export const OFFICE_LAG_MAX = 1_000;
/** Facts of this age are stale, in ms: fifteen missed reads. */
export const STALE_MS = 30_000;
/** How long tasks of a priority may wait, in ms: the objective for 99 % of them. */
export const WAIT_OBJECTIVE_MS: Readonly<Record<string, number>> = {
  urgent: 5_000,
  high: 15_000,
  normal: 60_000,
  low: 600_000,
};
/** The states of agents that take no task any more. */
export const LEAVING: readonly string[] = ["failed", "stopped", "draining"];
/** The most names that one sentence lists. */
const MAX_IN_SENTENCE = 5;

/** A dead letter that is new. */
export interface NewDeadLetter {
  readonly capability: string;
  /** The code of the failure; null when the letter could not be read. */
  readonly code: string | null;
  readonly atMs: number;
}

/** The office as its coordinators tell it. */
export interface OfficeFacts {
  readonly leader: string | null;
  readonly coordinators: number;
  /** The entries that the last coordinator is behind the first. */
  readonly lag: number;
  /** When a leader was last seen, Unix ms; null when none was seen since the watch began. */
  readonly leaderSeenAtMs: number | null;
  /** The first look without a leader after the last one with a leader, Unix ms; null while there is a leader. */
  readonly vacantSinceMs: number | null;
  /** True: the office was held before, by the control log. A swarm that never had a coordinator misses none. */
  readonly wasHeld: boolean;
}

/** Everything that the decider looks at. Null: this part is unknown. */
export interface ProblemFacts {
  readonly nowMs: number;
  /** When the connection to NATS broke, Unix ms; null while it stands. */
  readonly disconnectedAtMs: number | null;
  /** The last answer of the server to a ping, Unix ms, when the last ping had none; null while it answers. */
  readonly silentSinceMs: number | null;
  readonly queues: readonly QueueFacts[] | null;
  /** Capabilities that take no work on an operator's order. */
  readonly paused: ReadonlySet<string> | null;
  readonly agents: readonly AgentStatus[] | null;
  readonly streams: StreamsFacts | null;
  readonly due: DueFact | null;
  readonly newDead: readonly NewDeadLetter[] | null;
  readonly office: OfficeFacts | null;
  readonly workflows: RunFacts | null;
  readonly people: PeopleFacts | null;
  /** The age of each part that the process keeps, in ms; null: never read. */
  readonly ages: Readonly<Record<string, number | null>>;
}

/** One problem. */
export interface Problem {
  readonly name: ProblemName;
  readonly severity: Severity;
  readonly effect: Effect;
  readonly summary: string;
  /** Since when, ISO 8601; null when unknown. */
  readonly since: string | null;
  readonly hit: {
    readonly capabilities: readonly string[];
    /** The names of the workflows whose runs it hits. */
    readonly workflows: readonly string[];
    /** The number of tasks, or of runs of workflows; null when unknown. */
    readonly tasks: number | null;
    /** When the oldest of these tasks was stored, the first of them failed, or the first run began to wait, ISO 8601. */
    readonly oldest: string | null;
  };
  /** The likely cause, with its figures. */
  readonly cause: string;
  readonly runbook: string;
  /** Commands that help, the first one first. */
  readonly commands: readonly string[];
}

/** All problems, the most urgent first, then by the age of the work that they hit (P2). */
export function findProblems(facts: ProblemFacts): Problem[] {
  const unreachable = findUnreachable(facts);
  if (unreachable !== null) return [toProblem(unreachable)]; // nothing else is known
  const found = [
    ...findAgentless(facts),
    ...findVacant(facts),
    ...findFull(facts),
    ...findDead(facts),
    ...findGivenUp(facts),
    ...findSaturated(facts),
    ...findLate(facts),
    ...findStuckRuns(facts),
    ...findWaitingTasks(facts),
    ...findLag(facts),
    ...findStale(facts),
  ];
  return found.sort(byUrgency).map(toProblem);
}

/** The parts of the facts that are unknown (P1). */
export function findUnknown(facts: ProblemFacts): string[] {
  const parts = [
    "queues",
    "paused",
    "agents",
    "streams",
    "due",
    "newDead",
    "office",
    "workflows",
    "people",
  ] as const;
  return parts.filter((part) => facts[part] === null);
}

function byUrgency(a: Found, b: Found): number {
  const rank = PROBLEM_NAMES.indexOf(a.name) - PROBLEM_NAMES.indexOf(b.name);
  if (rank !== 0) return rank;
  const age = (a.oldestMs ?? Number.POSITIVE_INFINITY) - (b.oldestMs ?? Number.POSITIVE_INFINITY);
  if (age !== 0 && !Number.isNaN(age)) return age;
  const nameOf = ({ capabilities, workflows }: Found) => capabilities?.[0] ?? workflows?.[0] ?? "";
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function toProblem({
  name,
  sinceMs,
  capabilities = [],
  workflows = [],
  tasks = null,
  oldestMs = null,
  cause,
  commands,
}: Found): Problem {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    name,
    ...PROBLEMS[name],
    since: iso(sinceMs),
    hit: { capabilities, workflows, tasks, oldest: iso(oldestMs) },
    cause,
    runbook: runbookOf(name),
    commands,
  };
}

function findUnreachable({ nowMs, disconnectedAtMs, silentSinceMs }: ProblemFacts): Found | null {
  const sinceMs = disconnectedAtMs ?? silentSinceMs;
  if (sinceMs === null) return null;
  const forSeconds = showSeconds(nowMs - sinceMs);
  const why =
    disconnectedAtMs === null
      ? `the server has answered no ping of this api process for ${forSeconds}, and the connection stands`
      : `this api process has had no connection for ${forSeconds}`;
  return {
    name: "MurmurNatsUnreachable",
    sinceMs,
    cause: `${why}; stored tasks are safe, and wait`,
    commands: ["murmur doctor", "nats server list"],
  };
}

/** The queue of one capability, all priorities together. */
interface Waiting {
  readonly capability: string;
  readonly tasks: number;
  readonly oldestMs: number | null;
}

function waitingByCapability(queues: readonly QueueFacts[]): Waiting[] {
  const own = queues.filter(({ capability, pending }) => capability !== PLACEHOLDER && pending > 0);
  return [...Map.groupBy(own, ({ capability }) => capability)].map(([capability, parts]) => ({
    capability,
    tasks: parts.reduce((sum, { pending }) => sum + pending, 0),
    oldestMs: oldestOf(parts.map(({ oldestAtMs }) => oldestAtMs)),
  }));
}

function oldestOf(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function findAgentless({ nowMs, queues, paused, agents, ages }: ProblemFacts): Found[] {
  if (queues === null || agents === null || paused === null) return [];
  const rollAtMs = lookedAtMs({ nowMs, ages }, "agents");
  const able = agents.filter(({ state }) => !LEAVING.includes(state));
  const offered = new Set(able.flatMap(({ capabilities }) => capabilities));
  return waitingByCapability(queues)
    .filter(({ capability }) => !offered.has(capability) && !paused.has(capability))
    .filter(({ oldestMs }) => oldestMs !== null && rollAtMs - oldestMs >= AGENTLESS_MS) // P3
    .map(({ capability, tasks, oldestMs }) => {
      const leaving = agents.filter((agent) => agent.capabilities.includes(capability));
      const why =
        leaving.length === 0
          ? "no living agent offers it"
          : `none of its ${leaving.length} agents takes work (${countStates(leaving)})`;
      const wait = oldestMs === null ? "" : `, the oldest for ${showSeconds(nowMs - oldestMs)}`;
      return {
        name: "MurmurCapabilityWithoutAgents" as const,
        sinceMs: oldestMs,
        capabilities: [capability],
        tasks,
        oldestMs,
        cause: `${tasks} tasks of ${capability} wait${wait}; ${why}`,
        commands: ["murmur agent ls", "murmur status", `murmur task purge --capability ${capability}`],
      };
    });
}

function countStates(agents: readonly AgentStatus[]): string {
  return [...Map.groupBy(agents, ({ state }) => state)]
    .map(([state, each]) => `${each.length} ${state}`)
    .join(", ");
}

function findVacant({ nowMs, office, ages }: ProblemFacts): Found[] {
  if (office === null || office.leader !== null || !office.wasHeld) return [];
  const { leaderSeenAtMs, vacantSinceMs, coordinators } = office;
  if (vacantSinceMs === null || lookedAtMs({ nowMs, ages }, "office") - vacantSinceMs < VACANT_MS) return []; // P3
  const who =
    coordinators === 0 ? "no coordinator answers" : `${coordinators} coordinators answer, and none leads`;
  const seen =
    leaderSeenAtMs === null ? "" : `; the last leader was seen ${showSeconds(nowMs - leaderSeenAtMs)} ago`;
  return [
    {
      name: "MurmurOfficeVacant",
      sinceMs: leaderSeenAtMs ?? vacantSinceMs,
      cause: `${who}${seen}; tasks of the queues flow`,
      commands: ["murmur office status", "murmur logs coordinator"],
    },
  ];
}

/** The commands that show and remove the content of a full stream: of tasks, and of shared values. */
const TASK_COMMANDS = [
  "murmur status",
  "murmur task ls --state pending",
  "murmur task purge --state pending",
];
const SHARED_COMMANDS = ["murmur workflow ls", "murmur workflow shared <run>"];

function findFull({ streams }: ProblemFacts): Found[] {
  return (streams?.streams ?? []).flatMap(({ stream, bytes, limitBytes, refusesWhenFull, messages }) => {
    if (!refusesWhenFull || limitBytes === null || bytes < limitBytes * FULL_SHARE) return [];
    const share = Math.floor((100 * bytes) / limitBytes);
    const isShared = stream === "shared";
    return [
      {
        name: "MurmurStreamAlmostFull" as const,
        sinceMs: null,
        tasks: isShared ? null : messages,
        cause: `the stream ${stream} holds ${bytes} of ${limitBytes} bytes (${share} %) in ${messages} messages; when it is full, ${isShared ? "changes of shared values" : "submits"} fail with rate_limited`,
        commands: isShared ? SHARED_COMMANDS : TASK_COMMANDS,
      },
    ];
  });
}

function findDead({ nowMs, newDead }: ProblemFacts): Found[] {
  const fresh = (newDead ?? []).filter(({ atMs }) => nowMs - atMs < DEAD_WINDOW_MS);
  return [...Map.groupBy(fresh, ({ capability }) => capability)].map(([capability, letters]) => {
    const oldestMs = Math.min(...letters.map(({ atMs }) => atMs));
    const codes = [...Map.groupBy(letters, ({ code }) => code ?? "unknown code")].map(
      ([code, each]) => `${each.length} ${code}`,
    );
    return {
      name: "MurmurDeadLettersGrowing" as const,
      sinceMs: oldestMs,
      capabilities: [capability],
      tasks: letters.length,
      oldestMs,
      cause: `${letters.length} of the newest dead letters are of ${capability} and at most ${showSeconds(DEAD_WINDOW_MS)} old: ${codes.slice(0, MAX_IN_SENTENCE).join(", ")}`,
      commands: [
        `murmur dead ls --capability ${capability} --since 10m`,
        "murmur dead show TASK",
        "murmur dead replay TASK",
      ],
    };
  });
}

function findGivenUp({ agents }: ProblemFacts): Found[] {
  const failed = (agents ?? []).filter(({ state }) => state === "failed");
  return [...Map.groupBy(failed, ({ role }) => role)].map(([role, each]) => ({
    name: "MurmurAgentsGivenUp" as const,
    sinceMs: null,
    capabilities: [...new Set(each.flatMap(({ capabilities }) => capabilities))].sort(),
    cause: `${each.length} agents of ${role} are failed: ${each
      .slice(0, MAX_IN_SENTENCE)
      .map(({ id }) => id)
      .join(", ")}`,
    commands: [`murmur logs ${role} --level error`, `murmur restart ${role}`],
  }));
}

function findSaturated({ nowMs, queues, paused, agents }: ProblemFacts): Found[] {
  if (queues === null || agents === null || paused === null) return [];
  const able = agents.filter(({ state }) => !LEAVING.includes(state) && state !== "paused");
  const late = queues.filter(
    ({ capability, priority, pending, oldestAtMs }) =>
      pending > 0 &&
      !paused.has(capability) &&
      oldestAtMs !== null &&
      nowMs - oldestAtMs > (WAIT_OBJECTIVE_MS[priority] ?? Number.POSITIVE_INFINITY),
  );
  return waitingByCapability(late).flatMap(({ capability, tasks, oldestMs }) => {
    const own = able.filter(({ capabilities }) => capabilities.includes(capability));
    const total = own.reduce((sum, { slots }) => sum + slots.total, 0);
    const used = own.reduce((sum, { slots }) => sum + slots.used, 0);
    if (total === 0 || used < total) return [];
    const waiting = own.filter(({ state }) => state === "waiting").length;
    return [
      {
        name: "MurmurSlotsSaturated" as const,
        sinceMs: oldestMs,
        capabilities: [capability],
        tasks,
        oldestMs,
        cause: `all ${total} slots of the ${own.length} agents of ${capability} are in use, ${waiting} agents wait for something, and ${tasks} tasks wait`,
        commands: ["murmur agent ls", "murmur task ls --state running"],
      },
    ];
  });
}

function findLate({ nowMs, due, ages }: ProblemFacts): Found[] {
  const oldest = due?.oldest ?? null;
  if (oldest === null) return [];
  const { dueAtMs, oldestSinceMs } = oldest;
  const isStill = lookedAtMs({ nowMs, ages }, "due") - oldestSinceMs >= MOVERLESS_MS; // P3
  if (!isStill && nowMs - dueAtMs < LATE_MS) return [];
  return [
    {
      name: "MurmurDelayedTasksLate",
      sinceMs: dueAtMs,
      oldestMs: dueAtMs,
      cause: `the oldest due task has waited for a mover for ${showSeconds(nowMs - dueAtMs)}`,
      commands: ["murmur status", "murmur logs api"],
    },
  ];
}

function findWaitingTasks({ nowMs, people }: ProblemFacts): Found[] {
  const byCapability = Map.groupBy(people?.tasks ?? [], ({ capability }) => capability);
  return [...byCapability].map(([capability, tasks]) => {
    const { taskId, steps, sinceMs } = tasks[0] as WaitingTask; // the oldest; a group has one at least
    const [step = "STEP"] = steps;
    const others = tasks.length === 1 ? "" : `, and ${tasks.length - 1} more`;
    const unseen = people?.unseen ?? 0;
    const cut = unseen === 0 ? "" : `; ${unseen} delayed tasks were not looked at`;
    return {
      name: "MurmurTaskWaitsForPerson" as const,
      sinceMs,
      capabilities: [capability],
      tasks: tasks.length,
      oldestMs: sinceMs,
      cause: `task ${taskId}${others} waits for ${showSeconds(nowMs - sinceMs)}: its step ${steps.join(", ")} began, and no record tells how it ended${cut}`,
      commands: [
        `murmur task show ${taskId}`,
        `murmur task settle ${taskId} ${step} --result JSON`,
        `murmur task settle ${taskId} ${step} --not-done`,
        `murmur task cancel ${taskId}`,
      ],
    };
  });
}

function findLag({ office }: ProblemFacts): Found[] {
  if (office === null || office.lag <= OFFICE_LAG_MAX) return [];
  return [
    {
      name: "MurmurOfficeLogLag",
      sinceMs: null,
      cause: `a coordinator is ${office.lag} entries behind another one`,
      commands: ["murmur office status", "murmur logs coordinator"],
    },
  ];
}

function findStale({ nowMs, ages }: ProblemFacts): Found[] {
  const stale = Object.entries(ages).flatMap(([part, ageMs]) =>
    ageMs !== null && ageMs >= STALE_MS ? [{ part, ageMs }] : [],
  );
  if (stale.length === 0) return [];
  const oldestMs = Math.max(...stale.map(({ ageMs }) => ageMs));
  return [
    {
      name: "MurmurFactsStale",
      sinceMs: nowMs - oldestMs,
      cause: `not read for ${showSeconds(oldestMs)}: ${stale.map(({ part }) => part).join(", ")}`,
      commands: ["murmur doctor", "murmur logs api"],
    },
  ];
}
