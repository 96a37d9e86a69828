// Operations on dead letters: tasks that failed for good.
import { z } from "zod";
import { deadLetterSchema, tokenSchema } from "../../protocol/index.ts";
import { MAX_LIST_LIMIT, type SelectedLetter } from "../../work/index.ts";
import {
  bulkAudit,
  bulkFields,
  bulkProgressSchema,
  bulkReportSchema,
  changeMany,
  previewOf,
} from "./bulk.ts";
import { defineOperation, NOT_AUDITED, type OperationContext, type Reach, readWithin } from "./operation.ts";
import { auditedReplySchema, describeReplay } from "./replays.ts";
import { hasFilter, letterFields, readFilter } from "./task-filter.ts";

const oneLetter = z.strictObject({
  task: tokenSchema.meta({ description: "the id of the task that failed" }),
});
/** The reasons why a page does not show a letter that it looked at, as phrases about the letters. */
const LETTER_REASONS = {
  filter: "do not match the filter",
  unknown: "could not be judged: their payloads are no tasks, so they have no labels",
} as const;

export const listDeadLetters = defineOperation({
  name: "dead-list",
  summary: "list dead letters",
  input: z.strictObject({
    ...letterFields,
    limit: z.int().min(1).max(MAX_LIST_LIMIT).default(50).meta({ description: "at most this many" }),
    after: z
      .string()
      .max(80)
      .optional()
      .meta({ description: "the next page: the cursor that the page before named", value: "CURSOR" }),
  }),
  output: z.object({
    dead: z.array(deadLetterSchema),
    /** The cursor for `after`; null when nothing is left. */
    next: z.string().nullable(),
    /** The letters that the page looked at. Each one is in `dead` or counted in `hidden`. */
    seen: z.int(),
    hidden: z.array(z.object({ why: z.enum(["filter", "unknown"]), count: z.int(), reason: z.string() })),
  }),
  errors: [],
  access: "read",
  reach: (filter) => ({ filter }),
  async run(context, { limit, after, ...filter }) {
    const selection = readFilter(filter, context.transport.clock.now());
    const { hidden, ...page } = await readWithin(
      context,
      context.tasks.dead.page(selection, { limit, after }),
    );
    const reasons = (["filter", "unknown"] as const)
      .filter((why) => hidden[why] > 0)
      .map((why) => ({ why, count: hidden[why], reason: LETTER_REASONS[why] }));
    return { ...page, hidden: reasons };
  },
});

/** The most groups of one answer: an operator reads a few dozen. */
const MAX_SHOWN_GROUPS = 500;
const groupSchema = z.object({
  capability: z.string(),
  code: z.string(),
  /** The message without the parts that differ from task to task. */
  fingerprint: z.string(),
  count: z.int(),
  /** The times of death of the first and the last letter. */
  oldest: z.string(),
  newest: z.string(),
  /** The newest letter. */
  sample: z.object({ taskId: z.string(), message: z.string() }),
});

export const groupDeadLetters = defineOperation({
  name: "dead-groups",
  summary: "count dead letters by capability, code and message",
  input: z.strictObject({
    capability: letterFields.capability,
    code: letterFields.code,
  }),
  output: z.object({
    /** The largest first. */
    groups: z.array(groupSchema),
    /** The letters that were looked at, the newest ones, and the letters that are stored. */
    seen: z.int(),
    stored: z.int(),
    /** Groups that the list leaves out. */
    more: z.int(),
  }),
  errors: [],
  access: "read",
  reach: (filter) => ({ filter }),
  async run(context, { capability, code }) {
    const { groups, seen, stored } = await readWithin(context, context.tasks.dead.groups());
    const fitting = groups.filter(
      (group) => (capability ?? group.capability) === group.capability && (code ?? group.code) === group.code,
    );
    const shown = fitting
      .slice(0, MAX_SHOWN_GROUPS)
      .map((group) => ({ ...group, sample: { ...group.sample } }));
    return { groups: shown, seen, stored, more: fitting.length - shown.length };
  },
});

export const showDeadLetter = defineOperation({
  name: "dead-show",
  summary: "show one dead letter",
  input: oneLetter,
  output: deadLetterSchema,
  errors: ["not_found"],
  access: "read",
  reach: ({ task }) => ({ task }),
  run: (context, { task }) => readWithin(context, context.tasks.dead.show(task)),
});

