// The HTTP API of the `api` role: tasks, agents and office, over the same clients that the command line uses. JSON and
// MessagePack in, the same out; errors are the catalogue's with its HTTP status. Owns the border: token, size, encoding.
import { createHash, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import type { Logger } from "../../base/index.ts";
import {
  BLOB_LIMIT_BYTES,
  CONTENT_TYPES,
  decode,
  type Encoding,
  ERROR_CATALOGUE,
  encode,
  HEADERS,
  parse,
  SwarmError,
  TASK_STATES,
  type TaskInput,
  tokenSchema,
  toSwarmError,
} from "../../protocol/index.ts";
import { MAX_LIST_LIMIT, type TaskClient } from "../../work/index.ts";
import type { OfficeStatus } from "../office/status.ts";
import { isLoopback } from "./listen.ts";

/** The longest `?wait=`, in ms: what proxies in front of it let a quiet request live for is shorter still. */
export const MAX_WAIT_MS = 3_600_000;
/** The most requests that wait for a result at once; each holds a socket and a subscription. */
export const MAX_WAITING = 4_096;
/** A body: the largest blob and room for the task around it. */
const BODY_LIMIT_BYTES = BLOB_LIMIT_BYTES + 64 * 1024;

const listQuery = z.strictObject({
  state: z.enum(TASK_STATES).optional(),
  capability: tokenSchema.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIST_LIMIT).optional(),
  /** Also the questions that ballots put to their seats. */
  seats: z.stringbool({ truthy: ["true"], falsy: ["false"] }).optional(),
});
const waitQuery = z.strictObject({ wait: z.coerce.number().int().min(1).max(MAX_WAIT_MS).optional() });

/**
 * The API's routes.
 * @throws SwarmError `invalid_input` for an address that others reach without a token.
 */
export function apiRoutes(parts: {
  tasks: TaskClient;
  listAgents: () => Promise<unknown[]>;
  /** Asks who holds the office; its `leader` is null when nobody could prove it. */
  readOffice: () => Promise<OfficeStatus>;
  log: Logger;
  host: string;
  token: string | undefined;
  /** /livez, /readyz and /metrics. */
  operations: Hono;
}): Hono {
  const { tasks, listAgents, readOffice, log, token } = parts;
  if (token === undefined && !isLoopback(parts.host)) {
    throw new SwarmError(
      "invalid_input",
      `the HTTP API must not listen on ${parts.host} without a token: set MURMUR_API_TOKEN (16 characters or more), or listen on 127.0.0.1`,
      { field: "apiToken" },
    );
  }
  let waiting = 0;
  const app = new Hono();

  app.onError((error, context) => {
    const failure = toSwarmError(error);
    if (failure.code === "internal") log.error({ err: error, path: context.req.path }, "a request failed");
    return reply(context, { error: failure.toWire() }, ERROR_CATALOGUE[failure.code].status, failure);
  });
  app.notFound((context) => {
    const failure = new SwarmError("not_found", `there is no ${context.req.method} ${context.req.path} here`);
    return reply(context, { error: failure.toWire() }, 404, failure);
  });
  app.use(async (context, next) => {
    checkBrowser(context, token);
    const isProbe = ["/livez", "/readyz"].includes(context.req.path);
    if (token !== undefined && !isProbe && !holdsToken(context.req.header("authorization"), token)) {
      context.header("WWW-Authenticate", "Bearer");
      const failure = new SwarmError("not_permitted", "send the API's token: Authorization: Bearer …");
      return reply(context, { error: failure.toWire() }, 401, failure);
    }
    return next();
  });
  app.route("/", parts.operations);
  app.use(
    bodyLimit({
      maxSize: BODY_LIMIT_BYTES,
      onError: () => {
        throw new SwarmError("payload_too_large", `a body may have at most ${BODY_LIMIT_BYTES} bytes`, {
          field: "body",
        });
      },
    }),
  );

  app.post("/v1/tasks", async (context) => {
    const { wait } = parse(waitQuery, context.req.query(), "query");
    const body = new Uint8Array(await context.req.arrayBuffer());
    const { value, encoding } = decode(body, context.req.header("content-type"));
    const options = {
      encoding,
      traceparent: context.req.header(HEADERS.traceparent),
      tracestate: context.req.header(HEADERS.tracestate),
    };
    if (wait === undefined) {
      const accepted = await tasks.submit(value as TaskInput, options);
      return reply(context, accepted, 202, undefined, encoding);
    }
    if (waiting >= MAX_WAITING) {
      throw new SwarmError("rate_limited", `${MAX_WAITING} requests wait here already`, {
        retryAfterMs: 1_000,
      });
    }
    waiting++;
    try {
      const result = await tasks.run(value as TaskInput, { ...options, timeoutMs: wait });
      return reply(context, result, 200, undefined, encoding);
    } finally {
      waiting--;
    }
  });
  app.get("/v1/tasks", async (context) => {
    const options = parse(listQuery, context.req.query(), "query");
    return reply(context, { tasks: await tasks.list(options) }, 200);
  });
  app.get("/v1/tasks/:id", async (context) => {
    return reply(context, await tasks.status(taskIdOf(context)), 200);
  });
  app.delete("/v1/tasks/:id", async (context) => {
    const taskId = taskIdOf(context);
    await tasks.cancel(taskId);
    return reply(context, { taskId, status: "cancelled" }, 200);
  });
  app.get("/v1/agents", async (context) => reply(context, { agents: await listAgents() }, 200));
  // Without a leader the same body comes with 503, so that a probe need not read it.
  app.get("/v1/office", async (context) => {
    const office = await readOffice();
    return reply(context, office, office.leader === null ? 503 : 200);
  });
  return app;
}

