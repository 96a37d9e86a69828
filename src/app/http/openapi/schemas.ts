// JSON Schemas for the OpenAPI document: each message of the contract once, by name, and everything else in its place.
import { z } from "zod";
import {
  agentStatusSchema,
  deadLetterSchema,
  errorReplySchema,
  resultSchema,
  submitReplySchema,
  taskSchema,
  taskStatusSchema,
} from "../../../protocol/index.ts";
import { bulkReportSchema } from "../../operations/bulk.ts";
import { problemSchema } from "../../operations/problems.ts";

/** A JSON Schema, as far as this room looks into it. */
export type JsonSchema = { [keyword: string]: unknown };

/** The schemas with a name. A task is described as its publisher writes it, everything else as its reader gets it. */
const NAMED = {
  Task: taskSchema,
  Result: resultSchema,
  TaskStatus: taskStatusSchema,
  SubmitReply: submitReplySchema,
  ErrorReply: errorReplySchema,
  AgentStatus: agentStatusSchema,
  DeadLetter: deadLetterSchema,
  BulkReport: bulkReportSchema,
  Problem: problemSchema,
} as const satisfies Record<string, z.ZodType>;

const nameOf = new Map<z.core.$ZodType, string>(
  Object.entries(NAMED).map(([name, schema]) => [schema, name]),
);

/** The facts of a field that only the command line reads. */
const FACTS_OF_FLAGS = ["value", "positional", "short", "optionalValue"] as const;

/** The descriptions of all fields, without the facts of flags, and the names of the named schemas. */
class Descriptions extends z.core.$ZodRegistry<Record<string, unknown> & { id?: string | undefined }> {
  override get(schema: z.core.$ZodType) {
    const facts = Object.entries(z.globalRegistry.get(schema) ?? {}).filter(
      ([name]) => !(FACTS_OF_FLAGS as readonly string[]).includes(name),
    );
    const id = nameOf.get(schema);
    return { ...Object.fromEntries(facts), ...(id === undefined ? {} : { id }) } as never;
  }
}

const descriptions = new Descriptions();

/** Collects the named schemas that a document uses. */
export class SchemaBook {
  readonly #named = new Map<string, JsonSchema>();

  /** The named schemas that were used so far, by name. */
  get components(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#named].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The schema of a value: `input` as a caller writes it, `output` as a reader gets it. */
  of(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    const {
      $schema: _dialect,
      $defs = {},
      ...made
    } = z.toJSONSchema(schema, {
      io,
      metadata: descriptions,
      unrepresentable: "any",
      override: ({ zodSchema, jsonSchema }) => {
        const { type } = zodSchema._zod.def;
        if (type === "undefined") jsonSchema.not = {};
        // Generators of clients do not know the schema `false`: a bound on the length says the same.
        if (type === "tuple" && jsonSchema.items === false) {
          delete jsonSchema.items;
          jsonSchema.maxItems = jsonSchema.prefixItems?.length ?? 0;
        }
        // Readers accept unknown fields, because the contract grows by addition. Only a strict object rejects them.
        if (type === "object" && (zodSchema._zod.def as z.core.$ZodObjectDef).catchall === undefined)
          delete jsonSchema.additionalProperties;
      },
    }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
    const anyJson = Object.keys($defs).filter((name) => isAnyJson($defs[name]));
    const move = (value: unknown) => moveReferences(value, anyJson) as JsonSchema;
    for (const [name, definition] of Object.entries($defs)) {
      if (Object.hasOwn(NAMED, name)) this.#named.set(name, move(definition));
    }
    const name = nameOf.get(schema);
    if (name === undefined) return move(made);
    // A schema that zod keeps among the definitions is only a reference at its root.
    if ($defs[name] === undefined) this.#named.set(name, move(made));
    return { $ref: `${COMPONENTS}${name}` };
  }
}

const COMPONENTS = "#/components/schemas/";
const DEFINITIONS = "#/$defs/";

/** True for the recursive schema of any JSON value, which says no more than an empty one. */
function isAnyJson(definition: JsonSchema | undefined): boolean {
  const types = (definition?.anyOf as JsonSchema[] | undefined)?.map(({ type }) => type);
  return types?.join() === "string,number,boolean,null,array,object";
}

/**
 * The schema with its references at the place of the document's schemas, and without those to `anyJson`.
 * @throws Error for a reference to another schema without a name.
 */
function moveReferences(value: unknown, anyJson: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => moveReferences(each, anyJson));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([keyword, each]): [string, unknown][] => {
      if (keyword !== "$ref" || typeof each !== "string") return [[keyword, moveReferences(each, anyJson)]];
      const name = each.slice(DEFINITIONS.length);
      if (anyJson.includes(name)) return [];
      if (!Object.hasOwn(NAMED, name)) throw new Error(`${each} must be a schema with a name`);
      return [[keyword, `${COMPONENTS}${name}`]];
    }),
  );
}
