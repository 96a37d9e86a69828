import { expect, test, vi } from "vitest";
import { whileConnected } from "../../../src/app/operations/time-limit.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import type { ConnectionState } from "../../../src/transport/index.ts";

/** A connection whose state the test sets. */
function connection() {
  const watchers = new Set<(state: ConnectionState) => void>();
  return {
    watchers,
    become: (state: ConnectionState) => watchers.forEach((watcher) => void watcher(state)),
    transport: {
      onState(watcher: (state: ConnectionState) => void) {
        watchers.add(watcher);
        return { close: () => void watchers.delete(watcher), ready: Promise.resolve() };
      },
    },
  };
}

test.each<ConnectionState>(["disconnected", "closed"])(
  "work that waits for a %s connection ends with the error after the limit, and watches no longer",
  async (state) => {
    vi.useFakeTimers();
    try {
      const { transport, become, watchers } = connection();
      const never = new Promise<string>(() => undefined);
      const settled = whileConnected(never, transport, 500, () => new SwarmError("unavailable", "lost"));
      const outcome = expect(settled).rejects.toThrow("lost");
      become(state);
      await vi.advanceTimersByTimeAsync(499);
      expect(watchers.size).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      await outcome;
      expect(watchers.size).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  },
);

test("work goes on when the connection comes back within the limit", async () => {
  vi.useFakeTimers();
  try {
    const { transport, become, watchers } = connection();
    const work = Promise.withResolvers<string>();
    const settled = whileConnected(work.promise, transport, 500, () => new SwarmError("unavailable", "lost"));
    become("disconnected");
    await vi.advanceTimersByTimeAsync(400);
    become("connected");
    await vi.advanceTimersByTimeAsync(10_000);
    work.resolve("done");
    expect(await settled).toBe("done");
    expect(watchers.size).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
