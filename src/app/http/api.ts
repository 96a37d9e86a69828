// The HTTP API of the `api` role: the HTTP face of the operations (routes.ts). JSON or MessagePack in, the same out; errors are
// the catalogue's, with its HTTP status. Owns the border: token, size, encoding, and how many requests may wait.
import { createHash, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Logger, Meter } from "../../base/index.ts";
import {
  BLOB_LIMIT_BYTES,
  CONTENT_TYPES,
  type Encoding,
  ERROR_CATALOGUE,
  encode,
  SwarmError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { RefusedOperation } from "../operations/operation.ts";
import { isLoopback } from "./listen.ts";
import { isLike, measureRequests } from "./measure.ts";
import { PROBE_PATHS } from "./probes.ts";
import { ROUTES, type ServedSwarm } from "./routes.ts";

/** The most requests that wait for a result at once. Each holds a socket and a subscription. */
export const MAX_WAITING = 4_096;
/** The most characters of a path in the audit log. */
const MAX_NOTED_PATH = 128;
/** How long a request waits for a lost connection to come back, in ms: a reconnect takes 100 ms, and the caller hears of an outage within 1 s. */
const RECONNECT_WAIT_MS = 500;
/** When a caller may try again after that, in ms: the connection tries at least once within this time at the start of an outage. */
const RECONNECT_RETRY_MS = 1_000;
/** The largest body: the largest blob, and room for the task around it. */
const BODY_LIMIT_BYTES = BLOB_LIMIT_BYTES + 64 * 1024;

/**
 * The API with its border.
 * @throws SwarmError `invalid_input` for an address that other machines reach, without a token.
 */
export function apiRoutes(
  parts: ServedSwarm & {
    log: Logger;
    host: string;
    /** The token that requests must carry; undefined without one. It may change from one request to the next. */
    token: () => string | undefined;
    /** /livez, /readyz and /metrics. */
    probes: Hono;
    meter: Pick<Meter, "httpRequests" | "httpSeconds" | "httpStreams">;
    /** Hears of each request that the border refuses with `not_permitted`. */
    onRefused?: (refused: RefusedOperation) => void;
  },
): Hono {
  const { log, meter, transport } = parts;
  if (parts.token() === undefined && !isLoopback(parts.host)) {
    throw new SwarmError(
      "invalid_input",
      `the HTTP API must not listen on ${parts.host} without a token: set MURMUR_API_TOKEN (16 characters or more), or listen on 127.0.0.1`,
      { field: "apiToken" },
    );
  }
  let waiting = 0;
  const countWaiting = (by: 1 | -1) => {
    waiting += by;
    meter.httpStreams.set({ kind: "wait" }, waiting);
  };
  const app = new Hono();
  app.use(measureRequests(meter));

  app.onError((error, context) => {
    const failure = toSwarmError(error);
    if (failure.code === "internal")
      log.error({ err: error, path: context.req.path }, "HTTP request failed; answered internal");
    return reply(context, { error: failure.toWire() }, ERROR_CATALOGUE[failure.code].status, { failure });
  });
  app.notFound((context) => {
    const allowed = allowedMethods(context.req.path);
    if (allowed.length > 0) {
      context.header("Allow", allowed.join(", "));
      const failure = new SwarmError(
        "invalid_input",
        `${context.req.path} does not take ${context.req.method}; allowed: ${allowed.join(", ")}`,
        { field: "method" },
      );
      return reply(context, { error: failure.toWire() }, 405, { failure });
    }
    const failure = new SwarmError("not_found", `there is no ${context.req.method} ${context.req.path} here`);
    return reply(context, { error: failure.toWire() }, 404, { failure });
  });
  app.use(async (context, next) => {
    const token = parts.token();
    const refuse = (failure: SwarmError) => {
      const command = `${context.req.method} ${context.req.path.slice(0, MAX_NOTED_PATH)}`;
      parts.onRefused?.({ by: "http", isProven: false, command, reason: failure.message });
      return failure;
    };
    const foreign = findForeignPage(context, token);
    if (foreign !== null) throw refuse(foreign);
    const isProbe = ["/livez", "/readyz"].includes(context.req.path);
    if (token !== undefined && !isProbe && !holdsToken(context.req.header("authorization"), token)) {
      context.header("WWW-Authenticate", "Bearer");
      const failure = refuse(
        new SwarmError("not_permitted", "send the API's token: Authorization: Bearer …"),
      );
      return reply(context, { error: failure.toWire() }, 401, { failure });
    }
    return next();
  });
  app.route("/", parts.probes);
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

  for (const route of ROUTES) {
    app.on(route.method, route.path, async (context) => {
      if (transport.state !== "connected" && route.isFromMemory !== true) await reconnected(transport);
      const isWaiting = route.waits?.(context) === true;
      if (isWaiting && waiting >= MAX_WAITING) {
        throw new SwarmError("rate_limited", `${MAX_WAITING} requests wait here already`, {
          retryAfterMs: 1_000,
        });
      }
      if (isWaiting) countWaiting(1);
      try {
        const { body, status, encoding } = await route.answer(context, parts);
        return reply(context, body, status, { encoding });
      } finally {
        if (isWaiting) countWaiting(-1);
      }
    });
  }
  return app;
}

/**
 * Waits a moment for the connection to NATS. Every route needs it, and the requests of a route would wait for it much longer.
 * @throws SwarmError `unavailable`, with the time of the next try.
 */
async function reconnected(transport: Pick<Transport, "state" | "onState">): Promise<void> {
  const isBack = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => settle(false), RECONNECT_WAIT_MS);
    const states = transport.onState((state) => {
      if (state !== "disconnected") settle(state === "connected");
    });
    const settle = (back: boolean) => {
      clearTimeout(timer);
      states.close();
      resolve(back);
    };
    if (transport.state === "closed") settle(false);
  });
  if (isBack) return;
  throw new SwarmError(
    "unavailable",
    "this API is not connected to NATS; it keeps trying. Send the request again",
    {
      retryAfterMs: RECONNECT_RETRY_MS,
    },
  );
}

