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
import { VERSION } from "../version.ts";
import { PAGE_PATHS, pageRoutes } from "./console/page.ts";
import { isLoopback } from "./listen.ts";
import { isLike, measureRequests } from "./measure.ts";
import { OPENAPI_PATH, openApiText } from "./openapi/document.ts";
import { PROBE_PATHS } from "./probes.ts";
import { answer, prepare, type ServedSwarm } from "./routes/perform.ts";
import { isWaiting } from "./routes/request.ts";
import { ROUTES } from "./routes/table.ts";
import { readCredential, requireOwnPage, SESSION_PATH, sessionRoutes } from "./session/session.ts";
import { offerOf } from "./sockets/offer.ts";
import { answerSocket, answerStream, wantsStream } from "./streams/answer.ts";
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
  const refuse = (context: Context, failure: SwarmError) => {
    const command = `${context.req.method} ${context.req.path.slice(0, MAX_NOTED_PATH)}`;
    parts.onRefused?.({ by: "http", isProven: false, command, reason: failure.message });
    return failure;
  };
  /** The answer to a caller that the API does not know. */
  const refuseCaller = (context: Context, failure: SwarmError) => {
    context.header("WWW-Authenticate", "Bearer");
    return reply(context, { error: refuse(context, failure).toWire() }, 401, { failure });
  };
  app.use(async (context, next) => {
    const foreign = callers.isOpen ? findForeignPage(context) : null;
    if (foreign !== null) throw refuse(context, foreign);
    if (needsNoToken(context)) return next();
    const { token, isCookie } = readCredential(context);
    try {
      context.set("caller", callers.find(token));
    } catch (error) {
      const failure = toSwarmError(error);
      if (failure.code !== "not_permitted") throw failure;
      return refuseCaller(context, failure);
    }
    if (isCookie && token !== undefined && !callers.isOpen) {
      try {
        requireOwnPage(context, token);
      } catch (error) {
        throw refuse(context, toSwarmError(error));
      }
    }
    return next();
  });
  app.route("/", parts.probes);
  app.route("/", pageRoutes());
  const facts = { swarm: parts.transport.prefix, version: VERSION };
  app.route(
    "/",
    sessionRoutes({
      ...{ callers, facts, refuse: refuseCaller },
      callerOf: (context) => context.get("caller") as ApiCaller,
    }),
  );
  app.get(OPENAPI_PATH, (context) =>
    context.body(openApiText(), 200, { "Content-Type": CONTENT_TYPES.json }),
  );

  for (const route of ROUTES) {
    app.on(route.method, route.path, async (context) => {
      const call = { route, context, swarm: parts, caller: context.get("caller"), stopping };
      const work = async () => {
        const prepared = await prepare(call);
        const offer = offerOf(context);
        if (offer !== undefined)
          return answerSocket(call, prepared, { streams, offer, times: parts.streamTimes });
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

/** True for the probes, the files of the console, and a login: its token is in the body. */
function needsNoToken({ req }: Context): boolean {
  if (["/livez", "/readyz", ...PAGE_PATHS].includes(req.path)) return true;
  return req.path === SESSION_PATH && req.method === "POST";
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
  if (path === OPENAPI_PATH || [...PROBE_PATHS, ...PAGE_PATHS].includes(path)) methods.push("GET");
  if (path === SESSION_PATH) methods.push("GET", "POST", "DELETE");
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
