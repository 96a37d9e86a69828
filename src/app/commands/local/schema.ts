// `schema`: the JSON Schemas of the contract.
import { z } from "zod";
import { jsonSchemaOf, SCHEMA_NAMES } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";

export const command = defineCommand({
  input: z.strictObject({
    name: z
      .enum(SCHEMA_NAMES)
      .optional()
      .meta({ positional: true, value: "NAME", description: SCHEMA_NAMES.join(", ") }),
  }),
  output: z.record(z.string(), z.unknown()),
  examples: ["schema task", "schema > schemas.json"],
  details:
    "JSON Schema draft 2020-12. Without a name: all of them, as one document by name. Needs no server.",
  run: async (_ports, { name }) =>
    name === undefined
      ? Object.fromEntries(SCHEMA_NAMES.map((each) => [each, jsonSchemaOf(each)]))
      : jsonSchemaOf(name),
  render: (schemas) => JSON.stringify(schemas, null, 2),
});
