// Operations on tasks: submit, run, look, watch, cancel, retry.
import { z } from "zod";
import { newId } from "../../base/index.ts";
import {
  MAX_STEP_NAME_LENGTH,
  nameSchema,
  PRIORITIES,
  resultSchema,
  submitReplySchema,
  TASK_STATES,
  type TaskStatus,
  taskSchema,
  taskStatusSchema,
  tokenSchema,
} from "../../protocol/index.ts";
import { DEFAULT_LIST_LIMIT, HIDDEN_REASONS, MAX_LIST_LIMIT, type TaskChange } from "../../work/index.ts";
import { readCapabilities } from "../office/capabilities.ts";
import { noteAbsence } from "./absent-agents.ts";
import { ballotNewsSchema, followBallot } from "./ballot-news.ts";
import {
  defineOperation,
  NOT_AUDITED,
  type OperationContext,
  type Reach,
  readWithin,
  stepWithin,
} from "./operation.ts";
import { auditedReplySchema, describeReplay } from "./replays.ts";
import { filterFields, readFilter } from "./task-filter.ts";

/** How long `task-run` waits when the caller names no time: a day, as long as one attempt may run. */
const RUN_LIMIT_MS = 86_400_000;

const taskId = nameSchema.meta({ description: "a task's id" });
const oneTask = z.strictObject({ task: taskId });
const reachOfTask = ({ task }: { task: string }): Reach => ({ task });

/** All capabilities whose agents a task can employ: its own, and the capabilities that its ballot asks. */
export function reachOfSubmit({ capability, ballot }: z.output<typeof taskSchema>): Reach {
  const asked = [...(ballot?.panel ?? []), ballot?.judge, ballot?.verifier];
  return { capabilities: [capability, ...asked.filter((each) => each !== undefined)] };
}

/** The error codes of a refused task. */
const SUBMIT_ERRORS = [
  "payload_too_large",
  "unknown_capability",
  "conflict",
  "cancelled",
  "deadline",
  "rate_limited",
] as const;

export const submitTask = defineOperation({
  name: "task-submit",
  summary: "submit a task",
  input: taskSchema,
  output: submitReplySchema,
  errors: SUBMIT_ERRORS,
  access: "submit",
  reach: reachOfSubmit,
  run: ({ client, request }, task) => client.submit(task, { ...request, patienceMs: 0 }),
});

export const runTask = defineOperation({
  name: "task-run",
  summary: "submit a task and wait for its result",
  input: taskSchema,
  output: resultSchema,
  event: ballotNewsSchema,
  /** `timeout`: no result came within the caller's time. The task continues. */
  errors: [...SUBMIT_ERRORS, "timeout"],
  access: "submit",
  reach: reachOfSubmit,
  async *run(context, task) {
    const { client, request, timeoutMs = RUN_LIMIT_MS, signal, wantsEvents } = context;
    const options = { ...request, timeoutMs, signal, patienceMs: 0 };
    if (!wantsEvents) return await client.run(task, options);
    if (task.ballot === undefined) return yield* noteAbsence(context, task, () => client.run(task, options));
    const id = task.id ?? newId();
    return yield* followBallot(context, id, () => client.run({ ...task, id }, options));
  },
});

/** Entries that a list does not show, with the reason as a phrase about them. */
const hiddenSchema = z.object({
  why: z.enum(Object.keys(HIDDEN_REASONS) as [keyof typeof HIDDEN_REASONS]),
  count: z.int(),
  reason: z.string(),
});
type HiddenCount = z.output<typeof hiddenSchema>;

function describeHidden(hidden: Readonly<Record<HiddenCount["why"], number>>): HiddenCount[] {
  return hiddenSchema.shape.why.options
    .filter((why) => hidden[why] > 0)
    .map((why) => ({ why, count: hidden[why], reason: HIDDEN_REASONS[why] }));
}

const taskPageSchema = z.object({
  tasks: z.array(taskStatusSchema),
  /** The cursor for `after`; null when nothing is left. */
  next: z.string().nullable(),
  /** The stored entries that the page looked at. Each one is in `tasks` or counted in `hidden`. */
  seen: z.int(),
  hidden: z.array(hiddenSchema),
  /** True: no coordinator answered, so open ballots are missing, and nothing counts them. */
  missesBallots: z.boolean(),
});

