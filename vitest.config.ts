// How the tests run: real processes, so few files at a time. `./murmur test` is the way in; `vitest` takes the same options.
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The slowest test files, the slowest first. `node tools/build/test.ts --write-order` writes the list after a whole run. */
const SLOWEST: string[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "test/slowest-files.json"), "utf8"),
);

/**
 * Starts the slowest files first: a slow file that starts last would leave the other worker without work. The other files
 * follow by size, as vitest orders them without a cache of earlier runs.
 */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      const at = SLOWEST.indexOf(relative(import.meta.dirname, moduleId));
      return at === -1 ? SLOWEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b));
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The fixtures contain tests of other repositories.
    exclude: ["**/node_modules/**", "test/fixtures/**"],
    // Forks: tests start servers, send signals and read process.memoryUsage; threads would share all of that.
    pool: "forks",
    // A worker runs one file after the other and loads the modules of src once. A process for each file cost 40 % more CPU
    // time. So a test leaves nothing behind: no listener, no timer, no changed variable of the environment.
    isolate: false,
    // Two cores: a third worker only takes time from the servers that the first two talk to.
    maxWorkers: 2,
    // Real servers on a loaded machine. A test that waits longer waits for something that will not come.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The limit of expect.poll; its own default is one second.
    expect: { poll: { timeout: 60_000, interval: 20 } },
    retry: 0,
    sequence: { sequencer: SlowestFirst },
  },
});
