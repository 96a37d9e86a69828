// `schedule …`: tasks that the office submits at set times.
import { z } from "zod";
import { PRIORITIES, SwarmError, tokenSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import { printable, table } from "../../cli/terminal.ts";
import { listSchedules, removeSchedule, setSchedule } from "../../operations/schedules.ts";
import { callOperation, defineFace } from "../face.ts";
import { showAge } from "../views/age.ts";

const id = { positional: true, value: "ID" } as const;

export const set = defineCommand({
  input: z.strictObject({
    id: tokenSchema.meta({ ...id, description: "the schedule's id, at most 40 characters" }),
    cron: z.string().optional().meta({ description: "5 or 6 fields: '0 7 * * mon-fri'", value: "EXPR" }),
    timezone: z.string().optional().meta({ description: "of --cron (default: UTC)", value: "ZONE" }),
    everyMs: z.int().min(1).optional().meta({ description: "instead of --cron: an interval", value: "MS" }),
    capability: tokenSchema.meta({ description: "the capability that the task needs", value: "NAME" }),
    input: z.string().default("null").meta({ description: "the task's input as JSON", value: "JSON" }),
    priority: z.enum(PRIORITIES).optional().meta({ description: "the task's priority" }),
  }),
  output: setSchedule.output,
  examples: [
    "schedule set nightly --cron '0 2 * * *' --timezone Europe/Berlin --capability report",
    "schedule set pulse --every-ms 30000 --capability echo --input '{\"a\":1}'",
  ],
  details:
    "Replaces a schedule of the same id. Each tick is one task; its id is the schedule's id and the tick's time in ms. When no\ncoordinator could fire a tick, the next one makes it up for a minute. Of older ticks it fires only the last; the others\ncount as missed. Where the clock of the zone changes, a skipped tick fires right after the change, and a tick that\noccurs twice fires once; with `*` as its hours, an expression fires whenever the clock shows a matching time.",
  async run(ports, { id: schedule, cron, timezone, everyMs, capability, input, priority }) {
    if ((cron === undefined) === (everyMs === undefined)) {
      throw new SwarmError("invalid_input", "give one of --cron and --every-ms", { field: "cron" });
    }
    const when =
      cron === undefined ? { everyMs: everyMs! } : { cron, ...(timezone === undefined ? {} : { timezone }) };
    const task = {
      capability,
      input: readJson(input, "input"),
      ...(priority === undefined ? {} : { priority }),
    };
    return callOperation(ports, setSchedule, { id: schedule, when, task });
  },
  render: ({ id: schedule, next }) => `${schedule} fires at ${next}`,
});

export const ls = defineFace(listSchedules, {
  examples: ["schedule ls", "schedule ls --stale --json"],
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

export const rm = defineFace(removeSchedule, {
  fields: { id },
  examples: ["schedule rm nightly"],
  details: "Exit code 1 when there is none. A task that was fired already stays.",
  render: ({ id: schedule }) => `removed ${schedule}`,
});
