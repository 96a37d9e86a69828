// Operations on schedules: tasks that the office submits, and runs of workflows that it starts, at set times.
import { z } from "zod";
import { MAX_BACKFILL, OVERLAPS, ticksBetween, whenSchema } from "../../coordinator/index.ts";
import { WorkflowClient } from "../../engine/index.ts";
import { type Json, labelsSchema, PRIORITIES, parse, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { ageFields, patience, readOffice, staleField } from "../office/reads.ts";
import { defineOperation, NOT_AUDITED } from "./operation.ts";
import { readSince } from "./since.ts";

const oneSchedule = z.strictObject({
  id: tokenSchema.meta({ description: "the schedule's id, at most 40 characters" }),
});

export const setSchedule = defineOperation({
  name: "schedule-set",
  summary: "submit a task, or start a run of a workflow, at set times",
  input: oneSchedule.extend({
    when: z
      .union([
        z.strictObject({ cron: z.string(), timezone: z.string().optional() }),
        z.strictObject({ everyMs: z.int().min(1) }),
      ])
      .meta({ description: "{ cron, timezone? } or { everyMs }" }),
    task: z
      .strictObject({
        capability: tokenSchema,
        input: z.json(),
        priority: z.enum(PRIORITIES).optional(),
      })
      .optional()
      .meta({ description: "the task that each tick submits" }),
    run: z
      .strictObject({
        workflow: tokenSchema,
        version: z.int().min(1).optional(),
        input: z.json().default(null),
        labels: labelsSchema.optional(),
        overlap: z.enum(OVERLAPS).default("skip"),
      })
      .optional()
      .meta({ description: "instead of task: the run of a workflow that each tick starts" }),
  }),
  output: z.object({ id: z.string(), next: z.string() }),
  /** `not_found`: no engine has loaded the workflow. */
  errors: ["conflict", "not_found"],
  access: "operate",
  audit: {
    about: ({ id, when, task, run }) => ({
      ...{ id, when },
      ...(task === undefined ? {} : { capability: task.capability }),
      ...(run === undefined ? {} : { workflow: run.workflow, overlap: run.overlap }),
    }),
  },
  async run(context, schedule) {
    const { task, run } = schedule;
    if ((task === undefined) === (run === undefined))
      throw new SwarmError("invalid_input", "give one of task and run", { field: "task" });
    if (run !== undefined) {
      const { workflow, version, input, labels } = run;
      // An input that does not fit is refused now, and not at each tick.
      await new WorkflowClient(context).check({ workflow, version, labels, input: input as Json });
    }
    const answer = await context.office.write("schedule-set", schedule, patience(context));
    return { id: schedule.id, next: new Date(answer.nextMs as number).toISOString() };
  },
});

const scheduleSchema = z.object({
  id: z.string(),
  /** `{ cron, timezone }` or `{ everyMs }`. */
  when: z.looseObject({}),
  /** Exactly one of `task` and `run` is given. */
  task: z.looseObject({ capability: z.string() }).optional(),
  run: z.looseObject({ workflow: z.string(), overlap: z.enum(OVERLAPS) }).optional(),
  /** The next tick, ISO 8601; null when there is none any more. */
  next: z.string().nullable(),
  fired: z.int(),
  /** The ticks that no coordinator could fire in time. */
  missed: z.int(),
  lastTaskId: z.string().nullable(),
  /** The reason why the last task could not be submitted, or the last run not started. */
  lastError: z.string().nullable(),
  /** For runs: the last started one, and the ticks that started none, the last 16 of them with the reason. */
  runs: z
    .object({
      lastRunId: z.string().nullable(),
      skipped: z.int(),
      skips: z.array(z.object({ tickMs: z.int(), reason: z.string() })),
    })
    .optional(),
});
/** A schedule as the office answers it. */
const storedSchema = scheduleSchema.omit({ next: true }).extend({ nextMs: z.int().nullable() });

export const listSchedules = defineOperation({
  name: "schedule-list",
  summary: "list schedules",
  input: z.strictObject({ stale: staleField }),
  output: ageFields.extend({ schedules: z.array(scheduleSchema) }),
  errors: [],
  access: "read",
  async run(context, { stale }) {
    const answer = await readOffice(context, "schedules", { stale });
    const answerSchema = ageFields.extend({ schedules: z.array(storedSchema) });
    const { schedules, ...age } = parse(answerSchema, answer, "the answer");
    const shown = schedules.map(({ nextMs, ...schedule }) => ({
      ...schedule,
      next: nextMs === null ? null : new Date(nextMs).toISOString(),
    }));
    return { ...age, schedules: shown };
  },
});

export const removeSchedule = defineOperation({
  name: "schedule-remove",
  summary: "remove a schedule",
  input: oneSchedule,
  output: z.object({ removed: z.literal(true), id: z.string() }),
  errors: ["not_found"],
  access: "operate",
  async run(context, { id }) {
    await context.office.write("schedule-remove", { id }, patience(context));
    return { removed: true as const, id };
  },
});

export const backfillSchedule = defineOperation({
  name: "schedule-backfill",
  summary: "fire the past ticks of a schedule",
  input: oneSchedule.extend({
    from: z.string().meta({ description: "the first moment: an age such as 7d, or an ISO 8601 time" }),
    to: z.string().optional().meta({ description: "the last moment, in the same form (default: now)" }),
  }),
  output: z.object({
    id: z.string(),
    /** The ticks from first to last, and the number of them that now wait for their start. */
    ticks: z.int(),
    queued: z.int(),
    /** The audit log has an entry about it. */
    audited: z.boolean(),
  }),
  errors: ["conflict", "not_found"],
  access: "operate",
  audit: { outcome: ({ ticks, queued }) => ({ ticks, queued }) },
  async run(context, { id, from, to }) {
    const nowMs = context.transport.clock.now();
    const fromMs = readSince(from, nowMs, "from");
    const toMs = to === undefined ? nowMs : readSince(to, nowMs, "to");
    if (fromMs > toMs || toMs > nowMs)
      throw new SwarmError("invalid_input", "from must be before to, and to not in the future", {
        field: "from",
      });
    const answer = await readOffice(context, "schedules", { stale: false });
    const { schedules } = parse(z.object({ schedules: z.array(storedSchema) }), answer, "the answer");
    const schedule = schedules.find((each) => each.id === id);
    if (schedule === undefined)
      throw new SwarmError("not_found", `there is no schedule ${id}; murmur schedule ls shows all`, {
        field: "id",
      });
    const when = parse(whenSchema, schedule.when, "the schedule", "when");
    const ticks = ticksBetween(when, { fromMs, toMs, max: MAX_BACKFILL });
    if (ticks.length === 0) return { id, ticks: 0, queued: 0, audited: NOT_AUDITED };
    const { queued } = await context.office.write("schedule-backfill", { id, ticks }, patience(context));
    return { id, ticks: ticks.length, queued, audited: NOT_AUDITED };
  },
});
