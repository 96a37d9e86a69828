// Operations on the values that the whole swarm shares. The control log keeps them.
import { z } from "zod";
import { parse } from "../../protocol/index.ts";
import { ageFields, patience, readOffice, staleField } from "../office/reads.ts";
import { defineOperation } from "./operation.ts";

const valueSchema = z.object({ name: z.string(), value: z.json(), revision: z.int() });

export const setValue = defineOperation({
  name: "config-set",
  summary: "set a value of the swarm",
  input: z.strictObject({
    name: z.string().meta({ description: "tokens joined by dots: review.model" }),
    value: z.json().meta({ description: "the value; null removes it" }),
    ifRevision: z
      .int()
      .min(0)
      .optional()
      .meta({ description: "only when that is its revision (0: it is absent)" }),
  }),
  output: valueSchema,
  /** `conflict`: the value has another revision. */
  errors: ["conflict"],
  access: "operate",
  audit: { keepsBack: ["value"] },
  async run(context, { name, value, ifRevision }) {
    const expected = ifRevision === undefined ? {} : { expectedRevision: ifRevision };
    const body = { name, value, by: context.caller.name, ...expected };
    const answer = await context.office.write("config-set", body, patience(context));
    return parse(valueSchema, { ...answer, value }, "the answer");
  },
});

const below = z.strictObject({
  name: z
    .string()
    .optional()
    .meta({ description: "a value, and all values below it: their names begin with it and a dot" }),
  stale: staleField,
});

const valuesSchema = ageFields.extend({ values: z.array(valueSchema) });

export const showValues = defineOperation({
  name: "config-show",
  summary: "show values of the swarm",
  input: below,
  output: valuesSchema,
  errors: [],
  access: "read",
  async run(context, { name, stale }) {
    const body = name === undefined ? {} : { name };
    return parse(valuesSchema, await readOffice(context, "config", { stale, body }), "the answer");
  },
});

const changesSchema = ageFields.extend({
  changes: z.array(
    valueSchema.extend({
      /** ISO 8601; null when the time was not recorded. */
      at: z.string().nullable(),
      by: z.string().nullable(),
    }),
  ),
});

export const showHistory = defineOperation({
  name: "config-history",
  summary: "show earlier values of the swarm",
  input: below,
  output: changesSchema,
  errors: [],
  access: "read",
  async run(context, { name, stale }) {
    const body = name === undefined ? {} : { name };
    const { changes, ...age } = await readOffice(context, "config-history", { stale, body });
    const shown = changes.map(({ atMs, ...change }) => ({
      ...change,
      at: atMs === null ? null : new Date(atMs).toISOString(),
    }));
    return parse(changesSchema, { ...age, changes: shown }, "the answer");
  },
});
