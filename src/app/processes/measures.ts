// Sets the gauges of a process from its memory, again and again, so that a scrape reads nothing.
import { createService, type Service } from "../../base/index.ts";

/** The time between two settings, in ms: a fraction of the usual interval of scrapes, 5–60 s. */
const MEASURE_INTERVAL_MS = 1_000;

/** Calls `measure` while it runs, first at once. It must only read memory. */
export function keepMeasures(measure: () => void): Service {
  let timer: NodeJS.Timeout | undefined;
  return createService({
    name: "measures",
    start() {
      measure();
      timer = setInterval(measure, MEASURE_INTERVAL_MS);
    },
    stop() {
      clearInterval(timer);
      measure();
    },
  });
}
