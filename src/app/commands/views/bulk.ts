// How a change of many tasks or dead letters looks to people. Pure, but for the status line.
import { printable, type Terminal } from "../../cli/terminal.ts";
import type { BulkReport } from "../../operations/bulk.ts";

/** The status line while the work runs. */
export function showProgress(
  { done, selected }: { done: number; selected: number },
  terminal: Terminal,
): void {
  terminal.status(`${done} of ${selected}`);
}

/** The report. `done` is the verb for the changed ones; `next` says how to leave the preview. */
export function renderBulk(report: BulkReport, done: string, next: string): string {
  const lines = report.preview
    ? [
        `${report.selected} selected; nothing was changed${report.selected > 0 ? `, ${next}` : ""}`,
        ...named(report),
      ]
    : [`${done} ${report.done} of ${report.selected}`];
  if (!report.preview && report.left > 0)
    lines.push(`left     ${report.left}: the same command goes on with them`);
  if (report.skipped > 0) lines.push(`skipped  ${report.skipped}: started, ended or removed meanwhile`);
  if (report.failed > 0) lines.push(`failed   ${report.failed}`);
  lines.push(...report.failures.map(({ id, code, message }) => `  ${id}  ${code}: ${printable(message)}`));
  if (report.unseen > 0) lines.push(`unseen   ${report.unseen}: too many for one run; repeat the command`);
  if (report.unknown > 0)
    lines.push(
      `unknown  ${report.unknown}: not selected, because a fact that the filter needs is not stored`,
    );
  return lines.join("\n");
}

function named({ ids, selected }: BulkReport): string[] {
  const more = selected - ids.length;
  return [...ids.map((id) => `  ${id}`), ...(more > 0 ? [`  and ${more} more`] : [])];
}

/** 1 when something failed or is left. */
export function exitCodeOf({ preview, failed, left }: BulkReport): number {
  return !preview && (failed > 0 || left > 0) ? 1 : 0;
}
