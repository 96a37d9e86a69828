// `./murmur test`: format, lint, types and all tests, cheapest first, and one closing line that counts them. Owns the order
// and the count. Each check is configured in its own place: biome.json, tsconfig.json, vitest.config.ts, test/tidy.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { createTerminal } from "../../src/app/cli/terminal.ts";
import { loadConfig } from "../../src/app/config.ts";
import { EXIT } from "../../src/app/exit-codes.ts";
import { provideAnalysers } from "../../src/app/install/analysers.ts";
import { natsServerFor } from "../../src/app/install/tools.ts";
import { SwarmError } from "../../src/protocol/index.ts";

const USAGE = `Usage: ./murmur test [path…] [-t PATTERN] [--full] [--write-order]

Checks the whole checkout: format and lint (biome), types (tsc), then the tests (vitest), test/tidy among them.
The last line is "N passed, N failed[, N skipped]": the tests, plus one for each of format, lint, types, and types of the console.

  path…           only test files whose path contains one of these, e.g. test/work
  -t PATTERN      only tests whose full title matches this regular expression
  --full          the nightly run: all seeds and all fuzzed bodies (\`npm run nightly\`)
  --write-order   after a whole run, write the slowest files to test/slowest-files.json; they start first

UPDATE_GOLDEN=1 rewrites the golden files that the tests read; read the diff before you commit it.
Exit codes: 0 all passed, 1 something failed or no test ran, 2 usage, 3 a tool cannot be installed.
`;

const root = join(import.meta.dirname, "../..");
const packages = join(root, "node_modules");

/** Files that take longer than this, in ms, are listed in test/slowest-files.json. */
const SLOW_FILE_MS = 3_000;
/** The signals that end a run. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Clock ticks per second in /proc/self/stat: USER_HZ, which Linux fixes at 100 (proc(5)). */
const TICKS_PER_SECOND = 100;

/** A check that is one command: it passes when the command exits 0. */
interface Gate {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  /** The next step when the check fails. */
  readonly hint: string;
}

const GATES: readonly Gate[] = [
  {
    name: "format",
    script: "@biomejs/biome/bin/biome",
    args: ["format", "."],
    hint: "npx biome check --write .",
  },
  {
    // Import order is an assist action, which `biome lint` leaves out.
    name: "lint",
    script: "@biomejs/biome/bin/biome",
    args: ["check", "--formatter-enabled=false", "--error-on-warnings", "--diagnostic-level=warn", "."],
    hint: "npx biome check --write . repairs what is safe to",
  },
  // One checker: the four of tsc's default each find the types of the libraries anew, which doubles the CPU time.
  {
    name: "types",
    script: "typescript/bin/tsc",
    args: ["--noEmit", "--checkers", "1"],
    hint: "see below",
  },
  // The console runs in a browser, whose types must not be known elsewhere.
  {
    name: "console",
    script: "typescript/bin/tsc",
    args: ["--noEmit", "--checkers", "1", "--project", "console"],
    hint: "see below",
  },
];

/** The number of tests by outcome. */
interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

let running: ChildProcess | undefined;
let isFull = false;

/** Runs a package's script under this Node, because the first Node on the PATH may be older. Resolves with its exit code. */
async function run(script: string, args: readonly string[], output: "inherit" | "collect") {
  const child = spawn(process.execPath, [join(packages, script), ...args], {
    cwd: root,
    stdio: ["ignore", output === "inherit" ? "inherit" : "pipe", output === "inherit" ? "inherit" : "pipe"],
    // npm does the same for its scripts: a test that starts `node` or a package's command gets the one of this checkout.
    env: {
      ...process.env,
      ...(isFull ? { MURMUR_TEST_SCALE: "full" } : {}),
      // vitest colours a pipe when CI is set; a log without colours is easier to read and to search.
      ...(process.stdout.isTTY ? {} : { NO_COLOR: "1" }),
      PATH: [join(packages, ".bin"), dirname(process.execPath), process.env.PATH ?? ""].join(delimiter),
    },
  });
  running = child;
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve(exitCode ?? 1));
  });
  running = undefined;
  return { code, text: Buffer.concat(chunks).toString() };
}

async function runGate(gate: Gate): Promise<boolean> {
  process.stdout.write(`${gate.name.padEnd(8)}`);
  const startedMs = performance.now();
  const { code, text } = await run(gate.script, gate.args, "collect");
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(code === 0 ? `ok (${seconds} s)` : `FAILED (${seconds} s): ${gate.hint}\n${text.trimEnd()}\n`);
  return code === 0;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  testResults: {
    name: string;
    status: string;
    startTime: number;
    endTime: number;
    assertionResults: { status: string }[];
  }[];
}

