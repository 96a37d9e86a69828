// The five-minute drill, as data: for each fault the place that tells its cause, the row and the step of the runbook, and the remedy. The
// pilot of a drill sees `GET /v1/problems`, the queries of the board Overview, and the runbook of the alert that the pager names.
import { pauseMover } from "./faults.ts";
import type { World } from "./world.ts";

/** A panel of the board Overview, and the values that tell the cause. */
export interface Figure {
  readonly panel: string;
  readonly tells: (values: readonly number[]) => boolean;
}

/** The drill of one fault. */
export interface Drill {
  /** The figure that tells the cause: the words of the problem, or a panel of the Overview. */
  readonly figure: RegExp | Figure;
  /** Another problem that hides the one of the alert. */
  readonly hiddenBy?: string;
  /** A piece of the row of the runbook that names the cause. */
  readonly row: string;
  /** A piece of the step of the runbook that helps. */
  readonly step: string;
  /** Performs the step. `commands`: the commands that the problem names. */
  remedy(scene: { world: World; commands: readonly string[] }): Promise<unknown>;
}

/** The process of further agents that a remedy starts. */
export const EXTRA = "second";
/** The commands of the runbooks that end the tasks of a capability. */
const purge = (world: World, capability: string) =>
  world.command("task", "purge", "--capability", capability, "--yes");
const purgeLetters = (world: World) => world.command("dead", "purge", "--all");
/** The id in a command of a problem, such as `murmur workflow show RUN`. */
function idIn(commands: readonly string[], start: string): string {
  const found = commands.find((command) => command.startsWith(start));
  if (found === undefined)
    throw new Error(`the problem names no command ${start}; it names ${commands.join(", ")}`);
  return found.slice(start.length).trim().split(" ")[0] ?? "-";
}
const above = (limit: number) => (values: readonly number[]) => values.some((value) => value > limit);

