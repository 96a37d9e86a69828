// `config …`: values that the whole swarm shares, kept in the control log.

import { z } from "zod";
import { utf8Bytes } from "../../base/index.ts";
import { CONTENT_TYPES, decode, parse, SwarmError, toSwarmError } from "../../protocol/index.ts";
import { defineCommand } from "../cli/command.ts";
import { printable, table } from "../cli/terminal.ts";
import { operatorName } from "../office/operator.ts";
import { openOffice, patience, readOffice, showAge, staleFacts, staleFlag } from "./office.ts";

const valueSchema = z.object({ name: z.string(), value: z.json(), revision: z.int() });

export const set = defineCommand({
  input: z.strictObject({
    name: z
      .string()
      .meta({ positional: true, value: "NAME", description: "tokens joined by dots: review.model" }),
    value: z
      .string()
      .meta({ positional: true, value: "JSON", description: "the value as JSON; null removes it" }),
    ifRevision: z
      .int()
      .min(0)
      .optional()
      .meta({ description: "only when that is its revision (0: it is absent)", value: "N" }),
  }),
  output: valueSchema,
  examples: ["config set review.model '\"m-1\"'", "config set limits '{\"echo\":4}' --if-revision 3"],
  details: "Exit code 1 when the revision is another: somebody else has set the value meanwhile.",
  async run(ports, { name, value, ifRevision }) {
    const json = readJson(value, "value");
    const body = {
      name,
      value: json,
      by: operatorName(),
      ...(ifRevision === undefined ? {} : { expectedRevision: ifRevision }),
    };
    const office = await openOffice(ports);
    const answer = await office.write("config-set", body, patience(ports));
    return parse(valueSchema, { ...answer, value: json }, "the answer");
  },
  render: ({ name, revision }) => `${name} has revision ${revision}`,
});

const valuesSchema = staleFacts.extend({ values: z.array(valueSchema) });

export const show = defineCommand({
  input: z.strictObject({
    name: z.string().optional().meta({
      positional: true,
      value: "NAME",
      description: "a value, and those whose names begin with it and a dot",
    }),
    stale: staleFlag,
  }),
  output: valuesSchema,
  examples: ["config show", "config show review --json", "config show --stale"],
  async run(ports, { name, stale }) {
    const body = name === undefined ? {} : { name };
    return parse(valuesSchema, await readOffice(ports, "config", { stale, body }), "the answer");
  },
  render: ({ values, ...age }) =>
    showAge(
      table(
        ["NAME", "REVISION", "VALUE"],
        values.map(({ name, value, revision }) => [
          name,
          String(revision),
          printable(JSON.stringify(value)).slice(0, 200),
        ]),
        "no value is set",
      ),
      age,
    ),
});

const changesSchema = staleFacts.extend({
  changes: z.array(
    valueSchema.extend({
      /** ISO 8601; null where it was not written down. */
      at: z.string().nullable(),
      by: z.string().nullable(),
    }),
  ),
});

export const history = defineCommand({
  input: show.input,
  output: changesSchema,
  examples: ["config history", "config history review.model --json"],
  details:
    "The last 16 changes of each value, removed ones too (their value is null), the oldest first; of all values the last 4,096.\n--if-revision compares with the newest.",
  async run(ports, { name, stale }) {
    const body = name === undefined ? {} : { name };
    const { changes, ...age } = await readOffice(ports, "config-history", { stale, body });
    const shown = changes.map(({ atMs, ...change }) => ({
      ...change,
      at: atMs === null ? null : new Date(atMs).toISOString(),
    }));
    return parse(changesSchema, { ...age, changes: shown }, "the answer");
  },
  render: ({ changes, ...age }) =>
    showAge(
      table(
        ["REVISION", "AT", "BY", "NAME", "VALUE"],
        changes.map(({ name, value, revision, at, by }) => [
          String(revision),
          at ?? "-",
          printable(by ?? "-"),
          name,
          printable(JSON.stringify(value)).slice(0, 200),
        ]),
        "no value was set",
      ),
      age,
    ),
});

/** @throws SwarmError `invalid_input` naming `field`. */
export function readJson(text: string, field: string): unknown {
  try {
    return decode(utf8Bytes(text), CONTENT_TYPES.json).value;
  } catch (error) {
    throw new SwarmError(
      "invalid_input",
      `${field} must be JSON (quote a text: '"text"'), got ${JSON.stringify(text.slice(0, 80))}: ${toSwarmError(error).message}`,
      { field },
    );
  }
}
