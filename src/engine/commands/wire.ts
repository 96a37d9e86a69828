// A command to a workflow on the wire: its schema, and the body that is stored. Pure.
import { z } from "zod";
import { TRACEPARENT } from "../../base/index.ts";
import {
  decode,
  encode,
  type Json,
  labelsSchema,
  nameSchema,
  parse,
  SwarmError,
} from "../../protocol/index.ts";
import { type Author, type Command, keepSchema, MAX_ID_LENGTH } from "../../workflow/index.ts";

/** The longest path of a step in a command. */
const MAX_PATH_LENGTH = 1_024;
/** The longest note of a person. */
export const MAX_COMMAND_NOTE_LENGTH = 1_000;
/** The most signals that come with a start. */
const MAX_FIRST_SIGNALS = 100;
/** The most groups of an author. */
const MAX_GROUPS = 64;

/** The id of a workflow: its tasks add a number. */
export const workflowIdSchema = nameSchema.max(
  MAX_ID_LENGTH,
  `must have at most ${MAX_ID_LENGTH} characters: the ids of its tasks add a number`,
);
const json = z.custom<Json>((value) => value !== undefined, "must be a JSON value");
const path = z.string().min(1).max(MAX_PATH_LENGTH);
const note = z.string().max(MAX_COMMAND_NOTE_LENGTH).optional();
const signalFields = { name: nameSchema, value: json };

/** A command. Its types are those of the decider. */
export const commandSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("start"),
    name: nameSchema,
    version: z.int().min(1),
    input: json,
    labels: labelsSchema.optional(),
    parent: z.strictObject({ id: nameSchema, n: z.int().min(1) }).optional(),
    depth: z.int().min(1).optional(),
    deadlineMs: z.number().min(0).optional(),
    traceparent: z.string().regex(TRACEPARENT).optional(),
    signals: z.array(z.strictObject(signalFields)).max(MAX_FIRST_SIGNALS).optional(),
    definition: json.optional(),
    keepMs: keepSchema.optional(),
  }),
  z.strictObject({ type: z.literal("signal"), ...signalFields }),
  z.strictObject({ type: z.literal("approve"), path, note }),
  z.strictObject({ type: z.literal("reject"), path, note }),
  z.strictObject({ type: z.literal("pause") }),
  z.strictObject({ type: z.literal("resume"), skip: path.optional(), note }),
  z.strictObject({ type: z.literal("cancel"), undo: z.boolean().optional() }),
  z.strictObject({ type: z.literal("retry"), from: path.optional() }),
  z.strictObject({ type: z.literal("wake"), n: z.int().min(1) }),
]);

const authorSchema = z.strictObject({
  user: z.string().max(64),
  groups: z.array(z.string().max(64)).max(MAX_GROUPS).optional(),
  proven: z.boolean(),
});
const bodySchema = z.strictObject({ command: commandSchema, by: authorSchema.optional() });

/** A command and its author. */
export interface StoredCommand {
  readonly command: Command;
  readonly by?: Author;
}

/** The body of a command. */
export function encodeCommand(stored: StoredCommand): Uint8Array {
  return encode(stored);
}

/** Reads the body of a command, and compares its type with the subject. @throws SwarmError `invalid_input`. */
export function readCommand(value: unknown, subjectCommand: string): StoredCommand {
  const stored = parse(bodySchema, value, "command") as StoredCommand;
  if (stored.command.type === subjectCommand) return stored;
  throw new SwarmError(
    "invalid_input",
    `the subject names the command ${subjectCommand}, the body ${stored.command.type}`,
    { field: "command.type" },
  );
}

/** The body of a request to check a command. */
const checkSchema = z.strictObject({
  id: workflowIdSchema,
  command: z.unknown(),
  by: authorSchema.optional(),
});

/** A command that an engine shall check. A start may leave the version out: then it is the newest one. */
export interface CheckRequest {
  readonly id: string;
  readonly command: unknown;
  readonly by?: Author;
}

/** Reads a request to check a command. @throws SwarmError `invalid_input`. */
export function readCheckRequest(data: Uint8Array): CheckRequest {
  return parse(checkSchema, decode(data).value, "request") as CheckRequest;
}
