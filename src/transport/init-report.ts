// The check of the report of `Transport.init`.
import { SwarmError } from "../protocol/index.ts";
import type { InitReport } from "./ports.ts";

/** Returns the report. @throws SwarmError `conflict` for the first difference that the swarm cannot work with. */
export function refuseDifferences(report: InitReport): InitReport {
  const blocking = report.differences.find(({ isBlocking }) => isBlocking);
  if (blocking === undefined) return report;
  throw new SwarmError("conflict", blocking.text, { field: blocking.setting });
}
