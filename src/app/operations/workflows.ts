// Operations on workflows: start runs, look at them, and steer them. An engine judges each command before it is stored, so a refusal is the
// answer, and nothing is stored.
import { z } from "zod";
import { toIsoTime } from "../../base/index.ts";
import {
  foldOf,
  isEnded,
  MAX_COMMAND_NOTE_LENGTH,
  MAX_LISTED_RUNS,
  WorkflowClient,
  workflowIdSchema,
} from "../../engine/index.ts";
import { type Json, labelsSchema, nameSchema, resultSchema, SwarmError } from "../../protocol/index.ts";
import { type Author, drawGraph, drawRun, foldLog } from "../../workflow/index.ts";
import { listAgents } from "../agents/roster.ts";
import { describeAbsence } from "./absent-agents.ts";
import { defineOperation, NOT_AUDITED, type OperationContext, readWithin } from "./operation.ts";
import { readSince } from "./since.ts";
import { filterFields } from "./task-filter.ts";
import {
  awaitedCapabilities,
  graphOf,
  RUN_STATES,
  RUN_WAITING_REASONS,
  reportOf,
  reportSchema,
  runSchema,
} from "./workflow-report.ts";

/** The longest wait for the end of a run, in ms: 20 days. A timer of Node.js takes at most 24. */
const WORKFLOW_LIMIT_MS = 20 * 86_400_000;

const id = workflowIdSchema.meta({ description: "the id of the run" });
const path = z.string().min(1).max(1_024);
const note = z.string().max(MAX_COMMAND_NOTE_LENGTH).optional().meta({ description: "a note for the log" });
const as = nameSchema.optional().meta({
  description:
    "the name to decide as, only where permissions are off: the log then says that it is not proven (default: the caller's)",
});

const clientOf = ({ transport, tasks }: OperationContext) => new WorkflowClient({ transport, tasks });

/** The author of a command. @throws SwarmError `not_permitted` for another name than the proven one. */
function authorOf({ caller }: OperationContext, asName?: string): Author {
  const proven = caller.isProven === true;
  const groups =
    proven && caller.groups !== undefined && caller.groups.length > 0 ? { groups: caller.groups } : {};
  if (asName === undefined || asName === caller.name) return { user: caller.name, proven, ...groups };
  if (!proven) return { user: asName, proven: false };
  throw new SwarmError(
    "not_permitted",
    `the caller is ${caller.name} by a proven name (a NATS user or an API token), and cannot decide as ${asName}; leave \`as\` out`,
    { field: "as" },
  );
}

const startFields = {
  workflow: nameSchema.meta({ description: "the name of the workflow" }),
  id: id.optional().meta({ description: "the id of the run, an idempotency key (default: a new one)" }),
  version: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "the version (default: the newest that an engine has loaded)" }),
  input: z.json().default(null).meta({ description: "the input" }),
  labels: labelsSchema.optional().meta({ description: "labels of the run" }),
  deadlineMs: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "the time that the run has, in ms; then it fails and undoes its steps" }),
  signals: z
    .array(z.strictObject({ name: nameSchema, value: z.json() }))
    .max(100)
    .optional()
    .meta({ description: "signals that are there from the first" }),
};
const startInput = z.strictObject(startFields);

/** `conflict`: the id is taken by another run, or by a task. `not_found`: no engine has loaded the workflow. */
const START_ERRORS = ["conflict", "not_found", "payload_too_large"] as const;

function startOf(context: OperationContext, { deadlineMs, ...request }: z.output<typeof startInput>) {
  const deadline = deadlineMs === undefined ? {} : { deadlineMs: context.transport.clock.now() + deadlineMs };
  return { ...request, input: request.input as Json, ...deadline, traceparent: context.request?.traceparent };
}

export const startWorkflow = defineOperation({
  name: "workflow-start",
  summary: "start a run of a workflow",
  input: startInput,
  output: z.object({ id: z.string(), workflow: z.string(), version: z.int(), duplicate: z.boolean() }),
  errors: START_ERRORS,
  access: "submit",
  run: (context, input) => clientOf(context).start(startOf(context, input), authorOf(context)),
});

export const runWorkflow = defineOperation({
  name: "workflow-run",
  summary: "start a run of a workflow and wait for its end",
  input: startInput,
  output: resultSchema,
  /** `timeout`: the run has not ended within the caller's time. It goes on. */
  errors: [...START_ERRORS, "timeout"],
  access: "submit",
  async run(context, input) {
    const { timeoutMs = WORKFLOW_LIMIT_MS, signal } = context;
    return clientOf(context).run(startOf(context, input), { by: authorOf(context), timeoutMs, signal });
  },
});

