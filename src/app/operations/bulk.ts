// One change of many tasks or dead letters: a preview, or the changes one after the other, at a rate, until the caller stops.
// A stop ends the work after the current change, so the report always tells how many were done and how many are left.
import { z } from "zod";
import { sleep } from "../../base/index.ts";
import { toSwarmError } from "../../protocol/index.ts";
import type { OperationContext } from "./operation.ts";

/** The ids that a preview and a report name; more would only fill the screen. */
const NAMED_IDS = 50;
/** The highest rate, in changes per second: more than one caller reaches with one change after the other. */
export const MAX_RATE = 10_000;

/** Fields of an operation that changes many things. */
export const bulkFields = {
  rate: z.number().min(0.1).max(MAX_RATE).optional().meta({ description: "at most this many per second" }),
} as const;

/** A report of a preview, or of the changes. */
export const bulkReportSchema = z.object({
  /** True: nothing was changed. */
  preview: z.boolean(),
  /** The number that the filter selects. */
  selected: z.int(),
  done: z.int(),
  /** Selected and not changed, because the caller stopped the work or the swarm did not answer. */
  left: z.int(),
  failed: z.int(),
  /** Selected and not changed, because another process changed it first: it started, ended, or was removed. */
  skipped: z.int(),
  /** Stored and not looked at, because there are too many. */
  unseen: z.int(),
  /** Not selected, because a fact that the filter needs is not stored. */
  unknown: z.int(),
  /** The first ids that are selected. */
  ids: z.array(z.string()),
  /** The first failures. */
  failures: z.array(z.object({ id: z.string(), code: z.string(), message: z.string() })),
  /** The audit log has an entry about the changes. */
  audited: z.boolean(),
});
/** A report of a preview, or of the changes. */
export type BulkReport = z.output<typeof bulkReportSchema>;

/** The filter and the counts of a bulk change, as the audit log shows them. */
export const bulkAudit = {
  about: (input: Record<string, unknown>) => {
    const { task, dryRun: _dryRun, yes: _yes, rate: _rate, ...filter } = input;
    if (task !== undefined) return { task };
    return { filter: Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) };
  },
  outcome: ({ done, failed, skipped, left }: Pick<BulkReport, "done" | "failed" | "skipped" | "left">) => ({
    done,
    failed,
    skipped,
    left,
  }),
};

/** Progress of the work. */
export const bulkProgressSchema = z.object({ done: z.int(), selected: z.int() });

/** The things that a filter selected. */
export interface Selection<T extends { taskId: string }> {
  found: readonly T[];
  unseen: number;
  unknown: number;
}

/** The report of a preview. */
export function previewOf<T extends { taskId: string }>({
  found,
  unseen,
  unknown,
}: Selection<T>): BulkReport {
  return {
    preview: true,
    selected: found.length,
    done: 0,
    left: found.length,
    failed: 0,
    skipped: 0,
    unseen,
    unknown,
    ids: found.slice(0, NAMED_IDS).map(({ taskId }) => taskId),
    failures: [],
    audited: false,
  };
}

/** Changes one after the other. `change` resolves to false when there was nothing to change any more. */
export async function* changeMany<T extends { taskId: string }>(
  { signal }: Pick<OperationContext, "signal">,
  selection: Selection<T>,
  { rate, change }: { rate?: number | undefined; change: (each: T) => Promise<unknown> },
): AsyncGenerator<z.output<typeof bulkProgressSchema>, BulkReport> {
  const report: BulkReport = { ...previewOf(selection), preview: false };
  const { found } = selection;
  for (const [index, each] of found.entries()) {
    if (signal.aborted) break;
    try {
      if ((await change(each)) === false) report.skipped++;
      else report.done++;
    } catch (error) {
      const { code, message } = toSwarmError(error);
      if (code === "unavailable") break;
      report.failed++;
      if (report.failures.length < NAMED_IDS) report.failures.push({ id: each.taskId, code, message });
    }
    report.left = found.length - index - 1;
    yield { done: report.done, selected: found.length };
    if (rate !== undefined && report.left > 0) await sleep(1_000 / rate, { signal }).catch(() => undefined);
  }
  return report;
}
