// Reads the input of an operation from a request: path, query and body. Owns the border between texts and typed fields, and the bounds
// on a body.
import type { Context } from "hono";
import { z } from "zod";
import { nearest } from "../../../base/index.ts";
import {
  BLOB_LIMIT_BYTES,
  decode,
  type Encoding,
  parse,
  parseTask,
  SwarmError,
  showValue,
} from "../../../protocol/index.ts";
import type { Route } from "./table.ts";

/** The longest `?wait=`, in ms. Proxies in front of the API end a quiet request earlier. */
export const MAX_WAIT_MS = 3_600_000;
/** The largest body: the largest blob, and room for the task around it. */
export const BODY_LIMIT_BYTES = BLOB_LIMIT_BYTES + 64 * 1024;
/** The longest pause in a body that arrives, in ms: slow clients must not hold connections. As for the headers of a request. */
const BODY_STALL_MS = 10_000;

/** The most characters of an unknown field that are compared with the known ones: longer than any of them. */
const MAX_COMPARED = 64;

/** The query field of a route that can wait. */
const waitSchema = z.coerce.number("must be a number of ms").int().min(1).max(MAX_WAIT_MS);

/** The request, as the operation takes it. */
export interface ReadRequest {
  readonly input: unknown;
  /** The encoding of the body; undefined without one. */
  readonly encoding: Encoding | undefined;
  /** How long the caller waits for a result, in ms; undefined when it does not wait. */
  readonly waitMs: number | undefined;
}

/** The fields of an operation's input, by name. */
export function fieldsOf({ operation }: Pick<Route, "operation">): Readonly<Record<string, z.ZodType>> {
  return operation.input instanceof z.ZodObject ? (operation.input.shape as Record<string, z.ZodType>) : {};
}

/** The fields that a route takes beside those of its path: in the query or in the body. */
export function openFields(route: Route): string[] {
  const fixed = [...Object.values(route.parameters), ...route.leavesOut];
  return Object.keys(fieldsOf(route)).filter((field) => !fixed.includes(field));
}

/** True for a route whose fields are in the body. */
export function takesBody(route: Route): boolean {
  return (route.method === "POST" || route.method === "PUT") && openFields(route).length > 0;
}

/** True for a request that holds its socket until a task ends. */
export function isWaiting(context: Context, { waiting }: Pick<Route, "waiting">): boolean {
  return waiting !== undefined && context.req.query("wait") !== undefined;
}

/** Reads a request. @throws SwarmError `invalid_input`; `payload_too_large`; `timeout` for a body that does not arrive. */
export async function readRequest(
  context: Context,
  route: Route,
  { bodyStallMs = BODY_STALL_MS }: { bodyStallMs?: number | undefined } = {},
): Promise<ReadRequest> {
  const path = readPath(context, route);
  const isInBody = route.method === "POST" || route.method === "PUT";
  const { wait, ...query } = readQuery(context, route, isInBody ? [] : openFields(route));
  const waitMs = wait === undefined ? undefined : parse(waitSchema, wait, "query", "wait");
  if (!isInBody) {
    const input = parse(route.operation.input, { ...query, ...path }, "request");
    return { input, encoding: undefined, waitMs };
  }
  const { value, encoding } = await readBody(context, bodyStallMs);
  const input =
    route.operation.name === "task-submit" ? parseTask(value) : inputOfBody(route, { value, path });
  return { input, encoding, waitMs };
}

function inputOfBody(route: Route, { value, path }: { value: unknown; path: object }): unknown {
  const fields = parse(z.record(z.string(), z.unknown()), value, "body");
  const open = openFields(route);
  for (const field of Object.keys(fields)) {
    if (open.includes(field) || fieldsOf(route)[field] === undefined) continue;
    const where = Object.values(route.parameters).includes(field) ? "is in the path" : "is not taken here";
    throw new SwarmError("invalid_input", `body: ${field} ${where}; leave it out of the body`, { field });
  }
  return parse(route.operation.input, { ...fields, ...path }, "request");
}

