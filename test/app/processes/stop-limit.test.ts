import { expect, test } from "vitest";
import { ABANDON_MS, LAST_MESSAGES_MS, StopLimit } from "../../../src/app/processes/stop-limit.ts";
import { createLogger, ManualClock } from "../../../src/base/index.ts";

const GRACE_MS = 3_000;

function setup() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const limit = new StopLimit({ graceMs: GRACE_MS, log, clock });
  const connection = {
    closes: 0,
    async close() {
      this.closes++;
    },
  };
  return { clock, limit, connection, lines };
}

const never = () => new Promise<never>(() => undefined);

test("the connection closes when the grace and the time for the last messages are over, not before", () => {
  const { clock, limit, connection, lines } = setup();
  limit.limit(connection);
  limit.begin();
  clock.advance(GRACE_MS + LAST_MESSAGES_MS - 1);
  expect(connection.closes).toBe(0);
  clock.advance(1);
  expect(connection.closes).toBe(1);
  expect(lines.join("")).toContain("grace is over");
});

test("a connection that opens after the time is over closes at once", () => {
  const { clock, limit, connection } = setup();
  limit.begin();
  clock.advance(GRACE_MS + LAST_MESSAGES_MS);
  limit.limit(connection);
  expect(connection.closes).toBe(1);
});

test("work that never ends is left behind within 2 s after the grace, and the log names it", async () => {
  const { clock, limit, lines } = setup();
  limit.begin();
  const waited = limit.within(never(), "stop of the services");
  clock.advance(GRACE_MS + LAST_MESSAGES_MS + ABANDON_MS);
  await waited;
  expect(LAST_MESSAGES_MS + ABANDON_MS).toBeLessThan(2_000);
  expect(lines.join("")).toContain("stop of the services");
});

test("work that ends in time, or fails, settles as it does by itself", async () => {
  const { limit, lines } = setup();
  limit.begin();
  await limit.within(Promise.resolve(1), "drain");
  await expect(limit.within(Promise.reject(new Error("no")), "drain")).rejects.toThrow("no");
  limit.end();
  expect(lines).toEqual([]);
});

test("the time begins once, and a stop without a signal has it too", () => {
  const { clock, limit, connection } = setup();
  limit.limit(connection);
  clock.advance(10 * GRACE_MS);
  expect(connection.closes).toBe(0);
  limit.begin();
  clock.advance(GRACE_MS);
  limit.begin();
  clock.advance(LAST_MESSAGES_MS);
  expect(connection.closes).toBe(1);
});
