// Calls the API from the page: adds the header against other pages, bounds the wait, and turns every failure into one kind of error.
import type { Session } from "./types.ts";

/** How long one answer may take, in ms: an operation of the API waits 5 s for the swarm. */
const ANSWER_TIMEOUT_MS = 15_000;

/** A failure of a request. `status` 0: no answer came. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;

  constructor(facts: { status: number; code: string; message: string; field?: string | undefined }) {
    super(facts.message);
    this.status = facts.status;
    this.code = facts.code;
    this.field = facts.field;
  }

  /** True when the same request may succeed later: the network, NATS or the process is away. */
  get isAway(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

type Query = Readonly<Record<string, string | readonly string[] | number | boolean | undefined>>;

/** A request. `path` has its parameters already. */
export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** One path of parts; each part is escaped. */
export function pathOf(...parts: readonly string[]): string {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

let csrf: string | null = null;
let skewMs = 0;
let onSignedOut: () => void = () => undefined;

/** Hears when the API no longer knows the caller. */
export function hearSignOut(listener: () => void): void {
  onSignedOut = listener;
}

/** The time of the API, in Unix ms: ages must not depend on the clock of the browser. */
export function serverNow(): number {
  return Date.now() + skewMs;
}

/** Keeps the clock's difference to the API. The header has whole seconds, so smaller differences count as none. */
function keepSkew(answer: Response): void {
  const date = answer.headers.get("date");
  if (date === null) return;
  const found = Date.parse(date) + 500 - Date.now();
  skewMs = Math.abs(found) < 2_000 ? 0 : found;
}

/** Sends a request, and resolves with the body of a good answer. @throws ApiError. */
export async function call<T>({ method = "GET", path, query, body, signal }: Call): Promise<T> {
  const answer = await send({ method, path, query, body, signal }, {});
  return (await answer.json()) as T;
}

/**
 * Performs a change of many things, and hears of its progress. An abort stops the change after the present one; the report then
 * does not arrive.
 * @throws ApiError.
 */
export async function callBulk<T>(
  request: Call,
  onProgress: (progress: { done: number; selected: number }) => void,
): Promise<T> {
  const answer = await send(request, { Accept: "text/event-stream" });
  if (answer.headers.get("content-type") !== "text/event-stream") return (await answer.json()) as T;
  for await (const { event, data } of readEvents(answer)) {
    if (event === "progress") onProgress(data as { done: number; selected: number });
    else if (event === "report") return data as T;
    else throw toError(0, data);
  }
  throw new ApiError({ status: 0, code: "unavailable", message: "the answer ended before its report" });
}

async function send(
  {
    method = "GET",
    path,
    query,
    body,
    signal,
  }: Omit<Call, "query" | "signal" | "body"> & {
    query?: Query | undefined;
    body?: unknown;
    signal?: AbortSignal | undefined;
  },
  headers: Record<string, string>,
): Promise<Response> {
  const isBulk = "Accept" in headers;
  const limits = [...(isBulk ? [] : [AbortSignal.timeout(ANSWER_TIMEOUT_MS)]), ...(signal ? [signal] : [])];
  let answer: Response;
  try {
    answer = await fetch(path + queryOf(query), {
      ...{ method, credentials: "same-origin", redirect: "error" },
      headers: {
        Accept: "application/json",
        ...headers,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method === "GET" || csrf === null ? {} : { "Murmur-CSRF": csrf }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(limits.length === 0 ? {} : { signal: AbortSignal.any(limits) }),
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError({ status: 0, code: "unavailable", message: "the API does not answer" });
  }
  keepSkew(answer);
  if (answer.ok) return answer;
  const failure = toError(answer.status, await answer.json().catch(() => null));
  if (answer.status === 401 && !path.endsWith("/session")) onSignedOut();
  throw failure;
}

function toError(status: number, body: unknown): ApiError {
  const { error } = (body ?? {}) as { error?: { code?: string; message?: string; field?: string } };
  const { code = "internal", message = `the API answered with status ${status}`, field } = error ?? {};
  return new ApiError({ status, code, message, field });
}

function queryOf(query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === "") continue;
    for (const each of Array.isArray(value) ? value : [value]) search.append(name, String(each));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

/** The events of a stream of server-sent events, until it ends. */
async function* readEvents(answer: Response): AsyncGenerator<{ event: string; data: unknown }> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) return;
    text += piece.value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const event = field("event");
      if (event !== undefined) yield { event, data: JSON.parse(field("data") ?? "null") };
    }
  }
}

/** The session of this browser; null when the API wants a token. @throws ApiError when it does not answer. */
export async function findSession(): Promise<Session | null> {
  try {
    return keep(await call<Session>({ path: "/v1/session" }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/** Logs in. @throws ApiError. */
export async function logIn(token: string): Promise<Session> {
  return keep(await call<Session>({ method: "POST", path: "/v1/session", body: { token } }));
}

/** Logs out. @throws ApiError. */
export async function logOut(): Promise<void> {
  await call({ method: "DELETE", path: "/v1/session" });
  csrf = null;
}

function keep(session: Session): Session {
  csrf = session.csrf;
  return session;
}
