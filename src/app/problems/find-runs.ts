// The problems of workflows: runs that do not go on by themselves, lanes that store no decision, and work without an engine. Each tells the
// reason, and the step that lets the runs go on. Pure.
import type { StuckRun } from "../../engine/index.ts";
import type { OrphanFacts, WorkflowFacts } from "../facts/workflows.ts";
import { type Found, lookedAtMs, showSeconds } from "./found.ts";

/** How long no engine may answer while runs or commands wait, in ms: a restart takes about two seconds. */
export const ENGINELESS_MS = 2_500;
/** How long a lane may have messages and store no decision, in ms: a decision with large bodies takes seconds. */
export const LANE_STALL_MS = 30_000;

/** The workflows as their engines tell them. */
export interface RunFacts extends WorkflowFacts {
  /** The first look without an engine after the last one with an engine, Unix ms; null while one answers. */
  readonly enginelessSinceMs: number | null;
}

/** The facts that these rules look at. */
interface LookedFacts {
  readonly nowMs: number;
  readonly workflows: RunFacts | null;
  readonly ages: Readonly<Record<string, number | null>>;
}

/** The step that lets blocked runs go on, by the kind of the reason (the kinds of workflow/log/facts.ts). */
const REMEDIES: Readonly<Record<string, string>> = {
  version: "an engine that has loaded their version lets them go on",
  crashes: "murmur workflow resume lets them go on, when the code or the engine is mended",
  limit: "nothing lets them go on; cancel them, and let the code use continueAs",
};
const DEFAULT_REMEDY = "an engine with code that fits their logs lets them go on";

/** The problems of workflows. */
export function findStuckRuns(facts: LookedFacts): Found[] {
  const { workflows, nowMs } = facts;
  if (workflows === null) return [];
  const of = (kind: StuckRun["kind"]) => [
    ...Map.groupBy(
      workflows.runs.filter((run) => run.kind === kind),
      ({ name }) => name,
    ).values(),
  ];
  return [
    ...of("compensation_failed").map((runs) => halfUndone(runs)),
    ...findEngineless(facts, workflows),
    ...findStalledLanes(workflows, nowMs),
    ...of("blocked").map((runs) => blocked(runs)),
    ...of("approval").map((runs) => undecided(runs, nowMs)),
  ];
}

/** The run with the longest wait: the facts are in this order. */
const first = (runs: readonly StuckRun[]) => runs[0] as StuckRun;
const others = (runs: readonly StuckRun[]) => (runs.length === 1 ? "" : ` and ${runs.length - 1} more`);
const hitOf = (runs: readonly StuckRun[]) => ({
  workflows: [first(runs).name],
  sinceMs: first(runs).sinceMs,
  oldestMs: first(runs).sinceMs,
  tasks: runs.length,
});

function halfUndone(runs: readonly StuckRun[]): Found {
  const { id, name, path = "STEP" } = first(runs);
  return {
    name: "MurmurCompensationFailed",
    ...hitOf(runs),
    cause: `run ${id}${others(runs)} of ${name} is half undone: the compensation of its step ${path} failed; it waits for a person`,
    commands: [
      `murmur workflow show ${id}`,
      `murmur workflow resume ${id}`,
      `murmur workflow resume ${id} --skip ${path} --note TEXT`,
    ],
  };
}

function blocked(runs: readonly StuckRun[]): Found {
  const { id, name, version, cause = "code", message = "" } = first(runs);
  const why = message === "" ? cause : `${cause}: ${message}`;
  const resume = cause === "crashes" ? [`murmur workflow resume ${id}`] : [];
  return {
    name: "MurmurWorkflowStalled",
    ...hitOf(runs),
    cause: `run ${id}${others(runs)} of ${name} v${version} is blocked (${why}); ${REMEDIES[cause] ?? DEFAULT_REMEDY}`,
    commands: [`murmur workflow show ${id}`, ...resume, `murmur workflow cancel ${id}`],
  };
}

function undecided(runs: readonly StuckRun[], nowMs: number): Found {
  const { id, name, path = "APPROVAL", by, dueMs, sinceMs } = first(runs);
  const who = by === undefined ? "" : ` of ${by.join(" or ")}`;
  const due = dueMs === undefined ? "" : `, at most ${showSeconds(Math.max(0, dueMs - nowMs))} longer`;
  return {
    name: "MurmurWorkflowWaitsForPerson",
    ...hitOf(runs),
    cause: `run ${id}${others(runs)} of ${name} waits for the decision ${path}${who} for ${showSeconds(nowMs - sinceMs)}${due}`,
    commands: [
      `murmur workflow show ${id}`,
      `murmur workflow approve ${id} ${path}`,
      `murmur workflow reject ${id} ${path}`,
    ],
  };
}

function findEngineless(facts: LookedFacts, { orphans, enginelessSinceMs }: RunFacts): Found[] {
  if (orphans === null || enginelessSinceMs === null) return [];
  if (orphans.runs + orphans.commands === 0) return [];
  if (lookedAtMs(facts, "workflows") - enginelessSinceMs < ENGINELESS_MS) return []; // P3
  return [
    {
      name: "MurmurWorkflowStalled",
      sinceMs: orphans.oldestAtMs ?? enginelessSinceMs,
      tasks: orphans.runs,
      oldestMs: orphans.oldestAtMs,
      cause: `no engine answers, and ${showOrphans(orphans)} for one; an engine lets them go on`,
      commands: ["murmur engine", "murmur up --engines 1", "murmur logs engine --level warn"],
    },
  ];
}

function showOrphans({ runs, commands, isCut }: OrphanFacts): string {
  return `${isCut ? "over " : ""}${runs} runs and ${commands} commands wait`;
}

function findStalledLanes({ lanes }: RunFacts, nowMs: number): Found[] {
  const stalled = lanes.flatMap(({ lane, pending, stalledSinceMs }) =>
    stalledSinceMs !== null && nowMs - stalledSinceMs >= LANE_STALL_MS
      ? [{ lane, pending, stalledSinceMs }]
      : [],
  );
  if (stalled.length === 0) return [];
  const sinceMs = Math.min(...stalled.map(({ stalledSinceMs }) => stalledSinceMs));
  const pending = stalled.reduce((sum, each) => sum + each.pending, 0);
  return [
    {
      name: "MurmurWorkflowStalled",
      sinceMs,
      oldestMs: sinceMs,
      cause: `${pending} results and commands wait in the lanes ${stalled.map(({ lane }) => lane).join(", ")}, and no decision was stored for ${showSeconds(nowMs - sinceMs)}`,
      commands: ["murmur logs engine --level warn", "murmur restart engine", "murmur engine"],
    },
  ];
}
