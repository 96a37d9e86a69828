// Schedules: a task for each tick. Pure; when a tick is due is decided by whoever holds the office (firing.ts), and
// stands in its command.
//
// T1  A tick is fired at most once: only the next tick of a schedule can be, and firing moves it on.
// T2  What was fired stays in the outbox until its receipt; its task's id is made of schedule and tick, so that handing
//     it in again is no second task.
import { z } from "zod";
import { type Json, PRIORITIES, tokenSchema } from "../../protocol/index.ts";
import { type Reducer, refuse } from "../reducer.ts";
import { whenSchema } from "./ticks.ts";

/** Schedules of one swarm. */
export const MAX_SCHEDULES = 1_000;
/** Tasks that were fired and have no receipt yet; beyond it ticks wait. */
export const MAX_OUTBOX = 1_000;
/** The largest task of a schedule, in characters of its JSON. */
const MAX_TASK_LENGTH = 16_384;

/** Shorter than other ids: with the tick behind it, it is a task's id. */
const idSchema = tokenSchema.max(40, "must have at most 40 characters, because task ids begin with it");
const timeMs = z.int().min(0);

/** What each tick hands in. */
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
    /** The first tick; worked out by the office. */
    nextMs: timeMs,
  }),
  "schedule-remove": z.strictObject({ type: z.literal("schedule-remove"), id: idSchema }),
  "schedule-fire": z.strictObject({
    type: z.literal("schedule-fire"),
    id: idSchema,
    /** What its next tick was thought to be. */
    expectedMs: timeMs,
    tickMs: timeMs,
    nextMs: timeMs.nullable(),
    missed: z.int().min(0),
  }),
  /** The receipt: the task is handed in, or can never be (`error`). */
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

/** A task to hand in for each tick. */
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

/** All schedules, and what was fired without receipt. */
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