function taskIdOf(context: Context): string {
  return parse(z.object({ id: tokenSchema }), { id: context.req.param("id") }, "path").id;
}

/**
 * A page of another site must not reach a swarm through the browser of somebody who can: without a token, requests
 * with a foreign `Origin` or a `Host` that is not loopback (DNS rebinding) are refused.
 */
function checkBrowser(context: Context, token: string | undefined): void {
  if (token !== undefined) return;
  const host = context.req.header("host");
  const origin = context.req.header("origin");
  const hostName = host === undefined ? undefined : nameOf(`http://${host}`);
  const originName = origin === undefined ? undefined : nameOf(origin);
  if (hostName !== undefined && !isLoopback(hostName)) {
    throw new SwarmError(
      "not_permitted",
      "the Host must be this machine's loopback, or the API must have a token",
      {
        field: "Host",
      },
    );
  }
  if (origin !== undefined && (originName === undefined || !isLoopback(originName))) {
    throw new SwarmError("not_permitted", "pages of other sites may not use this API", { field: "Origin" });
  }
}

function nameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : "";
}

/** Compares digests, so that neither length nor prefix of the token shows in the time. */
function holdsToken(header: string | undefined, token: string): boolean {
  const given = /^bearer (.+)$/i.exec(header ?? "")?.[1] ?? "";
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** Answers in the encoding of the request's body, else in the one that `Accept` names, else in JSON. */
function reply(
  context: Context,
  value: unknown,
  status: number,
  failure?: SwarmError,
  encoding: Encoding = acceptedEncoding(context),
): Response {
  if (failure?.retryAfterMs !== undefined) {
    context.header("Retry-After", String(Math.ceil(failure.retryAfterMs / 1_000)));
  }
  context.header("Content-Type", CONTENT_TYPES[encoding]);
  return context.body(encode(value, encoding) as Uint8Array<ArrayBuffer>, status as ContentfulStatusCode);
}

function acceptedEncoding(context: Context): Encoding {
  const wanted = context.req.header("accept") ?? context.req.header("content-type") ?? "";
  return wanted.includes(CONTENT_TYPES.msgpack) ? "msgpack" : "json";
}
