// One case for each alert that fires, and at least one beside it that stays silent. Each case is a scrape job of its own, and
// all jobs are in one run of promtool: an alert that fires in the case of another alert shows.

/** The samples of a series, one a minute, as promtool writes them: `0+2x70` rises by 2, `1x60 0x10` falls. */
type Samples = string;

/** One job, and the alerts that fire in it at {@link LOOK}. */
export interface Case {
  readonly job: string;
  /** By metric with labels, without `job`. */
  readonly series: Readonly<Record<string, Samples>>;
  /** The labels of the firing alerts, without `job` and `severity`, by the alert's name. */
  readonly fires: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The time of the look, in minutes: the longest `for` is an hour. */
export const LOOK = 70;

const always = (value: number) => `${value}x75`;
const rising = (step: number) => `0+${step}x75`;
/** 0, and since 8 min `value`. */
const lately = (value: number) => `0x62 ${value}x13`;

const echo = { capability: "echo" };
const waiting = (priority: string, tasks: number, seconds: number) => ({
  [`murmur_queue_pending{capability="echo",priority="${priority}"}`]: always(tasks),
  [`murmur_queue_oldest_seconds{capability="echo",priority="${priority}"}`]: always(seconds),
});
const counts = (completed: Samples, code: string, failed: Samples) => ({
  'murmur_tasks_finished_total{capability="echo",status="completed",instance="a"}': completed,
  [`murmur_task_failures_total{capability="echo",code="${code}",instance="a"}`]: failed,
});
const starts = (bound: string, inTime: number, all: number) => ({
  [`murmur_task_queue_seconds_bucket{capability="echo",priority="normal",le="${bound}"}`]: rising(inTime),
  'murmur_task_queue_seconds_count{capability="echo",priority="normal"}': rising(all),
});
const connected = (...values: number[]) =>
  Object.fromEntries(
    values.map((value, at) => [`murmur_nats_connected{instance="${at}"}`, always(value)] as const),
  );
const slots = (free: number) => ({
  'murmur_task_attempts_total{capability="echo",outcome="completed",instance="a"}': rising(1),
  'murmur_agent_slots{role="echo",state="free",instance="a"}': always(free),
});
const ballots = (lost: number, decided: number) => ({
  'murmur_ballots_total{strategy="majority",outcome="no_quorum"}': rising(lost),
  'murmur_ballots_total{strategy="majority",outcome="decided"}': rising(decided),
});
const commits = (fast: number, all: number) => ({
  'murmur_office_commit_seconds_bucket{le="1"}': rising(fast),
  'murmur_office_commit_seconds_bucket{le="2.5"}': rising(all),
  'murmur_office_commit_seconds_bucket{le="+Inf"}': rising(all),
});
const agentsWaiting = (share: number) => ({
  'murmur_agent_waiting{role="echo",reason="model"}': always(share),
  'murmur_agents{role="echo",state="waiting"}': always(share),
  'murmur_agents{role="echo",state="idle"}': always(10 - share),
});
const full = (stream: string, bytes: number) => ({
  [`murmur_stream_bytes{stream="${stream}"}`]: always(bytes),
  [`murmur_stream_limit_bytes{stream="${stream}"}`]: always(100),
});
const known = { 'murmur_facts_age_seconds{facts="agents"}': always(1) };

const one = (
  name: string,
  series: Case["series"],
  fires: Record<string, string>,
  silent: Record<string, Case["series"]>,
): Case[] => [
  { job: name, series, fires: { [name]: fires } },
  ...Object.entries(silent).map(([why, quiet]) => ({ job: `${name}: ${why}`, series: quiet, fires: {} })),
];

/** All cases. */
export const CASES: readonly Case[] = [
  ...one("MurmurTaskErrorBudgetBurn", counts(rising(6), "tool_failed", rising(4)), echo, {
    "failures of publishers": counts(rising(6), "invalid_input", rising(4)),
    "one failure in 150": counts(rising(149), "tool_failed", rising(1)),
  }),
  ...one(
    "MurmurQueueWaitBudgetBurn",
    starts("60", 5, 10),
    { ...echo, priority: "normal" },
    {
      "all in time": starts("60", 10, 10),
    },
  ),
  {
    job: "late, as Prometheus 3 stores the bounds",
    series: starts("60.0", 5, 10),
    fires: { MurmurQueueWaitBudgetBurn: { ...echo, priority: "normal" } },
  },
  ...one("MurmurTasksFailingSteadily", counts(always(0), "tool_failed", "0x45 1x5 2x5 3x17"), echo, {
    "two tasks": counts(always(0), "tool_failed", "0x45 1x5 2x23"),
    "three of ten": counts("0x45 7x28", "tool_failed", "0x45 1x5 2x5 3x17"),
  }),
  ...one("MurmurNatsUnreachable", connected(0, 1), {}, { "one of three": connected(0, 1, 1) }),
  ...one("MurmurCapabilityWithoutAgents", { ...waiting("normal", 3, 300), ...known }, echo, {
    "an agent": {
      ...waiting("normal", 3, 300),
      ...known,
      'murmur_capability_agents{capability="echo"}': always(1),
    },
    paused: {
      ...waiting("normal", 3, 300),
      ...known,
      'murmur_capability_paused{capability="echo"}': always(1),
    },
    "since a moment": { ...waiting("normal", 3, 20), ...known },
    "agents never read": waiting("normal", 3, 300),
  }),
  ...one(
    "MurmurOfficeVacant",
    { 'murmur_office_leader{instance="a"}': always(0), 'murmur_office_leader{instance="b"}': always(0) },
    {},
    {
      held: {
        'murmur_office_leader{instance="a"}': always(0),
        'murmur_office_leader{instance="b"}': always(1),
      },
      "never had a coordinator": { 'murmur_stream_last_seq{stream="office"}': always(1) },
    },
  ),
  {
    job: "no coordinator is left",
    series: { 'murmur_stream_last_seq{stream="office"}': always(9) },
    fires: { MurmurOfficeVacant: {} },
  },
  ...one(
    "MurmurControlLogHalted",
    { 'murmur_office_halted{instance="a"}': always(1) },
    {},
    {
      none: { 'murmur_office_halted{instance="a"}': always(0) },
    },
  ),
  ...one(
    "MurmurStreamAlmostFull",
    full("tasks", 95),
    { stream: "tasks" },
    {
      "80 %": full("tasks", 80),
      "a stream that drops its oldest messages": full("audit", 99),
    },
  ),
  ...one(
    "MurmurDeadLettersGrowing",
    { 'murmur_tasks_dead_lettered_total{capability="echo",code="timeout"}': lately(1) },
    { ...echo, code: "timeout" },
    {
      "half an hour ago": {
        'murmur_tasks_dead_lettered_total{capability="echo",code="timeout"}': "0x40 1x30",
      },
    },
  ),
  ...one(
    "MurmurQueueGrowing",
    { 'murmur_queue_pending{capability="echo",priority="low"}': "20+4x75" },
    echo,
    {
      "many, and no more": { 'murmur_queue_pending{capability="echo",priority="low"}': always(300) },
      few: { 'murmur_queue_pending{capability="echo",priority="low"}': "0x30 19x45" },
    },
  ),
  ...one(
    "MurmurDelayedTasksLate",
    { murmur_later_late_seconds: always(45) },
    {},
    {
      "in time": { murmur_later_late_seconds: always(20) },
    },
  ),
  ...one("MurmurNoQuorum", ballots(1, 4), {}, { "one in 21": ballots(1, 20) }),
  ...one(
    "MurmurFencedWrites",
    { 'murmur_fenced_writes_total{kind="result"}': rising(2) },
    { kind: "result" },
    {
      some: { 'murmur_fenced_writes_total{kind="result"}': rising(1) },
    },
  ),
  ...one(
    "MurmurAgentsGivenUp",
    { 'murmur_agents{role="echo",state="failed"}': always(1) },
    { role: "echo" },
    {
      none: { 'murmur_agents{role="echo",state="failed"}': always(0) },
    },
  ),
  ...one("MurmurSlotsSaturated", { ...waiting("normal", 5, 90), ...slots(0) }, echo, {
    "a free slot": { ...waiting("normal", 5, 90), ...slots(1) },
    "in time": { ...waiting("low", 5, 90), ...slots(0) },
  }),
  ...one(
    "MurmurAgentsStuck",
    { 'murmur_agent_progress_age_seconds{role="echo"}': always(2_000) },
    { role: "echo" },
    {
      "a long step": { 'murmur_agent_progress_age_seconds{role="echo"}': always(1_700) },
    },
  ),
  ...one(
    "MurmurWaitingOnModel",
    { ...agentsWaiting(9), ...waiting("normal", 5, 90) },
    { role: "echo" },
    {
      "no task is late": agentsWaiting(9),
      "half of them": { ...agentsWaiting(5), ...waiting("normal", 5, 90) },
    },
  ),
  ...one(
    "MurmurOfficeFlapping",
    { murmur_office_changes_total: rising(1) },
    {},
    {
      "a roll": { murmur_office_changes_total: "0x60 1 2 3 3x13" },
    },
  ),
  ...one(
    "MurmurOfficeLogLag",
    { 'murmur_office_log_lag{instance="a"}': always(5_000) },
    { instance: "a" },
    {
      little: { 'murmur_office_log_lag{instance="a"}': always(900) },
    },
  ),
  ...one(
    "MurmurTaskWaitsForPerson",
    { 'murmur_task_person_waits_total{capability="bill"}': lately(1) },
    { capability: "bill" },
    { "settled an hour ago": { 'murmur_task_person_waits_total{capability="bill"}': "0x5 1x70" } },
  ),
  ...one(
    "MurmurWorkflowWaitsForPerson",
    { murmur_workflow_person_wait_seconds: "0+60x75" },
    {},
    { "decided within an hour": { murmur_workflow_person_wait_seconds: "0x20 0+60x55" } },
  ),
  {
    job: "runs wait for an engine, and none answers",
    series: { murmur_workflows_without_engine: always(3) },
    fires: { MurmurWorkflowStalled: {} },
  },
  ...one(
    "MurmurCompensationFailed",
    { 'murmur_workflows{state="compensation_failed"}': always(1) },
    {},
    {
      compensating: {
        'murmur_workflows{state="compensating"}': always(3),
        'murmur_workflows{state="compensation_failed"}': always(0),
      },
    },
  ),
  ...one(
    "MurmurWorkflowStalled",
    { 'murmur_workflows{state="blocked"}': always(2) },
    {},
    {
      busy: {
        murmur_workflow_lane_lag: always(50),
        'murmur_workflow_decisions_total{outcome="stored"}': rising(5),
      },
    },
  ),
  {
    job: "no engine takes the messages of a lane",
    series: {
      murmur_workflow_lane_lag: always(50),
      'murmur_workflow_decisions_total{outcome="stored"}': always(9),
    },
    fires: { MurmurWorkflowStalled: {} },
  },
  ...one(
    "MurmurBudgetNearlySpent",
    { 'murmur_budget_used_ratio{budget="reviews"}': always(0.95) },
    { budget: "reviews" },
    { half: { 'murmur_budget_used_ratio{budget="reviews"}': always(0.5) } },
  ),
  ...one("MurmurCommitSlow", commits(0, 5), {}, { fast: commits(5, 5) }),
  ...one(
    "MurmurSnapshotsFailing",
    { murmur_office_snapshot_failures_total: lately(1), murmur_office_snapshot_seconds_count: always(3) },
    {},
    {
      "the next one succeeds": {
        murmur_office_snapshot_failures_total: lately(1),
        murmur_office_snapshot_seconds_count: "3x64 4x11",
      },
    },
  ),
  ...one(
    "MurmurPermissionViolations",
    { 'murmur_nats_violations_total{operation="publish"}': lately(1) },
    { operation: "publish" },
    {
      none: { 'murmur_nats_violations_total{operation="publish"}': always(0) },
    },
  ),
  ...one(
    "MurmurAuditDropped",
    { murmur_audit_dropped_total: lately(3) },
    {},
    {
      none: { murmur_audit_dropped_total: always(0) },
    },
  ),
  ...one(
    "MurmurCredentialsExpire",
    { 'murmur_credentials_expiry_seconds{kind="user"}': always(864_000) },
    { kind: "user", within: "14d" },
    {
      "in a month": { 'murmur_credentials_expiry_seconds{kind="user"}': always(2_592_000) },
    },
  ),
  {
    job: "credentials end tomorrow",
    series: { 'murmur_credentials_expiry_seconds{kind="user"}': always(86_400) },
    fires: { MurmurCredentialsExpire: { kind: "user", within: "2d" } },
  },
  ...one(
    "MurmurVersionSkew",
    {
      'murmur_build_info{version="1",role="agent"}': always(1),
      'murmur_build_info{version="2",role="agent"}': always(1),
    },
    {},
    {
      "a roll": {
        'murmur_build_info{version="1",role="agent"}': always(1),
        'murmur_build_info{version="2",role="agent"}': "_x40 1x30",
      },
    },
  ),
  ...one(
    "MurmurTargetDown",
    { 'up{instance="a"}': "1x60 0x15", 'murmur_build_info{version="1",instance="a"}': "1x60 stale" },
    { instance: "a" },
    { "not a process of Murmur": { 'up{instance="a"}': always(0) } },
  ),
  ...one(
    "MurmurFactsStale",
    { 'murmur_facts_age_seconds{facts="queues"}': always(60) },
    { facts: "queues" },
    {
      fresh: { 'murmur_facts_age_seconds{facts="queues"}': always(3) },
    },
  ),
];
