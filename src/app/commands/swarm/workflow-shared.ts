// `workflow shared` and `workflow share`: the shared values of runs.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import { printable, table } from "../../cli/terminal.ts";
import { listShared, setShared, showShared } from "../../operations/shared.ts";
import { callOperation } from "../face.ts";

const id = { positional: true, value: "RUN" } as const;
const name = { positional: true, value: "NAME" } as const;
/** The longest value in a table, in characters. */
const MAX_SHOWN_VALUE = 60;

const { shape } = showShared.input;

export const shared = defineCommand({
  input: z.strictObject({
    id: shape.id.meta({ ...shape.id.meta(), ...id }),
    name: shape.name.optional().meta({ ...name, description: "one value, in full" }),
    history: shape.history,
  }),
  output: z.union([showShared.output, listShared.output]),
  examples: ["workflow shared order-81", "workflow shared order-81 limits --history"],
  details:
    "Agents change the values with ctx.shared, workflows with shared, people with workflow share. The last 16 changes of each are kept\nwith their authors. The values are gone with the log of the run.",
  run: async (ports, { id: run, name: key, history }) =>
    key === undefined
      ? callOperation(ports, listShared, { id: run })
      : callOperation(ports, showShared, { id: run, name: key, history }),
  render(output) {
    if ("values" in output) return renderChanges(output.values, "no shared value is set");
    const { value, revision, changes } = output;
    if (revision === 0) return `${output.name} was never set`;
    const shown = printable(JSON.stringify(value, null, 2));
    return changes.length === 0 ? shown : `${shown}\n${renderChanges(changes, "")}`;
  },
});

export const share = defineCommand({
  input: z.strictObject({
    id: shape.id.meta({ ...shape.id.meta(), ...id }),
    name: shape.name.meta({ ...shape.name.meta(), ...name }),
    value: z.string().meta({ description: "the value as JSON, at most 64 KiB", value: "JSON" }),
    ifRevision: z.int().min(0).optional().meta({
      description: "only if the value still has this revision; 0: only if it was never set",
      value: "N",
    }),
  }),
  output: setShared.output,
  examples: [
    `workflow share order-81 limits --value '{"daily":100}'`,
    "workflow share order-81 limits --value null --if-revision 7",
  ],
  details: "Exit code 1 when another writer was first (conflict), and nothing is changed.",
  run: (ports, { id: run, name: key, value, ifRevision }) =>
    callOperation(ports, setShared, {
      ...{ id: run, name: key, value: readJson(value, "value") as never },
      ...(ifRevision === undefined ? {} : { revision: ifRevision }),
    }),
  render: ({ id: run, name: key, revision }) => `${key} of ${run} is set, revision ${revision}`,
});

type Change = z.output<typeof showShared.output>["changes"][number] & { name?: string };

function renderChanges(changes: readonly Change[], nothing: string): string {
  return table(
    ["NAME", "REVISION", "VALUE", "BY", "AT"],
    changes.map(({ name: key, revision, value, by, proven, at }) => {
      const text = printable(JSON.stringify(value));
      const short = text.length > MAX_SHOWN_VALUE ? `${text.slice(0, MAX_SHOWN_VALUE - 1)}…` : text;
      return [key ?? "", String(revision), short, `${printable(by)}${proven ? "" : " (unproven)"}`, at];
    }),
    nothing,
  );
}
