// The purge of many tasks: cancels waiting ones, or removes the results of ended ones.
import { z } from "zod";
import { ENDED_STATES, type PurgeSelection, type PurgeTask, WAITING_STATES } from "../../work/index.ts";
import {
  bulkAudit,
  bulkFields,
  bulkProgressSchema,
  bulkReportSchema,
  changeMany,
  previewOf,
} from "./bulk.ts";
import { defineOperation, readWithin, stepWithin } from "./operation.ts";
import { filterFields, hasFilter, readFilter } from "./task-filter.ts";

const STATES = [...WAITING_STATES, ...ENDED_STATES] as const;

const input = z.strictObject({
  all: z.boolean().default(false).meta({ description: "every waiting task" }),
  state: z.enum(STATES).optional().meta({ description: "only tasks in this state" }),
  ...filterFields,
  dryRun: z.boolean().default(false).meta({ description: "only show the selection, also with `yes`" }),
  yes: z.boolean().default(false).meta({ description: "purge; without it only the preview" }),
  ...bulkFields,
});

export const purgeTasks = defineOperation({
  name: "task-purge",
  summary: "cancel waiting tasks, or remove results",
  input: input.refine(({ all, state, ...rest }) => all !== (state !== undefined || hasFilter(rest)), {
    error: "name one of: a filter such as `capability`, `state`, `all`",
    path: ["all"],
  }),
  output: bulkReportSchema.extend({
    /** Tasks that the filter selects and that run: a purge leaves them. */
    running: z.int(),
  }),
  /** The progress of the search, then of the changes. */
  event: z.union([z.object({ seen: z.int(), found: z.int() }), bulkProgressSchema]),
  errors: [],
  access: "operate",
  reach: (filter) => ({ filter }),
  audit: {
    ...bulkAudit,
    isChange: ({ dryRun, yes }) => yes && !dryRun,
    outcome: ({ running, ...report }) => ({ ...bulkAudit.outcome(report), running }),
  },
  async *run(context, { dryRun, yes, rate, state, all: _all, ...filter }) {
    const { purge } = context.tasks;
    const { signal, transport } = context;
    const selecting = purge.select(readFilter(filter, transport.clock.now()), { state, signal });
    const selection: PurgeSelection = yield* stepWithin(context, selecting);
    const { running } = selection;
    if (dryRun || !yes) return { ...previewOf(selection), running };
    const change = (task: PurgeTask) => readWithin(context, purge.purge(task));
    const report = yield* changeMany(context, selection, { rate, change });
    return { ...report, running };
  },
});
