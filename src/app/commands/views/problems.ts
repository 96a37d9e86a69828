// Problems for people.
import type { z } from "zod";
import type { Terminal } from "../../cli/terminal.ts";
import type { problemReportSchema } from "../../operations/problems.ts";

/** One paragraph for each problem, and a line for each part that could not be read. */
export function showProblems(
  { problems, unknown }: z.output<typeof problemReportSchema>,
  { colors }: Terminal,
): string {
  const paragraphs = problems.map(({ name, severity, summary, since, hit, cause, runbook, commands }) =>
    [
      `${severity === "page" ? colors.red("PAGE  ") : colors.yellow("ticket")}  ${name}: ${summary}`,
      `        since    ${since ?? "unknown"}`,
      ...(hit.capabilities.length === 0 ? [] : [`        hits     ${hit.capabilities.join(", ")}`]),
      `        cause    ${cause}`,
      `        do       ${commands.join(" · ")}`,
      `        runbook  ${runbook}`,
    ].join("\n"),
  );
  const blind = unknown.map(
    ({ part, reason }) => `unknown: ${part} (${reason}); its problems are missing here`,
  );
  const lines = [...paragraphs, ...blind];
  return lines.length === 0 ? "no problem is known" : lines.join("\n");
}