/** The methods of a path; none when no route has it. A HEAD is answered wherever a GET is. */
function allowedMethods(path: string): string[] {
  const methods = ROUTES.filter((route) => isLike(route.path, path)).map(({ method }) => method as string);
  if (PROBE_PATHS.includes(path)) methods.push("GET");
  if (methods.includes("GET")) methods.push("HEAD");
  return [...new Set(methods)].sort();
}

/**
 * The refusal, without a token, of requests with a foreign `Origin` or a `Host` that is not loopback (DNS rebinding): a page of
 * another site must not reach a swarm through the browser of a user of this machine.
 */
function findForeignPage(context: Context, token: string | undefined): SwarmError | null {
  if (token !== undefined) return null;
  const host = context.req.header("host");
  const origin = context.req.header("origin");
  const hostName = host === undefined ? undefined : nameOf(`http://${host}`);
  const originName = origin === undefined ? undefined : nameOf(origin);
  if (hostName !== undefined && !isLoopback(hostName)) {
    const message = "the Host must be this machine's loopback, or the API must have a token";
    return new SwarmError("not_permitted", message, { field: "Host" });
  }
  if (origin !== undefined && (originName === undefined || !isLoopback(originName))) {
    return new SwarmError("not_permitted", "pages of other sites may not use this API", { field: "Origin" });
  }
  return null;
}

function nameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : "";
}

/** Compares digests, so that the time reveals neither length nor prefix of the token. */
function holdsToken(header: string | undefined, token: string): boolean {
  const given = /^bearer (.+)$/i.exec(header ?? "")?.[1] ?? "";
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** Answers in the encoding of the request's body, else in the encoding that `Accept` names, else in JSON. */
function reply(
  context: Context,
  value: unknown,
  status: number,
  {
    failure,
    encoding = acceptedEncoding(context),
  }: { failure?: SwarmError; encoding?: Encoding | undefined },
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