/** Chooses one letter or a selection. */
const manyLetters = z.strictObject({
  task: tokenSchema.optional().meta({ description: "one letter" }),
  all: z.boolean().default(false).meta({ description: "every letter" }),
  ...letterFields,
  dryRun: z.boolean().default(false).meta({ description: "only show what is selected" }),
  ...bulkFields,
});
type ManyLetters = z.output<typeof manyLetters>;

/** True when the input names a letter, or filters, or every letter, and no two of these. */
const isOneChoice = ({ task, all, ...rest }: ManyLetters) =>
  [task !== undefined, all, hasFilter(rest)].filter(Boolean).length === 1;
const ONE_CHOICE = { error: "name one of: `task`, a filter such as `capability`, `all`", path: ["task"] };

function selectLetters({ tasks, transport }: OperationContext, input: ManyLetters) {
  return tasks.dead.select(readFilter(input, transport.clock.now()));
}

const reachOfLetters = ({ task, ...filter }: ManyLetters): Reach =>
  task === undefined ? { filter } : { task };

/** True for all letters, or all of a capability: the server removes them in one step. */
function isWholeSubject({ all: _all, capability: _capability, dryRun, rate, ...rest }: ManyLetters): boolean {
  return !dryRun && rate === undefined && !hasFilter(rest);
}

export const replayDeadLetter = defineOperation({
  name: "dead-replay",
  summary: "submit the tasks of dead letters again",
  input: manyLetters
    .extend({
      yes: z
        .boolean()
        .default(false)
        .meta({ description: "replay a selection; without it only the preview" }),
    })
    .refine(isOneChoice, ONE_CHOICE),
  output: z.union([auditedReplySchema, bulkReportSchema]),
  event: bulkProgressSchema,
  errors: ["not_found", "conflict", "cancelled", "unknown_capability", "rate_limited"],
  access: "operate",
  reach: reachOfLetters,
  audit: {
    ...bulkAudit,
    isChange: ({ task, dryRun, yes }) => task !== undefined || (yes && !dryRun),
    outcome: (output) => ("taskId" in output ? describeReplay(output) : bulkAudit.outcome(output)),
  },
  async *run(context, { yes, ...input }) {
    const { dead } = context.tasks;
    if (input.task !== undefined) {
      return { ...(await readWithin(context, dead.replay(input.task))), audited: NOT_AUDITED };
    }
    const selection = await selectLetters(context, input);
    if (input.dryRun || !yes) return previewOf(selection);
    const change = ({ taskId }: { taskId: string }) => readWithin(context, dead.replay(taskId));
    return yield* changeMany(context, selection, { rate: input.rate, change });
  },
});

export const purgeDeadLetters = defineOperation({
  name: "dead-purge",
  summary: "remove dead letters",
  input: manyLetters
    .extend({
      yes: z
        .boolean()
        .default(false)
        .meta({ description: "remove what a filter selects; without it only the preview" }),
    })
    .refine(isOneChoice, ONE_CHOICE),
  output: z.object({
    purged: z.int(),
    report: bulkReportSchema.optional(),
    /** The audit log has an entry about the removal. */
    audited: z.boolean(),
  }),
  event: bulkProgressSchema,
  errors: ["not_found"],
  access: "operate",
  reach: reachOfLetters,
  audit: {
    ...bulkAudit,
    isChange: ({ yes, ...input }) =>
      input.task !== undefined || isWholeSubject(input) || (yes && !input.dryRun),
    outcome: ({ purged, report }) => (report === undefined ? { done: purged } : bulkAudit.outcome(report)),
  },
  async *run(context, { yes, ...input }) {
    const { dead } = context.tasks;
    if (input.task !== undefined) {
      return { purged: await readWithin(context, dead.purge({ taskId: input.task })), audited: NOT_AUDITED };
    }
    if (isWholeSubject(input)) {
      const purged = await readWithin(context, dead.purge({ capability: input.capability }));
      return { purged, audited: NOT_AUDITED };
    }
    const selection = await selectLetters(context, input);
    if (input.dryRun || !yes) return { purged: 0, report: previewOf(selection), audited: NOT_AUDITED };
    const change = (letter: SelectedLetter) => readWithin(context, dead.remove(letter));
    const report = yield* changeMany(context, selection, { rate: input.rate, change });
    return { purged: report.done, report, audited: NOT_AUDITED };
  },
});