export const listWorkflows = defineOperation({
  name: "workflow-list",
  summary: "list runs of workflows",
  input: z.strictObject({
    state: z
      .enum([...RUN_STATES, "ended"])
      .optional()
      .meta({ description: "only runs in this state; ended: every state with a result" }),
    name: nameSchema.optional().meta({ description: "only runs of this workflow" }),
    label: filterFields.label,
    waiting: z.enum(RUN_WAITING_REASONS).optional().meta({ description: "only runs that wait for this" }),
    failing: z
      .boolean()
      .default(false)
      .meta({ description: "only runs that failed, are blocked, or whose compensation failed" }),
    since: filterFields.since,
    limit: z.int().min(1).max(MAX_LISTED_RUNS).default(100).meta({ description: "at most this many" }),
  }),
  output: z.object({
    runs: z.array(runSchema.extend({ at: z.string() })),
    /** The runs that fit and are not in the list. */
    more: z.int(),
    /** The logs that were looked at. */
    seen: z.int(),
    /** Logs whose last message has no summary that this version can read. */
    unreadable: z.int(),
    /** True: there are more logs than were looked at. */
    isCut: z.boolean(),
  }),
  errors: [],
  access: "read",
  takesLong: true,
  async run(context, { state, name, label = [], waiting, failing, since, limit }) {
    const labels = Object.fromEntries(label.map(readLabel));
    const sinceMs = since === undefined ? undefined : readSince(since, context.transport.clock.now());
    const filter = { state, name, waiting, labels, failing, sinceMs };
    const { runs, fitting, seen, unreadable, isCut } = await clientOf(context).list(filter, limit);
    return {
      runs: runs.map(showListed),
      more: Math.max(0, fitting - runs.length),
      seen,
      unreadable,
      isCut,
    };
  },
});

type ListedRun = z.output<typeof runSchema> & { at: string };

const showListed = ({ atMs, ...run }: Awaited<ReturnType<WorkflowClient["list"]>>["runs"][number]) =>
  ({ ...run, at: toIsoTime(atMs) }) as ListedRun;

export const watchWorkflow = defineOperation({
  name: "workflow-watch",
  summary: "follow a run until it ends",
  input: z.strictObject({ id }),
  output: runSchema.extend({ at: z.string() }),
  /** The run after each change, but for the last, which is the output. */
  event: runSchema.extend({ at: z.string() }),
  errors: ["not_found"],
  access: "read",
  async *run(context, { id: runId }) {
    let last: ListedRun | undefined;
    for await (const summary of clientOf(context).watch(runId, { signal: context.signal })) {
      last = showListed(summary);
      if (!isEnded(summary.state)) yield last; // The run that has ended is the last one.
    }
    return last!;
  },
});

export const drawWorkflow = defineOperation({
  name: "workflow-graph",
  summary: "draw a run as a Mermaid flowchart",
  input: z.strictObject({ id }),
  output: z.object({
    id: z.string(),
    /** True: drawn from the definition, which the log has. False: from the steps so far, because the definition is code. */
    isWhole: z.boolean(),
    mermaid: z.string(),
  }),
  errors: ["not_found"],
  access: "read",
  async run(context, { id: runId }) {
    const { texts } = await readWithin(context, clientOf(context).log(runId));
    const fold = foldOf(runId, texts);
    const graph = graphOf(fold);
    const mermaid = graph === null ? drawRun(fold) : drawGraph(graph, fold);
    return { id: runId, isWhole: graph !== null, mermaid };
  },
});

function readLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new SwarmError(
    "invalid_input",
    `label must be NAME=VALUE, got ${JSON.stringify(text.slice(0, 80))}`,
    {
      field: "label",
    },
  );
}

export const showWorkflow = defineOperation({
  name: "workflow-show",
  summary: "show one run with its steps",
  input: z.strictObject({ id }),
  output: reportSchema,
  errors: ["not_found"],
  access: "read",
  async run(context, { id: runId }) {
    const { texts } = await readWithin(context, clientOf(context).log(runId));
    const report = reportOf(foldOf(runId, texts), texts);
    const awaited = awaitedCapabilities(report);
    // Best effort: a look that fails says nothing about the run.
    const agents =
      awaited.length === 0 ? [] : await readWithin(context, listAgents(context.transport)).catch(() => null);
    if (agents === null) return report;
    return { ...report, absent: awaited.flatMap((capability) => describeAbsence(agents, capability) ?? []) };
  },
});

export const exportWorkflow = defineOperation({
  name: "workflow-export",
  summary: "write the log of a run, one entry in a line",
  input: z.strictObject({ id }),
  output: z.object({ id: z.string(), entries: z.array(z.string()) }),
  errors: ["not_found"],
  access: "read",
  async run(context, { id: runId }) {
    const { texts } = await readWithin(context, clientOf(context).log(runId));
    return { id: runId, entries: [...texts] };
  },
});