export const listTasks = defineOperation({
  name: "task-list",
  summary: "list tasks",
  input: z.strictObject({
    state: z.enum(TASK_STATES).optional().meta({ description: "only tasks in this state" }),
    ...filterFields,
    limit: z
      .int()
      .min(1)
      .max(MAX_LIST_LIMIT)
      .default(DEFAULT_LIST_LIMIT)
      .meta({ description: "at most this many" }),
    seats: z
      .boolean()
      .default(false)
      .meta({ description: "also the questions of ballots to their seats, judges and verifiers" }),
    stray: z.boolean().default(false).meta({ description: "only tasks that no process can take" }),
    after: z
      .string()
      .max(80)
      .optional()
      .meta({ description: "the next page: the cursor that the page before named", value: "CURSOR" }),
  }),
  output: taskPageSchema,
  /** The entries that were looked at so far, and the tasks that were found. */
  event: z.object({ seen: z.int(), found: z.int() }),
  errors: [],
  access: "read",
  reach: (filter) => ({ filter }),
  async *run(context, { state, limit, seats, stray, after, ...filter }) {
    const selection = readFilter(filter, context.transport.clock.now());
    const page = context.tasks.page({ ...selection, state, limit, seats, stray, after });
    const { hidden, ...rest } = yield* stepWithin(context, page);
    return { ...rest, hidden: describeHidden(hidden) };
  },
});

export const showTask = defineOperation({
  name: "task-show",
  summary: "show one task",
  input: oneTask,
  output: taskStatusSchema,
  errors: ["not_found"],
  access: "read",
  reach: reachOfTask,
  run: (context, { task }) => readWithin(context, showWithPause(context, task)),
});

export const watchTask = defineOperation({
  name: "task-watch",
  summary: "follow a task until it ends",
  input: oneTask,
  output: taskStatusSchema,
  /** The task's status after each change of state, attempt, progress or agent, but for the last, which is the output. */
  event: taskStatusSchema,
  errors: ["not_found"],
  access: "read",
  reach: reachOfTask,
  async *run({ client, signal, timeoutMs }, { task }) {
    let last: TaskStatus | undefined;
    for await (const status of client.watch(task, { signal, patienceMs: timeoutMs })) {
      last = status;
      if (status.result === undefined) yield status; // the status with the result is the last one
    }
    return last!;
  },
});

/** State, attempt, progress and agent of a task on one line, without the facts that it does not have yet. */
export function describeProgress({ state, attempt, progress, agent }: TaskStatus): string {
  const facts = [
    state,
    attempt > 0 ? `attempt ${attempt}` : null,
    progress === null ? null : `${progress} %`,
    agent,
  ];
  return facts.filter((fact) => fact !== null).join(", ");
}

export const cancelTasks = defineOperation({
  name: "task-cancel",
  summary: "cancel a task, or all of a scope",
  input: z
    .strictObject({
      task: taskId.optional(),
      scope: tokenSchema.optional().meta({ description: "cancel every task of this scope instead" }),
    })
    .refine(({ task, scope }) => (task === undefined) !== (scope === undefined), {
      error: "name either `task` or `scope`",
      path: ["task"],
    }),
  output: z.union([
    z.object({ taskId: z.string(), status: z.literal("cancelled"), audited: z.boolean() }),
    z.object({ scope: z.string(), status: z.literal("cancelled"), audited: z.boolean() }),
  ]),
  /** `conflict`: the task had ended already. */
  errors: ["not_found", "conflict"],
  access: "operate",
  /** A program may cancel a task that it may submit. A scope can hold the tasks of others. */
  accessOf: ({ scope }) => (scope === undefined ? "submit" : "operate"),
  reach: ({ task }) => ({ task }),
  audit: { about: ({ task, scope }) => (scope === undefined ? { task } : { filter: { scope } }) },
  async run(context, { task, scope }) {
    const { tasks, client, timeoutMs } = context;
    if (scope === undefined) {
      await client.cancel(task!, { patienceMs: timeoutMs });
      return { taskId: task!, status: "cancelled" as const, audited: NOT_AUDITED };
    }
    await readWithin(context, tasks.cancelScope(scope));
    return { scope, status: "cancelled" as const, audited: NOT_AUDITED };
  },
});

/** The errors of a change of a waiting task. `conflict`: it has ended, a host has received it, or it was placed on an agent. */
const CHANGE_ERRORS = ["not_found", "conflict"] as const;
const changedTaskSchema = z.object({
  taskId: z.string(),
  capability: z.string(),
  priority: z.enum(PRIORITIES),
  /** False when the task was there before: nothing was changed. */
  changed: z.boolean(),
  /** The audit log has an entry about the change. */
  audited: z.boolean(),
});

/** Changes a waiting task. */
async function changeOne({ tasks, timeoutMs }: OperationContext, taskId: string, change: TaskChange) {
  const done = await tasks.change(taskId, change, { timeoutMs });
  return { ...done, audited: NOT_AUDITED };
}

/** The queue of the task after the change, and whether it was another one before. */
const changeAudit = {
  outcome: ({ capability, priority, changed }: z.output<typeof changedTaskSchema>) => ({
    capability,
    priority,
    changed,
  }),
};

