// Makes the JSON Schemas of all messages between Murmur and other programs from the schemas that parse them.
// `tools/build/generate.ts` writes them to docs/schemas; a test fails if a written schema is stale.
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
import { operateReceiptSchema } from "./wire/operate.ts";

const PUBLIC = {
  task: { schema: taskSchema, about: "A task as a publisher hands it in." },
  result: { schema: resultSchema, about: "The one result of a task." },
  blob: { schema: blobSchema, about: "A reference that replaces a body over 512 KiB." },
  "submit-reply": { schema: submitReplySchema, about: "The reply of <p>.submit without Murmur-Wait." },
  "error-reply": { schema: errorReplySchema, about: "The body of every error reply." },
  "operate-receipt": {
    schema: operateReceiptSchema,
    about: "The caller's word about a running operation, on <p>.operate.<user>.-.<requestId>.",
  },
  "task-status": { schema: taskStatusSchema, about: "A task's state: `task show`, GET /v1/tasks/{id}." },
  "where-reply": {
    schema: whereReplySchema,
    about: "The reply of <p>.where.<taskId> from the host that runs the task.",
  },
  "agent-status": { schema: agentStatusSchema, about: "One agent, in heartbeats and `status` replies." },
  heartbeat: {
    schema: heartbeatSchema,
    about: "All agents of one process, on <p>.heartbeat.<class>.<host>.",
  },
  "dead-letter": {
    schema: deadLetterSchema,
    about: "A task that failed for good, on <p>.dead.<capability>.<taskId>.",
  },
  placement: { schema: placementSchema, about: "The Murmur-Placement header of a placed task." },
  "place-request": { schema: placeRequestSchema, about: "The request on <p>.office.place." },
  "place-reply": { schema: placeReplySchema, about: "The office's choice of an agent for a task." },
  "audit-entry": {
    schema: auditEntrySchema,
    about: "One entry of the audit log, on <p>.audit.<role>.<processId>.",
  },
  "journal-record": { schema: journalRecordSchema, about: "One record of a task's attempts." },
} as const;

/** The name of a public schema. */
export type SchemaName = keyof typeof PUBLIC;
/** The names of all public schemas. */
export const SCHEMA_NAMES = Object.keys(PUBLIC) as [SchemaName, ...SchemaName[]];

/**
 * Returns the JSON Schema (draft 2020-12) of one message. The schema of a task describes the form that a publisher may
 * write (fields with defaults are optional); the others describe the form that a reader gets. A field that this version
 * rejects is `not: {}`.
 */
export function jsonSchemaOf(name: SchemaName): Record<string, unknown> {
  const { schema, about } = PUBLIC[name];
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: name === "task" ? "input" : "output",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "undefined") jsonSchema.not = {};
      // Readers accept unknown fields, because the contract grows by addition. Only a strict object rejects them.
      if (zodSchema._zod.def.type === "object" && zodSchema._zod.def.catchall === undefined)
        delete jsonSchema.additionalProperties;
    },
  });
  return { $schema, title: name, description: about, ...rest };
}