export const verifyWorkflow = defineOperation({
  name: "workflow-verify",
  summary: "check the hash chain and the entries of a run's log",
  input: z.strictObject({ id }),
  output: z.object({
    id: z.string(),
    isValid: z.boolean(),
    entries: z.int(),
    /** The chain of the last entry; null for a broken log. */
    chain: z.string().nullable(),
    /** The first fault, with its entry. */
    fault: z.object({ entry: z.int(), message: z.string() }).nullable(),
  }),
  errors: ["not_found"],
  access: "read",
  async run(context, { id: runId }) {
    const { texts } = await readWithin(context, clientOf(context).log(runId));
    const read = foldLog(runId, texts);
    return {
      id: runId,
      isValid: read.ok,
      entries: texts.length,
      chain: read.ok ? read.fold.chain : null,
      fault: read.ok ? null : { entry: read.entry, message: read.fault },
    };
  },
});

const sentSchema = z.object({
  id: z.string(),
  command: z.string(),
  /** The audit log has an entry about it. */
  audited: z.boolean(),
});
/** `conflict`: in its present state the command changes nothing. */
const SEND_ERRORS = ["not_found", "conflict"] as const;

/** Sends a command; resolves when it is stored. */
async function send(
  context: OperationContext,
  runId: string,
  command: Parameters<WorkflowClient["send"]>[1],
  asName?: string,
) {
  await clientOf(context).send(runId, command, authorOf(context, asName));
  return { id: runId, command: command.type, audited: NOT_AUDITED };
}

export const signalWorkflow = defineOperation({
  name: "workflow-signal",
  summary: "send a declared signal to a run",
  input: z.strictObject({
    id,
    name: nameSchema.meta({ description: "the name of the signal" }),
    value: z.json().default(null).meta({ description: "its value" }),
  }),
  output: sentSchema,
  errors: [...SEND_ERRORS, "rate_limited"],
  access: "submit",
  run: (context, { id: runId, name, value }) =>
    send(context, runId, { type: "signal", name, value: value as Json }),
});

const decisionInput = z.strictObject({
  id,
  approval: path.meta({ description: "the name of the approval, as workflow show names it" }),
  note,
  as,
});
const decide =
  (type: "approve" | "reject") => (context: OperationContext, input: z.output<typeof decisionInput>) => {
    const { id: runId, approval, note: text, as: asName } = input;
    return send(
      context,
      runId,
      { type, path: approval, ...(text === undefined ? {} : { note: text }) },
      asName,
    );
  };

export const approveWorkflow = defineOperation({
  name: "workflow-approve",
  summary: "approve what a run waits for",
  input: decisionInput,
  output: sentSchema,
  /** `not_permitted`: the approval names other users. */
  errors: [...SEND_ERRORS, "not_permitted"],
  access: "operate",
  run: decide("approve"),
});

export const rejectWorkflow = defineOperation({
  name: "workflow-reject",
  summary: "reject what a run waits for",
  input: decisionInput,
  output: sentSchema,
  errors: [...SEND_ERRORS, "not_permitted"],
  access: "operate",
  run: decide("reject"),
});

export const pauseWorkflow = defineOperation({
  name: "workflow-pause",
  summary: "let a run start nothing new",
  input: z.strictObject({ id }),
  output: sentSchema,
  errors: SEND_ERRORS,
  access: "operate",
  run: (context, { id: runId }) => send(context, runId, { type: "pause" }),
});

export const resumeWorkflow = defineOperation({
  name: "workflow-resume",
  summary: "let a run go on after a pause, a failed compensation or crashes",
  input: z.strictObject({
    id,
    skip: path.optional().meta({ description: "leave out the compensation of this step; needs a note" }),
    note,
  }),
  output: sentSchema,
  errors: SEND_ERRORS,
  access: "operate",
  run: (context, { id: runId, skip, note: text }) =>
    send(context, runId, {
      type: "resume",
      ...(skip === undefined ? {} : { skip }),
      ...(text === undefined ? {} : { note: text }),
    }),
});

export const cancelWorkflow = defineOperation({
  name: "workflow-cancel",
  summary: "cancel a run and undo its steps",
  input: z.strictObject({
    id,
    undo: z.boolean().default(true).meta({ description: "undo the steps that may have had an effect" }),
  }),
  output: sentSchema,
  errors: SEND_ERRORS,
  access: "operate",
  run: (context, { id: runId, undo }) => send(context, runId, { type: "cancel", ...(undo ? {} : { undo }) }),
});

export const retryWorkflow = defineOperation({
  name: "workflow-retry",
  summary: "take a failed run up again",
  input: z.strictObject({
    id,
    from: path.optional().meta({
      description: "from this step on, with everything ordered after it (default: the failed step)",
    }),
  }),
  output: sentSchema,
  errors: SEND_ERRORS,
  access: "operate",
  run: (context, { id: runId, from }) =>
    send(context, runId, { type: "retry", ...(from === undefined ? {} : { from }) }),
});
