// `config …`: values that the whole swarm shares, kept in the control log.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import { printable, table } from "../../cli/terminal.ts";
import { setValue, showHistory, showValues } from "../../operations/config.ts";
import { callOperation, defineFace } from "../face.ts";
import { showAge } from "../views/age.ts";

const name = { positional: true, value: "NAME" } as const;

export const set = defineCommand({
  input: z.strictObject({
    name: z.string().meta({ ...name, description: "tokens joined by dots: review.model" }),
    value: z
      .string()
      .meta({ positional: true, value: "JSON", description: "the value as JSON; null removes it" }),
    ifRevision: setValue.input.shape.ifRevision.meta({
      ...setValue.input.shape.ifRevision.meta(),
      value: "N",
    }),
  }),
  output: setValue.output,
  examples: ["config set review.model '\"m-1\"'", "config set limits '{\"echo\":4}' --if-revision 3"],
  details: "Exit code 1 when the value has another revision: another caller has set it in between.",
  run: (ports, input) => {
    const value = readJson(input.value, "value");
    return callOperation(ports, setValue, { ...input, value });
  },
  render: ({ name: key, revision }) => `${key} has revision ${revision}`,
});

export const show = defineFace(showValues, {
  fields: { name },
  examples: ["config show", "config show review --json", "config show --stale"],
  render: ({ values, ...age }) =>
    showAge(
      table(
        ["NAME", "REVISION", "VALUE"],
        values.map(({ name: key, value, revision }) => [key, String(revision), showValue(value)]),
        "no value is set",
      ),
      age,
    ),
});

export const history = defineFace(showHistory, {
  fields: { name },
  examples: ["config history", "config history review.model --json"],
  details:
    "The last 16 changes of each value, the oldest first, removals too (their value is null); of all values the last 4,096\nchanges. --if-revision compares with the newest.",
  render: ({ changes, ...age }) =>
    showAge(
      table(
        ["REVISION", "AT", "BY", "NAME", "VALUE"],
        changes.map(({ name: key, value, revision, at, by }) => [
          String(revision),
          at ?? "-",
          printable(by ?? "-"),
          key,
          showValue(value),
        ]),
        "no value was set",
      ),
      age,
    ),
});

/** The most characters of a value in a list for people. */
const MAX_SHOWN_CONFIG_VALUE = 200;

function showValue(value: unknown): string {
  return printable(JSON.stringify(value)).slice(0, MAX_SHOWN_CONFIG_VALUE);
}
