// Schedules: one task, or one run of a workflow, for each tick. The holder of the office decides when a tick is due (scheduler.ts) and
// writes the tick into the command. Pure.
//
// T1  A tick fires at most once: only the next tick of a schedule can fire, and firing moves the schedule on.
// T2  A fired task or run stays in the outbox until its receipt. Its id is made of schedule and tick, so that a repeated
//     submission is no second task, and a past tick that was fired before is not made up twice.
// T3  A tick that starts no run is never silent: it counts as skipped, and the last ones are kept with the reason.
import { z } from "zod";
import { type Json, labelsSchema, PRIORITIES, tokenSchema } from "../../protocol/index.ts";
import { type Reducer, refuse } from "../reducer.ts";
import { whenSchema } from "./ticks.ts";

/** The most schedules of one swarm. */
export const MAX_SCHEDULES = 1_000;
/** The most fired tasks without a receipt; beyond it, ticks wait. */
export const MAX_OUTBOX = 1_000;
/** The fired ticks that may wait when past ticks are made up: the others are room for ticks that come due. */
const MAX_OUTBOX_OF_BACKFILL = MAX_OUTBOX / 2;
/** The most past ticks of one command. */
export const MAX_BACKFILL = 200;
/** The skipped ticks that a schedule keeps, with their reasons. */
export const KEPT_SKIPS = 16;
/** The longest id of a schedule of runs: the id of a run has at most 40 characters, 14 of them for the tick. */
export const MAX_RUN_SCHEDULE_ID = 26;
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

/** The rule for a tick while the run of an earlier tick goes on. */
export const OVERLAPS = ["skip", "allow", "cancel"] as const;
/** One of {@link OVERLAPS}. */
export type Overlap = (typeof OVERLAPS)[number];

/** The run that each tick starts. */
const runSchema = z
  .strictObject({
    workflow: tokenSchema,
    version: z.int().min(1).optional(),
    input: z.json("must be a JSON value"),
    labels: labelsSchema.optional(),
    overlap: z.enum(OVERLAPS),
  })
  .refine(
    (run) => JSON.stringify(run).length <= MAX_TASK_LENGTH,
    `must be at most ${MAX_TASK_LENGTH} characters of JSON`,
  );

