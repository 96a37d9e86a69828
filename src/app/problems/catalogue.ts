// The problems that Murmur knows, by name. The names are those of the alerts, so that a page, `doctor`, `GET /v1/problems` and a
// runbook speak of the same thing. Pure: a table.

/** `page`: wake a person. `ticket`: look at it today. */
export const SEVERITIES = ["page", "ticket"] as const;
/** One of {@link SEVERITIES}. */
export type Severity = (typeof SEVERITIES)[number];

/** The effect on work: tasks are only late, or tasks failed for good, or nothing but the view of the swarm. */
export const EFFECTS = ["late", "failed", "blind"] as const;
/** One of {@link EFFECTS}. */
export type Effect = (typeof EFFECTS)[number];

/** One kind of problem. Each has a page docs/runbooks/<name>.md. */
export interface ProblemKind {
  readonly severity: Severity;
  readonly effect: Effect;
  /** One line for people. */
  readonly summary: string;
}

/** All kinds of problems, the most urgent first. */
export const PROBLEMS = {
  MurmurNatsUnreachable: {
    severity: "page",
    effect: "late",
    summary: "NATS does not answer: no task starts, ends or is taken",
  },
  MurmurCapabilityWithoutAgents: {
    severity: "page",
    effect: "late",
    summary: "tasks wait, and no living agent offers their capability",
  },
  MurmurOfficeVacant: {
    severity: "page",
    effect: "late",
    summary: "no coordinator holds the office: routes, ballots, locks, schedules, budgets and pauses wait",
  },
  MurmurCompensationFailed: {
    severity: "page",
    effect: "failed",
    summary: "undoing a run of a workflow failed, and a person must decide",
  },
  MurmurStreamAlmostFull: {
    severity: "page",
    effect: "late",
    summary: "a stream is almost full; it will refuse tasks, or changes of shared values",
  },
  MurmurDeadLettersGrowing: {
    severity: "ticket",
    effect: "failed",
    summary: "tasks fail for good",
  },
  MurmurAgentsGivenUp: {
    severity: "ticket",
    effect: "late",
    summary: "agents crashed too often and are not restarted",
  },
  MurmurSlotsSaturated: {
    severity: "ticket",
    effect: "late",
    summary: "tasks wait longer than their priority promises, and every slot is in use",
  },
  MurmurDelayedTasksLate: {
    severity: "ticket",
    effect: "late",
    summary: "delayed tasks are due, and no api process moves them",
  },
  MurmurWorkflowStalled: {
    severity: "ticket",
    effect: "late",
    summary: "runs of workflows do not go on",
  },
  MurmurWorkflowWaitsForPerson: {
    severity: "ticket",
    effect: "late",
    summary: "a run of a workflow waits for the decision of a person",
  },
  MurmurTaskWaitsForPerson: {
    severity: "ticket",
    effect: "late",
    summary: "a step that runs once never told how it ended, and its task waits for a person",
  },
  MurmurOfficeLogLag: {
    severity: "ticket",
    effect: "late",
    summary: "a coordinator is far behind the control log; its office would come late",
  },
  MurmurFactsStale: {
    severity: "ticket",
    effect: "blind",
    summary: "an api process cannot read a part of the swarm, so that problems may be missing here",
  },
} as const satisfies Record<string, ProblemKind>;

/** The name of a problem. */
export type ProblemName = keyof typeof PROBLEMS;

/** All names, the most urgent first. */
export const PROBLEM_NAMES = Object.keys(PROBLEMS) as [ProblemName, ...ProblemName[]];

/** The page that tells what to do about a problem or an alert, as a path in the repository. */
export function runbookOf(name: `Murmur${string}`): string {
  return `docs/runbooks/${name}.md`;
}
