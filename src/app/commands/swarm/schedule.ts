// `schedule …`: tasks that the office submits, and runs of workflows that it starts, at set times.
import { z } from "zod";
import { OVERLAPS } from "../../../coordinator/index.ts";
import { PRIORITIES, SwarmError, tokenSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import { printable, table } from "../../cli/terminal.ts";
import { backfillSchedule, listSchedules, removeSchedule, setSchedule } from "../../operations/schedules.ts";
import { callOperation, defineFace } from "../face.ts";
import { showAge } from "../views/age.ts";

const id = { positional: true, value: "ID" } as const;

export const set = defineCommand({
  input: z.strictObject({
    id: tokenSchema.meta({ ...id, description: "the schedule's id, at most 40 characters" }),
    cron: z.string().optional().meta({ description: "5 or 6 fields: '0 7 * * mon-fri'", value: "EXPR" }),
    timezone: z.string().optional().meta({ description: "of --cron (default: UTC)", value: "ZONE" }),
    everyMs: z.int().min(1).optional().meta({ description: "instead of --cron: an interval", value: "MS" }),
    capability: tokenSchema
      .optional()
      .meta({ description: "the capability that the task needs", value: "NAME" }),
    workflow: tokenSchema
      .optional()
      .meta({ description: "instead of --capability: the workflow that each tick starts", value: "NAME" }),
    version: z
      .int()
      .min(1)
      .optional()
      .meta({ description: "of --workflow (default: the newest one at each tick)", value: "N" }),
    overlap: z
      .enum(OVERLAPS)
      .optional()
      .meta({ description: "of --workflow, while the run before goes on (default: skip)" }),
    input: z
      .string()
      .default("null")
      .meta({ description: "the input of the task or run as JSON", value: "JSON" }),
    priority: z.enum(PRIORITIES).optional().meta({ description: "the task's priority" }),
  }),
  output: setSchedule.output,
  examples: [
    "schedule set nightly --cron '0 2 * * *' --timezone Europe/Berlin --capability report",
    "schedule set pulse --every-ms 30000 --capability echo --input '{\"a\":1}'",
    "schedule set cleanup --cron '30 3 * * *' --workflow maintenance --overlap skip",
  ],
  details:
    "Replaces a schedule of the same id. Each tick is one task; its id is the schedule's id and the tick's time in ms. When no\ncoordinator could fire a tick, the next one makes it up for a minute. Of older ticks it fires only the last; the others\ncount as missed. Where the clock of the zone changes, a skipped tick fires right after the change, and a tick that\noccurs twice fires once; with `*` as its hours, an expression fires whenever the clock shows a matching time.\nWith --workflow each tick starts a run, whose id is made in the same way and whose label `schedule` names the schedule. While the\nrun before goes on, --overlap skip starts none, allow starts one beside it, and cancel cancels it and starts one at its end.\nSkipped ticks are counted and kept with the reason: schedule ls --json.",
  async run(ports, fields) {
    const { id: schedule, cron, timezone, everyMs, capability, priority, input } = fields;
    const { workflow, version, overlap } = fields;
    if ((cron === undefined) === (everyMs === undefined)) {
      throw new SwarmError("invalid_input", "give one of --cron and --every-ms", { field: "cron" });
    }
    const when =
      cron === undefined ? { everyMs: everyMs! } : { cron, ...(timezone === undefined ? {} : { timezone }) };
    if ((capability === undefined) === (workflow === undefined)) {
      throw new SwarmError("invalid_input", "give one of --capability and --workflow", {
        field: "capability",
      });
    }
    const given = { input: readJson(input, "input") as never };
    if (workflow === undefined) {
      if (version !== undefined || overlap !== undefined)
        throw new SwarmError("invalid_input", "--version and --overlap belong to --workflow", {
          field: version === undefined ? "overlap" : "version",
        });
      const task = { capability: capability!, ...given, ...(priority === undefined ? {} : { priority }) };
      return callOperation(ports, setSchedule, { id: schedule, when, task });
    }
    if (priority !== undefined)
      throw new SwarmError("invalid_input", "--priority belongs to --capability: a run has none", {
        field: "priority",
      });
    const run = {
      workflow,
      ...given,
      ...(version === undefined ? {} : { version }),
      ...(overlap === undefined ? {} : { overlap }),
    };
    return callOperation(ports, setSchedule, { id: schedule, when, run });
  },
  render: ({ id: schedule, next }) => `${schedule} fires at ${next}`,
});

export const ls = defineFace(listSchedules, {
  examples: ["schedule ls", "schedule ls --stale --json"],
  render: ({ schedules, ...age }) =>
    showAge(
      table(
        ["ID", "WHEN", "CAPABILITY OR WORKFLOW", "NEXT", "FIRED", "MISSED", "SKIPPED", "LAST ERROR"],
        schedules.map(({ id: schedule, when, task, run, runs, next, fired, missed, lastError }) => [
          schedule,
          printable(JSON.stringify(when)),
          task?.capability ?? `workflow ${run?.workflow} (${run?.overlap})`,
          next ?? "-",
          String(fired),
          String(missed),
          runs === undefined ? "-" : String(runs.skipped),
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

export const backfill = defineFace(backfillSchedule, {
  fields: { id, from: { value: "TIME" }, to: { value: "TIME" } },
  examples: [
    "schedule backfill cleanup --from 7d",
    "schedule backfill cleanup --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z",
  ],
  details:
    "Each past tick is the task or run that it would have been, with the same id: a tick that was fired already is not fired twice, as\nlong as its task or run is known. Runs start one after the other, unless the schedule has --overlap allow. At most 200 ticks at a\ntime.",
  render: ({ id: schedule, ticks, queued }) =>
    `${queued} of ${ticks} past ticks of ${schedule} wait for their start`,
});
