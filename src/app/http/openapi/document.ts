// The OpenAPI 3.1 document of the HTTP API, made from the routes and from the schemas of their operations. `node tools/build/generate.ts`
// writes it to docs/openapi.json, and the API serves it at /openapi.json.
import { z } from "zod";
import { ERROR_CATALOGUE, type ErrorCode, errorReplySchema } from "../../../protocol/index.ts";
import type { Operation } from "../../operations/operation.ts";
import { fieldsOf, kindOf, MAX_WAIT_MS, openFields, takesBody } from "../routes/request.ts";
import { ROUTES, type Route, type StreamFacts } from "../routes/table.ts";
import { CSRF_HEADER, endedSchema, loginSchema, SESSION_PATH, sessionSchema } from "../session/session.ts";
import { type JsonSchema, SchemaBook } from "./schemas.ts";

/** The path of the document in the API. */
export const OPENAPI_PATH = "/openapi.json";

/** An OpenAPI document, as far as this room looks into it. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: object;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, OpenApiResponse>>;
    readonly securitySchemes: object;
  };
  readonly [more: string]: unknown;
}

/** One operation of the document. */
export interface OpenApiOperation {
  readonly operationId: string;
  readonly parameters?: readonly {
    name: string;
    in: "path" | "query" | "header";
    required: boolean;
    schema: JsonSchema;
  }[];
  readonly requestBody?: { required: boolean; content: Content };
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
  readonly [more: string]: unknown;
}

/** A response, or a reference to one with a description of its own. */
export interface OpenApiResponse {
  readonly $ref?: string;
  readonly description: string;
  readonly content?: Content;
}

type Content = Readonly<Record<string, { schema: JsonSchema }>>;

/** The errors that every route can answer, beside those of its operation. */
const COMMON_ERRORS: readonly ErrorCode[] = [
  "invalid_input",
  "not_permitted",
  "rate_limited",
  "unavailable",
  "internal",
];
const BODY_ERRORS: readonly ErrorCode[] = ["payload_too_large", "timeout"];

const ERROR_RESPONSE = "#/components/responses/Error";

/** Makes the document. */
export function describeApi(): OpenApiDocument {
  const book = new SchemaBook();
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const route of ROUTES) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describeRoute(route, book) };
  }
  paths[SESSION_PATH] = describeSession(book);
  return {
    openapi: "3.1.0",
    info: {
      title: "Murmur",
      version: "1",
      summary: "The HTTP API of a swarm",
      description:
        "Every operation also takes and answers MessagePack (`application/msgpack`). Readers must accept unknown fields. docs/contract.md has the rules, and docs/http.md explains tokens.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:7070" }],
    security: [{ token: [] }, { session: [] }, {}],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "Not needed by an API without tokens." },
        session: {
          ...{ type: "apiKey", in: "cookie", name: "murmur_session" },
          description: `The cookie of a browser, which \`POST ${SESSION_PATH}\` sets; with a port in the address its name ends in \`_<port>\`. A change also needs the header \`${CSRF_HEADER}\`.`,
        },
      },
      responses: { Error: { description: "An error.", content: json(book.of(errorReplySchema, "output")) } },
      schemas: book.components,
    },
  };
}

let text: string | undefined;

/** The document as it is served and committed. */
export function openApiText(): string {
  text ??= `${JSON.stringify(describeApi(), null, 2)}\n`;
  return text;
}

const LAST_EVENT_ID = {
  name: "Last-Event-ID",
  in: "header" as const,
  required: false,
  description: "the id of the last event that the reader got: the stream goes on after it",
  schema: { type: "string" },
};

