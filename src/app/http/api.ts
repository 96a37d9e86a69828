// The HTTP API of the `api` role: the HTTP face of the operations (routes.ts). JSON or MessagePack in, the same out; errors are
// the catalogue's, with its HTTP status. Owns the border: token, size, encoding, and how many requests may wait.
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Logger, Meter } from "../../base/index.ts";
import {
  CONTENT_TYPES,
  type Encoding,
  ERROR_CATALOGUE,
  encode,
  SwarmError,
  toSwarmError,
} from "../../protocol/index.ts";
import { isLoopback } from "./listen.ts";
import { isLike, measureRequests } from "./measure.ts";
import { OPENAPI_PATH, openApiText } from "./openapi/document.ts";
import { PROBE_PATHS } from "./probes.ts";
import { answer, prepare, type ServedSwarm } from "./routes/perform.ts";
import { isWaiting } from "./routes/request.ts";
import { ROUTES } from "./routes/table.ts";
import { answerStream, wantsStream } from "./streams/answer.ts";
import type { StreamTimes } from "./streams/event-stream.ts";
import { OpenStreams } from "./streams/open-streams.ts";
import { type ApiCaller, Callers } from "./tokens/callers.ts";
import type { FollowedTokens } from "./tokens/followed.ts";

/** The most requests that wait for a result at once. Each holds a socket and a subscription. */
export const MAX_WAITING = 4_096;
/** When a caller may try again after an error that names no time, in ms: a fail-over of the office takes about a second. */
const UNAVAILABLE_MS = 1_000;
/** The most characters of a path in the audit log. */
const MAX_NOTED_PATH = 128;
/** The parts of the API. */
export type ApiParts = ServedSwarm & {
  log: Logger;
  host: string;
  /** The one shared token of now; undefined without one. It may change from one request to the next. */
  token: () => string | undefined;
  /** The tokens with names and rights. */
  tokens?: FollowedTokens | undefined;
  /** /livez, /readyz and /metrics. */
  probes: Hono;
  meter: Pick<Meter, "httpRequests" | "httpSeconds" | "httpStreams">;
  /** Aborts when the process stops: streams and requests that wait then end. Default: never. */
  stopping?: AbortSignal;
  /** Default: those of {@link EventStream}. */
  streamTimes?: StreamTimes;
};

type ApiEnvironment = { Variables: { caller: ApiCaller } };

/**
 * The API with its border.
 * @throws SwarmError `invalid_input` for an address that other machines reach, without a token.
 */
export function apiRoutes(parts: ApiParts): Hono<ApiEnvironment> {
  const { log, meter, stopping = new AbortController().signal } = parts;
  const callers = new Callers({ sharedToken: parts.token, tokens: parts.tokens });
  if (callers.isOpen && !isLoopback(parts.host)) {
    throw new SwarmError(
      "invalid_input",
      `the HTTP API must not listen on ${parts.host} without a token: set MURMUR_API_TOKENS_FILE or MURMUR_API_TOKEN (16 characters or more), or listen on 127.0.0.1`,
      { field: "apiToken" },
    );
  }
  const streams = new OpenStreams(meter, stopping);
  const waits = new OpenWaits(meter);
  const app = new Hono<ApiEnvironment>();
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
    const refuse = (failure: SwarmError) => {
      const command = `${context.req.method} ${context.req.path.slice(0, MAX_NOTED_PATH)}`;
      parts.onRefused?.({ by: "http", isProven: false, command, reason: failure.message });
      return failure;
    };
    const foreign = callers.isOpen ? findForeignPage(context) : null;
    if (foreign !== null) throw refuse(foreign);
    if (["/livez", "/readyz"].includes(context.req.path)) return next();
    try {
      context.set("caller", callers.find(context.req.header("authorization")));
    } catch (error) {
      const failure = toSwarmError(error);
      if (failure.code !== "not_permitted") throw failure;
      context.header("WWW-Authenticate", "Bearer");
      return reply(context, { error: refuse(failure).toWire() }, 401, { failure });
    }
    return next();
  });
  app.route("/", parts.probes);
  app.get(OPENAPI_PATH, (context) =>
    context.body(openApiText(), 200, { "Content-Type": CONTENT_TYPES.json }),
  );

  for (const route of ROUTES) {
    app.on(route.method, route.path, async (context) => {
      const call = { route, context, swarm: parts, caller: context.get("caller"), stopping };
      const work = async () => {
        const prepared = await prepare(call);
        if (wantsStream(route, context))
          return answerStream(call, prepared, { streams, times: parts.streamTimes });
        const { body, status, encoding } = await answer(call, prepared);
        return reply(context, body, status, { encoding });
      };
      return isWaiting(context, route) ? waits.count(work) : work();
    });
  }
  return app;
}

/** The requests that wait for a result. */
class OpenWaits {
  readonly #meter: Pick<Meter, "httpStreams">;
  #waiting = 0;

  constructor(meter: Pick<Meter, "httpStreams">) {
    this.#meter = meter;
  }

  /** Counts a request while it waits. @throws SwarmError `rate_limited` when too many wait. */
  async count<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) {
      throw new SwarmError("rate_limited", `${MAX_WAITING} requests wait here already`, {
        retryAfterMs: 1_000,
      });
    }
    this.#add(1);
    try {
      return await work();
    } finally {
      this.#add(-1);
    }
  }

  #add(by: 1 | -1): void {
    this.#waiting += by;
    this.#meter.httpStreams.set({ kind: "wait" }, this.#waiting);
  }
}

/** The methods of a path; none when no route has it. A HEAD is answered wherever a GET is. */
function allowedMethods(path: string): string[] {
  const methods = ROUTES.filter((route) => isLike(route.path, path)).map(({ method }) => method as string);
  if (path === OPENAPI_PATH || PROBE_PATHS.includes(path)) methods.push("GET");
  if (methods.includes("GET")) methods.push("HEAD");
  return [...new Set(methods)].sort();
}

/**
 * The refusal, without a token, of requests with a foreign `Origin` or a `Host` that is not loopback (DNS rebinding): a page of
 * another site must not reach a swarm through the browser of a user of this machine.
 */
function findForeignPage(context: Context): SwarmError | null {
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
  const retryAfterMs =
    failure?.retryAfterMs ?? (failure?.code === "unavailable" ? UNAVAILABLE_MS : undefined);
  if (retryAfterMs !== undefined) context.header("Retry-After", String(Math.ceil(retryAfterMs / 1_000)));
  context.header("Content-Type", CONTENT_TYPES[encoding]);
  return context.body(encode(value, encoding) as Uint8Array<ArrayBuffer>, status as ContentfulStatusCode);
}

function acceptedEncoding(context: Context): Encoding {
  const wanted = context.req.header("accept") ?? context.req.header("content-type") ?? "";
  return wanted.includes(CONTENT_TYPES.msgpack) ? "msgpack" : "json";
}
