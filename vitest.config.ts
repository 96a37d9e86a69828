// How the tests run: real processes, so few files at a time. `./murmur test` is the way in; `npx vitest` takes the same.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Forks: tests start servers, send signals and read process.memoryUsage; threads would share all of that.
    pool: "forks",
    // Two cores: a third worker only takes time from the servers that the first two talk to.
    maxWorkers: 2,
    // Real servers on a loaded machine. A test that waits longer waits for something that will not come.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Of what is waited for with expect.poll; its own default is one second.
    expect: { poll: { timeout: 60_000, interval: 20 } },
    retry: 0,
  },
});