function readPath(context: Context, { parameters }: Route): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, field]) => [field, context.req.param(name) ?? ""]),
  );
}

/** The known fields of the query. @throws SwarmError `invalid_input` for an unknown or repeated field. */
function readQuery(
  context: Context,
  route: Route,
  fields: readonly string[],
): Record<string, unknown> & { wait?: string } {
  const schemas = fieldsOf(route);
  const known = [...fields, ...(route.waiting === undefined ? [] : ["wait"])];
  const read: Record<string, unknown> = {};
  for (const [field, texts] of Object.entries(context.req.queries())) {
    if (!known.includes(field)) throw unknownField(field, known);
    const schema = schemas[field];
    const kind = schema === undefined ? "string" : kindOf(schema);
    if (kind === "array") read[field] = texts;
    else if (texts.length === 1) read[field] = convert(texts[0] ?? "", kind);
    else throw new SwarmError("invalid_input", `query: ${field} must be given once`, { field });
  }
  return read;
}

function unknownField(field: string, known: readonly string[]): SwarmError {
  const meant = nearest(field.slice(0, MAX_COMPARED), known);
  const hint = meant === undefined ? `known: ${known.join(", ") || "none"}` : `did you mean ${meant}?`;
  return new SwarmError("invalid_input", `query: ${showValue(field)} is not a known field; ${hint}`, {
    field,
  });
}

/** The kind of values below `optional`, `default` and the like. */
export function kindOf(schema: z.ZodType): string {
  const { innerType, type } = schema.def as z.core.$ZodTypeDef & { innerType?: z.ZodType };
  return innerType === undefined ? type : kindOf(innerType);
}

/** A text as the value that it writes; a text that does not fit stays one, so that the schema refuses it. */
function convert(text: string, kind: string): unknown {
  if (kind === "number" && /^-?\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text);
  if (kind === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

/** The body of a request; no fields for an empty one. */
async function readBody(
  context: Context,
  stallMs: number,
): Promise<{ value: unknown; encoding: Encoding | undefined }> {
  const contentType = context.req.header("content-type");
  const bytes = await readBytes(context, stallMs);
  if (bytes.length === 0) return { value: {}, encoding: undefined };
  refuseForm(contentType);
  return decode(bytes, contentType);
}

/** All bytes of a body, within its bounds. @throws SwarmError `payload_too_large`, `timeout`. */
async function readBytes(context: Context, stallMs: number): Promise<Uint8Array> {
  if (Number(context.req.header("content-length") ?? 0) > BODY_LIMIT_BYTES) throw tooLarge();
  const reader = context.req.raw.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const pieces: Uint8Array[] = [];
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  const stalled = Promise.withResolvers<never>();
  stalled.promise.catch(() => undefined);
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.reject(tooSlow(stallMs)), stallMs);
  };
  try {
    for (;;) {
      watch();
      const { done, value } = await Promise.race([reader.read(), stalled.promise]);
      if (done) break;
      length += value.length;
      if (length > BODY_LIMIT_BYTES) throw tooLarge();
      pieces.push(value);
    }
  } catch (error) {
    void reader.cancel().catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return pieces.length === 1 ? pieces[0]! : new Uint8Array(Buffer.concat(pieces));
}

function tooLarge(): SwarmError {
  return new SwarmError("payload_too_large", `a body may have at most ${BODY_LIMIT_BYTES} bytes`, {
    field: "body",
  });
}

function tooSlow(stallMs: number): SwarmError {
  return new SwarmError("timeout", `nothing of the body arrived for ${stallMs} ms; send it without pauses`, {
    field: "body",
  });
}

/** `curl -d` sends a form unless it is told otherwise. @throws SwarmError `invalid_input` with the flag to use. */
function refuseForm(contentType: string | undefined): void {
  if (
    contentType === undefined ||
    !/^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(contentType)
  )
    return;
  throw new SwarmError(
    "invalid_input",
    `Content-Type must be application/json or application/msgpack, got ${contentType.slice(0, 80)}; with curl, add -H 'Content-Type: application/json'`,
    { field: "Content-Type" },
  );
}