/** The drills by the names of their faults. */
export const DRILLS: Readonly<Record<string, Drill>> = {
  "dead letter": {
    figure: /of the newest dead letters are of echo .*tool_failed/,
    row: "`tool_failed`, `internal`",
    step: "`murmur dead purge TASK`",
    remedy: ({ world }) => purgeLetters(world),
  },
  "few tasks, most of them fail": {
    figure: { panel: "Tasks that fail (1 h)", tells: above(0.5) },
    row: "`tool_failed`, `internal`",
    step: "`murmur capability pause NAME`",
    remedy: async ({ world }) => {
      await world.command("capability", "pause", "echo");
      await purgeLetters(world);
      await world.command("capability", "resume", "echo");
    },
  },
  "many tasks fail": {
    figure: { panel: "Tasks that fail (1 h)", tells: above(0.144) },
    row: "`tool_failed`, `internal`",
    step: "`murmur capability pause NAME`",
    remedy: async ({ world }) => {
      await world.command("capability", "pause", "echo");
      await purge(world, "echo");
      await purgeLetters(world);
      await world.command("capability", "resume", "echo");
    },
  },
  "late starts": {
    figure: { panel: "Tasks that start late (1 h)", tells: above(0.144) },
    row: "the capability was paused a moment ago",
    step: "Start more agents of the role",
    remedy: ({ world }) => world.start(EXTRA, ["agent", "run", "echo"]),
  },
  "all slots in use": {
    figure: /all 4 slots of the 1 agents of echo are in use/,
    row: "agents are `working`",
    step: "Start more processes of the role",
    remedy: ({ world }) => world.start(EXTRA, ["agent", "run", "echo"], { MURMUR_ECHO_SLOTS: "16" }),
  },
  "a growing queue": {
    figure: { panel: "Waiting tasks", tells: above(20) },
    row: "all slots are used",
    step: "`murmur task purge --capability NAME`",
    remedy: ({ world }) => purge(world, "echo"),
  },
  "an agent hangs": {
    figure: { panel: "Agents by state", tells: above(0) },
    row: "one long step",
    step: "Restart its process",
    remedy: async ({ world }) => {
      await purge(world, "odd");
      await world.process("odd").kill();
      world.process("odd").start();
    },
  },
  "agents given up": {
    figure: /agents of odd are failed/,
    row: "the error beside it",
    step: "Restart the role",
    remedy: async ({ world }) => {
      await purge(world, "odd");
      await world.process("odd").kill();
      world.process("odd").start();
      await purgeLetters(world);
    },
  },
  "agents wait for a model": {
    figure: { panel: "Agents wait for", tells: above(0) },
    row: "too few slots",
    step: "`murmur task purge --capability NAME`",
    remedy: ({ world }) => purge(world, "odd"),
  },
  "no agent of a capability": {
    figure: /tasks of echo wait, .*no living agent offers it/,
    row: "lists no agent with the capability",
    step: "`murmur agent run ROLE`",
    remedy: async ({ world }) => world.process("echo").start(),
  },
  "a process away": {
    figure: { panel: "Alerts that fire", tells: above(0) },
    row: "the process does not run",
    step: "Start the process again",
    remedy: async ({ world }) => world.process(EXTRA).start(),
  },
  "no coordinator": {
    figure: /no coordinator answers/,
    row: "no coordinator answers",
    step: "Start the missing coordinators",
    remedy: ({ world }) => world.startCoordinators(),
  },
  "the office moves again and again": {
    figure: { panel: "Alerts that fire", tells: above(0) },
    row: "coordinators restart",
    step: "Wait when a roll is on its way",
    remedy: async () => undefined,
  },
  "NATS stopped": {
    figure: /no connection for/,
    row: "the server is stopped",
    step: "Start the server",
    remedy: ({ world }) => world.nats.restart(),
  },
  "NATS hangs": {
    figure: /no connection for|answered no ping|not read for/,
    hiddenBy: "MurmurNatsUnreachable", // while the connection is lost, nothing else is told
    row: "NATS is slow or away",
    step: "mend the server",
    remedy: async ({ world }) => world.wakeNats(),
  },
  "a stream almost full": {
    figure: /the stream tasks holds .* bytes/,
    row: "few tasks, many bytes",
    step: "`murmur task purge --capability NAME`",
    remedy: ({ world }) => purge(world, "echo"),
  },
  "no mover": {
    figure: /the oldest due task has waited for a mover/,
    row: "movers are a part of it",
    step: "Start an api process",
    remedy: ({ world }) => pauseMover(world, Date.now() - 1_000), // the fault paused the movers of all api processes
  },
  "two versions": {
    figure: { panel: "Processes by version", tells: above(0) },
    row: "a process runs outside of the chart",
    step: "Restart the processes of the old version",
    remedy: async ({ world }) => world.removeForeign(),
  },
  "a missing right": {
    figure: { panel: "Alerts that fire", tells: above(0) },
    row: "one process alone",
    step: "Restart the process",
    remedy: ({ world }) => world.forget("weak"),
  },
  "a step waits for a person": {
    figure: /its step pay began, and no record tells how it ended/,
    row: "the process of the step died",
    step: "`murmur task settle TASK STEP --result JSON`",
    remedy: ({ world, commands }) =>
      world.command("task", "settle", idIn(commands, "murmur task settle "), "pay", "--result", '"paid"'),
  },
  "a run of a workflow is blocked": {
    figure: /is blocked \(repeated-name/,
    row: "the code of the workflow does not fit",
    step: "`murmur workflow cancel RUN`",
    remedy: ({ world, commands }) =>
      world.command("workflow", "cancel", idIn(commands, "murmur workflow cancel ")),
  },
  "no engine": {
    figure: /no engine answers, and/,
    row: "no engine answers",
    step: "Start an engine",
    remedy: ({ world }) => world.startEngine(),
  },
  "a compensation fails": {
    figure: /the compensation of its step book failed/,
    row: "the compensation itself is wrong",
    step: "`murmur workflow resume RUN --skip STEP --note TEXT`",
    remedy: ({ world, commands }) => {
      const id = idIn(commands, "murmur workflow resume ");
      return world.command("workflow", "resume", id, "--skip", "book", "--note", "undone-by-hand");
    },
  },
  "a run waits for a person": {
    figure: /waits for the decision go of ops/,
    row: "none of them has decided",
    step: "`murmur workflow approve RUN APPROVAL`",
    remedy: ({ world, commands }) => {
      const id = idIn(commands, "murmur workflow approve ");
      return world.command("workflow", "approve", id, "go", "--as", "ops");
    },
  },
  "ballots without a quorum": {
    figure: { panel: "Failures by code", tells: above(0) },
    row: "seats failed",
    step: "`murmur dead show TASK`",
    remedy: ({ world }) => purgeLetters(world),
  },
  "a budget nearly spent": {
    figure: { panel: "Budgets", tells: above(0.9) },
    row: "`reserved` is near the limit",
    step: "`murmur budget set NAME`",
    remedy: ({ world }) => world.command("budget", "set", "drill", "--calls", "1000"),
  },
  "an event loop is blocked": {
    figure: { panel: "Alerts that fire", tells: above(0) },
    row: "its event loop is blocked",
    step: "`murmur task cancel TASK`",
    remedy: async ({ world }) => {
      const listed = await world.command("task", "ls", "--capability", "echo", "--json");
      const { tasks } = JSON.parse(listed) as { tasks: { taskId: string; state: string }[] };
      for (const { taskId, state } of tasks)
        if (["running", "pending"].includes(state)) await world.command("task", "cancel", taskId);
      await world.process("echo").kill();
      world.process("echo").start();
    },
  },
};

/** Faults with an alert and without a drill, with the reason. */
export const WITHOUT_DRILL: Readonly<Record<string, string>> = {
  "the control log lost its entries":
    "its remedy needs a backup; docs/coordinator.md#recovering-the-log has the steps, and a test of its own",
};
