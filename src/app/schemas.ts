// The JSON Schemas of everything that travels between Murmur and other programs, made from the schemas that parse it.
import { z } from "zod";
import {
  agentStatusSchema,
  deadLetterSchema,
  errorReplySchema,
  heartbeatSchema,
  journalRecordSchema,
  resultSchema,
  submitReplySchema,
  taskSchema,
  taskStatusSchema,
  whereReplySchema,
} from "../protocol/index.ts";

const PUBLIC = {
  task: taskSchema,
  result: resultSchema,
  "submit-reply": submitReplySchema,
  "error-reply": errorReplySchema,
  "task-status": taskStatusSchema,
  "where-reply": whereReplySchema,
  "agent-status": agentStatusSchema,
  heartbeat: heartbeatSchema,
  "dead-letter": deadLetterSchema,
  "journal-record": journalRecordSchema,
} as const;

/** The name of a public schema. */
export type SchemaName = keyof typeof PUBLIC;
/** All of them. */
export const SCHEMA_NAMES = Object.keys(PUBLIC) as [SchemaName, ...SchemaName[]];

/**
 * JSON Schema (draft 2020-12) of one message: of a task what a publisher may write (defaults are optional), of the
 * others what a reader gets. Fields that this version refuses are `not: {}`.
 */
export function jsonSchemaOf(name: SchemaName): Record<string, unknown> {
  return z.toJSONSchema(PUBLIC[name], {
    io: name === "task" ? "input" : "output",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "undefined") jsonSchema.not = {};
    },
  }) as Record<string, unknown>;
}
