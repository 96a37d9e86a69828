// Checks requests and replies against the OpenAPI document, as a stranger reads it: nothing here knows the schemas of the program.
import { z } from "zod";
import type { OpenApiDocument, OpenApiOperation } from "../../../src/app/http/openapi/document.ts";

type Json = unknown;
type Schema = Record<string, unknown>;

/** A request that a test sends. */
export interface Sent {
  method: string;
  /** With the values of its parameters, and without the query. */
  path: string;
  query?: Readonly<Record<string, string | readonly string[]>> | undefined;
  body?: Json;
}

/** Makes the checks for a document that was read from its text. */
export function readDocument(document: OpenApiDocument) {
  const compiled = new Map<string, z.ZodType>();

  /** `isClosed`: objects may have no field that the schema does not name. A reader must accept such fields; this test wants them written down. */
  function compile(schema: Schema, isClosed: boolean): z.ZodType {
    const key = `${isClosed}${JSON.stringify(schema)}`;
    const known = compiled.get(key);
    if (known !== undefined) return known;
    const moved = move({ ...schema, $defs: document.components.schemas }, isClosed) as Schema;
    const made = z.fromJSONSchema(moved as Parameters<typeof z.fromJSONSchema>[0]);
    compiled.set(key, made);
    return made;
  }

  function check(
    schema: Schema,
    value: Json,
    { what, isClosed = false }: { what: string; isClosed?: boolean },
  ) {
    const found = compile(schema, isClosed).safeParse(value);
    if (found.success) return;
    throw new Error(`${what}: ${z.prettifyError(found.error)}\n${JSON.stringify(value).slice(0, 2_000)}`);
  }

  /** The operation of a request. The path with the fewest parameters wins, as OpenAPI says. */
  function find({ method, path }: Sent): { operation: OpenApiOperation; values: Record<string, string> } {
    const matches = Object.entries(document.paths).flatMap(([template, methods]) => {
      const operation = methods[method.toLowerCase()];
      const values = match(template, path);
      return operation === undefined || values === null ? [] : [{ operation, values }];
    });
    const [best] = matches.sort((a, b) => Object.keys(a.values).length - Object.keys(b.values).length);
    if (best === undefined) throw new Error(`the document has no ${method} ${path}`);
    return best;
  }

  return {
    find,
    checkRequest(sent: Sent): void {
      const { operation, values } = find(sent);
      const { parameters = [], requestBody } = operation;
      for (const [name, value] of Object.entries(values)) {
        const parameter = parameters.find((each) => each.in === "path" && each.name === name);
        if (parameter === undefined)
          throw new Error(`${operation.operationId}: path ${name} is not described`);
        check(parameter.schema, value, { what: `path ${name}` });
      }
      const query = sent.query ?? {};
      for (const [name, text] of Object.entries(query)) {
        const parameter = parameters.find((each) => each.in === "query" && each.name === name);
        if (parameter === undefined)
          throw new Error(`${operation.operationId}: query ${name} is not described`);
        check(parameter.schema, typed(parameter.schema, text), { what: `query ${name}` });
      }
      const missing = parameters.find(
        (each) => each.required && each.in === "query" && query[each.name] === undefined,
      );
      if (missing !== undefined)
        throw new Error(`${operation.operationId}: query ${missing.name} is required`);
      if (sent.body === undefined) {
        if (requestBody?.required === true) throw new Error(`${operation.operationId}: the body is required`);
        return;
      }
      const content = requestBody?.content["application/json"];
      if (content === undefined) throw new Error(`${operation.operationId} takes no body`);
      check(content.schema, sent.body, { what: `body of ${operation.operationId}` });
    },
    checkReply(sent: Sent, { status, body }: { status: number; body: Json }): void {
      const { operation } = find(sent);
      const found = operation.responses[String(status)];
      const shared = found?.$ref?.replace("#/components/responses/", "");
      const response = shared === undefined ? found : document.components.responses[shared];
      const what = `${operation.operationId} ${status}`;
      if (response === undefined) throw new Error(`${what} is not described: ${JSON.stringify(body)}`);
      const content = response.content?.["application/json"];
      if (content === undefined) throw new Error(`${what} has no described body`);
      check(content.schema, body, { what, isClosed: true });
    },
  };
}

/** True when the document says that the request can be answered with server-sent events. */
export function describesStream({ responses }: OpenApiOperation, status: number): boolean {
  return responses[String(status)]?.content?.["text/event-stream"] !== undefined;
}

function match(template: string, path: string): Record<string, string> | null {
  const wanted = template.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return null;
  const values: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name !== undefined) values[name] = decodeURIComponent(given[at] ?? "");
    else if (part !== given[at]) return null;
  }
  return values;
}

/** A text of the query as the value that its schema wants, as a generated client writes it. */
function typed({ type }: Schema, text: string | readonly string[]): Json {
  if (type === "array" || typeof text !== "string") return typeof text === "string" ? [text] : text;
  if (type === "integer" || type === "number") return Number(text);
  return type === "boolean" ? text === "true" : text;
}

/** The schema with its references where this reader finds them, and its objects closed if it must be. */
function move(value: Json, isClosed: boolean): Json {
  if (Array.isArray(value)) return value.map((each) => move(each, isClosed));
  if (typeof value !== "object" || value === null) return value;
  const moved = Object.fromEntries(
    Object.entries(value).map(([key, each]) =>
      key === "$ref" && typeof each === "string"
        ? [key, each.replace("#/components/schemas/", "#/$defs/")]
        : [key, move(each, isClosed)],
    ),
  );
  const isObject = moved.type === "object" && moved.properties !== undefined;
  return isClosed && isObject && moved.additionalProperties === undefined
    ? { ...moved, additionalProperties: false }
    : moved;
}
