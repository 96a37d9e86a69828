// The probes that every process answers over HTTP: /livez (its event loop turns), /readyz (it can do its work), /metrics.
import { Hono } from "hono";
import type { RegisteredMeter } from "../../base/index.ts";
import type { Readiness } from "./readiness.ts";

/** The paths of the probes. */
export const PROBE_PATHS: readonly string[] = ["/livez", "/readyz", "/metrics"];

/** The routes of the probes. All answer from memory: a scrape reads nothing from NATS. */
export function probeRoutes(parts: { meter: RegisteredMeter; readiness: Readiness }): Hono {
  const { meter, readiness } = parts;
  const routes = new Hono();
  routes.get("/livez", (context) => context.text("ok\n"));
  routes.get("/readyz", (context) => {
    const { isReady, text } = readiness.report();
    return context.text(text, isReady ? 200 : 503);
  });
  routes.get("/metrics", async (context) => {
    readiness.measure();
    return context.text(await meter.registry.metrics(), 200, { "Content-Type": meter.registry.contentType });
  });
  return routes;
}
