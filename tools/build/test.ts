// `./murmur test`: format, lint, types and all tests, cheapest first, and one closing line that counts them. Owns the
// order and the count; what each of them checks is theirs (biome.json, tsconfig.json, vitest.config.ts, test/tidy).

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parseArgs } from "node:util";

const USAGE = `Usage: ./murmur test [path…] [-t PATTERN]

Checks the whole checkout: format and lint (biome), types (tsc), then the tests (vitest), test/tidy among them.
It ends with the line "N passed, N failed[, N skipped]": the tests, plus one for each of format, lint and types.

  path…         only test files whose path contains one of these, e.g. test/work
  -t PATTERN    only tests whose full title matches this regular expression

UPDATE_GOLDEN=1 rewrites the golden files that are read by the tests; read the diff before you commit it.
Exit codes: 0 all passed, 1 something failed or no test ran, 2 usage.
`;

const root = join(import.meta.dirname, "../..");
const packages = join(root, "node_modules");

/** A check that is one command: it passes when the command exits 0. */
interface Gate {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  /** What to do when it fails. */
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
  { name: "types", script: "typescript/bin/tsc", args: ["--noEmit"], hint: "see below" },
];

/** How many tests ended how. */
interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

let running: ChildProcess | undefined;

/** Runs a package's script under this Node, so that an older one on the PATH is never met. Resolves with its exit code. */
async function run(script: string, args: readonly string[], output: "inherit" | "collect") {
  const child = spawn(process.execPath, [join(packages, script), ...args], {
    cwd: root,
    stdio: ["ignore", output === "inherit" ? "inherit" : "pipe", output === "inherit" ? "inherit" : "pipe"],
    // As npm does for its scripts: a test that starts `node` or a package's command gets this checkout's.
    env: {
      ...process.env,
      // vitest colours a pipe when CI is set; a log is easier to read, and to search, without.
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

/** What is read of vitest's JSON report. */
interface Report {
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

/** Runs vitest. A file that fails without a failed test (it did not load, or an error escaped it) counts as one. */
async function runTests(filters: readonly string[], pattern: string | undefined): Promise<Count> {
  const dir = mkdtempSync(join(tmpdir(), "murmur-test-"));
  const file = join(dir, "report.json");
  const args = ["run", ...filters, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  if (pattern !== undefined) args.push("-t", pattern);
  try {
    const { code } = await run("vitest/vitest.mjs", args, "inherit");
    const count = countTests(file);
    // Unhandled errors and a crashed runner have no test that failed, only an exit code.
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

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const gate of GATES) {
    if (await runGate(gate)) total.passed += 1;
    else total.failed += 1;
  }
  const tests = await runTests(positionals, values.t);
  const ran = tests.passed + tests.failed > 0;
  if (!ran) console.log("No test ran, which counts as a failure: check the paths and the pattern.");
  total.passed += tests.passed;
  total.failed += tests.failed + (ran ? 0 : 1);
  total.skipped += tests.skipped;
  const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed === 0 ? 0 : 1;
}

function readArguments() {
  try {
    return parseArgs({
      options: { help: { type: "boolean", short: "h" }, t: { type: "string", short: "t" } },
      allowPositionals: true,
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    running?.kill(signal);
    process.exitCode = 1;
  });
}
process.exitCode = await main();
