// The JSON Schema of definitions in YAML, for editors. It is made from the same fields that parse.ts checks by.
import { z } from "zod";
import { definitionFields, NODE_FIELDS } from "./fields.ts";

/** Returns the JSON Schema (draft 2020-12) of a definition file. */
export function definitionSchema(): object {
  const { $schema, ...root } = z.toJSONSchema(definitionFields) as Record<string, unknown>;
  const nodes = Object.values(NODE_FIELDS).map((fields) => {
    const { $schema: _, ...node } = z.toJSONSchema(fields) as Record<string, unknown>;
    return withSteps(node);
  });
  return {
    $schema,
    title: "A workflow of Murmur",
    ...(withSteps(root) as object),
    $defs: { step: { oneOf: nodes }, steps: { type: "array", items: { $ref: "#/$defs/step" } } },
  };
}

/** The fields that hold steps, and their form. */
const BLOCKS: Readonly<Record<string, object>> = {
  steps: { $ref: "#/$defs/steps" },
  // biome-ignore lint/suspicious/noThenProperty: a field of the language; nothing awaits this object
  then: { $ref: "#/$defs/steps" },
  else: { $ref: "#/$defs/steps" },
  try: { $ref: "#/$defs/steps" },
  catch: { $ref: "#/$defs/steps" },
  do: { anyOf: [{ $ref: "#/$defs/step" }, { $ref: "#/$defs/steps" }] },
  parallel: { type: "array", items: { anyOf: [{ $ref: "#/$defs/step" }, { $ref: "#/$defs/steps" }] } },
  of: { type: "array", items: { anyOf: [{ $ref: "#/$defs/step" }, { $ref: "#/$defs/steps" }] } },
};

function withSteps(schema: Record<string, unknown>): object {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Record<string, unknown>>);
  const filled = properties.map(([name, field]) => {
    const isSteps = Object.hasOwn(BLOCKS, name) && (name !== "of" || field.type === "array");
    return [name, isSteps ? { ...field, items: undefined, ...BLOCKS[name] } : field] as const;
  });
  return JSON.parse(JSON.stringify({ ...schema, properties: Object.fromEntries(filled) })) as object;
}