const commands = {
  "schedule-set": z
    .strictObject({
      type: z.literal("schedule-set"),
      id: idSchema,
      when: whenSchema,
      task: taskSchema.optional(),
      run: runSchema.optional(),
      /** The first tick; the office computes it. */
      nextMs: timeMs,
    })
    .refine(({ task, run }) => (task === undefined) !== (run === undefined), {
      message: "must be given, or else run",
      path: ["task"],
    })
    .refine(({ id, run }) => run === undefined || id.length <= MAX_RUN_SCHEDULE_ID, {
      message: `must have at most ${MAX_RUN_SCHEDULE_ID} characters, because the ids of its runs begin with it`,
      path: ["id"],
    }),
  /** Makes up past ticks; the caller computes them by the rule of the schedule. */
  "schedule-backfill": z.strictObject({
    type: z.literal("schedule-backfill"),
    id: idSchema,
    ticks: z.array(timeMs).min(1).max(MAX_BACKFILL),
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
  /** The receipt: the task is submitted, or can never be submitted (`error`), or the tick starts no run (`skipped`: the reason). */
  "schedule-settle": z.strictObject({
    type: z.literal("schedule-settle"),
    taskId: tokenSchema,
    error: z.string().max(500).nullable(),
    skipped: z.string().max(200).optional(),
  }),
};

/** A command about schedules. */
export type ScheduleCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

/** The task of a schedule, submitted at each tick. */
export type ScheduledTask = z.output<typeof taskSchema>;
/** The run of a schedule, started at each tick. */
export type ScheduledRun = z.output<typeof runSchema>;

/** A tick that started no run. */
interface Skip {
  readonly tickMs: number;
  readonly reason: string;
}

/** The facts of a schedule of runs. They are absent from a schedule of tasks, so that its stored form stays as it was. */
export interface RunFacts {
  /** The last run that was started. */
  lastRunId: string | null;
  skipped: number;
  /** The last skipped ticks, at most {@link KEPT_SKIPS}. */
  skips: readonly Skip[];
}

interface Schedule {
  readonly when: z.output<typeof whenSchema>;
  /** Exactly one of `task` and `run` is given. */
  readonly task?: ScheduledTask;
  readonly run?: ScheduledRun;
  nextMs: number | null;
  fired: number;
  missed: number;
  lastTaskId: string | null;
  lastError: string | null;
  runs?: RunFacts;
}

/** A fired tick without a receipt. */
export interface FiredTick {
  /** The schedule. */
  readonly id: string;
  readonly task?: ScheduledTask;
  readonly run?: ScheduledRun;
  /** For a run. */
  readonly tickMs?: number;
  /** True for a past tick that is made up. */
  readonly isBackfill?: true;
}

/** All schedules, and the fired ticks without a receipt. */
export interface Schedules {
  readonly byId: Map<string, Schedule>;
  readonly outbox: Map<string, FiredTick>;
}

/** The id of the task or run of a tick (T2). */
const idOfTick = (id: string, tickMs: number) => `${id}-${tickMs}`;

/** The entry of the outbox for a tick. */
function fire(id: string, { task, run }: Schedule, tickMs: number, isBackfill: boolean): FiredTick {
  return {
    id,
    ...(task === undefined ? {} : { task }),
    ...(run === undefined ? {} : { run, tickMs }),
    ...(isBackfill ? { isBackfill } : {}),
  };
}

/** The reducer of schedules. */
export const schedules: Reducer<Schedules, ScheduleCommand> = {
  commands,
  empty: () => ({ byId: new Map(), outbox: new Map() }),
  decide(state, command) {
    const { byId, outbox } = state;
    switch (command.type) {
      case "schedule-set": {
        const { id, when, task, run, nextMs } = command;
        if (!byId.has(id) && byId.size >= MAX_SCHEDULES) {
          return refuse("conflict", `${MAX_SCHEDULES} schedules are set already; remove some first`, "id");
        }
        byId.set(id, {
          when,
          ...(task === undefined ? {} : { task }),
          ...(run === undefined ? {} : { run }),
          ...{ nextMs, fired: 0, missed: 0, lastTaskId: null, lastError: null },
          ...(run === undefined ? {} : { runs: { lastRunId: null, skipped: 0, skips: [] } }),
        });
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
        const taskId = idOfTick(command.id, command.tickMs);
        outbox.set(taskId, fire(command.id, schedule, command.tickMs, false));
        schedule.nextMs = command.nextMs;
        schedule.fired++;
        schedule.missed += command.missed;
        schedule.lastTaskId = taskId;
        return { fired: true, taskId };
      }
      case "schedule-backfill": {
        const { id, ticks } = command;
        const schedule = byId.get(id);
        if (schedule === undefined)
          return refuse("not_found", `there is no schedule ${id}; murmur schedule ls shows all`, "id");
        const added = ticks.filter((tickMs) => !outbox.has(idOfTick(id, tickMs)));
        if (outbox.size + added.length > MAX_OUTBOX_OF_BACKFILL)
          return refuse(
            "conflict",
            `${outbox.size} fired ticks wait already, and ${MAX_OUTBOX_OF_BACKFILL} may; try again later, or with a shorter time`,
            "ticks",
          );
        for (const tickMs of added) outbox.set(idOfTick(id, tickMs), fire(id, schedule, tickMs, true));
        schedule.fired += added.length;
        return { queued: added.length };
      }
      case "schedule-settle": {
        const { taskId, error, skipped } = command;
        const sent = outbox.get(taskId);
        if (sent === undefined) return { settled: false };
        outbox.delete(taskId);
        const schedule = byId.get(sent.id);
        if (schedule === undefined) return { settled: true };
        schedule.lastError = error;
        const { runs } = schedule;
        if (runs === undefined || sent.tickMs === undefined) return { settled: true };
        // A new object each time: a snapshot may hold the one before.
        if (skipped !== undefined) {
          const skips = [...runs.skips, { tickMs: sent.tickMs, reason: skipped }].slice(-KEPT_SKIPS); // T3
          schedule.runs = { ...runs, skipped: runs.skipped + 1, skips };
        } else if (error === null) schedule.runs = { ...runs, lastRunId: taskId };
        return { settled: true };
      }
      default:
        return command satisfies never;
    }
  },
  toJson: (state) => [viewSchedules(state) as unknown as Json, [...state.outbox] as unknown as Json],
  fromJson(json) {
    const [saved, outbox] = json as unknown as [({ id: string } & Schedule)[], [string, FiredTick][]];
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