function describeRoute(route: Route, book: SchemaBook): OpenApiOperation {
  const { operation, waiting } = route;
  const parameters = [
    ...pathParameters(route, book),
    ...queryParameters(route, book),
    ...(route.stream?.hasIds === true ? [LAST_EVENT_ID] : []),
  ];
  return {
    operationId: operationIdOf(route),
    summary: sentence(operation.summary),
    tags: [route.path.split("/")[2] ?? ""],
    "x-murmur-operation": operation.name,
    "x-murmur-access": operation.access,
    ...(waiting === undefined
      ? {}
      : { description: `With \`wait\` it is the operation \`${waiting.name}\`: ${waiting.summary}.` }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(takesBody(route) ? { requestBody: describeBody(route, book) } : {}),
    responses: { ...goodResponses(route, book), ...errorResponses(route, book) },
  };
}

/** The session of a browser: it is no operation of the swarm, so no route has it. */
function describeSession(book: SchemaBook): Record<string, OpenApiOperation> {
  const describe = (operationId: string, summary: string, schema: z.ZodType): OpenApiOperation => ({
    ...{ operationId, summary, tags: ["session"] },
    responses: {
      200: { description: "The answer.", content: json(book.of(schema, "output")) },
      ...answersOfBorder(),
    },
  });
  const login = describe("session-begin", "Begin a session: set the cookie of a browser.", sessionSchema);
  return {
    get: describe("session-show", "Tell the caller and its rights.", sessionSchema),
    post: { ...login, requestBody: { required: true, content: json(book.of(loginSchema, "input")) } },
    delete: describe("session-end", "End a session: remove the cookie.", endedSchema),
  };
}

/** The answers of the border to callers that it refuses. */
function answersOfBorder(): OpenApiOperation["responses"] {
  const meaning = `\`not_permitted\`: ${ERROR_CATALOGUE.not_permitted.means}.`;
  return {
    401: { $ref: ERROR_RESPONSE, description: "The token is missing, wrong or expired." },
    403: { $ref: ERROR_RESPONSE, description: meaning },
  };
}

/** The name of the operation; with a part of the path where two routes perform it. */
function operationIdOf({ operation, path }: Route): string {
  const isShared = ROUTES.filter((each) => each.operation === operation).length > 1;
  return isShared ? `${operation.name}-${path.split("/")[2]}` : operation.name;
}

function pathParameters(route: Route, book: SchemaBook) {
  const fields = fieldsOf(route);
  return Object.entries(route.parameters).map(([name, field]) => ({
    ...{ name, in: "path" as const, required: true },
    ...describeField(z.nonoptional(required(fields[field])), book),
  }));
}

function queryParameters(route: Route, book: SchemaBook) {
  const fields = fieldsOf(route);
  const isInQuery = route.method === "GET" || route.method === "DELETE";
  const open = isInQuery ? openFields(route) : [];
  const waitSchema = { type: "integer", minimum: 1, maximum: MAX_WAIT_MS };
  const wait = {
    ...{ name: "wait", in: "query" as const, required: false },
    ...{ description: "wait for the result for this long, in ms", schema: waitSchema },
  };
  return [
    ...open.map((name) => {
      const schema = required(fields[name]);
      const isOptional = schema.safeParse(undefined).success;
      return {
        ...{ name, in: "query" as const, required: !isOptional },
        ...(kindOf(schema) === "array" ? { style: "form", explode: true } : {}),
        ...describeField(schema, book),
      };
    }),
    ...(route.waiting === undefined ? [] : [wait]),
  ];
}

/** A field with its description beside its schema, as OpenAPI shows parameters. */
function describeField(field: z.ZodType, book: SchemaBook): { description?: string; schema: JsonSchema } {
  const { description, ...schema } = book.of(field, "input");
  return { ...(typeof description === "string" ? { description } : {}), schema };
}

function describeBody(route: Route, book: SchemaBook): { required: boolean; content: Content } {
  const { input } = route.operation;
  const fields = fieldsOf(route);
  const open = openFields(route);
  const isWhole = open.length === Object.keys(fields).length;
  const schema = isWhole
    ? input
    : z.strictObject(Object.fromEntries(open.map((name) => [name, required(fields[name])])));
  const isOptional = z.strictObject(Object.fromEntries(open.map((name) => [name, required(fields[name])])));
  return { required: !isOptional.safeParse({}).success, content: json(book.of(schema, "input")) };
}

function goodResponses(route: Route, book: SchemaBook): OpenApiOperation["responses"] {
  const { operation, problem, status, stream, waiting } = route;
  const good = (of: Operation, description: string) => ({
    description,
    content: {
      ...(stream?.isAlways === true ? {} : json(book.of(of.output, "output"))),
      ...(stream === undefined ? {} : { "text/event-stream": { schema: { type: "string" } } }),
    },
  });
  const streamed = stream === undefined ? "" : ` ${describeStream(stream)}`;
  return {
    [status]: good(operation, waiting === undefined ? `The answer.${streamed}` : "The task is stored."),
    ...(waiting === undefined ? {} : { 200: good(waiting, "The result, with `wait`.") }),
    ...(stream?.hasIds === true ? { 204: { description: "The reader has the last event." } } : {}),
    ...(problem === undefined
      ? {}
      : {
          [problem.status]: {
            description: problem.about,
            content: json({
              anyOf: [book.of(operation.output, "output"), book.of(errorReplySchema, "output")],
            }),
          },
        }),
  };
}

function describeStream({ event, output, isAlways, takesSocket }: StreamFacts): string {
  const socket =
    takesSocket === true
      ? " With `Upgrade: websocket` the answer is 101, and the same events come as text messages `{ event, data }` (docs/http.md)."
      : "";
  const when = isAlways ? "A stream of server-sent events" : "With `Accept: text/event-stream` a stream";
  const names = [...new Set([event, output])].map((name) => `\`${name}\``).join(", then ");
  return `${when}: ${names}, each with JSON in \`data\`.${socket}`;
}

function errorResponses(route: Route, book: SchemaBook): OpenApiOperation["responses"] {
  const own = [...route.operation.errors, ...(route.waiting?.errors ?? [])];
  const codes = new Set([...own, ...COMMON_ERRORS, ...(takesBody(route) ? BODY_ERRORS : [])]);
  const byStatus = new Map<number, ErrorCode[]>([[401, []]]);
  for (const code of codes) {
    const { status } = ERROR_CATALOGUE[code];
    if (status !== route.problem?.status) byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  book.of(errorReplySchema, "output");
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, each]) => {
        const meanings = each.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].means}.`);
        const description = status === 401 ? "The token is missing, wrong or expired." : meanings.join(" ");
        return [status, { $ref: ERROR_RESPONSE, description }];
      }),
  );
}

function json(schema: JsonSchema): Content {
  return { "application/json": { schema } };
}

function required(field: z.ZodType | undefined): z.ZodType {
  if (field === undefined) throw new Error("a route names a field that its operation does not have");
  return field;
}

function sentence(words: string): string {
  return `${words[0]?.toUpperCase() ?? ""}${words.slice(1)}.`;
}