export const moveTask = defineOperation({
  name: "task-move",
  summary: "move a waiting task to another capability",
  input: z.strictObject({
    task: taskId,
    capability: nameSchema.meta({ description: "the capability that the task needs" }),
    priority: z.enum(PRIORITIES).optional().meta({ description: "also another priority" }),
  }),
  output: changedTaskSchema,
  errors: [...CHANGE_ERRORS, "unknown_capability"],
  access: "operate",
  reach: ({ task, capability }) => ({ task, capabilities: [capability] }),
  audit: changeAudit,
  run: (context, { task, capability, priority }) => changeOne(context, task, { capability, priority }),
});

export const promoteTask = defineOperation({
  name: "task-promote",
  summary: "make a delayed task due now",
  input: oneTask,
  output: changedTaskSchema,
  errors: CHANGE_ERRORS,
  access: "operate",
  reach: reachOfTask,
  audit: changeAudit,
  run: (context, { task }) => changeOne(context, task, { dueNow: true }),
});

export const settleTask = defineOperation({
  name: "task-settle",
  summary: "tell how a step that runs once ended",
  input: z
    .strictObject({
      task: taskId,
      step: z
        .string()
        .min(1)
        .max(MAX_STEP_NAME_LENGTH)
        .meta({ description: "the step, as task show names it" }),
      result: z.unknown().optional().meta({ description: "it was done, with this result" }),
      notDone: z.literal(true).optional().meta({ description: "it did nothing: it runs again" }),
    })
    .refine(({ result, notDone }) => (result === undefined) !== (notDone === undefined), {
      error: "give either `result` (null for none) or `notDone`",
      path: ["result"],
    }),
  output: z.object({
    taskId: z.string(),
    step: z.string(),
    isDone: z.boolean(),
    /** False when the same was told before. */
    changed: z.boolean(),
    /** The steps of the task that still wait for a person. */
    waiting: z.array(z.string()),
    /** The audit log has an entry about it. */
    audited: z.boolean(),
  }),
  /** `conflict`: the task has ended or does not wait for a person, or the step has another record. */
  errors: ["not_found", "conflict", "payload_too_large"],
  access: "operate",
  reach: reachOfTask,
  audit: {
    about: ({ task, step, notDone }) => ({ task, step, isDone: notDone === undefined }),
    outcome: ({ changed }) => ({ changed }),
  },
  async run({ tasks, caller }, { task, step, result, notDone }) {
    const settled = await tasks.settle(task, {
      step,
      isDone: notDone === undefined,
      output: result,
      by: caller.name,
    });
    return { ...settled, audited: NOT_AUDITED };
  },
});

export const reprioritiseTask = defineOperation({
  name: "task-reprioritise",
  summary: "give a waiting task another priority",
  input: z.strictObject({
    task: taskId,
    priority: z.enum(PRIORITIES).meta({ description: "the new priority" }),
  }),
  output: changedTaskSchema,
  errors: CHANGE_ERRORS,
  access: "operate",
  reach: reachOfTask,
  audit: changeAudit,
  run: (context, { task, priority }) => changeOne(context, task, { priority }),
});

export const retryTask = defineOperation({
  name: "task-retry",
  summary: "submit a failed task again",
  input: oneTask,
  output: auditedReplySchema,
  errors: ["not_found", ...SUBMIT_ERRORS],
  access: "operate",
  accessOf: () => "submit",
  reach: reachOfTask,
  audit: { outcome: describeReplay },
  async run(context, { task }) {
    return { ...(await readWithin(context, context.tasks.retry(task))), audited: NOT_AUDITED };
  },
});

/** The status of a task; while it waits, with the pause of its capability. */
/** Adds the address of the task's trace. A trace id has hexadecimal digits only, so it needs no escapes. */
function withTraceUrl(status: TaskStatus, traceUrl: string | undefined): TaskStatus {
  const { traceId } = status;
  if (traceUrl === undefined || traceId === undefined) return status;
  return { ...status, traceUrl: traceUrl.replaceAll("{traceId}", traceId) };
}

async function showWithPause(context: OperationContext, task: string): Promise<TaskStatus> {
  const found = await context.tasks.statusWithHistory(task);
  const status = withTraceUrl(found, context.traceUrl);
  const { capability, state } = status;
  if (state !== "pending" && state !== "retrying" && state !== "scheduled") return status;
  const { capabilities } = await readCapabilities(context);
  const queue = capabilities.find((each) => each.capability === capability);
  if (queue === undefined || queue.state === "open" || queue.state === "resuming") return status;
  return { ...status, paused: { since: queue.since, by: queue.by } };
}
