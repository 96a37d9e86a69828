// What may be asked about budgets from outside, and what stands in the log of it: money becomes whole micro-USD, and the
// office adds its time. Pure.
import { z } from "zod";
import { parse } from "../../protocol/index.ts";
import { toldAmountSchema, toldLimitSchema } from "./amounts.ts";

/** What is said in another way outside than in the log; everything else is checked there. */
const told = z.looseObject({
  limit: toldLimitSchema.optional(),
  amount: toldAmountSchema.optional(),
  actual: toldAmountSchema.optional(),
});

/** The fields of a write about budgets as they stand in the log. @throws SwarmError `invalid_input` naming the field. */
export function toBudgetFields(
  name: string,
  fields: Readonly<Record<string, unknown>>,
  nowMs: number,
): Record<string, unknown> {
  const read = parse(told, fields, name);
  return name === "budget-remove" ? read : { ...read, nowMs };
}
