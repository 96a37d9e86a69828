// The table of commands. It contains only names and summaries, so that the help loads no command; the rest is in the modules.
import type { Command, CommandEntry } from "../cli/command.ts";

/** One line of the table. The types of a command end here: its schemas check its input and its answer. */
const entry = (name: string, summary: string, load: () => Promise<unknown>): CommandEntry => ({
  name,
  summary,
  load: async () => ({ command: (await load()) as Command }),
});

const processEntry: typeof entry = (...line) => ({ ...entry(...line), isProcess: true });

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  entry("up", "start a whole swarm on this machine", async () => (await import("./local/up.ts")).command),
  entry(
    "restart",
    "drain processes of the swarm and start them anew",
    async () => (await import("./local/restart.ts")).command,
  ),
  entry(
    "problems",
    "tell the problems of the swarm now, with cause and runbook",
    async () => (await import("./swarm/problems.ts")).ls,
  ),
  entry(
    "top",
    "watch the board Overview in the terminal",
    async () => (await import("./swarm/top.ts")).command,
  ),
  entry("status", "show the swarm at a glance", async () => (await import("./local/status.ts")).command),
  entry("logs", "show the logs of the swarm", async () => (await import("./local/logs.ts")).command),
  entry(
    "support bundle",
    "gather state, logs and metrics in one file, without secrets",
    async () => (await import("./local/support.ts")).command,
  ),
  entry("down", "stop the swarm of a data directory", async () => (await import("./local/down.ts")).command),
  entry(
    "new project",
    "write the files of a project for your own agents",
    async () => (await import("./local/new.ts")).project,
  ),
  entry("new agent", "write an agent and its test", async () => (await import("./local/new.ts")).agent),
  entry(
    "review",
    "review a repository with a swarm",
    async () => (await import("./local/review.ts")).command,
  ),
  entry("submit", "submit a task", async () => (await import("./swarm/submit.ts")).command),
  entry("task ls", "list tasks", async () => (await import("./swarm/task.ts")).ls),
  entry("task show", "show one task", async () => (await import("./swarm/task.ts")).show),
  entry("task watch", "follow a task until it ends", async () => (await import("./swarm/task.ts")).watch),
  entry(
    "task cancel",
    "cancel a task, or all of a scope",
    async () => (await import("./swarm/task.ts")).cancel,
  ),
  entry(
    "task purge",
    "cancel waiting tasks, or remove results",
    async () => (await import("./swarm/task.ts")).purge,
  ),
  entry("task retry", "submit a failed task again", async () => (await import("./swarm/task.ts")).retry),
  entry(
    "task move",
    "move a waiting task to another capability",
    async () => (await import("./swarm/task.ts")).move,
  ),
  entry("task promote", "make a delayed task due now", async () => (await import("./swarm/task.ts")).promote),
  entry(
    "task reprioritise",
    "give a waiting task another priority",
    async () => (await import("./swarm/task.ts")).reprioritise,
  ),
  entry(
    "task settle",
    "tell how a step that runs once ended",
    async () => (await import("./swarm/task.ts")).settle,
  ),
  entry("dead ls", "list dead letters", async () => (await import("./swarm/dead.ts")).ls),
  entry(
    "dead groups",
    "count dead letters by capability, code and message",
    async () => (await import("./swarm/dead.ts")).groups,
  ),
  entry("dead show", "show one dead letter", async () => (await import("./swarm/dead.ts")).show),
  entry(
    "dead replay",
    "submit the tasks of dead letters again",
    async () => (await import("./swarm/dead.ts")).replay,
  ),
  entry("dead purge", "remove dead letters", async () => (await import("./swarm/dead.ts")).purge),
  processEntry(
    "agent run",
    "run agents in this process",
    async () => (await import("./local/agent-run.ts")).command,
  ),
  entry("agent ls", "list living agents", async () => (await import("./swarm/agent.ts")).ls),
  entry("agent show", "show one agent", async () => (await import("./swarm/agent.ts")).show),
  entry("agent pause", "let an agent take no new work", async () => (await import("./swarm/agent.ts")).pause),
  entry(
    "agent resume",
    "let a paused agent work again",
    async () => (await import("./swarm/agent.ts")).resume,
  ),
  entry("agent drain", "let an agent finish and stop", async () => (await import("./swarm/agent.ts")).drain),
  entry(
    "capability ls",
    "list capabilities, their queues and pauses",
    async () => (await import("./swarm/capability.ts")).ls,
  ),
  entry(
    "capability pause",
    "let a capability's tasks wait",
    async () => (await import("./swarm/capability.ts")).pause,
  ),
  entry(
    "capability resume",
    "let a paused capability's tasks go on",
    async () => (await import("./swarm/capability.ts")).resume,
  ),
  processEntry(
    "api",
    "run the front door: submit, HTTP, due tasks",
    async () => (await import("./local/api.ts")).command,
  ),
  entry("token new", "make a token of the HTTP API", async () => (await import("./local/token.ts")).create),
  processEntry(
    "coordinator",
    "run a coordinator in this process",
    async () => (await import("./local/coordinator.ts")).command,
  ),
  entry(
    "office status",
    "say which coordinator holds the office",
    async () => (await import("./swarm/office.ts")).status,
  ),
  entry(
    "office transfer",
    "hand the office to another coordinator",
    async () => (await import("./swarm/office.ts")).transfer,
  ),
  entry(
    "office recover",
    "continue after the control log was lost",
    async () => (await import("./swarm/office.ts")).recover,
  ),
  entry("ballot ls", "list ballots", async () => (await import("./swarm/ballot.ts")).ls),
  entry("ballot show", "explain one ballot", async () => (await import("./swarm/ballot.ts")).show),
  entry(
    "ballot decide",
    "decide a ballot as a person",
    async () => (await import("./swarm/ballot.ts")).decide,
  ),
  entry(
    "ballot correct",
    "record a ballot's right answer",
    async () => (await import("./swarm/ballot.ts")).correct,
  ),
  entry(
    "topology show",
    "draw the swarm, or a ballot",
    async () => (await import("./swarm/topology.ts")).show,
  ),
  entry("lock acquire", "take a lock, or wait for it", async () => (await import("./swarm/lock.ts")).acquire),
  entry("lock release", "give a lock back", async () => (await import("./swarm/lock.ts")).release),
  entry("lock ls", "list held locks", async () => (await import("./swarm/lock.ts")).ls),
  entry("config set", "set a value of the swarm", async () => (await import("./swarm/config.ts")).set),
  entry("config show", "show values of the swarm", async () => (await import("./swarm/config.ts")).show),
  entry(
    "config history",
    "show earlier values of the swarm",
    async () => (await import("./swarm/config.ts")).history,
  ),
  entry(
    "schedule set",
    "submit a task, or start a run of a workflow, at set times",
    async () => (await import("./swarm/schedule.ts")).set,
  ),
  entry("schedule ls", "list schedules", async () => (await import("./swarm/schedule.ts")).ls),
  entry("schedule rm", "remove a schedule", async () => (await import("./swarm/schedule.ts")).rm),
  entry("run", "plan an objective, and run the plan", async () => (await import("./swarm/run.ts")).command),
  entry(
    "schedule backfill",
    "fire the past ticks of a schedule",
    async () => (await import("./swarm/schedule.ts")).backfill,
  ),
  entry(
    "workflow start",
    "start a run of a workflow",
    async () => (await import("./swarm/workflow.ts")).start,
  ),
  entry("workflow ls", "list runs of workflows", async () => (await import("./swarm/workflow.ts")).ls),
  entry(
    "workflow show",
    "show one run with its steps",
    async () => (await import("./swarm/workflow.ts")).show,
  ),
  entry(
    "workflow watch",
    "follow a run until it ends",
    async () => (await import("./swarm/workflow.ts")).watch,
  ),
  entry(
    "workflow graph",
    "draw a run or a definition as a Mermaid flowchart",
    async () => (await import("./swarm/workflow.ts")).graph,
  ),
  entry(
    "workflow shared",
    "show the shared values of a run",
    async () => (await import("./swarm/workflow-shared.ts")).shared,
  ),
  entry(
    "workflow share",
    "set a shared value of a run",
    async () => (await import("./swarm/workflow-shared.ts")).share,
  ),
  entry(
    "workflow signal",
    "send a declared signal to a run",
    async () => (await import("./swarm/workflow.ts")).signal,
  ),
  entry(
    "workflow approve",
    "approve what a run waits for",
    async () => (await import("./swarm/workflow.ts")).approve,
  ),
  entry(
    "workflow reject",
    "reject what a run waits for",
    async () => (await import("./swarm/workflow.ts")).reject,
  ),
  entry(
    "workflow pause",
    "let a run start nothing new",
    async () => (await import("./swarm/workflow.ts")).pause,
  ),
  entry("workflow resume", "let a run go on", async () => (await import("./swarm/workflow.ts")).resume),
  entry(
    "workflow cancel",
    "cancel a run and undo its steps",
    async () => (await import("./swarm/workflow.ts")).cancel,
  ),
  entry(
    "workflow retry",
    "take a failed run up again",
    async () => (await import("./swarm/workflow.ts")).retry,
  ),
  entry(
    "workflow verify",
    "check the log of a run",
    async () => (await import("./swarm/workflow.ts")).verify,
  ),
  entry(
    "workflow export",
    "write the log of a run",
    async () => (await import("./swarm/workflow.ts")).exportLog,
  ),
  processEntry("engine", "run one engine", async () => (await import("./local/engine.ts")).command),
  entry("budget set", "limit what the swarm may use", async () => (await import("./swarm/budget.ts")).set),
  entry("budget ls", "list budgets", async () => (await import("./swarm/budget.ts")).ls),
  entry(
    "workflow replay",
    "make the decisions of recorded logs again",
    async () => (await import("./local/workflow-replay.ts")).replay,
  ),
  entry(
    "workflow check",
    "check workflow definitions",
    async () => (await import("./local/workflow.ts")).check,
  ),
  entry("budget rm", "remove a budget", async () => (await import("./swarm/budget.ts")).rm),
  entry(
    "audit ls",
    "list refused votes, operations and changes of the office",
    async () => (await import("./swarm/audit.ts")).ls,
  ),
  entry("audit verify", "check the audit log", async () => (await import("./swarm/audit.ts")).verify),
  entry(
    "init",
    "create or verify streams and buckets",
    async () => (await import("./swarm/init.ts")).command,
  ),
  entry(
    "permissions explain",
    "show the rights of a role",
    async () => (await import("./local/permissions.ts")).explain,
  ),
  entry(
    "permissions secrets",
    "make the keys of all users",
    async () => (await import("./local/permissions.ts")).secrets,
  ),
  entry(
    "permissions render",
    "write the configuration of nats-server",
    async () => (await import("./local/permissions.ts")).render,
  ),
  entry(
    "permissions reload",
    "let running servers read their users anew",
    async () => (await import("./local/permissions.ts")).reload,
  ),
  entry(
    "doctor",
    "find problems, and say what to do",
    async () => (await import("./local/doctor.ts")).command,
  ),
  entry(
    "schema",
    "print the contract's JSON Schemas",
    async () => (await import("./local/schema.ts")).command,
  ),
  entry("completion", "print the completion script of a shell", async () =>
    (await import("./local/completion.ts")).createCompletion(() => COMMANDS),
  ),
  entry("bench", "measure against a bare NATS loop", async () => (await import("./local/bench.ts")).command),
  entry(
    "debug election-node",
    "run the election core on a pipe",
    async () => (await import("./local/debug.ts")).electionNode,
  ),
];
