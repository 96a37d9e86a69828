// The JSON Schemas of everything that travels between Murmur and other programs, made from the schemas that parse it.
// `tools/build/generate.ts` writes them to docs/schemas; a test holds the two together.
import { z } from "zod";
import { heartbeatSchema } from "./agent/heartbeat.ts";
import { agentStatusSchema } from "./agent/status.ts";
import { auditEntrySchema } from "./audit/entry.ts";
import { deadLetterSchema } from "./task/dead-letter.ts";
import { journalRecordSchema } from "./task/journal-record.ts";
import { placementSchema, placeReplySchema, placeRequestSchema } from "./task/placement.ts";
import { submitReplySchema, whereReplySchema } from "./task/replies.ts";
import { resultSchema } from "./task/result.ts";
import { taskStatusSchema } from "./task/status.ts";
import { blobSchema, taskSchema } from "./task/task.ts";
import { errorReplySchema } from "./wire/error-reply.ts";

const PUBLIC = {
  task: { schema: taskSchema, what: "A task as a publisher hands it in." },
  result: { schema: resultSchema, what: "The one result of a task." },
  blob: { schema: blobSchema, what: "What stands in the place of a body over 512 KiB." },
  "submit-reply": { schema: submitReplySchema, what: "The reply of <p>.submit without Murmur-Wait." },
  "error-reply": { schema: errorReplySchema, what: "The body of every error reply." },
  "task-status": { schema: taskStatusSchema, what: "A task's state: `task show`, GET /v1/tasks/{id}." },
  "where-reply": {
    schema: whereReplySchema,
    what: "The reply of <p>.where.<taskId> from the host that runs it.",
  },
  "agent-status": { schema: agentStatusSchema, what: "One agent, in heartbeats and `status` replies." },
  heartbeat: { schema: heartbeatSchema, what: "All agents of one process, on <p>.heartbeat.<agentId>." },
  "dead-letter": {
    schema: deadLetterSchema,
    what: "A task that failed for good, on <p>.dead.<capability>.<taskId>.",
  },
  placement: { schema: placementSchema, what: "The Murmur-Placement header of a placed task." },
  "place-request": { schema: placeRequestSchema, what: "What the office is asked on <p>.office.place." },
  "place-reply": { schema: placeReplySchema, what: "The office's choice of an agent for a task." },
  "audit-entry": {
    schema: auditEntrySchema,
    what: "One entry of the audit log, on <p>.audit.<role>.<processId>.",
  },
  "journal-record": { schema: journalRecordSchema, what: "One record of a task's attempts." },
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
  const { schema, what } = PUBLIC[name];
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: name === "task" ? "input" : "output",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "undefined") jsonSchema.not = {};
      // Readers accept unknown fields, because the contract grows by addition; only a strict object says otherwise.
      if (zodSchema._zod.def.type === "object" && zodSchema._zod.def.catchall === undefined)
        delete jsonSchema.additionalProperties;
    },
  });
  return { $schema, title: name, description: what, ...rest };
}
