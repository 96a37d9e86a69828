// The answers of the API, as far as the console reads them. docs/openapi.json describes them in full. test/console/answers.ts lets the compiler
// compare them with the schemas of the operations, so that they cannot differ.

export type Access = "read" | "submit" | "operate" | "admin";

export interface Session {
  user: string;
  access: Access | null;
  capabilities: string[] | null;
  needsLogin: boolean;
  csrf: string | null;
  swarm: string;
  version: string;
}

export interface Problem {
  name: string;
  severity: "page" | "ticket";
  effect: "late" | "failed" | "blind";
  summary: string;
  since: string | null;
  hit: { capabilities: string[]; tasks: number | null; oldest: string | null };
  cause: string;
  runbook: string;
  commands: string[];
}

export interface Overview {
  prefix: string;
  at: string;
  problems: Problem[];
  unknown: { part: string; reason: string }[];
  counts: { arrived: number; ended: number; dead: number } | null;
  capabilities:
    | {
        capability: string;
        waiting: number;
        running: number;
        oldest: string | null;
        isPaused: boolean;
        agents: number;
      }[]
    | null;
  agents: {
    states: Record<string, number>;
    waits: Record<string, number>;
    slots: { used: number; total: number };
  } | null;
  office: { leader: string | null; coordinators: number; lag: number } | null;
  delayed: number | null;
  streams: { stream: string; share: number }[] | null;
  ages: Record<string, number | null>;
}

export interface ResultError {
  code: string;
  message: string;
  field?: string;
  retryable?: boolean;
}

export interface Attempt {
  attempt: number;
  agent: string;
  outcome: string;
  startedAt?: string;
  endedAt?: string;
  retryAt?: string;
  error?: ResultError;
  trace?: string;
}

export interface Task {
  taskId: string;
  capability: string | null;
  state: string;
  attempt: number;
  progress: number | null;
  agent: string | null;
  queuedMs: number | null;
  dueAt: string | null;
  placement?: { agent: string; reasons?: { what: string; value: number | string; weight?: number }[] };
  handOffs?: { agent: string; attempt: number; at: string }[];
  waiting?: { reason: string; steps: string[]; since: string };
  stray?: string;
  ballot?: { seats: number; answered: number };
  paused?: { since: string | null; by: string | null };
  result?: {
    status: string;
    output?: unknown;
    error?: ResultError;
    attempt: number;
    agent: string;
    startedAt: string;
    finishedAt: string;
    queuedMs: number;
    ranMs: number;
    usage?: Record<string, unknown>;
    verdict?: unknown;
  };
  traceId?: string;
  traceUrl?: string;
  history?: {
    attempts: Attempt[];
    droppedAttempts: number;
    droppedTraces: number;
    steps?: { step: string; state: string; attempt: number; at: string; error?: ResultError }[];
    droppedSteps?: number;
  };
}

export interface TaskPage {
  tasks: Task[];
  next: string | null;
  seen: number;
  hidden: { why: string; count: number; reason: string }[];
  missesBallots: boolean;
}

export interface DeadGroup {
  capability: string;
  code: string;
  fingerprint: string;
  count: number;
  oldest: string;
  newest: string;
  sample: { taskId: string; message: string };
}

export interface DeadGroups {
  groups: DeadGroup[];
  seen: number;
  stored: number;
  more: number;
}

export interface BulkReport {
  preview: boolean;
  selected: number;
  done: number;
  left: number;
  failed: number;
  skipped: number;
  unseen: number;
  unknown: number;
  ids: string[];
  failures: { id: string; code: string; message: string }[];
}

export interface Agent {
  id: string;
  role: string;
  capabilities: string[];
  state: string;
  waiting: string | null;
  doing?: string;
  slots: { used: number; total: number };
  loop: number;
  host: string;
  pid: number;
  since: string;
  version: string;
  model?: string;
}

export interface Agents {
  agents: Agent[];
  ageMs: number | null;
}

export interface Office {
  leader: string | null;
  leaderPid: number | null;
  term: number | null;
  since: string | null;
  members: {
    id: string;
    host: string | null;
    pid: number | null;
    role: string;
    appliedSeq: number | null;
    lag: number | null;
  }[];
  logSeq: number | null;
}

export interface AuditPage {
  entries: { streamSeq: number; writer: string; at: string; kind: string; facts: Record<string, unknown> }[];
}

export interface Run {
  id: string;
  name: string;
  version: number;
  state: string;
  generation: number;
  entries: number;
  progress?: number;
  note?: string;
  waiting?: { reason: string; path?: string; count: number; by?: string[]; dueMs?: number };
  parent?: string;
  at: string;
}

export interface Runs {
  runs: Run[];
  more: number;
  seen: number;
  unreadable: number;
  isCut: boolean;
}

export interface RunStep {
  path: string;
  kind: string;
  state: string;
  call?: string;
  task?: string;
  orderedAt: string;
  endedAt?: string;
  output?: unknown;
  error?: ResultError;
  undo?: string;
  due?: string;
  by?: string[];
}

export interface RunReport extends Run {
  startedAt: string;
  input: unknown;
  output?: unknown;
  error?: ResultError;
  blocked?: { cause: string; message: string; path?: string; log?: string; code?: string };
  maps: { path: string; items: number; ended: number }[];
  steps: RunStep[];
  more: number;
  absent: string[];
}

export interface Ballot {
  id: string;
  capability: string;
  strategy: string;
  topology: string;
  state: string;
  seats: number;
  answered: number;
  agreement: number | null;
  openedAt: string;
  endedAt: string | null;
}

export interface Ballots {
  ballots: Ballot[];
  ageMs?: number | null;
}

export interface BallotPage extends Ballot {
  rounds: number;
  votes: {
    seat: number;
    agent: string;
    model?: string;
    state: string;
    value?: unknown;
    reason?: string;
  }[];
  evidence: unknown[];
  candidates: { candidate: number; value: unknown }[];
  statistics: {
    cases: number;
    effectiveVoters: number | null;
    single: {
      ballots: number;
      compared: number;
      differed: number;
      tokenRatio: number | null;
      costRatio: number | null;
      judged: {
        cases: number;
        ballotAccuracy: number;
        singleAccuracy: number;
        gain: { rate: number; low: number; high: number };
      } | null;
      finding: string | null;
    } | null;
  };
  result: Task["result"] | null;
}
