// Operations on the shared values of workflows: named JSON values that agents, workflows and people read and change together.
import { z } from "zod";
import { toIsoTime } from "../../base/index.ts";
import { workflowIdSchema } from "../../engine/index.ts";
import { createSubjects, type Json, nameSchema, SwarmError } from "../../protocol/index.ts";
import { type SharedChange, SharedStore } from "../../work/index.ts";
import { defineOperation, type OperationContext, readWithin } from "./operation.ts";

const id = workflowIdSchema.meta({ description: "the id of the run" });
const name = nameSchema.meta({ description: "the name of the value" });
const task = nameSchema
  .optional()
  .meta({ description: "for an agent: its task in the run, which proves that it may touch the values" });

/** A JSON value; its JSON Schema allows every value. */
const json: z.ZodType<Json> = z.unknown() as z.ZodType<Json>;
const changeSchema = z.object({
  value: json,
  /** It rises with every change. */
  revision: z.int(),
  at: z.string(),
  by: z.string(),
  /** True if NATS permissions or a token prove the name. */
  proven: z.boolean(),
});

const storeOf = ({ transport }: OperationContext) =>
  new SharedStore({ transport, subjects: createSubjects(transport.prefix) });

const showChange = ({ value, revision, atMs, by }: SharedChange) => ({
  ...{ value, revision },
  ...{ at: toIsoTime(atMs), by: by.user, proven: by.proven },
});

/** An agent touches the values of the run that its task belongs to. @throws SwarmError `not_permitted` for a task of another run. */
function checkTask(runId: string, taskId: string | undefined): void {
  if (taskId === undefined || new RegExp(`^${runId}-\\d+$`).test(taskId)) return;
  throw new SwarmError("not_permitted", `task ${taskId} is no step of workflow ${runId}`, { field: "task" });
}

/** The reach of an agent: the task whose capability it must have. */
const reachOf = (input: { task?: string | undefined }) =>
  input.task === undefined ? {} : { task: input.task };

export const listShared = defineOperation({
  name: "workflow-shared-list",
  summary: "list the shared values of a run",
  input: z.strictObject({ id }),
  output: z.object({ id: z.string(), values: z.array(changeSchema.extend({ name: z.string() })) }),
  errors: [],
  access: "read",
  async run(context, { id: runId }) {
    const values = await readWithin(context, storeOf(context).list(runId));
    return {
      id: runId,
      values: values.map(({ name: key, ...change }) => ({ name: key, ...showChange(change) })),
    };
  },
});

export const showShared = defineOperation({
  name: "workflow-shared-show",
  summary: "show a shared value of a run, and its last changes",
  input: z.strictObject({
    id,
    name,
    history: z.boolean().default(false).meta({ description: "also the last 16 changes" }),
    task,
  }),
  output: z.object({
    id: z.string(),
    name: z.string(),
    /** Null for a value that was never set; then the revision is 0. */
    value: json.nullable(),
    revision: z.int(),
    at: z.string().nullable(),
    by: z.string().nullable(),
    proven: z.boolean(),
    /** The last changes, the oldest first; empty without `history`. */
    changes: z.array(changeSchema),
  }),
  errors: ["not_permitted"],
  access: "read",
  isForAgents: true,
  reach: reachOf,
  async run(context, { id: runId, name: key, history, task: taskId }) {
    checkTask(runId, taskId);
    const store = storeOf(context);
    const at = { workflowId: runId, name: key };
    const found = await readWithin(context, store.get(at));
    const changes = history ? await readWithin(context, store.history(at)) : [];
    const shown =
      found === null ? { value: null, revision: 0, at: null, by: null, proven: false } : showChange(found);
    return { id: runId, name: key, ...shown, changes: changes.map(showChange) };
  },
});

export const setShared = defineOperation({
  name: "workflow-shared-set",
  summary: "set a shared value of a run",
  input: z.strictObject({
    id,
    name,
    value: z.json().meta({ description: "the value, at most 64 KiB of JSON" }),
    revision: z
      .int()
      .min(0)
      .optional()
      .meta({ description: "only if the value still has this revision; 0: only if it was never set" }),
    task,
  }),
  output: z.object({ id: z.string(), name: z.string(), revision: z.int() }),
  /** `conflict`: the value has another revision. `rate_limited`: the run has 100 values. */
  errors: ["conflict", "not_found", "not_permitted", "payload_too_large", "rate_limited"],
  access: "submit",
  isForAgents: true,
  reach: reachOf,
  async run(context, { id: runId, name: key, value, revision, task: taskId }) {
    checkTask(runId, taskId);
    const { caller } = context;
    const by = { user: caller.name, proven: caller.isProven === true };
    const write = { workflowId: runId, name: key, value: value as Json, by, revision };
    return { id: runId, name: key, ...(await readWithin(context, storeOf(context).set(write))) };
  },
});
