// The probes that every process answers over HTTP: /livez (its event loop turns), /readyz (it can do its work), /metrics.
import { Hono } from "hono";
import type { RegisteredMeter } from "../../base/index.ts";

/** One condition of readiness. */
export interface Check {
  name: string;
  /** Resolves to null when the condition holds, else to the problem. */
  run(): Promise<string | null>;
  /** True: a problem is a warning, and the process is ready all the same. */
  isWarning?: true;
}

/** The paths of the probes. */
export const PROBE_PATHS: readonly string[] = ["/livez", "/readyz", "/metrics"];

/** How long a probe waits for its checks, in ms: kubelet gives up after 1 s by default, so the answer must come before. */
const CHECK_TIMEOUT_MS = 900;

/** The routes of the probes. `beforeScrape` updates the gauges that are computed only for a scrape. */
export function probeRoutes(parts: {
  meter: RegisteredMeter;
  checks: readonly Check[];
  beforeScrape?: (() => Promise<void>) | undefined;
}): Hono {
  const { meter, checks, beforeScrape } = parts;
  const routes = new Hono();
  routes.get("/livez", (context) => context.text("ok\n"));
  routes.get("/readyz", async (context) => {
    const results = await Promise.all(
      checks.map(async (check) => ({
        name: check.name,
        problem: await runCheck(check),
        mark: check.isWarning === true ? "warn" : "FAIL",
      })),
    );
    const lines = results.map(({ name, problem, mark }) =>
      problem === null ? `ok   ${name}` : `${mark} ${name}: ${problem}`,
    );
    return context.text(
      `${lines.join("\n")}\n`,
      results.every(({ problem, mark }) => problem === null || mark === "warn") ? 200 : 503,
    );
  });
  routes.get("/metrics", async (context) => {
    await beforeScrape?.();
    return context.text(await meter.registry.metrics(), 200, { "Content-Type": meter.registry.contentType });
  });
  return routes;
}

async function runCheck(check: Check): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${CHECK_TIMEOUT_MS} ms`), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([check.run(), late]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}
