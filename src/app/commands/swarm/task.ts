// `task …`: see, watch and steer tasks.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import { printable } from "../../cli/terminal.ts";
import { purgeTasks } from "../../operations/task-purge.ts";
import {
  cancelTasks,
  describeProgress,
  listTasks,
  moveTask,
  promoteTask,
  reprioritiseTask,
  retryTask,
  settleTask,
  showTask,
  watchTask,
} from "../../operations/tasks.ts";
import { callOperation, defineFace } from "../face.ts";
import { exitCodeOf, renderBulk, showProgress } from "../views/bulk.ts";
import { renderPageEnd, renderReplay, renderStatus, renderTasks } from "../views/task.ts";

const task = { positional: true, value: "TASK" } as const;

export const ls = defineFace(listTasks, {
  fields: { limit: { value: "N" } },
  examples: [
    "task ls",
    "task ls --state failed --code timeout --since 2h",
    "task ls --capability echo --label team=a --scope nightly --json",
    "task ls --limit 100 --after ended.1200",
  ],
  details:
    "Live tasks first, then ended ones; the newest first. A ballot is one line, with how many of its seats have answered. The\ncoordinators report open ballots; without a coordinator they are missing, and the page says so. One page looks at 10,000 entries at most; it\nnames the cursor of the next page, and counts the entries that it does not show. Completed and cancelled tasks have no\nlabels stored, and no scope.",
  onEvent: ({ seen, found }, terminal) => terminal.status(`looked at ${seen}, found ${found}`),
  render: (page, terminal) => {
    terminal.status("");
    return [renderTasks(page.tasks, terminal), ...renderPageEnd(page)].join("\n");
  },
});

export const show = defineFace(showTask, {
  fields: { task },
  examples: ["task show 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  render: renderStatus,
});

export const watch = defineFace(watchTask, {
  fields: { task },
  examples: ["task watch 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  details: "Shows each change until the task has ended; then exit code 0 when it completed, else 1.",
  onEvent: (status, terminal) => terminal.say(describeProgress(status)),
  render: renderStatus,
  exitCode: (status) => (status.state === "completed" ? 0 : 1),
});

export const cancel = defineFace(cancelTasks, {
  fields: { task },
  examples: ["task cancel 01J9Z3V8K4M5N6P7Q8R9S0T1U2", "task cancel --scope nightly"],
  details:
    "A waiting task ends at once, a running one within a second. A cancelled scope takes no further tasks. The office knows the\nopen ballots: while it changes hands, the command waits for the next holder (5 s, --timeout).",
  render: (output) => ("scope" in output ? `cancelled scope ${output.scope}` : `cancelled ${output.taskId}`),
});

export const purge = defineFace(purgeTasks, {
  fields: { rate: { value: "N" } },
  examples: [
    "task purge --capability echo",
    "task purge --capability echo --label team=a --yes --rate 100",
    "task purge --state scheduled --scope nightly --yes",
    "task purge --state completed --id-prefix import- --yes",
  ],
  details:
    "Shows a preview; --yes does it. A waiting task ends as cancelled, with a stored result. A running task stays: task cancel ends\nit. With --state completed, failed or cancelled the stored results are removed instead: then the task is unknown, a waiting\nprogram gets no result, and a task that is submitted again with the same id runs again. Dead letters stay (dead purge).\nCtrl-C ends after the current task and tells how many are left; the same command goes on there.",
  handlesInterrupts: true,
  onEvent: (event, terminal) => {
    if ("seen" in event) terminal.status(`looked at ${event.seen}, found ${event.found}`);
    else showProgress(event, terminal);
  },
  render: (report, terminal) => {
    terminal.status("");
    const running = `running  ${report.running}: not purged; murmur task cancel ends a running task`;
    const lines = renderBulk(report, "purged", "--yes purges them");
    return report.running > 0 ? `${lines}\n${running}` : lines;
  },
  exitCode: exitCodeOf,
});

export const move = defineFace(moveTask, {
  fields: { task },
  examples: [
    "task move 01J9Z3V8K4M5N6P7Q8R9S0T1U2 --capability echo",
    "task move unreadable-3f9a7c --capability echo --priority high",
  ],
  details:
    "For a task that no agent takes: its capability or its subject is misspelt. It keeps its id, and starts with attempt 1. A\nprogram that waits for the result under the earlier capability must ask again. A task that a host has received stays where\nit is (conflict). An api process carries out the move; safe to repeat.",
  render: renderChanged,
});

export const promote = defineFace(promoteTask, {
  fields: { task },
  examples: ["task promote 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  details: "For a task with a delay, or that waits for its retry. Safe to repeat.",
  render: renderChanged,
});

export const reprioritise = defineFace(reprioritiseTask, {
  fields: { task },
  examples: ["task reprioritise 01J9Z3V8K4M5N6P7Q8R9S0T1U2 --priority urgent"],
  details:
    "A task that a host has received keeps its priority (conflict). An api process carries out the change; safe to repeat.",
  render: renderChanged,
});

function renderChanged({ taskId, capability, priority, changed }: z.output<typeof moveTask.output>): string {
  return `${taskId} ${changed ? "waits" : "waits already"} for ${capability}, priority ${priority}`;
}

export const settle = defineCommand({
  input: z.strictObject({
    task: settleTask.input.shape.task.meta({ ...settleTask.input.shape.task.meta(), ...task }),
    step: settleTask.input.shape.step.meta({
      ...settleTask.input.shape.step.meta(),
      positional: true,
      value: "STEP",
    }),
    result: z.string().optional().meta({ description: "it was done, with this result", value: "JSON" }),
    notDone: z.boolean().default(false).meta({ description: "it did nothing, so it runs again" }),
  }),
  output: settleTask.output,
  examples: [
    `task settle 01J9Z3V8K4M5N6P7Q8R9S0T1U2 charge --result '{"receipt":"r-17"}'`,
    "task settle 01J9Z3V8K4M5N6P7Q8R9S0T1U2 charge --not-done",
  ],
  details:
    "For a step with once whose process died while it ran: look at the system that the step touches, then tell how it ended. The\ntask goes on at once. task show names the steps that wait. A step without a result takes --result null. Safe to repeat.",
  run: async (ports, { result, notDone, ...input }) =>
    callOperation(ports, settleTask, {
      ...input,
      ...(notDone ? { notDone: true as const } : {}),
      ...(result === undefined ? {} : { result: readJson(result, "result") }),
    }),
  render: ({ taskId, step, isDone, changed, waiting }) => {
    const told = `${taskId}: ${printable(step)} ${changed ? "is" : "was already"} settled as ${isDone ? "done" : "not done"}`;
    return waiting.length === 0 ? told : `${told}; still waiting: ${waiting.map(printable).join(", ")}`;
  },
});

export const retry = defineFace(retryTask, {
  fields: { task },
  examples: ["task retry 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  details:
    "Submits a failed task again, as a new task labelled replayOf; the old result stays. Safe to repeat: a second call names the\nsame new task. To try again, retry that task.",
  render: renderReplay,
});
