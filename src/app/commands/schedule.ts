// `schedule …`: tasks at set times, fired by whoever holds the office.
import { z } from "zod";
import { PRIORITIES, parse, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { defineCommand } from "../cli/command.ts";
import { printable, table } from "../cli/terminal.ts";
import { readJson } from "./config.ts";
import { openOffice, patience, readOffice, showAge, staleFacts, staleFlag } from "./office.ts";

const id = tokenSchema.meta({
  positional: true,
  value: "ID",
  description: "the schedule's id, at most 40 characters",
});

const scheduleSchema = z.object({
  id: z.string(),
  /** `{ cron, timezone }` or `{ everyMs }`. */
  when: z.looseObject({}),
  task: z.looseObject({ capability: z.string() }),
  /** The next tick, ISO 8601; null when none comes any more. */
  next: z.string().nullable(),
  fired: z.int(),
  /** Ticks that nobody could fire in time. */
  missed: z.int(),
  lastTaskId: z.string().nullable(),
  /** Why the last task could not be handed in. */
  lastError: z.string().nullable(),
});

export const set = defineCommand({
  input: z.strictObject({
    id,
    cron: z.string().optional().meta({ description: "5 or 6 fields: '0 7 * * mon-fri'", value: "EXPR" }),
    timezone: z.string().optional().meta({ description: "of --cron (default: UTC)", value: "ZONE" }),
    everyMs: z.int().min(1).optional().meta({ description: "instead of --cron: an interval", value: "MS" }),
    capability: tokenSchema.meta({ description: "what the task needs", value: "NAME" }),
    input: z.string().default("null").meta({ description: "the task's input as JSON", value: "JSON" }),
    priority: z.enum(PRIORITIES).optional().meta({ description: "the task's priority" }),
  }),
  output: z.object({ id: z.string(), next: z.string() }),
  examples: [
    "schedule set nightly --cron '0 2 * * *' --timezone Europe/Berlin --capability report",
    "schedule set pulse --every-ms 30000 --capability echo --input '{\"a\":1}'",
  ],
  details:
    "Replaces a schedule of the same id. Each tick is one task, whose id is the schedule's and the tick's time in ms. Ticks\nthat nobody could fire are made up for a minute; of older ones only the last is, and the others count as missed.",
  async run(ports, { id: schedule, cron, timezone, everyMs, capability, input, priority }) {
    const every = everyMs === undefined ? undefined : { everyMs };
    const when = cron === undefined ? every : { cron, timezone };
    if (when === undefined || (cron !== undefined && every !== undefined)) {
      throw new SwarmError("invalid_input", "give one of --cron and --every-ms", { field: "cron" });
    }
    const task = {
      capability,
      input: readJson(input, "input"),
      ...(priority === undefined ? {} : { priority }),
    };
    const office = await openOffice(ports);
    const answer = await office.write("schedule-set", { id: schedule, when, task }, patience(ports));
    return { id: schedule, next: new Date(answer.nextMs).toISOString() };
  },
  render: ({ id: schedule, next }) => `${schedule} fires at ${next}`,
});

export const ls = defineCommand({
  input: z.strictObject({ stale: staleFlag }),
  output: staleFacts.extend({ schedules: z.array(scheduleSchema) }),
  examples: ["schedule ls", "schedule ls --stale --json"],
  async run(ports, { stale }) {
    const answer = await readOffice(ports, "schedules", { stale });
    const stored = scheduleSchema.omit({ next: true }).extend({ nextMs: z.int().nullable() });
    const { schedules, ...age } = parse(
      staleFacts.extend({ schedules: z.array(stored) }),
      answer,
      "the answer",
    );
    return {
      ...age,
      schedules: schedules.map(({ nextMs, ...schedule }) => ({
        ...schedule,
        next: nextMs === null ? null : new Date(nextMs).toISOString(),
      })),
    };
  },
  render: ({ schedules, ...age }) =>
    showAge(
      table(
        ["ID", "WHEN", "CAPABILITY", "NEXT", "FIRED", "MISSED", "LAST ERROR"],
        schedules.map(({ id: schedule, when, task, next, fired, missed, lastError }) => [
          schedule,
          printable(JSON.stringify(when)),
          task.capability,
          next ?? "-",
          String(fired),
          String(missed),
          printable(lastError ?? "-").slice(0, 120),
        ]),
        "no schedule is set",
      ),
      age,
    ),
});

export const rm = defineCommand({
  input: z.strictObject({ id }),
  output: z.object({ removed: z.literal(true), id: z.string() }),
  examples: ["schedule rm nightly"],
  details: "Exit code 1 when there is none. A task that was fired already stays.",
  async run(ports, { id: schedule }) {
    const office = await openOffice(ports);
    await office.write("schedule-remove", { id: schedule }, patience(ports));
    return { removed: true as const, id: schedule };
  },
  render: ({ id: schedule }) => `removed ${schedule}`,
});
