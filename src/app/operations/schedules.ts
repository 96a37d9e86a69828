// Operations on schedules: tasks that the office submits at set times.
import { z } from "zod";
import { PRIORITIES, parse, tokenSchema } from "../../protocol/index.ts";
import { ageFields, patience, readOffice, staleField } from "../office/reads.ts";
import { defineOperation } from "./operation.ts";

const oneSchedule = z.strictObject({
  id: tokenSchema.meta({ description: "the schedule's id, at most 40 characters" }),
});

export const setSchedule = defineOperation({
  name: "schedule-set",
  summary: "submit a task at set times",
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
      .meta({ description: "the task that each tick submits" }),
  }),
  output: z.object({ id: z.string(), next: z.string() }),
  errors: ["conflict"],
  access: "operate",
  audit: { about: ({ id, when, task }) => ({ id, when, capability: task.capability }) },
  async run(context, schedule) {
    const answer = await context.office.write("schedule-set", schedule, patience(context));
    return { id: schedule.id, next: new Date(answer.nextMs as number).toISOString() };
  },
});

const scheduleSchema = z.object({
  id: z.string(),
  /** `{ cron, timezone }` or `{ everyMs }`. */
  when: z.looseObject({}),
  task: z.looseObject({ capability: z.string() }),
  /** The next tick, ISO 8601; null when there is none any more. */
  next: z.string().nullable(),
  fired: z.int(),
  /** The ticks that no coordinator could fire in time. */
  missed: z.int(),
  lastTaskId: z.string().nullable(),
  /** The reason why the last task could not be submitted. */
  lastError: z.string().nullable(),
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
