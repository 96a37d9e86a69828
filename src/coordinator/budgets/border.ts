// Turns the requests about budgets into commands for the log: money becomes whole micro-USD, and the office adds its
// time. Pure.
import { z } from "zod";
import { parse } from "../../protocol/index.ts";
import { toldAmountSchema, toldLimitSchema } from "./amounts.ts";

/** The fields that callers write in another form than the log; the schemas of the commands check all other fields. */
const told = z.looseObject({
  limit: toldLimitSchema.optional(),
  amount: toldAmountSchema.optional(),
  actual: toldAmountSchema.optional(),
});

/** The fields of a write about budgets, as the log holds them. @throws SwarmError `invalid_input` naming the field. */
export function toBudgetFields(
  name: string,
  fields: Readonly<Record<string, unknown>>,
  nowMs: number,
): Record<string, unknown> {
  const read = parse(told, fields, name);
  return name === "budget-remove" ? read : { ...read, nowMs };
}
