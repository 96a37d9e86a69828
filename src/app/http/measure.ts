// Measures the requests of the HTTP API: their number by route, method and status, and the time to the answer.
import type { Context, MiddlewareHandler } from "hono";
import { type Meter, OTHER } from "../../base/index.ts";
import { PAGE_PATHS } from "./console/page.ts";
import { OPENAPI_PATH } from "./openapi/document.ts";
import { PROBE_PATHS } from "./probes.ts";
import { isWaiting } from "./routes/request.ts";
import { ROUTES } from "./routes/table.ts";
import { SESSION_PATH } from "./session/session.ts";
import { isUpgraded } from "./sockets/offer.ts";
import { EVENT_STREAM } from "./streams/event-stream.ts";

type HttpMeter = Pick<Meter, "httpRequests" | "httpSeconds">;

/** The paths beside those of the routes. */
const KNOWN_PATHS: readonly string[] = [...PROBE_PATHS, OPENAPI_PATH, SESSION_PATH, ...PAGE_PATHS];
/** The status of a request that became a WebSocket. */
const SWITCHED = 101;
/** The methods that routes have, and methods that a client may send by mistake. Others count as `other`. */
const METHODS: readonly string[] = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"];

/** Counts each request once its answer is ready, also a request that the border refuses. */
export function measureRequests(meter: HttpMeter): MiddlewareHandler {
  return async (context, next) => {
    const startedMs = performance.now();
    await next();
    const route = routeOf(context);
    const { method } = context.req;
    meter.httpRequests.inc({
      route,
      method: METHODS.includes(method) ? method : OTHER,
      status: isUpgraded(context) ? SWITCHED : context.res.status,
    });
    const waits = ROUTES.some((each) => each.path === route && isWaiting(context, each));
    const isStream = isUpgraded(context) || context.res.headers.get("content-type") === EVENT_STREAM;
    if (!waits && !isStream) meter.httpSeconds.observe({ route }, (performance.now() - startedMs) / 1_000);
  };
}

/** The pattern of the path, so that ids of tasks are no labels. */
function routeOf({ req }: Context): string {
  const found = ROUTES.find(({ method, path }) => isLike(path, req.path) && methodFits(method, req.method));
  if (found !== undefined) return found.path;
  return KNOWN_PATHS.find((path) => path === req.path) ?? OTHER;
}

const methodFits = (method: string, asked: string) =>
  method === asked || (method === "GET" && asked === "HEAD");

/** True when a path has the pattern of a route. */
export function isLike(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((part, index) => (part.startsWith(":") ? given[index] !== "" : part === given[index]))
  );
}