/** Runs vitest. A file that fails without a failed test (it did not load, or an error escaped it) counts as one failure. */
async function runTests(
  filters: readonly string[],
  pattern: string | undefined,
  writesOrder: boolean,
): Promise<Count> {
  const dir = mkdtempSync(join(tmpdir(), "murmur-test-"));
  const file = join(dir, "report.json");
  const args = ["run", ...filters, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  if (pattern !== undefined) args.push("-t", pattern);
  try {
    const { code } = await run("vitest/vitest.mjs", args, "inherit");
    const count = countTests(file);
    if (writesOrder && count.failed === 0) writeOrder(file);
    // Unhandled errors and a crashed runner leave no failed test, only an exit code.
    if (code !== 0 && count.failed === 0) count.failed = 1;
    return count;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function countTests(file: string): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    console.log(`vitest left no report: ${cause}`);
    return { ...count, failed: 1 };
  }
  for (const suite of report.testResults) {
    const statuses = suite.assertionResults.map((test) => test.status);
    const failed = statuses.filter((status) => status === "failed").length;
    count.failed += failed === 0 && suite.status === "failed" ? 1 : failed;
    count.passed += statuses.filter((status) => status === "passed").length;
    count.skipped += statuses.filter((status) => status !== "passed" && status !== "failed").length;
  }
  return count;
}

/** Writes the slowest files, the slowest first; vitest.config.ts starts them in this order. */
function writeOrder(reportFile: string): void {
  const report: Report = JSON.parse(readFileSync(reportFile, "utf8"));
  const slow = report.testResults
    .map(({ name, startTime, endTime }) => ({ file: relative(root, name), ms: endTime - startTime }))
    .filter(({ ms }) => ms > SLOW_FILE_MS)
    .sort((a, b) => b.ms - a.ms);
  const files = slow.map(({ file }) => file);
  writeFileSync(join(root, "test/slowest-files.json"), `${JSON.stringify(files, null, 2)}\n`);
}

/**
 * The CPU time of this process and of all processes that it and its children have waited for, in seconds; undefined where
 * the system has no /proc. Fields 14 to 17 of proc(5): utime, stime, cutime, cstime.
 */
function cpuSeconds(): number | undefined {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return ticks / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/**
 * Finds or installs the tools that the tests need. `NATS_URL` does not replace nats-server here: each test starts its own.
 * @throws SwarmError `unavailable` with the ways out.
 */
async function provideTools(): Promise<void> {
  const interrupt = new AbortController();
  for (const signal of STOP_SIGNALS) process.once(signal, () => interrupt.abort());
  const { config, sources } = await loadConfig({ flags: {}, environment: process.env, directory: root });
  const ports = {
    ...{ config, sources, environment: process.env, directory: root, signal: interrupt.signal },
    terminal: createTerminal({ quiet: false }),
  };
  process.env.MURMUR_NATS_SERVER = await natsServerFor(ports);
  await provideAnalysers(ports);
}

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  isFull = values.full === true;
  await provideTools();
  const startedMs = performance.now();
  const cpuAtStart = cpuSeconds() ?? 0; // the installs are part of this process
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const gate of GATES) {
    if (await runGate(gate)) total.passed += 1;
    else total.failed += 1;
  }
  const tests = await runTests(positionals, values.t, values["write-order"] === true);
  const ran = tests.passed + tests.failed > 0;
  if (!ran) console.log("No test ran, which counts as a failure: check the paths and the pattern.");
  total.passed += tests.passed;
  total.failed += tests.failed + (ran ? 0 : 1);
  total.skipped += tests.skipped;
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  const cpu = cpuSeconds();
  const cpuMinutes =
    cpu === undefined ? "" : `, ${((cpu - cpuAtStart) / 60).toFixed(1)} min of CPU time in all processes`;
  console.log(`took ${minutes} min${cpuMinutes}`);
  const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed === 0 ? 0 : 1;
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        help: { type: "boolean", short: "h" },
        t: { type: "string", short: "t" },
        full: { type: "boolean" },
        "write-order": { type: "boolean" },
      },
      allowPositionals: true,
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

for (const signal of STOP_SIGNALS) {
  process.once(signal, () => {
    running?.kill(signal);
    process.exitCode = 1;
  });
}
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SwarmError)) throw error;
  process.stderr.write(`murmur: ${error.message}\n`);
  process.exitCode = EXIT.unavailable;
}
