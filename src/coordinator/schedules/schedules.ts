// Schedules: one task for each tick. The holder of the office decides when a tick is due (scheduler.ts) and writes the
// tick into the command. Pure.
//
// T1  A tick fires at most once: only the next tick of a schedule can fire, and firing moves the schedule on.
// T2  A fired task stays in the outbox until its receipt. Its id is made of schedule and tick, so that a repeated
//     submission is no second task.
import { z } from "zod";
import { type Json, PRIORITIES, tokenSchema } from "../../protocol/index.ts";
import { type Reducer, refuse } from "../reducer.ts";
import { whenSchema } from "./ticks.ts";

/** The most schedules of one swarm. */
export const MAX_SCHEDULES = 1_000;
/** The most fired tasks without a receipt; beyond it, ticks wait. */
export const MAX_OUTBOX = 1_000;
/** The largest task of a schedule, in characters of its JSON. */
const MAX_TASK_LENGTH = 16_384;

/** Shorter than other ids, because schedule id and tick together are a task's id. */
const idSchema = tokenSchema.max(40, "must have at most 40 characters, because task ids begin with it");
const timeMs = z.int().min(0);

/** The task that each tick submits. */
const taskSchema = z
  .strictObject({
    capability: tokenSchema,
    input: z.json("must be a JSON value"),
    priority: z.enum(PRIORITIES).optional(),
    timeoutMs: z.int().min(1).optional(),
  })
  .refine(
    (task) => JSON.stringify(task).length <= MAX_TASK_LENGTH,
    `must be at most ${MAX_TASK_LENGTH} characters of JSON`,
  );

const commands = {
  "schedule-set": z.strictObject({
    type: z.literal("schedule-set"),
    id: idSchema,
    when: whenSchema,
    task: taskSchema,
    /** The first tick; the office computes it. */
    nextMs: timeMs,
  }),
  "schedule-remove": z.strictObject({ type: z.literal("schedule-remove"), id: idSchema }),
  "schedule-fire": z.strictObject({
    type: z.literal("schedule-fire"),
    id: idSchema,
    /** The tick that the holder of the office expects to be the next one. */
    expectedMs: timeMs,
    tickMs: timeMs,
    nextMs: timeMs.nullable(),
    missed: z.int().min(0),
  }),
  /** The receipt: the task is submitted, or can never be submitted (`error`). */
  "schedule-settle": z.strictObject({
    type: z.literal("schedule-settle"),
    taskId: tokenSchema,
    error: z.string().max(500).nullable(),
  }),
};

/** A command about schedules. */
export type ScheduleCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

/** The task of a schedule, submitted at each tick. */
export type ScheduledTask = z.output<typeof taskSchema>;

interface Schedule {
  readonly when: z.output<typeof whenSchema>;
  readonly task: ScheduledTask;
  nextMs: number | null;
  fired: number;
  missed: number;
  lastTaskId: string | null;
  lastError: string | null;
}

/** All schedules, and the fired tasks without a receipt. */
export interface Schedules {
  readonly byId: Map<string, Schedule>;
  readonly outbox: Map<string, { readonly id: string; readonly task: ScheduledTask }>;
}

/** The reducer of schedules. */
export const schedules: Reducer<Schedules, ScheduleCommand> = {
  commands,
  empty: () => ({ byId: new Map(), outbox: new Map() }),
  decide(state, command) {
    const { byId, outbox } = state;
    switch (command.type) {
      case "schedule-set": {
        const { id, when, task, nextMs } = command;
        if (!byId.has(id) && byId.size >= MAX_SCHEDULES) {
          return refuse("conflict", `${MAX_SCHEDULES} schedules are set already; remove some first`, "id");
        }
        byId.set(id, { when, task, nextMs, fired: 0, missed: 0, lastTaskId: null, lastError: null });
        return { id, nextMs };
      }
      case "schedule-remove":
        return byId.delete(command.id)
          ? { removed: true }
          : refuse("not_found", `there is no schedule ${command.id}; murmur schedule ls shows all`, "id");
      case "schedule-fire": {
        const schedule = byId.get(command.id);
        const isNext = schedule !== undefined && schedule.nextMs === command.expectedMs; // T1
        if (!isNext || outbox.size >= MAX_OUTBOX) return { fired: false };
        const taskId = `${command.id}-${command.tickMs}`; // T2
        outbox.set(taskId, { id: command.id, task: schedule.task });
        schedule.nextMs = command.nextMs;
        schedule.fired++;
        schedule.missed += command.missed;
        schedule.lastTaskId = taskId;
        return { fired: true, taskId };
      }
      case "schedule-settle": {
        const sent = outbox.get(command.taskId);
        if (sent === undefined) return { settled: false };
        outbox.delete(command.taskId);
        const schedule = byId.get(sent.id);
        if (schedule !== undefined) schedule.lastError = command.error;
        return { settled: true };
      }
      default:
        return command satisfies never;
    }
  },
  toJson: (state) => [viewSchedules(state) as unknown as Json, [...state.outbox] as unknown as Json],
  fromJson(json) {
    const [saved, outbox] = json as unknown as [
      ({ id: string } & Schedule)[],
      [string, { id: string; task: ScheduledTask }][],
    ];
    return {
      byId: new Map(saved.map(({ id, ...schedule }) => [id, schedule])),
      outbox: new Map(outbox),
    };
  },
};

/** All schedules by id. */
export function viewSchedules({ byId }: Schedules) {
  return [...byId].map(([id, schedule]) => ({ id, ...schedule })).sort((a, b) => (a.id < b.id ? -1 : 1));
}
