// The table of commands. Names and summaries stand here, so that the help loads no command; the rest is in the modules.
import type { Command, CommandEntry } from "../cli/command.ts";

/** Each command's own types end at the table: its schemas check what goes in and out. */
const entry = (name: string, summary: string, load: () => Promise<unknown>): CommandEntry => ({
  name,
  summary,
  load: async () => ({ command: (await load()) as Command }),
});

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  entry("up", "start a whole swarm on this machine", async () => (await import("./up.ts")).command),
  entry("down", "stop the swarm of a data directory", async () => (await import("./down.ts")).command),
  entry("review", "review a repository with a swarm", async () => (await import("./review.ts")).command),
  entry("submit", "hand in a task", async () => (await import("./submit.ts")).command),
  entry("task ls", "list tasks", async () => (await import("./task.ts")).ls),
  entry("task show", "show one task", async () => (await import("./task.ts")).show),
  entry("task watch", "follow a task until it ends", async () => (await import("./task.ts")).watch),
  entry("task cancel", "cancel a task, or all of a scope", async () => (await import("./task.ts")).cancel),
  entry("task retry", "hand a failed task in anew", async () => (await import("./task.ts")).retry),
  entry("dead ls", "list dead letters", async () => (await import("./dead.ts")).ls),
  entry("dead show", "show one dead letter", async () => (await import("./dead.ts")).show),
  entry("dead replay", "hand a dead letter in anew", async () => (await import("./dead.ts")).replay),
  entry("dead purge", "remove dead letters", async () => (await import("./dead.ts")).purge),
  entry("agent run", "run agents in this process", async () => (await import("./agent.ts")).run),
  entry("agent ls", "list living agents", async () => (await import("./agent.ts")).ls),
  entry("agent show", "show one agent", async () => (await import("./agent.ts")).show),
  entry("agent pause", "let an agent take no new work", async () => (await import("./agent.ts")).pause),
  entry("agent resume", "let a paused agent work again", async () => (await import("./agent.ts")).resume),
  entry("agent drain", "let an agent finish and stop", async () => (await import("./agent.ts")).drain),
  entry("api", "run the front door: submit, HTTP, due tasks", async () => (await import("./api.ts")).command),
  entry(
    "coordinator",
    "run a coordinator in this process",
    async () => (await import("./coordinator.ts")).command,
  ),
  entry("office status", "say who decides", async () => (await import("./office.ts")).status),
  entry(
    "office transfer",
    "hand the office to another coordinator",
    async () => (await import("./office.ts")).transfer,
  ),
  entry(
    "office recover",
    "go on after the control log was lost",
    async () => (await import("./office.ts")).recover,
  ),
  entry("ballot ls", "list ballots", async () => (await import("./ballot/ballot.ts")).ls),
  entry("ballot show", "explain one ballot", async () => (await import("./ballot/ballot.ts")).show),
  entry(
    "ballot decide",
    "decide a ballot as a person",
    async () => (await import("./ballot/ballot.ts")).decide,
  ),
  entry(
    "ballot correct",
    "tell a ballot's right answer",
    async () => (await import("./ballot/ballot.ts")).correct,
  ),
  entry(
    "topology show",
    "draw the swarm, or a ballot",
    async () => (await import("./ballot/topology.ts")).show,
  ),
  entry("lock acquire", "take a lock, or wait for it", async () => (await import("./lock.ts")).acquire),
  entry("lock release", "give a lock back", async () => (await import("./lock.ts")).release),
  entry("lock ls", "list held locks", async () => (await import("./lock.ts")).ls),
  entry("config set", "set a value of the swarm", async () => (await import("./config.ts")).set),
  entry("config show", "show values of the swarm", async () => (await import("./config.ts")).show),
  entry("config history", "show what values were", async () => (await import("./config.ts")).history),
  entry("schedule set", "hand in a task at set times", async () => (await import("./schedule.ts")).set),
  entry("schedule ls", "list schedules", async () => (await import("./schedule.ts")).ls),
  entry("schedule rm", "remove a schedule", async () => (await import("./schedule.ts")).rm),
  entry("budget set", "limit what the swarm may use", async () => (await import("./budget.ts")).set),
  entry("budget ls", "list budgets", async () => (await import("./budget.ts")).ls),
  entry("budget rm", "remove a budget", async () => (await import("./budget.ts")).rm),
  entry("audit ls", "list what was refused and decided", async () => (await import("./audit.ts")).ls),
  entry("audit verify", "check the audit log", async () => (await import("./audit.ts")).verify),
  entry("init", "create or verify streams and buckets", async () => (await import("./init.ts")).command),
  entry("doctor", "say what is wrong and what to do", async () => (await import("./doctor.ts")).command),
  entry("schema", "print the contract's JSON Schemas", async () => (await import("./schema.ts")).command),
  entry("bench", "measure against a bare NATS loop", async () => (await import("./bench.ts")).command),
  entry(
    "debug election-node",
    "the election core on a pipe",
    async () => (await import("./debug.ts")).electionNode,
  ),
];
