// Turns the requests about budgets into commands for the log: money becomes whole micro-USD, and the office adds its
// time. Pure.
import { z } from "zod";
import { parse } from "../../protocol/index.ts";
import { givenAmountSchema, givenLimitSchema } from "./amounts.ts";

/** The fields that callers write in another form than the log; the schemas of the commands check all other fields. */
const given = z.looseObject({
  limit: givenLimitSchema.optional(),
  amount: givenAmountSchema.optional(),
  actual: givenAmountSchema.optional(),
});

/** The fields of a write about budgets, as the log holds them. @throws SwarmError `invalid_input` naming the field. */
export function toBudgetFields(
  name: string,
  fields: Readonly<Record<string, unknown>>,
  nowMs: number,
): Record<string, unknown> {
  const read = parse(given, fields, name);
  return name === "budget-remove" ? read : { ...read, nowMs };
}
