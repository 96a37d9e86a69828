// `task …`: see, watch and steer tasks.
import { z } from "zod";
import { sleep } from "../../../base/index.ts";
import {
  createSubjects,
  SwarmError,
  submitReplySchema,
  TASK_STATES,
  taskStatusSchema,
  tokenSchema,
} from "../../../protocol/index.ts";
import { DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT } from "../../../work/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { reading, untilAborted } from "../../cli/session.ts";
import { renderStatus, renderTasks } from "../views/task.ts";

const taskId = tokenSchema.meta({ positional: true, value: "TASK", description: "a task's id" });

export const ls = defineCommand({
  input: z.strictObject({
    state: z.enum(TASK_STATES).optional().meta({ description: "only tasks in this state" }),
    capability: tokenSchema.optional().meta({ description: "only tasks of this capability" }),
    limit: z
      .int()
      .min(1)
      .max(MAX_LIST_LIMIT)
      .default(DEFAULT_LIST_LIMIT)
      .meta({ description: "at most this many", value: "N" }),
    seats: z
      .boolean()
      .default(false)
      .meta({ description: "also the questions of ballots to their seats, judges and verifiers" }),
  }),
  output: z.object({ tasks: z.array(taskStatusSchema) }),
  examples: ["task ls", "task ls --state failed --limit 10", "task ls --capability echo --json"],
  details:
    "Live tasks first, then ended ones; the newest first. A ballot is one line, with how many of its seats have answered. Open\nballots are told by the coordinators; without one they are missing.",
  run: async (ports, input) => ({ tasks: await reading(ports, (await ports.tasks()).list(input)) }),
  render: ({ tasks }, terminal) => renderTasks(tasks, terminal),
});

export const show = defineCommand({
  input: z.strictObject({ task: taskId }),
  output: taskStatusSchema,
  examples: ["task show 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  run: async (ports, input) => reading(ports, (await ports.tasks()).status(input.task)),
  render: renderStatus,
});

/** How often `watch` looks by itself: events are best effort, and a state may change without one. */
const WATCH_POLL_MS = 500;

export const watch = defineCommand({
  input: z.strictObject({ task: taskId }),
  output: taskStatusSchema,
  examples: ["task watch 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  details: "Shows each change until the task has ended; then exit code 0 when it completed, else 1.",
  async run(ports, input) {
    const tasks = await ports.tasks();
    const transport = await ports.transport();
    let wake: () => void = () => undefined;
    const subjects = createSubjects(transport.prefix);
    const subscriptions = [
      subjects.filters.taskEvents(input.task),
      subjects.filters.doneById(input.task),
    ].map((subject) => transport.bus.subscribe(subject, () => wake()));
    try {
      for (let shown = ""; ; ) {
        const status = await reading(ports, tasks.status(input.task));
        const line = `${status.state}${status.attempt > 0 ? `, attempt ${status.attempt}` : ""}${status.progress === null ? "" : `, ${status.progress} %`}${status.agent === null ? "" : `, ${status.agent}`}`;
        if (line !== shown && status.result === undefined) ports.terminal.say(line);
        shown = line;
        if (status.result !== undefined) return status;
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const asleep = new AbortController();
        const signal = AbortSignal.any([ports.signal, asleep.signal]);
        await Promise.race([woken, sleep(WATCH_POLL_MS, { signal }).catch(() => undefined)]);
        asleep.abort();
        ports.signal.throwIfAborted();
      }
    } finally {
      for (const subscription of subscriptions) subscription.close();
    }
  },
  render: renderStatus,
  exitCode: (status) => (status.state === "completed" ? 0 : 1),
});

export const cancel = defineCommand({
  input: z.strictObject({
    task: tokenSchema.optional().meta({ positional: true, value: "TASK", description: "a task's id" }),
    scope: tokenSchema.optional().meta({ description: "cancel every task of this scope instead" }),
  }),
  output: z.union([
    z.object({ taskId: z.string(), status: z.literal("cancelled") }),
    z.object({ scope: z.string(), status: z.literal("cancelled") }),
  ]),
  examples: ["task cancel 01J9Z3V8K4M5N6P7Q8R9S0T1U2", "task cancel --scope nightly"],
  details:
    "A waiting task ends at once, a running one within a second. A cancelled scope takes no further tasks. An open ballot is\nknown to the office: while that changes hands, its next holder is waited for (5 s, --timeout).",
  async run(ports, { task, scope }) {
    if ((task === undefined) === (scope === undefined)) {
      throw new SwarmError("invalid_input", "name either a task or --scope", { field: "task" });
    }
    const tasks = await ports.tasks();
    if (task !== undefined) {
      await untilAborted(tasks.cancel(task, { timeoutMs: ports.config.timeoutMs }), ports.signal);
      return { taskId: task, status: "cancelled" as const };
    }
    await reading(ports, tasks.cancelScope(scope!));
    return { scope: scope!, status: "cancelled" as const };
  },
  render: (output) => ("scope" in output ? `cancelled scope ${output.scope}` : `cancelled ${output.taskId}`),
});

export const retry = defineCommand({
  input: z.strictObject({ task: taskId }),
  output: submitReplySchema,
  examples: ["task retry 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  details: "Hands a failed task in anew, as a new task labelled replayOf; the old result stays.",
  run: async (ports, input) => reading(ports, (await ports.tasks()).retry(input.task)),
  render: ({ taskId: id }) => id,
});
