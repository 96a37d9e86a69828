// The session of a browser: a cookie that carries a token of the API, for the console. Every api process can read it, and it ends when
// its token expires or is revoked, because each request is judged by the token of now.
// S1: scripts of a page never see the token: the cookie is HttpOnly.
// S2: a request by cookie counts only from the console's own page: SameSite keeps other sites away, the Origin must be that of the
//     Host, and a change needs a header whose value only that page has read.
import { createHmac, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import { decode, parse, SwarmError, toSwarmError } from "../../../protocol/index.ts";
import { ACCESS_LEVELS } from "../../operations/operation.ts";
import type { ApiCaller, Callers } from "../tokens/callers.ts";

/** The path of the session. */
export const SESSION_PATH = "/v1/session";
/** The header of a changing request by cookie; its value is `csrf` of the session. */
export const CSRF_HEADER = "Murmur-CSRF";
/** The longest session, in seconds: a working day. A browser forgets the cookie then. */
const MAX_SESSION_SECONDS = 12 * 3_600;
/** The largest body of a login, in bytes: a token has fewer than 100. */
const MAX_LOGIN_BYTES = 4_096;
/** The methods that change nothing. */
const SAFE_METHODS: readonly string[] = ["GET", "HEAD"];

/** The body of a login. */
export const loginSchema = z.strictObject({
  token: z.string().min(1).max(512).meta({ description: "a token of the API" }),
});

/** The answer about a session. */
export const sessionSchema = z.object({
  /** The name of the caller. */
  user: z.string(),
  access: z.enum(ACCESS_LEVELS).nullable(),
  /** The capabilities whose tasks the caller may touch; null: all. */
  capabilities: z.array(z.string()).nullable(),
  /** False: this API takes every request without a token. */
  needsLogin: z.boolean(),
  /** The value of the header `Murmur-CSRF`, for changes with the cookie; null for a caller without one. */
  csrf: z.string().nullable(),
  /** The prefix of the swarm on NATS. */
  swarm: z.string(),
  version: z.string(),
});
/** The answer about a session. */
export type Session = z.output<typeof sessionSchema>;

/** The answer of a logout. */
export const endedSchema = z.object({ ended: z.literal(true) });

/** The credential of a request. */
export interface Credential {
  /** Undefined without one. */
  readonly token: string | undefined;
  readonly isCookie: boolean;
}

/** Reads the credential: the header `Authorization`, else the cookie. A header that cannot be read hides the cookie. */
export function readCredential(context: Context): Credential {
  const header = context.req.header("authorization");
  if (header !== undefined) return { token: /^bearer +(\S+)$/i.exec(header)?.[1], isCookie: false };
  const token = readCookie(context);
  return { token, isCookie: token !== undefined };
}

/** Refuses a request by cookie that does not come from the console's own page (S2). @throws SwarmError `not_permitted`. */
export function requireOwnPage(context: Context, token: string): void {
  requireOwnOrigin(context);
  if (SAFE_METHODS.includes(context.req.method)) return;
  if (!isSame(context.req.header(CSRF_HEADER) ?? "", csrfOf(token))) {
    throw new SwarmError(
      "not_permitted",
      `a change with the cookie of a session needs the header ${CSRF_HEADER} with csrf of GET ${SESSION_PATH}; programs send Authorization: Bearer …`,
      { field: CSRF_HEADER },
    );
  }
}

function requireOwnOrigin(context: Context): void {
  const origin = context.req.header("origin");
  if (origin === undefined || isOwn(origin, context.req.header("host"))) return;
  throw new SwarmError("not_permitted", "pages of other sites may not use this session", { field: "Origin" });
}

/** The facts about the API that a session tells. */
export interface SessionFacts {
  readonly swarm: string;
  readonly version: string;
}

/** The routes of the session. `callerOf`: the caller that the border has found. */
export function sessionRoutes(parts: {
  callers: Callers;
  callerOf: (context: Context) => ApiCaller;
  facts: SessionFacts;
  /** Notes a refused login, and returns its error. */
  refuse: (context: Context, failure: SwarmError) => Response;
}): Hono {
  const { callers, callerOf, facts, refuse } = parts;
  const describe = ({ rights }: ApiCaller, token: string | undefined): Session => ({
    ...{ user: rights.user, access: rights.access },
    capabilities: rights.capabilities === null ? null : [...rights.capabilities],
    needsLogin: !callers.isOpen,
    csrf: token === undefined ? null : csrfOf(token),
    ...facts,
  });
  const routes = new Hono();
  routes.get(SESSION_PATH, (context) => {
    const { token, isCookie } = readCredential(context);
    return context.json(describe(callerOf(context), isCookie ? token : undefined), 200, NO_STORE);
  });
  routes.post(SESSION_PATH, bodyLimit({ maxSize: MAX_LOGIN_BYTES, onError: refuseBody }), async (context) => {
    requireOwnOrigin(context); // another site must not log a browser in as someone else
    const bytes = new Uint8Array(await context.req.arrayBuffer());
    const { token } = parse(loginSchema, decode(bytes, context.req.header("content-type")).value, "body");
    const caller = findCaller(callers, token);
    if (caller instanceof SwarmError) return refuse(context, caller);
    if (callers.isOpen) return context.json(describe(caller, undefined), 200, NO_STORE);
    setCookie(context, token);
    return context.json(describe(caller, token), 200, NO_STORE);
  });
  routes.delete(SESSION_PATH, (context) => {
    setCookie(context, null);
    return context.json({ ended: true }, 200, NO_STORE);
  });
  return routes;
}

/** The caller, or the reason why the API knows no such caller. @throws SwarmError `rate_limited`. */
function findCaller(callers: Callers, token: string): ApiCaller | SwarmError {
  try {
    return callers.find(token);
  } catch (error) {
    const failure = toSwarmError(error);
    if (failure.code === "not_permitted") return failure;
    throw failure;
  }
}

const NO_STORE = { "Cache-Control": "no-store" };

function refuseBody(): never {
  throw new SwarmError("payload_too_large", `a login has at most ${MAX_LOGIN_BYTES} bytes`, {
    field: "body",
  });
}

/** The secret of a token for its own page. It tells nothing about the token, and is the same at every api process. */
function csrfOf(token: string): string {
  return createHmac("sha256", token).update("murmur-csrf").digest("base64url");
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** True for the origin of a page that this host served. A proxy may end TLS, so that the scheme differs. */
function isOwn(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/** The name of the cookie. Cookies of one host do not know ports, and a machine may have several swarms. */
function cookieName(context: Context): string {
  const port = /:(\d{1,5})$/.exec(context.req.header("host") ?? "")?.[1];
  return port === undefined ? "murmur_session" : `murmur_session_${port}`;
}

function readCookie(context: Context): string | undefined {
  const name = cookieName(context);
  for (const pair of (context.req.header("cookie") ?? "").split(";")) {
    const [key, value] = pair.trim().split("=", 2);
    if (key === name && value !== undefined && value !== "") return value;
  }
  return undefined;
}

/** Sets the cookie, or removes it. It is Secure where the browser speaks TLS, also with a proxy in between. */
function setCookie(context: Context, token: string | null): void {
  const origin = context.req.header("origin") ?? "";
  const isTls = origin.startsWith("https:") || context.req.header("x-forwarded-proto") === "https";
  const age = token === null ? 0 : MAX_SESSION_SECONDS;
  const parts = [
    `${cookieName(context)}=${token ?? ""}`,
    ...["Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${age}`],
    ...(isTls ? ["Secure"] : []),
  ];
  context.header("Set-Cookie", parts.join("; "));
}
